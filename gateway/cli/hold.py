"""`gateway hold`: a legal hold keeps an incident from being erased, whatever its retention class says; a police hold keeps
what the rules name from being disclosed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.hold_disclosure import HoldLifting, PoliceHold, lift_police_hold, place_police_hold
from gateway.actions.hold_legally import LegalHold, lift_legal_hold, place_legal_hold
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, on_incident, opened, run
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.store import incidents, overview

app = typer.Typer(
    help="Holds: what must not be erased, and what must not be disclosed.", no_args_is_help=True
)

One = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")]
Reason = Annotated[
    str, typer.Option(metavar="CODE", help="Why, as a code without names: inquiry, claim, police-request.")
]


@app.command()
def place(incident: One, reason: Reason, officer: Officer, as_json: JsonFlag = False) -> None:
    """Bar erasure of an incident from now on. One officer: a hold only keeps.

    Example: gateway hold place SI-7K3M-9QPX-2D --reason inquiry --officer "W. Stave"
    """
    told = run(_set(LegalHold(IncidentId(incident), officer, reason), is_placed=True))
    answer(told, [f"{incident} cannot be erased from now on, receipt {told['receipt']}"], as_json)


@app.command()
def lift(
    incident: One, reason: Reason, officer: Officer, second_officer: SecondOfficer, as_json: JsonFlag = False
) -> None:
    """Let an incident be erased again. Nothing is erased by it. Two officers.

    Example: gateway hold lift SI-7K3M-9QPX-2D --reason inquiry-closed --officer "W. Stave" --second-officer "C. Reed"
    """
    told = run(_set(LegalHold(IncidentId(incident), officer, reason, second_officer), is_placed=False))
    answer(told, [f"{incident} is under no legal hold any more, receipt {told['receipt']}"], as_json)


@app.command()
def police(incident: One, reason: Reason, officer: Officer, as_json: JsonFlag = False) -> None:
    """Stop disclosure of an incident: letters and messages that the rules name wait from now on. One officer.

    Example: gateway hold police SI-7K3M-9QPX-2D --reason criminal-proceedings --officer "W. Stave"
    """
    told = run(_stop(PoliceHold(IncidentId(incident), officer, reason)))
    answer(told, [f"{incident} is under a police hold from now on, receipt {told['receipt']}"], as_json)


@app.command()
def lift_police(
    incident: One, reason: Reason, officer: Officer, second_officer: SecondOfficer, as_json: JsonFlag = False
) -> None:
    """End a police hold. What waited goes out only when somebody releases it. Two officers.

    Example: gateway hold lift-police SI-7K3M-9QPX-2D --reason proceedings-ended --officer "W. Stave" --second-officer "C. Reed"
    """
    both = TwoOfficers(officer, second_officer)
    told = run(_let(HoldLifting(IncidentId(incident), both, reason)))
    lines = [f"{incident} is under no police hold any more, receipt {told['receipt']}"]
    answer(told, [*lines, "What waited is in `gateway held list`"], as_json)


@app.command("list")
def list_holds(as_json: JsonFlag = False) -> None:
    """List the incidents under a legal hold or a police hold.

    Example: gateway hold list
    """
    found = run(_list())
    lines = [f"{one['incident']}  {one['partnership']}, {one['state']}" for one in found]
    stopped = run(_list_stopped())
    lines += [
        f"{one['incident']}  {one['partnership']}, {one['state']}, POLICE HOLD: {one['reason']}"
        for one in stopped
    ]
    told = {"legal_holds": found, "police_holds": stopped}
    answer(told, lines or ["Nothing is under a legal hold or a police hold."], as_json)


async def _set(asked: LegalHold, *, is_placed: bool) -> dict[str, Any]:
    stated = await on_incident(place_legal_hold if is_placed else lift_legal_hold, asked)
    return {"incident": asked.incident, "legal_hold": is_placed, "receipt": stated.id}


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        found = await parts.store.read(lambda tx: incidents.held_legally(tx, overview.partnerships(tx)))
    return [{"incident": one.id, "partnership": one.partnership, "state": one.state} for one in found]


async def _stop(asked: PoliceHold) -> dict[str, Any]:
    stated = await on_incident(place_police_hold, asked)
    return {"incident": asked.incident, "police_hold": asked.reason, "receipt": stated.id}


async def _let(asked: HoldLifting) -> dict[str, Any]:
    stated = await on_incident(lift_police_hold, asked)
    return {"incident": asked.incident, "police_hold": None, "receipt": stated.id}


async def _list_stopped() -> list[dict[str, Any]]:
    async with opened() as parts:
        found = await parts.store.read(
            lambda tx: incidents.held_from_disclosure(tx, overview.partnerships(tx))
        )
    return [
        {"incident": one.id, "partnership": one.partnership, "state": one.state, "reason": one.police_hold}
        for one in found
    ]

"""`gateway hold`: a legal hold keeps an incident from being erased, whatever its retention class says."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.hold_legally import LegalHold, lift_legal_hold, place_legal_hold
from gateway.cli.officer import partnership_of
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run
from gateway.core.messages import IncidentId
from gateway.store import incidents, overview

app = typer.Typer(help="Legal holds: what must not be erased.", no_args_is_help=True)

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


@app.command("list")
def list_holds(as_json: JsonFlag = False) -> None:
    """List the incidents under a legal hold.

    Example: gateway hold list
    """
    found = run(_list())
    lines = [f"{one['incident']}  {one['partnership']}, {one['state']}" for one in found]
    answer({"legal_holds": found}, lines or ["Nothing is under a legal hold."], as_json)


async def _set(asked: LegalHold, *, is_placed: bool) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await partnership_of(parts, asked.incident)
        action = place_legal_hold if is_placed else lift_legal_hold
        stated = await parts.perform(action, asked, partnership, asked.incident)
    return {"incident": asked.incident, "legal_hold": is_placed, "receipt": stated.id}


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        found = await parts.store.read(lambda tx: incidents.held_legally(tx, overview.partnerships(tx)))
    return [{"incident": one.id, "partnership": one.partnership, "state": one.state} for one in found]

"""`gateway guests`: agencies that take part in one incident without being of the partnership's own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.dismiss_guest import dismiss_guest
from gateway.actions.invite_guest import GuestChange, invite_guest
from gateway.cli.session import (
    JsonFlag,
    Officer,
    SecondOfficer,
    answer,
    on_incident,
    opened,
    partnership_of,
    run,
)
from gateway.core.messages import AgencyId, IncidentId
from gateway.core.officers import TwoOfficers
from gateway.store import incidents

app = typer.Typer(
    help="Guest agencies of an incident: a home council, a partner out of area.", no_args_is_help=True
)

IncidentArgument = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")]
AgencyArgument = Annotated[
    str, typer.Argument(metavar="AGENCY", help="The agency's id, of any directory here.")
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with the incident.")]


@app.command()
def add(
    incident: IncidentArgument,
    agency: AgencyArgument,
    reason: Reason,
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """Let an agency take part as a guest: it gets what the rules send to guests, and sees nothing else.

    Example: gateway guests add SI-7K3M-9QPX-2D fellside-council --reason "The child's home council"
    --officer "W. Stave" --second-officer "C. Reed"
    """
    asked = GuestChange(IncidentId(incident), AgencyId(agency), TwoOfficers(officer, second_officer), reason)
    told = run(_add(asked))
    line = f"{agency} takes part as a guest, receipt {told['receipt']}; {len(told['sent'])} earlier messages follow"
    answer(told, [line], as_json)


@app.command()
def remove(
    incident: IncidentArgument,
    agency: AgencyArgument,
    reason: Reason,
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """End a guest's part: nothing more is sent to it. What it has collected it has.

    Example: gateway guests remove SI-7K3M-9QPX-2D fellside-council --reason "Another council is responsible"
    --officer "W. Stave" --second-officer "C. Reed"
    """
    asked = GuestChange(IncidentId(incident), AgencyId(agency), TwoOfficers(officer, second_officer), reason)
    told = run(_remove(asked))
    answer(told, [f"{agency} is no guest any more, receipt {told['receipt']}"], as_json)


@app.command("list")
def list_guests(incident: IncidentArgument, as_json: JsonFlag = False) -> None:
    """Who takes part in an incident, and who of them is a guest.

    Example: gateway guests list SI-7K3M-9QPX-2D
    """
    found = run(_list(IncidentId(incident)))
    lines = [f"{one['agency']}{'  (guest)' if one['guest'] else ''}" for one in found]
    answer({"incident": incident, "agencies": found}, lines, as_json)


async def _add(asked: GuestChange) -> dict[str, Any]:
    done = await on_incident(invite_guest, asked)
    return {
        "incident": asked.incident,
        "agency": asked.agency,
        "receipt": done.receipt,
        "sent": list(done.sent),
    }


async def _remove(asked: GuestChange) -> dict[str, Any]:
    receipt = await on_incident(dismiss_guest, asked)
    return {"incident": asked.incident, "agency": asked.agency, "receipt": receipt}


async def _list(incident: IncidentId) -> list[dict[str, Any]]:
    async with opened() as parts:
        partnership = await partnership_of(parts, incident)
        found = await parts.store.read(lambda tx: incidents.taking_part(tx, partnership, incident))
    return [{"agency": agency, "guest": guest} for agency, guest in sorted(found.items())]

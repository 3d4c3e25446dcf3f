"""`gateway transfer`: responsibility for an incident moves to another partnership here, or to a council elsewhere."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.transfer import Transfer, receiving_in
from gateway.actions.transfer import transfer as transfer_one
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, partnership_of, run
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.officers import TwoOfficers

app = typer.Typer(no_args_is_help=True)


@app.command()
def transfer(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with the incident.")],
    officer: Officer,
    second_officer: SecondOfficer,
    to: Annotated[
        str | None, typer.Option(metavar="PARTNERSHIP", help="The partnership here that takes over.")
    ] = None,
    to_council: Annotated[
        str | None, typer.Option(metavar="NAME", help="The council that takes over and is not here.")
    ] = None,
    taken_by: Annotated[
        str, typer.Option(metavar="NAME", help="With --to-council: who there took it over, and their post.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Move an incident: its open duties end here, and the law's duties begin on the other side.

    Example: gateway transfer SI-7K3M-9QPX-2D --to derby --reason "It happened there" --officer "W. Stave"
    --second-officer "C. Reed"
    """
    if (to is None) == (to_council is None):
        raise typer.BadParameter("give --to PARTNERSHIP, or --to-council NAME with --taken-by NAME")
    asked = Transfer(
        IncidentId(incident),
        TwoOfficers(officer, second_officer),
        reason,
        council=to_council or "",
        taken_by=taken_by,
    )
    told = run(_transfer(asked, PartnershipId(to) if to else None))
    lines = [
        f"{incident} is transferred, receipt {told['receipt']}; {len(told['ended'])} open duties end here"
    ]
    if told["new_incident"]:
        lines.append(f"There it is {told['new_incident']}")
    lines.append(f"Evidence to hand over: gateway evidence export {incident} --out evidence.zip --officer …")
    answer(told, lines, as_json)


async def _transfer(asked: Transfer, to: PartnershipId | None) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await partnership_of(parts, asked.incident)
        receiving = await receiving_in(parts, to) if to else None
        given = Transfer(
            asked.incident, asked.officers, asked.reason, receiving, asked.council, asked.taken_by
        )
        done = await parts.perform(transfer_one, given, partnership, asked.incident)
    return {
        "incident": asked.incident,
        "receipt": done.receipt,
        "ended": list(done.ended),
        "new_incident": done.incident,
    }

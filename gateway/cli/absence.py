"""`gateway absence`: who is away and when, so that deputies, team mailboxes and out-of-hours teams take over.

Invariant: every change is an entry in the ledger. Exit status: 0 done, 1 nobody of that seat, 2 wrong use.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import typer

from gateway.actions.announce_absence import Absence, Announced, announce_absence
from gateway.actions.settle import settle
from gateway.cli.directory import Partnership, the_partnership
from gateway.cli.session import JsonFlag, answer, opened, run, stop
from gateway.core.messages import AgencyId, RoleId, Seat
from gateway.core.presence import begin_of, end_of, local_day
from gateway.store import directory

app = typer.Typer(help="Who is away, and when.", no_args_is_help=True)

Agency = Annotated[
    str, typer.Argument(metavar="AGENCY", help="The agency's id, as `gateway directory list` has it.")
]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="The role, such as dsl.")]
Rank = Annotated[int, typer.Argument(metavar="RANK", help="Which holder: the rank in the list.", min=0)]


@app.command("set")
def set_absence(
    agency: Agency,
    role: Role,
    rank: Rank,
    begins: Annotated[
        str, typer.Option("--from", metavar="DAY|INSTANT", help="The first day away; today without it.")
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="DAY|INSTANT", help="The last day away; until further notice without it."
        ),
    ] = "",
    partnership: Partnership = "",
    as_json: JsonFlag = False,
) -> None:
    """Note that somebody is away, in every seat that they hold at the agency; the next deputy takes over.

    Example: gateway absence set harbour-view-primary dsl 0 --from 2026-12-01 --until 2026-12-04
    """
    first, last = _instant(begins, "--from", ends=False), _instant(until, "--until", ends=True)
    told = run(_note(agency, role, rank, partnership, first, last, is_back=False))
    answer(told, _in_words(told), as_json)


@app.command("clear")
def clear(
    agency: Agency, role: Role, rank: Rank, partnership: Partnership = "", as_json: JsonFlag = False
) -> None:
    """Note that somebody is back.

    Example: gateway absence clear harbour-view-primary dsl 0
    """
    told = run(_note(agency, role, rank, partnership, None, None, is_back=True))
    answer(told, _in_words(told), as_json)


@app.command("list")
def list_absences(partnership: Partnership = "", as_json: JsonFlag = False) -> None:
    """List who is away or will be, and who works only some days; and who is at work in that seat now.

    Example: gateway absence list
    """
    found = run(_list(partnership))
    answer({"absences": found}, [_line(one) for one in found] or ["nobody is away"], as_json)


def _instant(text: str, option: str, *, ends: bool) -> datetime | None:
    """A day counts whole, as London has it; an instant is taken as it is."""
    if not text:
        return None
    try:
        if len(text) == len("2026-12-01"):
            day = date.fromisoformat(text)
            return end_of(day) if ends else begin_of(day)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        stop(f"{option} is a day such as 2026-12-01, or an instant such as 2026-12-01T12:00+00:00", 2)
    if found.tzinfo is None:
        stop(f"{option} needs an offset, such as 2026-12-01T12:00+00:00", 2)
    return found


async def _note(
    agency: str,
    role: str,
    rank: int,
    wanted: str,
    first: datetime | None,
    last: datetime | None,
    *,
    is_back: bool,
) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await the_partnership(parts, wanted)
        if first is None and not is_back:
            first = begin_of(local_day(parts.clock()))
        seat = Seat(AgencyId(agency), RoleId(role))
        done = await settle(parts, announce_absence, Absence(partnership, seat, rank, first, last))
    return _document(done, agency, first, last)


def _document(done: Announced, agency: str, first: datetime | None, last: datetime | None) -> dict[str, Any]:
    return {
        "agency": agency,
        "name": done.person,
        "roles": [seat.role for seat in done.seats],
        "absent_from": first.isoformat() if first else None,
        "absent_until": last.isoformat() if last else None,
        "nobody_left": [seat.role for seat in done.deserted],
        "receipt": {"id": done.receipt.id, "jws": done.receipt.jws},
    }


def _in_words(told: dict[str, Any]) -> list[str]:
    state = "is noted as away" if told["absent_from"] else "is noted as back"
    lines = [f"{told['name']} {state} in {', '.join(told['roles'])}; receipt {told['receipt']['id']}"]
    for role in told["nobody_left"]:
        lines.append(f"NOBODY IS THEN AT WORK in {role} of {told['agency']}: name a deputy or a team mailbox")
    return lines


async def _list(wanted: str) -> list[dict[str, Any]]:
    async with opened() as parts:
        partnership = await the_partnership(parts, wanted)
        found = await parts.store.read(lambda tx: directory.load(tx, partnership))
        at = parts.clock()
    rows = []
    for seat in sorted(found.seats, key=lambda seat: (seat.agency, seat.role)):
        present = found.present_holder(seat, at)
        for holder in found.seats[seat]:
            is_over = holder.absent_until is not None and holder.absent_until <= at
            if holder.works is None and (holder.absent_from is None or is_over):
                continue
            rows.append(
                {
                    "agency": seat.agency,
                    "role": seat.role,
                    "rank": holder.rank,
                    "name": holder.name,
                    "works": holder.works.text if holder.works else None,
                    "absent_from": holder.absent_from.isoformat() if holder.absent_from else None,
                    "absent_until": holder.absent_until.isoformat() if holder.absent_until else None,
                    "absent_now": holder.is_absent(at, found.in_term(seat.agency, local_day(at))),
                    "at_work_now": present.name if present else None,
                }
            )
    return rows


def _line(one: dict[str, Any]) -> str:
    spans = [f"works {one['works']}"] if one["works"] else []
    if one["absent_from"]:
        spans.append(f"away from {one['absent_from']} until {one['absent_until'] or 'further notice'}")
    instead = one["at_work_now"] or "NOBODY"
    return f"{one['role']} of {one['agency']}, rank {one['rank']}, {one['name']}: {'; '.join(spans)}; now {instead}"

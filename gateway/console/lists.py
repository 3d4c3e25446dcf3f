"""Lists over all incidents: duties, failing partners. They show ids and codes only and leave no entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.console import reading, words
from gateway.console.door import Console, Officer, Visit
from gateway.console.listing import onward, place
from gateway.console.pages import page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, PartnershipId
from gateway.core.rules import Pack
from gateway.core.working_days import Calendar
from gateway.parts import Snapshot
from gateway.store import overview
from gateway.store.overview import ROWS, Day, DutyLine, Place
from gateway.store.transaction import Tx

ReadDuties = Callable[[Tx, Sequence[str], Day, Place | None], list[DutyLine]]


@dataclass(frozen=True, slots=True)
class DutyList:
    title: str
    empty: str
    hint: str
    read: ReadDuties


DUTY_LISTS: Mapping[str, DutyList] = {
    "overdue": DutyList(
        "Overdue duties", "Nothing is overdue.", "What is due next stands on today's page.", overview.overdue
    ),
    "due-today": DutyList(
        "Due today",
        "Nothing more is due today.",
        "What is due next stands on today's page.",
        overview.due_today,
    ),
    "unacknowledged": DutyList(
        "Unacknowledged",
        "Every message that needs it has been acknowledged.",
        "A system that collects a message acknowledges nothing: only a person does.",
        overview.unacknowledged,
    ),
}


async def get_duties(console: Console, visit: Visit) -> Response:
    """One of the lists of duties, soonest due first."""
    name = visit.path("list")
    if name not in DUTY_LISTS:
        raise Refused(ErrorCode.NOT_FOUND)
    wanted, after, day = DUTY_LISTS[name], place(visit), day_of(console)
    within = visit.signed_in.partnerships

    def read(tx: Tx) -> tuple[list[DutyLine], int]:
        return wanted.read(tx, within, day, after), overview.duty_counts(tx, within, day)[
            name.replace("-", "_")
        ]

    rows, total = await console.parts.store.read(read)
    known = await snapshots(console, visit.signed_in)
    lines = [
        (
            row,
            words.left_of(row, day.now, pack_of(known, row.partnership)),
        )
        for row in rows[:ROWS]
    ]
    last = Place(lines[-1][0].due_at, lines[-1][0].id) if lines else None
    shown: dict[str, Any] = {
        "lines": lines,
        "names": agency_names(known),
        "onward_to": onward(visit, f"/duties/{name}", rows, last, total),
    }
    return page(visit, "duties.html", here="today", listing=wanted, **shown)


async def get_partners(console: Console, visit: Visit) -> Response:
    """Agencies to which something could not be delivered."""
    within = visit.signed_in.partnerships
    rows = await console.parts.store.read(lambda tx: overview.failing_partners(tx, within))
    names = agency_names(await snapshots(console, visit.signed_in))
    return page(visit, "partners.html", here="deliveries", rows=rows, names=names)


async def snapshots(console: Console, officer: Officer) -> dict[PartnershipId, Snapshot]:
    """The partnerships that the officer sees, as they stand."""
    return {each: await console.parts.partnerships.snapshot(each) for each in officer.partnerships}


def day_of(console: Console) -> Day:
    now = console.parts.clock()
    return Day(now, words.day_ends_at(now))


def pack_of(known: Mapping[PartnershipId, Snapshot], partnership: PartnershipId) -> Pack | None:
    return known[partnership].pack if partnership in known else None


def calendar_of(known: Mapping[PartnershipId, Snapshot], partnership: PartnershipId) -> Calendar | None:
    return known[partnership].pack.calendar if partnership in known else None


def agency_names(known: Mapping[PartnershipId, Snapshot]) -> dict[AgencyId, str]:
    return {
        agency: name
        for each in known.values()
        for agency, name in reading.agency_names(each.directory).items()
    }

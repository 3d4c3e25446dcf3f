"""Pages over all incidents: today, incidents, duties, deliveries. They show ids and codes only and leave no entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.console import reading, words
from gateway.console.door import Console, Officer, Visit
from gateway.console.pages import page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, PartnershipId
from gateway.core.working_days import Calendar
from gateway.parts import Snapshot
from gateway.store import overview
from gateway.store.overview import Day, DutyLine, Page
from gateway.store.transaction import Tx

ROWS = 25

ReadDuties = Callable[[Tx, Sequence[str], Day, Page], tuple[list[DutyLine], int]]


@dataclass(frozen=True, slots=True)
class DutyList:
    title: str
    empty: str
    read: ReadDuties


DUTY_LISTS: Mapping[str, DutyList] = {
    "overdue": DutyList("Overdue duties", "Nothing is overdue.", overview.overdue),
    "due-today": DutyList("Due today", "Nothing more is due today.", overview.due_today),
    "unacknowledged": DutyList(
        "Unacknowledged", "Every message that needs it has been acknowledged.", overview.unacknowledged
    ),
}
DELIVERY_LISTS: Mapping[str, tuple[str, ...]] = {
    "failed": overview.FAILED,
    **{state: (state,) for state in words.DELIVERY_STATES},
}


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in a list we are, for the words "Showing 26 to 50 of 61" and the links beside them."""

    number: int
    shown: int
    total: int

    @property
    def first(self) -> int:
        return (self.number - 1) * ROWS + 1

    @property
    def last(self) -> int:
        return self.first + self.shown - 1

    @property
    def count(self) -> int:
        return max(1, -(-self.total // ROWS))


async def get_today(console: Console, visit: Visit) -> Response:
    """What waits, in figures that lead to their lists."""
    officer, day = visit.signed_in, _day(console)
    read = await console.parts.store.read(lambda tx: reading.today(tx, officer, day))
    return page(visit, "today.html", here="today", read=read, now=day.now)


async def get_incidents(console: Console, visit: Visit) -> Response:
    """Every incident, soonest due first."""
    return await _incidents(console, visit, awaiting_triage=False)


async def get_awaiting(console: Console, visit: Visit) -> Response:
    """Open incidents that the partners have not decided on."""
    return await _incidents(console, visit, awaiting_triage=True)


async def get_duties(console: Console, visit: Visit) -> Response:
    """One of the lists of duties, soonest due first."""
    name = visit.path("list")
    if name not in DUTY_LISTS:
        raise Refused(ErrorCode.NOT_FOUND)
    wanted, number, day = DUTY_LISTS[name], _page_number(visit), _day(console)
    within = visit.signed_in.partnerships
    rows, total = await console.parts.store.read(
        lambda tx: wanted.read(tx, within, day, Page((number - 1) * ROWS, ROWS))
    )
    known = await snapshots(console, visit.signed_in)
    lines = [(row, words.left(day.now, row.due_at, _calendar(known, row.partnership))) for row in rows]
    shown: dict[str, Any] = {"lines": lines, "names": _names(known), "pages": Pages(number, len(rows), total)}
    return page(visit, "duties.html", here="today", listing=wanted, path=f"/duties/{name}", **shown)


async def get_deliveries(console: Console, visit: Visit) -> Response:
    """Deliveries in one state, newest first; those that failed unless another state is asked for."""
    name = visit.request.path_params.get("state", "failed")
    if name not in DELIVERY_LISTS:
        raise Refused(ErrorCode.NOT_FOUND)
    within, number = visit.signed_in.partnerships, _page_number(visit)

    def read(tx: Tx) -> tuple[Any, int, dict[str, int]]:
        rows, total = overview.deliveries(tx, within, DELIVERY_LISTS[name], Page((number - 1) * ROWS, ROWS))
        return rows, total, overview.deliveries_by_state(tx, within)

    rows, total, counts = await console.parts.store.read(read)
    figures = {each: sum(counts.get(state, 0) for state in states) for each, states in DELIVERY_LISTS.items()}
    names = _names(await snapshots(console, visit.signed_in))
    shown: dict[str, Any] = {
        "rows": rows,
        "pages": Pages(number, len(rows), total),
        "figures": figures,
        "names": names,
    }
    return page(visit, "deliveries.html", here="deliveries", name=name, path=f"/deliveries/{name}", **shown)


async def snapshots(console: Console, officer: Officer) -> dict[PartnershipId, Snapshot]:
    """The partnerships that the officer sees, as they stand."""
    return {each: await console.parts.partnerships.snapshot(each) for each in officer.partnerships}


async def _incidents(console: Console, visit: Visit, *, awaiting_triage: bool) -> Response:
    within, number, day = visit.signed_in.partnerships, _page_number(visit), _day(console)
    stretch = Page((number - 1) * ROWS, ROWS)
    rows, total = await console.parts.store.read(
        lambda tx: overview.incidents(tx, within, stretch, awaiting_triage=awaiting_triage)
    )
    known = await snapshots(console, visit.signed_in)
    lines = [
        (row, words.left(day.now, row.soonest_due_at, _calendar(known, row.partnership))) for row in rows
    ]
    title = "Awaiting triage" if awaiting_triage else "Incidents"
    path = "/awaiting-triage" if awaiting_triage else "/incidents"
    shown: dict[str, Any] = {"title": title, "path": path, "pages": Pages(number, len(rows), total)}
    return page(visit, "incidents.html", here="incidents", lines=lines, **shown)


def _day(console: Console) -> Day:
    now = console.parts.clock()
    return Day(now, words.day_ends_at(now))


def _page_number(visit: Visit) -> int:
    asked = visit.request.query_params.get("page", "1")
    if not (asked.isascii() and asked.isdecimal() and 0 < len(asked) < 6 and int(asked)):
        raise Refused(ErrorCode.NOT_FOUND)
    return int(asked)


def _calendar(known: Mapping[PartnershipId, Snapshot], partnership: PartnershipId) -> Calendar | None:
    return known[partnership].pack.calendar if partnership in known else None


def _names(known: Mapping[PartnershipId, Snapshot]) -> dict[AgencyId, str]:
    return {
        agency: name
        for each in known.values()
        for agency, name in reading.agency_names(each.directory).items()
    }

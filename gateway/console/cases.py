"""The list of incidents: filters in the address, saved views of each officer, what is due soonest first."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from gateway.console import words
from gateway.console.door import Console, Visit
from gateway.console.listing import Chosen, Onward, Total, address, place, written
from gateway.console.lists import agency_names, calendar_of, day_of, snapshots
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, PartnershipId
from gateway.core.presence import LONDON
from gateway.store import caseload, views
from gateway.store.caseload import Filters, Found, IncidentLine
from gateway.store.overview import Day
from gateway.store.transaction import Tx
from gateway.store.views import SavedView

PATH = "/incidents"
MOST_NAME = 40
MOST_CHARACTERS = 120
STATES = (
    ("open", "Open"),
    ("closed", "Closed"),
    ("transferred", "Transferred"),
    ("erased", "Erased"),
    ("any", "Any"),
)
STAGES = (
    ("triage", "Awaiting triage"),
    ("notify", "National notification owed"),
    ("gathering", "Gathering returns"),
    ("review", "In review"),
    ("other", "Something else, or nothing, is owed"),
)
DUE = (("overdue", "Overdue"), ("today", "Due by the end of today"), ("week", "Due within seven days"))
SORTS = (("", "Soonest due first"), ("newest", "Newest first"))
NOTICES = {"kept": "The view is saved.", "full": "You have as many views as can be kept: remove one first."}


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as they stand in the address; every one is a code of ours or a day."""

    state: str = ""
    stage: str = ""
    label: str = ""
    partnership: str = ""
    owed_by: str = ""
    due: str = ""
    due_before: str = ""
    sort: str = ""

    @property
    def query(self) -> dict[str, str]:
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name))}


@dataclass(frozen=True, slots=True)
class CasesRead:
    lines: list[IncidentLine]
    more: bool
    last: Found | None
    total: int
    labels: list[str]
    saved: list[SavedView]


async def get_incidents(console: Console, visit: Visit) -> Response:
    """One page of incidents, what is due soonest first."""
    asked, day, officer = _asked(visit.request.query_params), day_of(console), visit.signed_in
    within = _within(officer.partnerships, asked.partnership)
    wanted, after = _filters(asked, day), place(visit)
    limited = visit.request.query_params.get("from") != "undue"

    def read(tx: Tx) -> CasesRead:
        if asked.sort == "newest":
            found, more = caseload.newest(tx, within, wanted, after)
        else:
            found, more = caseload.page(tx, within, wanted, after, limited)
        last = found[-1] if found else None
        total, labels = caseload.count(tx, within, wanted), caseload.labels(tx, officer.partnerships)
        saved = views.of_officer(tx, officer.name)
        return CasesRead(caseload.lines(tx, found), more, last, total, labels, saved)

    read_now = await console.parts.store.read(read)
    known = await snapshots(console, officer)
    names = agency_names(known)
    shown: dict[str, Any] = {
        "lines": _with_left(read_now.lines, day, known),
        "asked": asked,
        "applied": _chosen(asked, names),
        "choices": _choices(read_now.labels, names, {one: known[one].pack.title for one in known}),
        "saved": read_now.saved,
        "here_query": urlencode(asked.query),
        "names": names,
        "onward_to": _onward(visit, asked, read_now),
    }
    notice = NOTICES.get(visit.request.query_params.get("done", ""))
    return page(visit, "incidents.html", here="incidents", notice=notice, **shown)


async def get_awaiting(console: Console, visit: Visit) -> Response:
    """Open incidents that the partners have not decided on, the oldest first."""
    day, within, after = day_of(console), visit.signed_in.partnerships, place(visit)

    def read(tx: Tx) -> CasesRead:
        found, more = caseload.awaiting_triage(tx, within, after)
        total = caseload.count(tx, within, Filters(stage="triage"))
        return CasesRead(caseload.lines(tx, found), more, found[-1] if found else None, total, [], [])

    read_now = await console.parts.store.read(read)
    known = await snapshots(console, visit.signed_in)
    forward = (
        address("/awaiting-triage", {"after": written(read_now.last.place)})
        if read_now.more and read_now.last
        else None
    )
    shown: dict[str, Any] = {
        "lines": _with_left(read_now.lines, day, known),
        "names": agency_names(known),
        "onward_to": Onward(
            len(read_now.lines), Total(read_now.total), "/awaiting-triage", forward, after is None
        ),
    }
    return page(visit, "awaiting.html", here="today", **shown)


async def post_view(console: Console, visit: Visit) -> Response:
    """Keep the filters in use under a name, in place of a view of the same name."""
    asked = _asked(visit.form)
    name = " ".join(visit.form.get("name", "").split())[:MOST_NAME]
    if not name:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Give the view a name. Go back and try again.")
    query, officer = urlencode(asked.query), visit.signed_in.name
    kept = SavedView(f"view-{secrets.token_hex(8)}", name, query)
    is_kept = await console.parts.store.transact(lambda tx: views.save(tx, officer, kept))
    return go(f"{PATH}?{query}{'&' if query else ''}done={'kept' if is_kept else 'full'}")


async def post_view_removed(console: Console, visit: Visit) -> Response:
    officer, view = visit.signed_in.name, visit.path("view")
    await console.parts.store.transact(lambda tx: views.remove(tx, officer, view))
    return go(PATH)


def _asked(given: Mapping[str, str]) -> Asked:
    """The filters of an address or form; Refused(not-found) for what is none of ours."""
    asked = Asked(**{each.name: given.get(each.name, "")[:MOST_CHARACTERS] for each in fields(Asked)})
    closed = ((asked.state, STATES), (asked.stage, STAGES), (asked.due, DUE), (asked.sort, SORTS))
    if any(value and value not in dict(choices) for value, choices in closed):
        raise Refused(ErrorCode.NOT_FOUND)
    _day(asked.due_before)
    return asked


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(ErrorCode.NOT_FOUND) from None


def _within(mine: tuple[PartnershipId, ...], wanted: str) -> tuple[PartnershipId, ...]:
    if not wanted:
        return mine
    return tuple(one for one in mine if one == wanted)


def _filters(asked: Asked, day: Day) -> Filters:
    return Filters(
        state=None if asked.state == "any" else asked.state or "open",
        stage=asked.stage or None,
        label=asked.label or None,
        owed_by=AgencyId(asked.owed_by) if asked.owed_by else None,
        due_before=_due_before(asked, day),
    )


def _due_before(asked: Asked, day: Day) -> datetime | None:
    """The instant that a duty must be due before; of two filters the earlier one counts."""
    moment = timedelta(microseconds=1)  # a limit at midnight belongs to the day that ends there
    bounds = []
    if asked.due:
        ends_at = day.ends_at + moment
        bounds.append({"overdue": day.now, "today": ends_at, "week": ends_at + timedelta(days=7)}[asked.due])
    if (before := _day(asked.due_before)) is not None:
        bounds.append(datetime.combine(before, time(0), tzinfo=LONDON).astimezone(UTC) + moment)
    return min(bounds, default=None)


def _with_left(
    lines: list[IncidentLine], day: Day, known: Mapping[PartnershipId, Any]
) -> list[tuple[Any, ...]]:
    return [
        (row, words.left(day.now, row.soonest_due_at, calendar_of(known, row.partnership))) for row in lines
    ]


def _onward(visit: Visit, asked: Asked, read: CasesRead) -> Onward:
    forward = None
    if read.more and read.last is not None:
        phase = None if read.last.is_limited or asked.sort == "newest" else "undue"
        forward = address(PATH, {**asked.query, "after": written(read.last.place), "from": phase})
    is_first = "after" not in visit.request.query_params
    return Onward(len(read.lines), Total(read.total), address(PATH, asked.query), forward, is_first)


def _choices(
    labels: list[str], names: Mapping[AgencyId, str], partnerships: Mapping[PartnershipId, str]
) -> dict[str, list[tuple[str, str]]]:
    return {
        "state": list(STATES),
        "stage": list(STAGES),
        "due": list(DUE),
        "label": [(label, words.spoken(label)) for label in labels],
        "owed_by": sorted(
            ((agency, name) for agency, name in names.items()), key=lambda one: one[1].casefold()
        ),
        "partnership": sorted(partnerships.items(), key=lambda one: one[1]),
    }


def _chosen(asked: Asked, names: Mapping[AgencyId, str]) -> list[Chosen]:
    """The filters in use in words, each with the address of the list without it."""
    said = {
        "state": dict(STATES).get(asked.state, ""),
        "stage": dict(STAGES).get(asked.stage, ""),
        "due": dict(DUE).get(asked.due, ""),
        "label": f"Label: {words.spoken(asked.label)}",
        "partnership": f"Partnership: {words.spoken(asked.partnership)}",
        "owed_by": f"Owed by {names.get(AgencyId(asked.owed_by), asked.owed_by)}",
        "due_before": f"Due before {words.day(on)}" if (on := _day(asked.due_before)) else "",
    }
    query = asked.query
    return [
        Chosen(told, address(PATH, {name: value for name, value in query.items() if name != each}))
        for each, told in said.items()
        if query.get(each)
    ]

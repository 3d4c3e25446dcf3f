"""Breaches of personal data: those whose 72 hours run, one of them, and recording one on an incident (K21, domain section 8).

That one was reported an officer says alone; that it need not be reported silences, and waits for a second officer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.actions.close_breach import BreachClosing, close_breach
from gateway.actions.record_breach import IG_OFFICER, Breach, BreachKind, record_breach
from gateway.actions.view import Viewing, view
from gateway.console import reading, words
from gateway.console.approvals import ask
from gateway.console.deliveries import said
from gateway.console.door import Console, Visit
from gateway.console.forms import local_instant
from gateway.console.lists import agency_names, snapshots
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, MessageId
from gateway.core.presence import LONDON
from gateway.store import breaches, deliveries, duties, messages
from gateway.store.breaches import BreachRow
from gateway.store.deliveries import DeliveryRow
from gateway.store.duties import DutyRow
from gateway.store.overview import MOST_LISTED
from gateway.store.transaction import Tx

MOST_REFERENCE = 60
NOTICES = {
    "recorded": "Recorded. The 72 hours to report it run from when it was known, weekends included.",
    "near-miss": "Recorded. A near miss is not reported.",
    "reported": "Closed: it was reported, and its 72 hours are met.",
}


@dataclass(frozen=True, slots=True)
class BreachRead:
    """One breach, the duty of its 72 hours, and what was sent of the message that went astray."""

    row: BreachRow
    duty: DutyRow | None
    sent: list[DeliveryRow]


async def get_breaches(console: Console, visit: Visit) -> Response:
    """Those that wait for a report or a decision, the longest known first; with `?all` those that are closed."""
    within, now = visit.signed_in.partnerships, console.parts.clock()
    shows_all = "all" in visit.request.query_params

    def read(tx: Tx) -> list[BreachRead]:
        rows = (breaches.ended if shows_all else breaches.still_open)(tx, within, MOST_LISTED)
        return [_read(tx, row) for row in rows]

    found = await console.parts.store.read(read)
    lines = [(one, words.hours_left(now, one.duty.due_at if one.duty else None)) for one in found]
    return page(visit, "breaches.html", here="today", lines=lines, shows_all=shows_all, now=now)


async def get_breach(console: Console, visit: Visit) -> Response:
    """One of them; the opening of its incident is stated."""
    row = await _found(console, visit)
    opening = Viewing(visit.signed_in.name, row.partnership, row.incident)
    await console.parts.perform(view, opening, row.partnership, row.incident)
    read, now = await console.parts.store.read(lambda tx: _read(tx, row)), console.parts.clock()
    shown: dict[str, Any] = {
        "read": read,
        "left": words.hours_left(now, read.duty.due_at if read.duty else None),
        "names": agency_names(await snapshots(console, visit.signed_in)),
        "notice": NOTICES.get(visit.request.query_params.get("done", "")),
    }
    return page(visit, "breach.html", here="today", **shown)


async def post_reported(console: Console, visit: Visit) -> Response:
    row, reference = await _found(console, visit), visit.form.get("reference", "").strip()
    if not reference or len(reference) > MOST_REFERENCE:
        detail = "Give the reference that the Information Commissioner's Office gave. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    asked = BreachClosing(row.id, visit.signed_in.name, reference)
    await console.parts.perform(close_breach, asked, row.partnership, row.incident)
    return go(f"/breaches/{row.id}?done=reported")


async def post_not_reportable(console: Console, visit: Visit) -> Response:
    """Ask a second officer: with their word it is closed without a report."""
    row = await _found(console, visit)
    said(visit, "reason", "Say why nobody's rights are at risk.")
    return await ask(console, visit, "close-breach", row.incident, {"breach": row.id})


async def get_record(console: Console, visit: Visit) -> Response:
    """The form that records one on an incident."""
    wanted, partnership = await reading.openable(console, visit)
    rows = await console.parts.store.read(lambda tx: messages.of_incident(tx, partnership, wanted))
    directory = (await console.parts.partnerships.snapshot(partnership)).directory
    names = reading.agency_names(directory)
    shown: dict[str, Any] = {
        "incident": wanted,
        "messages": list(reversed(rows)),
        "names": names,
        "controllers": [(s.agency, names.get(s.agency, s.agency)) for s in directory.seats_of(IG_OFFICER)],
        "kinds": words.BREACH_KINDS.items(),
        "now": console.parts.clock().astimezone(LONDON),
    }
    return page(visit, "breach_record.html", here="incidents", **shown)


async def post_record(console: Console, visit: Visit) -> Response:
    wanted, partnership = await reading.openable(console, visit)
    form, told = visit.form, said(visit, "words", "Say what happened.")
    if form.get("kind") not in words.BREACH_KINDS:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose what kind it is. Go back and try again.")
    kind = BreachKind(form["kind"])
    known_since = "Give the day and the time since when it is known."
    asked = Breach(
        wanted,
        local_instant(form.get("aware_on", ""), form.get("aware_time", ""), known_since),
        kind,
        visit.signed_in.name,
        told,
        MessageId(form["message"]) if form.get("message") else None,
        AgencyId(form["agency"]) if form.get("agency") else None,
    )
    done = await console.parts.perform(record_breach, asked, partnership, wanted)
    return go(f"/breaches/{done.breach}?done={'near-miss' if kind is BreachKind.NEAR_MISS else 'recorded'}")


def _read(tx: Tx, row: BreachRow) -> BreachRead:
    duty = duties.find(tx, row.duty) if row.duty else None
    sent = deliveries.of_message(tx, row.message) if row.message else []
    return BreachRead(row, duty, [one for one in sent if one.opened_at is not None])


async def _found(console: Console, visit: Visit) -> BreachRow:
    """The breach, when the officer may open its incident."""
    officer, named, now = visit.signed_in, visit.path("breach"), console.parts.clock()

    def look(tx: Tx) -> BreachRow:
        row = breaches.find(tx, officer.partnerships, named)
        if row is None:
            raise Refused(ErrorCode.NOT_FOUND)
        reading.must_open(tx, officer, row.partnership, row.incident, now)
        return row

    return await console.parts.store.read(look)

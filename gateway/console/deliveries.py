"""Deliveries by partner and way, and one delivery with what an officer can do about it: try again, give up, tell by telephone.

The list shows ids and codes and leaves no entry; opening one is stated as opening its incident is. Every button is the action
that the command line calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.actions.acknowledge import Acknowledgement, acknowledge
from gateway.actions.cancel import Cancellation, cancel
from gateway.actions.record_call import numbers_of
from gateway.actions.redrive import Redrive, redrive
from gateway.actions.view import Viewing, view
from gateway.console import reading, words
from gateway.console.door import Console, Visit
from gateway.console.listing import address, onward, place
from gateway.console.lists import agency_names, snapshots
from gateway.console.pages import go, page
from gateway.core.deliveries import FINAL_STATES
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DeliveryId, Seat
from gateway.store import deliveries, holds, overview
from gateway.store.deliveries import DeliveryRow
from gateway.store.overview import ROWS, Place
from gateway.store.transaction import Tx

MOST_WORDS = 500
DELIVERY_LISTS: Mapping[str, tuple[str, ...]] = {
    "failed": overview.FAILED,
    **{state: (state,) for state in words.DELIVERY_STATES},
}
NOTICES = {
    "tried": "It is tried again now, under the same id.",
    "cancelled": "Given up. Nothing of it is sent any more.",
    "told": "Recorded: a person there has it.",
    "tested": "The test is on its way. This page shows how far it came: reload it. Ask them whether they have read it.",
}


async def get_deliveries(console: Console, visit: Visit) -> Response:
    """Deliveries in one state, newest first; those that failed unless another state is asked for."""
    name = visit.request.path_params.get("state", "failed")
    known = await snapshots(console, visit.signed_in)
    names, query = agency_names(known), visit.request.query_params
    agency, way = query.get("agency", ""), query.get("way", "")
    if name not in DELIVERY_LISTS or (agency and agency not in names) or (way and way not in words.WAYS):
        raise Refused(ErrorCode.NOT_FOUND)
    within, after = visit.signed_in.partnerships, place(visit)

    def read(tx: Tx) -> tuple[Any, dict[str, int]]:
        rows = overview.deliveries(tx, within, DELIVERY_LISTS[name], after, agency, way)
        return rows, overview.deliveries_by_state(tx, within)

    rows, counts = await console.parts.store.read(read)
    figures = {each: sum(counts.get(state, 0) for state in states) for each, states in DELIVERY_LISTS.items()}
    last = Place(rows[ROWS - 1].created_at, rows[ROWS - 1].id) if len(rows) > ROWS else None
    chosen = {"agency": agency, "way": way}
    shown: dict[str, Any] = {
        "rows": rows[:ROWS],
        "onward_to": onward(visit, f"/deliveries/{name}", rows, last, figures[name], **chosen),
        "figures": figures,
        "names": names,
        "chosen_agency": agency,
        "chosen_way": way,
        "suffix": address("", chosen),
        "now": console.parts.clock(),
        "notice": _many_done(query),
    }
    return page(visit, "deliveries.html", here="deliveries", name=name, **shown)


async def get_delivery(console: Console, visit: Visit) -> Response:
    """One delivery: what is known of it, whom to telephone, and what can be done."""
    row = await _found(console, visit)
    if row.incident is not None:
        asked = Viewing(visit.signed_in.name, row.partnership, row.incident, row.id)
        await console.parts.perform(view, asked, row.partnership, row.incident)
    directory = (await console.parts.partnerships.snapshot(row.partnership)).directory
    now = console.parts.clock()
    waits = await console.parts.store.read(lambda tx: holds.waiting(tx, [row.partnership]))
    shown: dict[str, Any] = {
        "row": row,
        "now": now,
        "line": await console.parts.store.read(lambda tx: _line(tx, row)),
        "hold": next((one for one in waits if one.subject == row.id), None),
        "names": reading.agency_names(directory),
        "people": numbers_of(directory, Seat(row.agency, row.role), now),
        "is_final": row.state in FINAL_STATES,
        "notice": NOTICES.get(visit.request.query_params.get("done", "")),
    }
    return page(visit, "delivery.html", here="deliveries", **shown)


async def post_redrive(console: Console, visit: Visit) -> Response:
    row = await _found(console, visit)
    await console.parts.perform(redrive, Redrive(row.id, visit.signed_in.name), row.partnership, row.incident)
    return go(f"/delivery/{row.id}?done=tried")


async def post_redrive_many(console: Console, visit: Visit) -> Response:
    """Try those again that were ticked; what cannot be (its incident is closed, say) is passed over and counted."""
    chosen = [name.removeprefix("again-") for name in visit.form if name.startswith("again-")]
    if not chosen:
        raise Refused(
            ErrorCode.MALFORMED_REQUEST, detail="Tick at least one delivery. Go back and try again."
        )
    done = 0
    for one in chosen:
        try:
            row = await _read(console, visit, one)
            asked = Redrive(row.id, visit.signed_in.name)
            await console.parts.perform(redrive, asked, row.partnership, row.incident)
            done += 1
        except Refused:
            continue
    return go(f"/deliveries?tried={done}&passed={len(chosen) - done}")


async def post_cancel(console: Console, visit: Visit) -> Response:
    row, why = await _found(console, visit), said(visit, "reason", "Say why in a few words.")
    asked = Cancellation(row.id, visit.signed_in.name, why)
    await console.parts.perform(cancel, asked, row.partnership, row.incident)
    return go(f"/delivery/{row.id}?done=cancelled")


async def post_told(console: Console, visit: Visit) -> Response:
    """Somebody at the agency says by telephone that they have it: their acknowledgement, as an officer took it down."""
    row, who = await _found(console, visit), said(visit, "name", "Say who said so.")
    within = (str(row.partnership),)
    asked = Acknowledgement(
        row.agency, within, row.id, "person", row.role, who, recorded_by=visit.signed_in.name
    )
    await console.parts.perform(acknowledge, asked, row.partnership, row.incident)
    return go(f"/delivery/{row.id}?done=told")


def said(visit: Visit, name: str, otherwise: str) -> str:
    """What the officer typed, in their own words; Refused with `otherwise` when nothing or too much."""
    text = visit.form.get(name, "").strip()
    if not text or len(text) > MOST_WORDS:
        detail = f"{otherwise} At most {MOST_WORDS} characters. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    return text


async def _found(console: Console, visit: Visit) -> DeliveryRow:
    return await _read(console, visit, visit.path("delivery"))


async def _read(console: Console, visit: Visit, named: str) -> DeliveryRow:
    officer, now = visit.signed_in, console.parts.clock()

    def look(tx: Tx) -> DeliveryRow:
        row = deliveries.find(tx, DeliveryId(named))
        if row is None:
            raise Refused(ErrorCode.NOT_FOUND)
        reading.must_open(tx, officer, row.partnership, row.incident, now)
        return row

    return await console.parts.store.read(look)


def _line(tx: Tx, row: DeliveryRow) -> overview.DeliveryLine | None:
    """As lists show it; None where it belongs to no incident."""
    found = overview.deliveries_of_incident(tx, row.partnership, row.incident) if row.incident else ()
    return next((one for one in found if one.id == row.id), None)


def _many_done(query: Mapping[str, str]) -> str | None:
    tried, passed = query.get("tried", ""), query.get("passed", "")
    if not (tried.isdecimal() and passed.isdecimal() and len(tried + passed) < 6):
        return None
    over = f" {int(passed)} could not be: the incident is closed, or it did not fail." if int(passed) else ""
    return f"{int(tried)} tried again now.{over}"

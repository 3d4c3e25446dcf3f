"""Telephone calls to make: who is to be rung and why, what to say, and what came of it.

Whom to ring is read from the directory when the page is shown. A call is recorded by the action that `gateway tasks done` calls;
whatever else waits for a call is dealt with where it is held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.actions.climb import TELEPHONE
from gateway.actions.record_call import Call, Number, Outcome, numbers_of, record_call, what_to_say
from gateway.actions.view_held import Viewing, view_held
from gateway.console import reading, words
from gateway.console.deliveries import MOST_WORDS
from gateway.console.door import Console, Visit
from gateway.console.lists import agency_names, snapshots
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DeliveryId, Seat
from gateway.store import deliveries, holds
from gateway.store.deliveries import DeliveryRow
from gateway.store.holds import HoldRow
from gateway.store.transaction import Tx

MOST_ROWS = 100
NOTICES = {
    "has-it": "Recorded: they have it, by their own word taken down by you.",
    "told": "Recorded: they were told.",
    "not-reached": "Recorded. The call is still to be made.",
}
OUTCOMES = (
    ("has-it", "They have it and say so"),
    ("told", "They were told of it"),
    ("not-reached", "Nobody was reached: the call is still to be made"),
)


@dataclass(frozen=True, slots=True)
class CallRead:
    """One call to make and the delivery that it is about."""

    hold: HoldRow
    delivery: DeliveryRow | None

    @property
    def is_ladder(self) -> bool:
        """Whether it is recorded here; other calls belong to something that is held and are dealt with there."""
        return TELEPHONE in self.hold.reasons


async def get_calls(console: Console, visit: Visit) -> Response:
    """Every call to make, the longest waiting first."""
    within = visit.signed_in.partnerships

    def read(tx: Tx) -> list[CallRead]:
        waiting = [hold for hold in holds.waiting(tx, within) if words.wait_kind(hold) == "calls"]
        return [_read(tx, hold) for hold in waiting[:MOST_ROWS]]

    found = await console.parts.store.read(read)
    shown: dict[str, Any] = {
        "rows": found,
        "now": console.parts.clock(),
        "names": agency_names(await snapshots(console, visit.signed_in)),
        "notice": NOTICES.get(visit.request.query_params.get("done", "")),
    }
    return page(visit, "calls.html", here="calls", **shown)


async def get_call(console: Console, visit: Visit) -> Response:
    """One call: whom to ring, what to say, and the form for what came of it; its opening is stated."""
    read = await _found(console, visit)
    opening = Viewing(read.hold.id, visit.signed_in.name)
    await console.parts.perform(view_held, opening, read.hold.partnership, read.hold.incident)
    return await _shown(console, visit, read, {})


async def post_call(console: Console, visit: Visit) -> Response:
    """Record it; on a slip the page comes back with what was typed."""
    read, form = await _found(console, visit), visit.form
    name, note = form.get("name", "").strip(), form.get("note", "").strip()
    slips = {}
    if form.get("outcome") not in dict(OUTCOMES):
        slips["outcome"] = "Say what came of the call"
    elif form["outcome"] != Outcome.NOT_REACHED.value and not name:
        slips["name"] = "Say who answered"
    if max(len(name), len(note)) > MOST_WORDS:
        slips["note"] = f"Write at most {MOST_WORDS} characters"
    if slips:
        return await _shown(console, visit, read, slips)
    outcome = Outcome(form["outcome"])
    asked = Call(read.hold.id, visit.signed_in.name, outcome, name or None, note)
    await console.parts.perform(record_call, asked, read.hold.partnership, read.hold.incident)
    return go(f"/calls?done={outcome.value}")


async def _shown(console: Console, visit: Visit, read: CallRead, slips: dict[str, str]) -> Response:
    hold, row = read.hold, read.delivery
    directory = (await console.parts.partnerships.snapshot(hold.partnership)).directory
    people: tuple[Number, ...] = ()
    if row is not None:
        people = numbers_of(directory, Seat(row.agency, row.role), console.parts.clock())
    title = words.message_title(row.message_type) if row else words.HELD_SUBJECTS[hold.subject_kind]
    shown: dict[str, Any] = {
        "read": read,
        "title": title,
        "names": reading.agency_names(directory),
        "people": people,
        "say": what_to_say(hold.incident, title),
        "outcomes": OUTCOMES,
        "typed": dict(visit.form),
        "found": slips,
    }
    return page(visit, "call.html", 422 if slips else 200, here="calls", **shown)


async def _found(console: Console, visit: Visit) -> CallRead:
    officer, now, named = visit.signed_in, console.parts.clock(), visit.path("hold")

    def look(tx: Tx) -> CallRead:
        hold = holds.find(tx, named)
        if hold is None or TELEPHONE not in hold.reasons:
            raise Refused(ErrorCode.NOT_FOUND)
        reading.must_open(tx, officer, hold.partnership, hold.incident, now)
        return _read(tx, hold)

    return await console.parts.store.read(look)


def _read(tx: Tx, hold: HoldRow) -> CallRead:
    is_sent = hold.subject_kind in ("delivery", "failed-delivery")
    return CallRead(hold, deliveries.find(tx, DeliveryId(hold.subject)) if is_sent else None)

"""Work on one incident that no message brings: close and take up again, legal hold, take a message back, confirm its erasure.

What can silence or destroy waits for a second officer (`approvals.ask`); the rest is the action that the command line calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from gateway.actions.ask_the_law import asked_of_incident
from gateway.actions.close_incident import Closing, close_incident
from gateway.actions.end_retention import past_retention
from gateway.actions.hold_legally import LegalHold, place_legal_hold
from gateway.actions.reopen import Reopening, reopen
from gateway.actions.view import Viewing, view
from gateway.console import reading, words
from gateway.console.approvals import ask
from gateway.console.deliveries import said
from gateway.console.door import Console, Visit
from gateway.console.pages import go, page
from gateway.core.duties import UNANSWERED
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.rules import Pack
from gateway.store import deliveries, duties, holds, incidents, messages
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

NOTICES = {
    "closed": "The incident is closed. Whatever comes late opens it again.",
    "reopened": "The incident is open again.",
    "hold-placed": "Nothing of it can be erased while the legal hold stands.",
}
LEGAL_REASONS: Mapping[str, str] = {
    "inquiry": "An inquiry",
    "court-order": "A court order",
    "claim": "A claim against an agency",
    "police-investigation": "A police investigation",
    "complaint": "A complaint",
}
LIFTING_REASONS: Mapping[str, str] = {
    "inquiry-closed": "The inquiry is closed",
    "proceedings-ended": "The proceedings have ended",
    "placed-in-error": "It was placed in error",
}
ANSWERS: Mapping[str, str] = {
    "notified": "It was notified elsewhere",
    "referred": "It was referred to the partners elsewhere",
    "not-required": "Nothing is required",
}


@dataclass(frozen=True, slots=True)
class WorkRead:
    """What stands in the way of closing, and what could be taken back."""

    incident: Incident
    owed: int
    held: int
    under_way: int
    law: list[dict[str, Any]]
    messages: list[MessageRow]
    is_past_retention: bool


async def get_work(console: Console, visit: Visit) -> Response:
    """The incident's state, with the forms that change it; its opening is stated."""
    wanted, partnership = await reading.openable(console, visit)
    await console.parts.perform(view, Viewing(visit.signed_in.name, partnership, wanted), partnership, wanted)
    pack, now = (await console.parts.partnerships.snapshot(partnership)).pack, console.parts.clock()

    def read(tx: Tx) -> WorkRead:
        return _read(tx, pack, wanted, now)

    found = await console.parts.store.read(read)
    names = reading.agency_names((await console.parts.partnerships.snapshot(partnership)).directory)
    shown: dict[str, Any] = {
        "read": found,
        "incident": found.incident,
        "names": names,
        "asked": [words.asked(each) for each in found.law if each["standing"] != "not-met"],
        "answers": ANSWERS.items(),
        "legal_reasons": LEGAL_REASONS.items(),
        "lifting_reasons": LIFTING_REASONS.items(),
        "notice": NOTICES.get(visit.request.query_params.get("done", "")),
    }
    return page(visit, "work.html", here="incidents", **shown)


async def post_close(console: Console, visit: Visit) -> Response:
    """Close it. That nothing is required by law, although a criterion may be met, a second officer must say too."""
    wanted, partnership = await reading.openable(console, visit)
    why, chosen = said(visit, "reason", "Say why it can be closed."), visit.form.get("answer", "")
    if chosen and chosen not in ANSWERS:
        raise Refused(ErrorCode.MALFORMED_REQUEST)
    because = said(visit, "because", "Say what that answer rests on.") if chosen else ""
    if chosen == "not-required":
        return await ask(console, visit, "close-not-required", wanted)
    asked = Closing(wanted, visit.signed_in.name, why, chosen or None, because)
    await console.parts.perform(close_incident, asked, partnership, wanted)
    return go(f"/incidents/{wanted}/change?done=closed")


async def post_reopen(console: Console, visit: Visit) -> Response:
    wanted, partnership = await reading.openable(console, visit)
    asked = Reopening(wanted, visit.signed_in.name, said(visit, "reason", "Say why."))
    await console.parts.perform(reopen, asked, partnership, wanted)
    return go(f"/incidents/{wanted}/change?done=reopened")


async def post_legal_hold(console: Console, visit: Visit) -> Response:
    """Placing one only keeps: one officer does it."""
    wanted, partnership = await reading.openable(console, visit)
    asked = LegalHold(wanted, visit.signed_in.name, _chosen(visit, LEGAL_REASONS))
    await console.parts.perform(place_legal_hold, asked, partnership, wanted)
    return go(f"/incidents/{wanted}/change?done=hold-placed")


async def post_lift(console: Console, visit: Visit) -> Response:
    _chosen(visit, LIFTING_REASONS)
    return await ask(console, visit, "lift-legal-hold", IncidentId(visit.path("incident")))


async def post_recall(console: Console, visit: Visit) -> Response:
    """Ask a second officer to take a message back from everybody who had it."""
    if not visit.form.get("message"):
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose the message. Go back and try again.")
    said(visit, "reason", "Say why; those who had it read this.")
    return await ask(console, visit, "recall-message", IncidentId(visit.path("incident")))


async def post_erase(console: Console, visit: Visit) -> Response:
    """Ask a second officer to erase what is kept for longer than its class allows."""
    return await ask(console, visit, "confirm-erasure", IncidentId(visit.path("incident")))


def _read(tx: Tx, pack: Pack, wanted: IncidentId, now: Any) -> WorkRead:
    partnership = pack.partnership
    found = incidents.find(tx, partnership, wanted)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    rows = messages.of_incident(tx, partnership, wanted)
    owed = [duty for duty in duties.of_incident(tx, partnership, wanted) if duty.state in UNANSWERED]
    return WorkRead(
        found,
        len(owed),
        len(holds.about_incident(tx, partnership, wanted)),
        len(deliveries.under_way(tx, partnership, wanted)),
        asked_of_incident(tx, pack, wanted, rows),
        [row for row in rows if row.decision == "forward" and row.sealed is not None],
        any(one.incident == wanted for one in past_retention(tx, pack, now)),
    )


def _chosen(visit: Visit, reasons: Mapping[str, str]) -> str:
    reason = visit.form.get("reason", "")
    if reason not in reasons:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose a reason. Go back and try again.")
    return reason

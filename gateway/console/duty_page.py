"""One duty: why it is due then, whom to telephone, and an officer's word on it: taken down from a call, more time, why it was late,
released from it.

Opening it is stated. An answer told by telephone goes through the door of every message, as the agency's own; releasing an agency
waits for a second officer.
"""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from starlette.responses import Response

from gateway.actions.answer_for_agency import TRIAGE, Told, acknowledge_for, answer_for
from gateway.actions.explain import Explanation, explain
from gateway.actions.extend import Extension, extend
from gateway.actions.record_call import numbers_of
from gateway.actions.view import Viewing, view
from gateway.actions.view_duty import DutyViewing, SaidOfDuty, view_duty
from gateway.console import reading, words
from gateway.console.approvals import ask
from gateway.console.case_page import why
from gateway.console.deliveries import said
from gateway.console.door import Console, Visit
from gateway.console.forms import local_instant
from gateway.console.pages import go, page
from gateway.core.duties import UNANSWERED
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DutyId, IncidentId, Seat
from gateway.core.rules import ACKNOWLEDGEMENT
from gateway.store import duties
from gateway.store.duties import DutyRow
from gateway.store.transaction import Tx
from schemas.triage_decision import CriteriaMet, TriageOutcome

NOTICES = {
    "recorded": "Recorded, as the agency's own word taken down by you.",
    "extended": "They have more time. The first date stays with the duty.",
    "explained": "The reason is recorded.",
}
OUTCOMES = [(each.value, words.spoken(each.value)) for each in TriageOutcome]
CRITERIA = [(each.value, words.spoken(each.value)) for each in CriteriaMet]
END_OF_BUSINESS = time(17)


async def get_duty(console: Console, visit: Visit) -> Response:
    row = await found(console, visit)
    opening = Viewing(visit.signed_in.name, row.partnership, row.incident, row.id)
    await console.parts.perform(view, opening, row.partnership, row.incident)
    return await _shown(console, visit, row)


async def post_words(console: Console, visit: Visit) -> Response:
    """What was said about it in somebody's own words, once the opening is durable."""
    row = await found(console, visit)
    asked = DutyViewing(row.id, visit.signed_in.name)
    viewed = await console.parts.perform(view_duty, asked, row.partnership, row.incident)
    return await _shown(console, visit, row, viewed.said)


async def post_acknowledged(console: Console, visit: Visit) -> Response:
    row, who = await found(console, visit), said(visit, "name", "Say who said so.")
    await acknowledge_for(console.parts, row, who, visit.signed_in.name)
    return _back(row, "recorded")


async def post_decided(console: Console, visit: Visit) -> Response:
    """A partner's triage decision, told by telephone."""
    row, form = await found(console, visit), visit.form
    outcome, criteria = form.get("outcome", ""), form.get("criteria_met", "")
    if outcome not in dict(OUTCOMES) or criteria not in dict(CRITERIA):
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose both answers. Go back and try again.")
    told = Told(
        outcome,
        criteria,
        said(visit, "reasons", "Write the reasons as they were told."),
        said(visit, "decided_by", "Say who decided."),
        said(visit, "post", "Say in what post."),
    )
    await answer_for(console.parts, row, told, visit.signed_in.name)
    return _back(row, "recorded")


async def post_extend(console: Console, visit: Visit) -> Response:
    row, why_so = await found(console, visit), said(visit, "reason", "Say why.")
    asked = Extension(row.id, _until(visit), visit.signed_in.name, why_so)
    await console.parts.perform(extend, asked, row.partnership, row.incident)
    return _back(row, "extended")


async def post_explain(console: Console, visit: Visit) -> Response:
    row, why_so = await found(console, visit), said(visit, "reason", "Say why.")
    asked = Explanation(row.id, visit.signed_in.name, why_so)
    await console.parts.perform(explain, asked, row.partnership, row.incident)
    return _back(row, "explained")


async def post_waive(console: Console, visit: Visit) -> Response:
    """Ask a second officer to release the agency from it."""
    row = await found(console, visit)
    said(visit, "reason", "Say why.")
    return await ask(console, visit, "waive-duty", row.incident, {"duty": row.id})


async def _shown(
    console: Console, visit: Visit, row: DutyRow, told: tuple[SaidOfDuty, ...] | None = None
) -> Response:
    snapshot, now = await console.parts.partnerships.snapshot(row.partnership), console.parts.clock()
    pack, directory = snapshot.pack, snapshot.directory
    is_statutory = row.clock in pack.clocks and pack.is_statutory(row.clock)
    shown: dict[str, Any] = {
        "duty": row,
        "now": now,
        "left": words.left_of(row, now, pack),
        "why": why(
            row, pack, await console.parts.store.read(lambda tx: reading.clock_of_duty(tx, pack, row))
        ),
        "names": reading.agency_names(directory),
        "people": numbers_of(directory, Seat(row.agency, row.role), now),
        "is_open": row.state in UNANSWERED,
        "is_statutory": is_statutory,
        "is_decision": row.expects == TRIAGE,
        "is_acknowledgement": row.expects == ACKNOWLEDGEMENT,
        "outcomes": OUTCOMES,
        "criteria": CRITERIA,
        "told": told,
        "notice": NOTICES.get(visit.request.query_params.get("done", "")),
    }
    return page(visit, "duty.html", here="incidents", **shown)


async def found(console: Console, visit: Visit) -> DutyRow:
    officer, now, named = visit.signed_in, console.parts.clock(), visit.path("duty")

    def look(tx: Tx) -> DutyRow:
        row = duties.find(tx, DutyId(named))
        if row is None or row.incident != IncidentId(visit.path("incident")):
            raise Refused(ErrorCode.NOT_FOUND)
        reading.must_open(tx, officer, row.partnership, row.incident, now)
        return row

    return await console.parts.store.read(look)


def _until(visit: Visit) -> datetime:
    """A day of the calendar and a time of it, as London has them; without a time the end of business."""
    ask = "Give the day and the time until which they have."
    at = visit.form.get("until_at", "") or END_OF_BUSINESS.isoformat()
    return local_instant(visit.form.get("until_on", ""), at, ask)


def _back(row: DutyRow, done: str) -> Response:
    return go(f"/incidents/{row.incident}/duties/{row.id}?done={done}")

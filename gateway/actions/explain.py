"""Record why a duty was met late or missed: lateness without a reason is shown as such (S4-22, G-02)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DutyId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import duties
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Explanation:
    """`reason` is in the officer's or the agency's words: committed to under the incident's key, nowhere in clear."""

    duty: DutyId
    officer: str
    reason: str


def explain(tx: Tx, parts: Parts, work: Work, asked: Explanation) -> Stated:
    """State the reason; the receipt. It may be given again. Refused when the duty is not late, or its incident is erased."""
    duty, incident = duties.find_locked(tx, asked.duty)
    if duty is None or incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no duty of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
    if duty.state not in (DutyState.MET_LATE, DutyState.MISSED) or work.key is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Only a duty met late or missed wants a reason.")
    duties.change(tx, duty.id, explained_at=work.at)
    fields = {"duty": duty.id, "clock": duty.clock, "officer": asked.officer, "words": asked.reason}
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    return prove(tx, parts, work, subject, [Said(Event.DUTY_EXPLAINED, fields, reason=duty.state.value)])[0]
    # A crash before the commit leaves the reason missing; the officer gives it again.

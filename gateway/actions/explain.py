"""Record why a duty was missed, met late or met before its exact day: until then the reason is shown as missing (S4-22, G-02,
C-11)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.duties import EARLY
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
    """State the reason; the receipt. It may be given again. Refused when the duty wants none, or its incident is erased."""
    duty, incident = duties.find_locked(tx, asked.duty)
    if duty is None or incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no duty of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
    if not duty.wants_reason or work.key is None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="Only a duty missed, met late or met before its exact day wants a reason.",
        )
    duties.change(tx, duty.id, explained_at=work.at)
    fields = {"duty": duty.id, "clock": duty.clock, "officer": asked.officer, "words": asked.reason}
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    return prove(
        tx,
        parts,
        work,
        subject,
        [Said(Event.DUTY_EXPLAINED, fields, reason=EARLY if duty.is_early else duty.state.value)],
    )[0]
    # A crash before the commit leaves the reason missing; the officer gives it again.

"""Close a breach: reported under the regulator's reference, or not reportable on the word of two officers (Article 33(1))."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.duties import UNANSWERED, settled_state
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import breaches, duties, incidents
from gateway.store.transaction import Tx

REPORTED, NOT_REPORTABLE = "reported", "not-reportable"


@dataclass(frozen=True, slots=True)
class BreachClosing:
    """With `ico_reference` it was reported by one officer; without it two decide that it need not be, and say why.
    `words` are committed to under the incident's key and kept nowhere in clear."""

    breach: str
    officer: str
    ico_reference: str | None = None
    second_officer: str = ""
    words: str = ""


def close_breach(tx: Tx, parts: Parts, work: Work, asked: BreachClosing) -> Stated:
    """End an open breach and meet its 72 hours, in time or late; the receipt. What is silenced needs two officers."""
    found = breaches.find(tx, [work.pack.partnership], asked.breach)
    incident = incidents.lock(tx, found.partnership, found.incident) if found else None
    found = breaches.find(tx, [work.pack.partnership], asked.breach)  # as it is under the lock
    if found is None or incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no breach of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at, asked.second_officer)
    if found.state != "open":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This breach is closed already.")
    state = REPORTED if asked.ico_reference else NOT_REPORTABLE
    fields = {"breach": found.id, "officer": asked.officer, "words": asked.words}
    if state == REPORTED:
        fields["ico_reference"] = asked.ico_reference or ""
    else:
        two = TwoOfficers(asked.officer, asked.second_officer)
        fields |= {"officer": two.first, "second_officer": two.second}
        if not asked.words.strip():
            raise Refused(ErrorCode.INVALID_MESSAGE, detail="Say why it need not be reported: see --reason.")
    said = [Said(Event.BREACH_CLOSED, fields, reason=state)]
    duty = duties.find(tx, found.duty) if found.duty else None
    if duty is not None and duty.state in UNANSWERED:
        met = settled_state(duty.due_at, duty.due_inclusive, work.at)
        duties.meet(tx, duty.id, met, work.at, found.id)
        said.append(Said(Event.DUTY_MET, {"duty": duty.id, "clock": duty.clock}, reason=met.value))
    breaches.close(
        tx, found.partnership, found.id, state=state, closed_at=work.at, ico_reference=asked.ico_reference
    )
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    return prove(tx, parts, work, subject, said)[0]
    # A crash before the commit leaves it open; the officers ask again.

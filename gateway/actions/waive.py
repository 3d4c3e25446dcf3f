"""Release an agency from a duty, on the word of two officers (S4-22).

A statutory duty is the law's: nobody here can waive it, unless a decision on record says that it is not owed (P-10) and left
it open because the deciders differed (P-05), or because more was told afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.duties import UNANSWERED, DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DutyId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.rules import Pack, consequence
from gateway.parts import Parts, Work
from gateway.store import duties
from gateway.store.duties import DutyRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Waiver:
    """`reason` is in the officers' own words: committed to under the incident's key and kept nowhere in clear."""

    duty: DutyId
    officers: TwoOfficers
    reason: str


def waive(tx: Tx, parts: Parts, work: Work, asked: Waiver) -> Stated:
    """End a duty that is open or missed; the receipt. Refused when it is answered, statutory or of a closed incident."""
    duty, incident = duties.find_locked(tx, asked.duty)
    if duty is None or incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no duty of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officers, work.at)
    if duty.state not in UNANSWERED or incident.state != "open":
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="This duty is answered, or its incident is closed."
        )
    if work.pack.is_statutory(duty.clock) and not _is_decided_needless(work.pack, duty, incident):
        raise Refused(ErrorCode.NOT_PERMITTED, detail="The law sets this duty: no officer can waive it.")
    duties.change(tx, duty.id, state=DutyState.WAIVED.value, next_chase_at=None)
    fields = {
        "duty": duty.id,
        "owner": f"{duty.role}@{duty.agency}",
        "clock": duty.clock,
        "officer": asked.officers.first,
        "second_officer": asked.officers.second,
        "words": asked.reason,
    }
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    said = Said(Event.DUTY_WAIVED, fields, reason="waived-by-two-officers")
    return prove(tx, parts, work, subject, [said])[0]
    # A crash before the commit leaves the duty as it was; the officers ask again.


def _is_decided_needless(pack: Pack, duty: DutyRow, incident: Incident) -> bool:
    """Whether a decision was reached whose outcome says that such a duty is owed no more."""
    follows = (consequence(pack, one["decision"], one["outcome"]) for one in incident.outcomes)
    return any(duty.expects in one.ends for one in follows if one is not None)

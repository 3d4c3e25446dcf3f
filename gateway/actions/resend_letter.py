"""Send a letter again: the same words under the same reference, held once more until a person has looked and lets it go.

Where it goes is read from the directory when it leaves, so that a newly enrolled address gets it; what speaks against sending
(`misdirection`) is asked anew at its release. It lays no second duty: whichever copy is answered, one answer is owed. S2-22, S2-26.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.decided_on import message_of
from gateway.actions.draft_letters import AWAITS_RELEASE, LETTER_RULE
from gateway.actions.hold import hold
from gateway.actions.misdirection import against
from gateway.actions.need_to_know import must_know
from gateway.actions.owe_deliveries import delivery_row, is_stopped
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.what_follows import Forwarded
from gateway.core.deliveries import DeliveryState
from gateway.core.disclosure import POLICE_HOLD
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DeliveryId, Seat
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries, incidents, mail, messages
from gateway.store.deliveries import DeliveryRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

SENT_AGAIN = "sent-again"
MAY_LEAVE = (DeliveryState.HELD, DeliveryState.PENDING)


@dataclass(frozen=True, slots=True)
class Resending:
    """Which delivery of the letter the officer looked at."""

    delivery: DeliveryId
    officer: str


def resend_letter(tx: Tx, parts: Parts, work: Work, asked: Resending) -> str:
    """Draft another delivery of the letter and hold it; the hold. Refused while one may still leave, and when it was taken back."""
    row = deliveries.find(tx, asked.delivery)
    incident = incidents.lock(tx, row.partnership, row.incident) if row and row.incident else None
    if row is None or incident is None or mail.letter_of_message(tx, row.message) is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="This is no letter of ours.")
    must_know(tx, row.partnership, row.incident, asked.officer, work.at)
    _may_be_sent_again(tx, row, incident)
    letter = messages.find(tx, [row.partnership], row.message)
    if letter is None or letter.sealed is None or letter.agency not in work.directory.agencies:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The letter has been erased: write another.")
    seat = Seat(row.agency, row.role)
    again = delivery_row(work, message_of(letter, work), incident, seat, held=True)
    Forwarded(LETTER_RULE, [again]).record(tx)
    stopped = (POLICE_HOLD,) if is_stopped(work, incident, row.message_type, row.agency) else ()
    reasons = (AWAITS_RELEASE, SENT_AGAIN, *stopped, *against(work.directory, seat, work.at))
    fields = {"officer": asked.officer, "delivery": again["id"], "outcome": SENT_AGAIN}
    subject = Subject(row.message, row.partnership, row.incident, work.key)
    prove(tx, parts, work, subject, [Said(Event.HELD, fields, reason=SENT_AGAIN)])
    return hold(tx, work, row.partnership, incident.id, ("delivery", again["id"]), reasons)
    # A crash before the commit leaves nothing; after it the letter waits among what is held.


def _may_be_sent_again(tx: Tx, row: DeliveryRow, incident: Incident) -> None:
    if incident.state != "open":
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is not open: take it up again first."
        )
    copies = [one for one in deliveries.of_message(tx, row.message) if one.role == row.role]
    if any(one.recalled_at is not None for one in copies):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This letter was taken back.")
    if any(one.state in MAY_LEAVE for one in copies):
        detail = "A copy of this letter waits or is on its way already: deal with that one."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)

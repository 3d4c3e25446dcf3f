"""Cancel a delivery that has not left yet, on an officer's word: nothing of it is sent, and the ledger says so."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.deliveries import FINAL_STATES
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DeliveryId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries, holds, incidents
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Cancellation:
    """`reason` is in the officer's own words: committed to under the incident's key and kept nowhere in clear."""

    delivery: DeliveryId
    officer: str
    reason: str


def cancel(tx: Tx, parts: Parts, work: Work, asked: Cancellation) -> Stated:
    """End a delivery that is held or pending; the receipt. Refused when it is final, or under way at this moment."""
    found = deliveries.find(tx, asked.delivery)
    if found is not None and found.incident is not None:
        incidents.lock(tx, found.partnership, found.incident)
    row = deliveries.find(tx, asked.delivery)  # as it is under the lock
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no delivery of this id.")
    must_know(tx, row.partnership, row.incident, asked.officer, work.at)
    if row.state in FINAL_STATES:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This delivery is done or given up already.")
    if not deliveries.cancel_unless_leased(tx, row.id, work.at):
        # A worker carries it now: what it learns must be recorded, or a letter that arrived would stand as cancelled.
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="It is being carried at this moment: ask again soon."
        )
    holds.settle_of_subject(tx, "delivery", row.id, work.at, asked.officer, "refused")
    fields = {"officer": asked.officer, "delivery": row.id, "outcome": "cancelled", "words": asked.reason}
    subject = Subject(row.message, row.partnership, row.incident, work.key)
    said = Said(Event.UNDELIVERABLE, fields, reason="cancelled-by-officer")
    return prove(tx, parts, work, subject, [said])[0]
    # A crash before the commit leaves the delivery as it was; the officer asks again.

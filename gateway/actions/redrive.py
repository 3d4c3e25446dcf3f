"""Try a failed delivery again, on an officer's word, once what stood in its way is mended."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.deliveries import DeliveryState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DeliveryId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries, holds, incidents
from gateway.store.transaction import Tx

FAILED = (DeliveryState.FAILED_PARTNER, DeliveryState.FAILED_SYSTEM)


@dataclass(frozen=True, slots=True)
class Redrive:
    delivery: DeliveryId
    officer: str


def redrive(tx: Tx, parts: Parts, work: Work, asked: Redrive) -> Stated:
    """Put a failed delivery back to be carried now, under the same id; the receipt. Refused when it has not failed.

    It is owed from now: patience with the far end and the order of its inbox count from here.
    """
    found = deliveries.find(tx, asked.delivery)
    if found is not None and found.incident is not None:
        incident = incidents.lock(tx, found.partnership, found.incident)
        if incident is None or incident.state != "open":
            raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is closed or erased.")
    row = deliveries.find(tx, asked.delivery)  # as it is under the lock
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no delivery of this id.")
    must_know(tx, row.partnership, row.incident, asked.officer, work.at)
    if row.recalled_at is not None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This message was recalled.")
    if row.state not in FAILED:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Only a failed delivery can be redriven.")
    values = {
        "created_at": work.at,
        "next_at": work.at,
        "lease_until": None,
        "last_reason": None,
        "done_at": None,
    }
    deliveries.change(tx, row.id, state=DeliveryState.PENDING.value, **values)
    holds.settle_of_subject(tx, "failed-delivery", row.id, work.at, asked.officer, "released")
    fields = {"officer": asked.officer, "delivery": row.id, "outcome": "redriven"}
    subject = Subject(row.message, row.partnership, row.incident, work.key)
    return prove(tx, parts, work, subject, [Said(Event.RELEASED, fields, reason="redriven-by-officer")])[0]
    # A crash before the commit leaves the delivery failed; after it dispatch claims it, at the latest by its sweep.

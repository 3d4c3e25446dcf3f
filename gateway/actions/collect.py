"""An agency's own system fetches a message from its inbox: stated once, as a hand-over and nothing more."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.acknowledge import locked_delivery
from gateway.actions.prove import Said, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, DeliveryId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries
from gateway.store.deliveries import DeliveryRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Collection:
    agency: AgencyId
    partnerships: tuple[str, ...]
    delivery: DeliveryId
    client: str


def collect(tx: Tx, parts: Parts, work: Work, asked: Collection) -> DeliveryRow:
    """The delivery, marked as opened; Refused as by `locked_delivery`: what is erased or recalled is handed to nobody."""
    row = locked_delivery(tx, asked.agency, asked.partnerships, asked.delivery)
    if row.recalled_at is not None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="This message was recalled: do not use any copy."
        )
    if row.opened_at is None:
        deliveries.change(tx, row.id, opened_at=work.at)
        fields = {"delivery": row.id, "recipient": row.agency, "role": row.role, "client": asked.client}
        subject = Subject(row.message, row.partnership, row.incident, work.key)
        prove(tx, parts, work, subject, [Said(Event.CONTENT_HANDOVER, fields)])
    return row

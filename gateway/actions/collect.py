"""An agency's own system fetches a message from its inbox: stated once, as a hand-over and nothing more."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.prove import Said, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, DeliveryId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import deliveries, incidents
from gateway.store.deliveries import DeliveryRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Collection:
    agency: AgencyId
    partnerships: tuple[str, ...]
    delivery: DeliveryId
    client: str


def collect(tx: Tx, parts: Parts, work: Work, asked: Collection) -> DeliveryRow:
    """The delivery, marked as opened; Refused(not-found) when it is not in this agency's inbox."""
    row = deliveries.find_for_agency(tx, asked.agency, asked.partnerships, asked.delivery)
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND)
    if row.opened_at is None:
        if row.incident is not None:
            incidents.lock(tx, row.partnership, row.incident)
        deliveries.change(tx, row.id, opened_at=work.at)
        fields = {"delivery": row.id, "recipient": row.agency, "role": row.role, "client": asked.client}
        subject = Subject(row.message, row.partnership, row.incident, work.key)
        prove(tx, parts, work, subject, [Said(Event.CONTENT_HANDOVER, fields)])
    return row

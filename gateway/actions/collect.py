"""An agency's own system fetches a message from its inbox: stated once, as a hand-over, which is no acknowledgement."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.acknowledge import locked_delivery
from gateway.actions.climb import heard_from
from gateway.actions.prove import Said, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.ladder import Until
from gateway.core.messages import AgencyId, DeliveryId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import attachments, deliveries
from gateway.store.attachments import AttachmentRow
from gateway.store.deliveries import DeliveryRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Collection:
    """What is asked for by whom. Whoever only looks (HEAD) is shown no content, so that nothing is stated."""

    agency: AgencyId
    partnerships: tuple[str, ...]
    delivery: DeliveryId
    client: str
    only_looks: bool = False


@dataclass(frozen=True, slots=True)
class AttachmentCollection:
    """Which file of which delivery's message."""

    of: Collection
    attachment: str


def collect(tx: Tx, parts: Parts, work: Work, asked: Collection) -> DeliveryRow:
    """The delivery, marked as opened; Refused as by `locked_delivery`: what is erased or recalled is handed to nobody."""
    row = _not_recalled(tx, asked)
    if row.opened_at is None and not asked.only_looks:
        deliveries.change(tx, row.id, opened_at=work.at)
        heard_from(tx, work, row, Until.COLLECTED)
        fields = {"delivery": row.id, "recipient": row.agency, "role": row.role, "client": asked.client}
        subject = Subject(row.message, row.partnership, row.incident, work.key)
        prove(tx, parts, work, subject, [Said(Event.CONTENT_HANDOVER, fields)])
    return row


def collect_attachment(tx: Tx, parts: Parts, work: Work, asked: AttachmentCollection) -> AttachmentRow:
    """A file of the delivery's message, its hand-over stated each time; Refused also while an officer withholds it."""
    row = _not_recalled(tx, asked.of)
    file = attachments.find(tx, row.partnership, asked.attachment)
    if row.notice or file is None or file.message != row.message:
        raise Refused(ErrorCode.NOT_FOUND)
    if file.state != attachments.KEPT:
        detail = "An officer has not let this attachment go on, or it has been erased."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    if asked.of.only_looks:
        return file
    fields = {"delivery": row.id, "recipient": row.agency, "client": asked.of.client, "attachment": file.id}
    subject = Subject(row.message, row.partnership, row.incident, work.key)
    prove(tx, parts, work, subject, [Said(Event.CONTENT_HANDOVER, fields)])
    return file


def _not_recalled(tx: Tx, asked: Collection) -> DeliveryRow:
    row = locked_delivery(tx, asked.agency, asked.partnerships, asked.delivery)
    if row.recalled_at is not None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="This message was recalled: do not use any copy."
        )
    return row

"""Files sent beside messages: received in sealed chunks, named once by a message, or destroyed.

A file that no message has named belongs to the agency that sent it and to no partnership yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from gateway.core.messages import AgencyId, IncidentId, MessageId, PartnershipId
from gateway.store import tables as t
from gateway.store.prepared import Prepared
from gateway.store.transaction import Tx

RECEIVING, KEPT, WITHHELD, ERASED = "receiving", "kept", "withheld", "erased"


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    id: str
    agency: AgencyId
    state: str
    reasons: tuple[str, ...]
    media_type: str
    size_bytes: int
    chunks: int
    data_key: str
    partnership: PartnershipId | None
    incident: IncidentId | None
    message: MessageId | None


_ALL = select(
    t.attachment.c.id,
    t.attachment.c.agency,
    t.attachment.c.state,
    t.attachment.c.reasons,
    t.attachment.c.media_type,
    t.attachment.c.size_bytes,
    t.attachment.c.chunks,
    t.attachment.c.data_key,
    t.attachment.c.partnership,
    t.attachment.c.incident,
    t.attachment.c.message,
)
_KEEP_CHUNK = Prepared(insert(t.attachment_chunk))
_CHUNK = Prepared(
    select(t.attachment_chunk.c.sealed).where(
        t.attachment_chunk.c.attachment == bindparam("attachment"),
        t.attachment_chunk.c.number == bindparam("number"),
    )
)


def begin(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(t.attachment), {"state": RECEIVING, "reasons": [], "chunks": 0} | dict(values))


def unnamed_bytes(tx: Tx, agency: AgencyId, now: datetime) -> int:
    """What an agency's files take that no message has named, those still coming among them."""
    query = select(func.coalesce(func.sum(t.attachment.c.size_bytes), 0)).where(
        t.attachment.c.agency == agency, t.attachment.c.message.is_(None), t.attachment.c.expires_at > now
    )
    return int(tx.execute(query).scalar() or 0)


def coming(tx: Tx, agency: AgencyId, since: datetime) -> int:
    """How many of an agency's files that began to come after `since` are still on their way."""
    a = t.attachment.c
    query = select(func.count()).where(a.agency == agency, a.state == RECEIVING, a.received_at > since)
    return int(tx.execute(query).scalar_one())


def keep_chunk(tx: Tx, attachment: str, number: int, sealed: bytes) -> None:
    tx.execute(_KEEP_CHUNK, {"attachment": attachment, "number": number, "sealed": sealed})


def chunk(tx: Tx, attachment: str, number: int) -> bytes | None:
    row = tx.execute(_CHUNK, {"attachment": attachment, "number": number}).first()
    return None if row is None else bytes(row[0])


def finish(tx: Tx, attachment: str, values: Mapping[str, Any]) -> bool:
    """The file is whole; False when it was swept meanwhile."""
    where = (t.attachment.c.id == attachment, t.attachment.c.state == RECEIVING)
    return tx.execute(update(t.attachment).where(*where).values(**values)).rowcount == 1


def discard(tx: Tx, attachment: str) -> None:
    """Forget a file that no message has named; its chunks go with it, and none can come after it."""
    where = (t.attachment.c.id == attachment, t.attachment.c.message.is_(None))
    tx.execute(delete(t.attachment).where(*where))


def claim(
    tx: Tx,
    attachment: str,
    agency: AgencyId,
    fingerprint: str,
    now: datetime,
    named_by: tuple[PartnershipId, IncidentId, MessageId],
) -> AttachmentRow | None:
    """Give a file to the message that names it, once; None when it is unknown, another's, another file, named or expired."""
    partnership, incident, message = named_by
    done = tx.execute(
        update(t.attachment)
        .where(
            t.attachment.c.id == attachment,
            t.attachment.c.agency == agency,
            t.attachment.c.fingerprint == fingerprint,
            t.attachment.c.state.in_((KEPT, WITHHELD)),
            t.attachment.c.message.is_(None),
            t.attachment.c.expires_at > now,
        )
        .values(partnership=partnership, incident=incident, message=message)
    )
    return find(tx, partnership, attachment) if done.rowcount else None


def find(tx: Tx, partnership: PartnershipId, attachment: str) -> AttachmentRow | None:
    """A file that a message of this partnership has named."""
    query = _ALL.where(t.attachment.c.id == attachment, t.attachment.c.partnership == partnership)
    row = tx.execute(query).first()
    return None if row is None else _row(row)


def of_message(tx: Tx, partnership: PartnershipId, message: MessageId) -> list[AttachmentRow]:
    query = _ALL.where(t.attachment.c.message == message, t.attachment.c.partnership == partnership)
    return [_row(row) for row in tx.execute(query.order_by(t.attachment.c.id))]


def of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[AttachmentRow]:
    query = _ALL.where(t.attachment.c.partnership == partnership, t.attachment.c.incident == incident)
    rows = tx.execute(query.order_by(t.attachment.c.received_at, t.attachment.c.id))
    return [_row(row) for row in rows]


def let_go(tx: Tx, partnership: PartnershipId, attachment: str) -> None:
    """An officer has looked: recipients may have it."""
    where = (t.attachment.c.id == attachment, t.attachment.c.partnership == partnership)
    tx.execute(update(t.attachment).where(*where, t.attachment.c.state == WITHHELD).values(state=KEPT))


def forget_content(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> None:
    """Erasure: every chunk goes, and the keyed digest that could still tell a guess from the truth."""
    where = (t.attachment.c.partnership == partnership, t.attachment.c.incident == incident)
    named = select(t.attachment.c.id).where(*where)
    tx.execute(delete(t.attachment_chunk).where(t.attachment_chunk.c.attachment.in_(named)))
    tx.execute(update(t.attachment).where(*where).values(state=ERASED, fingerprint=None))


def expired(tx: Tx, now: datetime, torn_before: datetime, most: int) -> list[tuple[str, str]]:
    """Files that no message has named in time, and those that a crash left torn: (id, data key)."""
    is_torn = (t.attachment.c.state == RECEIVING) & (t.attachment.c.received_at < torn_before)
    query = select(t.attachment.c.id, t.attachment.c.data_key).where(
        t.attachment.c.message.is_(None), (t.attachment.c.expires_at <= now) | is_torn
    )
    return [(row.id, row.data_key) for row in tx.execute(query.limit(most))]


def is_sealed_by(tx: Tx, key_id: str) -> bool:
    """Whether a file names this data key."""
    return tx.execute(select(t.attachment.c.id).where(t.attachment.c.data_key == key_id)).first() is not None


def _row(row: Any) -> AttachmentRow:
    values = dict(row._mapping)
    return AttachmentRow(**values | {"reasons": tuple(values["reasons"])})

"""Letters sent, raw mail received, and how far each way in has been read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from gateway.core.messages import AgencyId, IncidentId, MessageId, PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class LetterRow:
    reference: str
    partnership: PartnershipId
    incident: IncidentId
    message: MessageId
    duty: str | None
    agency: AgencyId
    token: str


@dataclass(frozen=True, slots=True)
class RawMail:
    id: str
    way_in: str
    envelope_to: str | None
    arrived_at: datetime
    state: str
    kind: str | None
    attempts: int
    partnership: PartnershipId | None
    incident: IncidentId | None
    agency: AgencyId | None
    letter: str | None
    message: MessageId | None
    sealed: bytes | None
    sealed_reading: bytes | None
    data_key: str | None


_LETTER = select(
    t.letter.c.reference,
    t.letter.c.partnership,
    t.letter.c.incident,
    t.letter.c.message,
    t.letter.c.duty,
    t.letter.c.agency,
    t.letter.c.token,
)
_MAIL = select(
    t.raw_mail.c.id,
    t.raw_mail.c.way_in,
    t.raw_mail.c.envelope_to,
    t.raw_mail.c.arrived_at,
    t.raw_mail.c.state,
    t.raw_mail.c.kind,
    t.raw_mail.c.attempts,
    t.raw_mail.c.partnership,
    t.raw_mail.c.incident,
    t.raw_mail.c.agency,
    t.raw_mail.c.letter,
    t.raw_mail.c.message,
    t.raw_mail.c.sealed,
    t.raw_mail.c.sealed_reading,
    t.raw_mail.c.data_key,
)


def record_letter(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(t.letter), dict(values))


def letter_of_message(tx: Tx, message: MessageId) -> LetterRow | None:
    return _letter(tx.execute(_LETTER.where(t.letter.c.message == message)).first())


def letters_of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[LetterRow]:
    """In order of their references."""
    where = (t.letter.c.partnership == partnership, t.letter.c.incident == incident)
    found = (_letter(row) for row in tx.execute(_LETTER.where(*where).order_by(t.letter.c.reference)))
    return [row for row in found if row is not None]


def letter_by_token(tx: Tx, token: str) -> LetterRow | None:
    return _letter(tx.execute(_LETTER.where(t.letter.c.token == token)).first())


def letter_by_reference(tx: Tx, reference: str) -> LetterRow | None:
    return _letter(tx.execute(_LETTER.where(t.letter.c.reference == reference)).first())


def store_raw(tx: Tx, values: Mapping[str, Any]) -> bool:
    """Keep raw mail exactly once; False when these bytes are here already (another UIDVALIDITY, a crash, a re-send)."""
    if tx.execute(select(t.raw_mail.c.id).where(t.raw_mail.c.digest == values["digest"])).first():
        return False
    tx.execute(insert(t.raw_mail), dict(values))
    tx.wake()
    return True


def unread(tx: Tx, most: int) -> list[RawMail]:
    """What answers a letter by its own address first, so that no stranger's mails hold it up; then the oldest."""
    c = t.raw_mail.c
    query = _MAIL.where(c.state == "stored").order_by(c.is_awaited.desc(), c.stored_at).limit(most)
    return [_raw(row) for row in tx.execute(query)]


def find_raw(tx: Tx, mail: str) -> RawMail | None:
    row = tx.execute(_MAIL.where(t.raw_mail.c.id == mail)).first()
    return None if row is None else _raw(row)


def lock_raw(tx: Tx, mail: str) -> RawMail | None:
    row = tx.execute(_MAIL.where(t.raw_mail.c.id == mail).with_for_update()).first()
    return None if row is None else _raw(row)


def change_raw(tx: Tx, mail: str, **values: Any) -> None:
    tx.execute(update(t.raw_mail).where(t.raw_mail.c.id == mail).values(**values))


def came_from(tx: Tx, peer: str, since: datetime) -> int:
    """How many mails of one sender were stored since then."""
    where = (t.raw_mail.c.peer == peer, t.raw_mail.c.stored_at >= since)
    return int(tx.execute(select(func.count()).select_from(t.raw_mail).where(*where)).scalar() or 0)


def said_before(tx: Tx, letter: str, kind: str, mail: str) -> bool:
    """Whether another mail of this kind has come to this letter."""
    where = (t.raw_mail.c.letter == letter, t.raw_mail.c.kind == kind, t.raw_mail.c.id != mail)
    return tx.execute(select(t.raw_mail.c.id).where(*where).limit(1)).first() is not None


def raw_of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[RawMail]:
    query = _MAIL.where(t.raw_mail.c.partnership == partnership, t.raw_mail.c.incident == incident)
    return [_raw(row) for row in tx.execute(query)]


def forget_raw(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> None:
    tx.execute(
        update(t.raw_mail)
        .where(t.raw_mail.c.partnership == partnership, t.raw_mail.c.incident == incident)
        .values(sealed=None, sealed_reading=None)
    )


def is_sealed_by(tx: Tx, key_id: str) -> bool:
    """Whether a stored mail names this data key."""
    return tx.execute(select(t.raw_mail.c.id).where(t.raw_mail.c.data_key == key_id)).first() is not None


def waits_for_officer(tx: Tx, partnership: PartnershipId, incident: IncidentId, agency: AgencyId) -> bool:
    """Whether a mail that answers a letter or a request to this agency came and an officer has not decided on it."""
    query = select(t.raw_mail.c.id).where(
        t.raw_mail.c.partnership == partnership,
        t.raw_mail.c.incident == incident,
        t.raw_mail.c.state == "held",
        t.raw_mail.c.agency == agency,
    )
    return tx.execute(query).first() is not None


def set_watermark(tx: Tx, way_in: str, read_until: datetime) -> None:
    """How far a way in has been read completely; only ever forward."""
    done = tx.execute(
        update(t.watermark)
        .where(t.watermark.c.way_in == way_in, t.watermark.c.read_until < read_until)
        .values(read_until=read_until)
    )
    known = tx.execute(select(t.watermark.c.way_in).where(t.watermark.c.way_in == way_in)).first()
    if done.rowcount == 0 and known is None:
        tx.execute(insert(t.watermark).values(way_in=way_in, read_until=read_until))


def watermarks(tx: Tx) -> dict[str, datetime]:
    return {row.way_in: row.read_until for row in tx.execute(select(t.watermark))}


def oldest_unread_arrival(tx: Tx) -> datetime | None:
    """Mail kept but not yet read: silence cannot be stated past its arrival."""
    query = select(t.raw_mail.c.arrived_at).where(t.raw_mail.c.state == "stored")
    return tx.execute(query.order_by(t.raw_mail.c.arrived_at).limit(1)).scalar()


def _letter(row: Any) -> LetterRow | None:
    return None if row is None else LetterRow(*row)


def _raw(row: Any) -> RawMail:
    return RawMail(*row)

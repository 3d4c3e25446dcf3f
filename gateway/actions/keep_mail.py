"""Keep one received mail, exactly as it came, before anything reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.parts import Parts
from gateway.store import mail
from gateway.store.transaction import Tx
from keys.sealing import DataKey


@dataclass(frozen=True, slots=True)
class Arrived:
    """Raw bytes with where they came from. `arrived_at` is when they reached a mail server of ours."""

    id: str
    way_in: str
    uidvalidity: int
    uid: int
    raw: bytes
    envelope_to: str | None
    arrived_at: datetime
    is_awaited: bool = False  # a letter's own reply address stands in it


def keep_mail(tx: Tx, parts: Parts, key: DataKey, arrived: Arrived, at: datetime) -> bool:
    """Store raw mail sealed under a data key of its own; False when these very bytes are already here."""
    return mail.store_raw(
        tx,
        {
            "id": arrived.id,
            "way_in": arrived.way_in,
            "uidvalidity": arrived.uidvalidity,
            "uid": arrived.uid,
            "digest": parts.keys.fingerprint("mail", arrived.raw),
            "envelope_to": arrived.envelope_to,
            "arrived_at": arrived.arrived_at,
            "stored_at": at,
            "is_awaited": arrived.is_awaited,
            "state": "stored",
            "attempts": 0,
            "sealed": key.seal(f"raw-mail:{arrived.id}", arrived.raw),
            "data_key": key.id,
        },
    )
    # After the commit the mail may be marked on the server; a crash before that brings the same bytes again, known here.

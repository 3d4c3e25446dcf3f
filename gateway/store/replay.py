"""Which one-use keys (proofs of possession, assertions) have been seen: each is burnt once within its life.

A crash after a burn leaves the key burnt and its bearer unanswered: the bearer makes a fresh proof. RFC 9449 section 11.1
(DPoP proof replay), RFC 7523 section 3 item 7 (assertion `jti`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from gateway.store import tables as t
from gateway.store.prepared import Prepared
from gateway.store.tables import Instant
from gateway.store.transaction import Tx

KEPT_AFTERWARDS = timedelta(hours=1)

# Both engines speak this; it is atomic on both, and a burn by a transaction still open is waited for.
_BURN = Prepared(
    sa.text(
        "INSERT INTO replay (key, expires_at) VALUES (:key, :expires_at)"
        " ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at WHERE replay.expires_at <= :now"
    ).bindparams(sa.bindparam("expires_at", type_=Instant()), sa.bindparam("now", type_=Instant())),
    writes=t.replay,
)
_FIND = sa.select(t.replay.c.key).where(
    t.replay.c.key == sa.bindparam("key"), t.replay.c.expires_at > sa.bindparam("now")
)
_SWEEP = sa.delete(t.replay).where(t.replay.c.expires_at <= sa.bindparam("now"))


def burn(tx: Tx, key: str, expires_at: datetime, now: datetime) -> bool:
    """True when `key` is used for the first time; False when it was used and has not expired by `now`.

    The caller must have refused what is expired or lives too long, and makes `key` a digest over issuer and id, at most
    64 characters, so that one client's ids cannot burn another's.
    """
    return tx.execute(_BURN, {"key": key, "expires_at": expires_at, "now": now}).rowcount == 1


def is_burnt(tx: Tx, key: str, now: datetime) -> bool:
    """Whether `key` was used and has not expired by `now`."""
    return tx.execute(_FIND, {"key": key, "now": now}).first() is not None


def sweep(tx: Tx, now: datetime) -> int:
    """Forget keys that expired an hour before `now`; how many there were.

    The hour is for a clock that was ahead and is set right again: what it swept could be used once more.
    """
    return tx.execute(_SWEEP, {"now": now - KEPT_AFTERWARDS}).rowcount

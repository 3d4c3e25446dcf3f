"""OAuth clients: which software may speak for which agency, with which keys.

Invariant: a change of keys or status is also an entry in the ledger and needs a second officer; the action
that calls this sees to both. Suspending a client or recalling its tokens also moves `tokens_not_before`, so
that tokens handed out before stay dead when the client comes back.

`jwks` is a JWK Set (RFC 7517) already checked by `gateway.oauth.key_policy`; beside a key's own members stand
`nbf` and `exp` (seconds since 1970: when it may be used) and `revoked` (why it may not).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from gateway.core.messages import AgencyId
from gateway.store import tables as t
from gateway.store.directory import partnerships_of
from gateway.store.transaction import Tx

ACTIVE = "active"
SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client and the partnerships that its agency is a member of."""

    id: str
    agency: AgencyId
    jwks: Mapping[str, Any]
    scopes: tuple[str, ...]
    status: str  # ACTIVE or SUSPENDED
    tokens_not_before: datetime | None
    registered_at: datetime
    partnerships: frozenset[str]


def find(tx: Tx, client_id: str) -> ClientRow | None:
    """One client by its id, or None."""
    row = tx.execute(_BY_ID, {"client": client_id}).first()
    return None if row is None else _row(tx, row)


def listed(tx: Tx) -> tuple[ClientRow, ...]:
    """Every client, by id."""
    return tuple(_row(tx, row) for row in tx.execute(select(t.client).order_by(t.client.c.id)).all())


def add(
    tx: Tx,
    client_id: str,
    agency: AgencyId,
    jwks: Mapping[str, Any],
    scopes: tuple[str, ...],
    registered_at: datetime,
) -> None:
    """Enrol an active client; IntegrityError when the id is taken."""
    tx.execute(
        insert(t.client).values(
            id=client_id,
            agency=agency,
            jwks=dict(jwks),
            scopes=list(scopes),
            status=ACTIVE,
            tokens_not_before=None,
            registered_at=registered_at,
        )
    )


def rotate_keys(tx: Tx, client_id: str, jwks: Mapping[str, Any]) -> bool:
    """Replace the whole key set; False when there is no such client. Tokens in hand live on: see
    `recall_tokens`.
    """
    return _change(tx, client_id, {"jwks": dict(jwks)})


def suspend(tx: Tx, client_id: str, at: datetime) -> bool:
    """No token from now on, and the ones in hand are dead; False when there is no such client."""
    return _change(tx, client_id, {"status": SUSPENDED, "tokens_not_before": at})


def reinstate(tx: Tx, client_id: str) -> bool:
    """End a suspension; False when there is no such client. Tokens from before it stay dead."""
    return _change(tx, client_id, {"status": ACTIVE})


def recall_tokens(tx: Tx, client_id: str, at: datetime) -> bool:
    """Make every token issued before `at` dead (a key was lost); False when there is no such client."""
    return _change(tx, client_id, {"tokens_not_before": at})


def is_token_revoked(tx: Tx, token_id: str) -> bool:
    """Whether the token stands among the used-up keys, where `revocation_key` keeps it until it expired."""
    return tx.execute(_BURNT, {"key": revocation_key(token_id)}).first() is not None


def revocation_key(token_id: str) -> str:
    """The key under which a revoked token is burnt, like a proof that has been used."""
    return hashlib.sha256(f"revoked\x00{token_id}".encode()).hexdigest()


_BY_ID = select(t.client).where(t.client.c.id == bindparam("client"))
_BURNT = select(t.replay.c.key).where(t.replay.c.key == bindparam("key"))


def _change(tx: Tx, client_id: str, values: Mapping[str, Any]) -> bool:
    return tx.execute(update(t.client).where(t.client.c.id == client_id).values(**values)).rowcount == 1


def _row(tx: Tx, row: Row[Any]) -> ClientRow:
    return ClientRow(
        id=row.id,
        agency=AgencyId(row.agency),
        jwks=row.jwks,
        scopes=tuple(row.scopes),
        status=row.status,
        tokens_not_before=row.tokens_not_before,
        registered_at=row.registered_at,
        partnerships=partnerships_of(tx, AgencyId(row.agency)),
    )

"""OAuth clients: which software may speak for which agency, with which keys.

Invariant: a change of keys or status is also an entry in the ledger and needs a second officer; the action
that calls this sees to both. Suspending a client or recalling its tokens also moves `tokens_not_before`, so
that tokens handed out before stay dead when the client comes back.

`jwks` is a JWK Set (RFC 7517) already checked by `gateway.oauth.key_policy`; what stands beside a key's own members is
told in `gateway.core.client_keys`. `certificates` are entries of
`gateway.oauth.certificates`; a client that has any gets tokens bound to a certificate (RFC 8705).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from gateway.core.messages import AgencyId
from gateway.store import tables as t
from gateway.store.directory import partnerships_of
from gateway.store.transaction import Tx

PENDING = "pending"
ACTIVE = "active"
SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a client's pending keys wait for: a proof that signs `nonce`, and an officer other than `asked_by`."""

    nonce: str
    asked_by: str
    expires_at: datetime
    overlap: timedelta  # for how long the keys before live on once the new ones are approved


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client and the partnerships that its agency is a member of."""

    id: str
    agency: AgencyId
    jwks: Mapping[str, Any]
    scopes: tuple[str, ...]
    status: str  # PENDING, ACTIVE or SUSPENDED
    tokens_not_before: datetime | None
    registered_at: datetime
    partnerships: frozenset[str]
    message_types: tuple[str, ...] | None = None  # None: whatever the pack lets its agency send
    waiting: Waiting | None = None
    legacy_audience_until: datetime | None = None
    jwks_uri: str | None = None
    keys_fetched_at: datetime | None = None
    keys_tried_at: datetime | None = None
    keys_fault: str | None = None
    certificates: tuple[Mapping[str, Any], ...] = ()
    must_send: tuple[str, ...] = ()  # headers without which its messages are not taken
    receives: Mapping[str, int] = field(default_factory=dict)  # by type, the version shown; others as sent

    @property
    def keys(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(self.jwks["keys"])


def find(tx: Tx, client_id: str) -> ClientRow | None:
    """One client by its id, or None."""
    row = tx.execute(_BY_ID, {"client": client_id}).first()
    return None if row is None else _row(tx, row)


def find_to_change(tx: Tx, client_id: str) -> ClientRow | None:
    """One client, whose row nobody else changes until this transaction ends (on SQLite the writer is the lock)."""
    row = tx.execute(_BY_ID.with_for_update(), {"client": client_id}).first()
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
    *,
    status: str = ACTIVE,
    waiting: Waiting | None = None,
    message_types: tuple[str, ...] | None = None,
    jwks_uri: str | None = None,
    certificates: Sequence[Mapping[str, Any]] = (),
    receives: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Enrol a client; IntegrityError when the id is taken."""
    tx.execute(
        insert(t.client).values(
            id=client_id,
            agency=agency,
            jwks=dict(jwks),
            scopes=list(scopes),
            message_types=None if message_types is None else list(message_types),
            status=status,
            tokens_not_before=None,
            registered_at=registered_at,
            waiting=_written(waiting),
            jwks_uri=jwks_uri,
            certificates=[dict(entry) for entry in certificates],
            receives=dict(receives),
            must_send=[],
        )
    )


def ask_for_keys(tx: Tx, client_id: str, jwks: Mapping[str, Any], waiting: Waiting | None) -> bool:
    """Replace the key set, some of whose keys wait for approval as told; False when there is no such client."""
    return _change(tx, client_id, {"jwks": dict(jwks), "waiting": _written(waiting)})


def approve(tx: Tx, client_id: str, jwks: Mapping[str, Any]) -> bool:
    """Replace the key set, in which nothing waits any more; False when there is no such client."""
    return _change(tx, client_id, {"jwks": dict(jwks), "waiting": None})


def permit(tx: Tx, client_id: str, scopes: tuple[str, ...], message_types: tuple[str, ...] | None) -> bool:
    """What the client may do from now on; False when there is no such client."""
    types = None if message_types is None else list(message_types)
    return _change(tx, client_id, {"scopes": list(scopes), "message_types": types})


def demand(tx: Tx, client_id: str, must_send: Sequence[str]) -> bool:
    """Which headers its messages must have from now on; False when there is no such client."""
    return _change(tx, client_id, {"must_send": list(must_send)})


def show_versions(tx: Tx, client_id: str, receives: Mapping[str, int]) -> bool:
    """In which version of each type it is shown messages from now on; False when there is no such client."""
    return _change(tx, client_id, {"receives": dict(receives)})


def versions_shown(tx: Tx, client_id: str) -> Mapping[str, int]:
    """By type, the version that a client is shown; other types as they were sent."""
    found = tx.execute(select(t.client.c.receives).where(t.client.c.id == client_id)).scalar_one_or_none()
    return found or {}


def allow_legacy_audience(tx: Tx, client_id: str, until: datetime | None) -> bool:
    """Till when the token address will do as audience; None ends it. False when there is no such client."""
    return _change(tx, client_id, {"legacy_audience_until": until})


def publishing(tx: Tx) -> tuple[ClientRow, ...]:
    """The clients that publish their keys themselves and are not suspended, by id."""
    chosen = select(t.client).where(t.client.c.jwks_uri.is_not(None), t.client.c.status != SUSPENDED)
    return tuple(_row(tx, row) for row in tx.execute(chosen.order_by(t.client.c.id)).all())


def keys_fetched(tx: Tx, client_id: str, jwks: Mapping[str, Any], at: datetime) -> bool:
    """Keep the key set that a fetch brought; False when there is no such client."""
    told = {"keys_fetched_at": at, "keys_tried_at": at, "keys_fault": None}
    return _change(tx, client_id, {"jwks": dict(jwks), **told})


def keys_not_fetched(tx: Tx, client_id: str, at: datetime, fault: str) -> bool:
    """A fetch brought nothing that could be taken: the key set stays; False when there is no such client."""
    return _change(tx, client_id, {"keys_tried_at": at, "keys_fault": fault})


def renew_certificates(tx: Tx, client_id: str, certificates: Sequence[Mapping[str, Any]]) -> bool:
    """Replace all certificate entries; False when there is no such client. Tokens bound to one that left are dead."""
    return _change(tx, client_id, {"certificates": [dict(entry) for entry in certificates]})


def suspend(tx: Tx, client_id: str, at: datetime) -> bool:
    """No token from now on, and the ones in hand are dead; False when there is no such client."""
    return _change(tx, client_id, {"status": SUSPENDED, "tokens_not_before": at})


def reinstate(tx: Tx, client_id: str) -> bool:
    """Let a pending or suspended client in; False when there is no such client. Tokens from before stay dead."""
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


def _written(waiting: Waiting | None) -> dict[str, Any] | None:
    if waiting is None:
        return None
    return {
        "nonce": waiting.nonce,
        "asked_by": waiting.asked_by,
        "expires_at": waiting.expires_at.isoformat(),
        "overlap_seconds": int(waiting.overlap.total_seconds()),
    }


def _waiting(written: Mapping[str, Any] | None) -> Waiting | None:
    if written is None:
        return None
    expires_at = datetime.fromisoformat(written["expires_at"])
    return Waiting(
        written["nonce"], written["asked_by"], expires_at, timedelta(seconds=written["overlap_seconds"])
    )


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
        message_types=None if row.message_types is None else tuple(row.message_types),
        waiting=_waiting(row.waiting),
        legacy_audience_until=row.legacy_audience_until,
        jwks_uri=row.jwks_uri,
        keys_fetched_at=row.keys_fetched_at,
        keys_tried_at=row.keys_tried_at,
        keys_fault=row.keys_fault,
        certificates=tuple(row.certificates),
        receives=row.receives,
        must_send=tuple(row.must_send),
    )

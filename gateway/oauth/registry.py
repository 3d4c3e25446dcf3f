"""The room's parts made from the store: clients, used proofs and revoked tokens.

Invariant: burning is one transaction, so of any number of equal requests exactly one succeeds; a client that
was suspended is refused everywhere within `CLIENT_REMEMBERED_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from gateway.oauth.certificates import CertificateRefused, client_certificates
from gateway.oauth.key_policy import KeyRefused
from gateway.oauth.nonces import Nonces
from gateway.oauth.parts import Burns, Client, ClientStatus, OAuthParts, client_keys, no_wait
from gateway.oauth.recent import Recent
from gateway.oauth.revocation_lists import RevocationLists
from gateway.oauth.token_keys import InForce
from gateway.store import clients, replay
from gateway.store.transaction import Store, Tx

CLIENT_REMEMBERED_SECONDS = 30

_log = structlog.get_logger()

Clock = Callable[[], datetime]


def parts_of_store(
    store: Store,
    *,
    public_url: str,
    keys_now: Callable[[], InForce],
    clock: Clock,
    scopes_supported: tuple[str, ...] = (),
    mtls_url: str | None = None,
    client_wait: Callable[[str], Awaitable[float]] = no_wait,
    nonces: Nonces | None = None,
    revoked: RevocationLists | None = None,
) -> OAuthParts:
    """OAuthParts on the database; its docstring has the arguments. One per process: it holds the memories."""
    registry = Registry(store, clock)
    return OAuthParts(
        public_url=public_url,
        keys_now=keys_now,
        clock=clock,
        find_client=registry.find_client,
        burn=registry.burn,
        is_burnt=registry.is_burnt,
        revoke=registry.revoke,
        is_revoked=registry.is_revoked,
        scopes_supported=scopes_supported,
        mtls_url=mtls_url,
        client_wait=client_wait,
        nonces=nonces,
        revoked=revoked,
    )


def client_of_row(row: clients.ClientRow) -> Client:
    """A client as this room sees it; KeyRefused or CertificateRefused when what is stored breaks the policy."""
    return Client(
        id=row.id,
        agency=row.agency,
        keys=client_keys(row.jwks),
        scopes=frozenset(row.scopes),
        status=ClientStatus(row.status),
        tokens_not_before=row.tokens_not_before,
        partnerships=frozenset(row.partnerships),
        message_types=None if row.message_types is None else frozenset(row.message_types),
        legacy_audience_until=row.legacy_audience_until,
        certificates=client_certificates(row.certificates),
        must_send=frozenset(row.must_send),
    )


class Registry:
    """Answers from the store, remembering clients for a short while; unknown ones are never remembered."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: Recent[str, tuple[Client, float]] = Recent(1024)

    async def find_client(self, client_id: str) -> Client | None:
        """The client, at most 30 s old, or None; Unavailable when the store cannot tell."""
        now = self._clock().timestamp()
        known = self._known.get(client_id)
        if (
            known is not None and now < known[1] <= now + CLIENT_REMEMBERED_SECONDS
        ):  # a clock set back asks again
            return known[0]
        row = await self._store.read(lambda tx: clients.find(tx, client_id))
        if row is None:
            self._known.forget(client_id)
            return None
        try:
            client = client_of_row(row)
        except KeyRefused as refused:  # the row was edited by hand: nobody gets in by it
            _log.error("oauth.stored_key_refused", client=row.id, fault=refused.fault.name.lower())
            return None
        except CertificateRefused as refused:
            _log.error("oauth.stored_certificate_refused", client=row.id, fault=refused.fault.name.lower())
            return None
        self._known.put(client_id, (client, now + CLIENT_REMEMBERED_SECONDS))
        return client

    async def burn(self, keys: Burns) -> bool:
        """True when none of the keys had been burnt before, and now all are; else False, and none is."""
        if not keys:
            return True  # a certificate proves itself in every handshake: nothing is used up
        now = self._clock()
        try:
            await self._store.transact(lambda tx: _burn_all(tx, keys, now))
        except _Known:
            return False
        return True

    async def is_burnt(self, key: str) -> bool:
        now = self._clock()
        return await self._store.read(lambda tx: replay.is_burnt(tx, key, now))

    async def revoke(self, token_id: str, until: datetime) -> None:
        """Have the token refused until it has expired; twice is as good as once."""
        now = self._clock()
        await self._store.transact(lambda tx: replay.burn(tx, clients.revocation_key(token_id), until, now))

    async def is_revoked(self, token_id: str) -> bool:
        return await self._store.read(lambda tx: clients.is_token_revoked(tx, token_id))


class _Known(Exception):
    """Raised inside the transaction to roll the other keys back."""


def _burn_all(tx: Tx, keys: Burns, now: datetime) -> None:
    for key, expires_at in keys:
        if not replay.burn(tx, key, expires_at, now):
            raise _Known
    # A crash here: all keys are burnt and nobody was answered (the client asks again with new ones), or none is.

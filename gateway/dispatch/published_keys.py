"""Looks at the addresses where clients publish their keys: in the background, never while a client waits for an answer.

Invariant: whatever comes back, a client's last good keys stay until a whole set that meets the key policy is found at its
one known address, on a host that the deployment allows (architecture section 9; RFC 7517 section 5).
"""

from __future__ import annotations

import secrets
from typing import Any

import structlog

from gateway.actions.prove import Occasion
from gateway.actions.take_published_keys import Changed, Published, take_published_keys
from gateway.core.client_keys import MOST_PUBLISHED_KEYS
from gateway.core.errors import Refused
from gateway.core.published_keys import is_due, may_publish_at
from gateway.oauth.jose import Malformed, read_strict
from gateway.oauth.key_policy import KeyRefused, check_jwks
from gateway.parts import Parts, Supply
from gateway.store import clients
from gateway.store.clients import ClientRow

_log = structlog.get_logger()


async def fetch_published_keys(parts: Parts) -> int:
    """Look wherever it is time to; how many addresses were looked at."""
    at = parts.clock()
    rows = await parts.store.read(clients.publishing)
    due = [row for row in rows if is_due(row.keys_tried_at, row.keys_fault is not None, at)]
    for row in due:
        await look(parts, row)
    return len(due)


async def look(parts: Parts, row: ClientRow) -> str | None:
    """One client's address, now; a coarse code when nothing could be taken, and the keys before stay."""
    assert row.jwks_uri is not None
    found = await _key_set(parts, row.jwks_uri)
    changed = await _take(parts, row, found) if isinstance(found, dict) else found
    if isinstance(changed, str):
        at = parts.clock()
        await parts.store.transact(lambda tx: clients.keys_not_fetched(tx, row.id, at, changed))
        _log.warning("client.keys_not_fetched", client=row.id, reason=changed)
        return changed
    if changed.came or changed.went:
        _log.info("client.keys_fetched", client=row.id, came=changed.came, went=changed.went)
    return None


async def _key_set(parts: Parts, address: str) -> dict[str, Any] | str:
    """The set published there, checked; else a coarse code."""
    if not may_publish_at(address, parts.settings.client_key_hosts):
        return "host-not-allowed"
    fetched = await parts.fetch_keys(address)
    if fetched.body is None:
        return fetched.fault or "unknown"
    try:
        return check_jwks(read_strict(fetched.body), most=MOST_PUBLISHED_KEYS)
    except Malformed:
        return "not-json"
    except KeyRefused as refused:
        return f"policy-{refused.fault.name.lower().replace('_', '-')}"


async def _take(parts: Parts, row: ClientRow, jwks: dict[str, Any]) -> Changed | str:
    assert row.jwks_uri is not None
    asked = Published(row.id, row.jwks_uri, jwks)
    at, seed = parts.clock(), secrets.token_bytes(32)
    try:
        return await parts.store.transact(
            lambda tx: take_published_keys(tx, parts, Occasion(at, Supply(seed)), asked)
        )
    except Refused as refused:
        return refused.code.slug

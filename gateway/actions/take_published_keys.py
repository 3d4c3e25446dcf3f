"""Take over the keys that a client publishes at its known address: two officers approved the address, so new keys there need
no further word. Each that comes or goes is an entry in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.actions.prove import Occasion, Said, prove
from gateway.actions.register_client import about, none_is_taken, registered, subject_of
from gateway.core import client_keys
from gateway.core.client_keys import Kept
from gateway.core.errors import ErrorCode, Refused
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.transaction import Tx
from keys.signing import jwk_thumbprint

WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Published:
    """The key set that was found at the address; it has passed the key policy."""

    client: str
    address: str
    jwks: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Changed:
    """The kids that came and went."""

    came: tuple[str, ...]
    went: tuple[str, ...]


def take_published_keys(tx: Tx, parts: Parts, occasion: Occasion, asked: Published) -> Changed:
    """Make the client's keys those that it publishes now; Refused when one of them is another's, or was revoked here.

    New keys of a client that is not let in yet wait with it. A key that is no longer published is over at once: its owner
    publishes old and new together for as long as both are to work.
    """
    row = registered(tx, asked.client)
    if row.jwks_uri != asked.address:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The client publishes its keys elsewhere now.")
    found = {_identity(key): key for key in asked.jwks["keys"]}
    none_is_taken(tx, asked.client, found.values())
    revoked = [key for key in row.keys if "revoked" in key]
    before = {_identity(key): key for key in row.keys if "revoked" not in key}
    came = [key for name, key in found.items() if name not in before]
    went = [key for name, key in before.items() if name not in found]
    status = client_keys.PENDING if row.status == clients.PENDING else client_keys.ACTIVE
    kept = [before.get(name, {**key, "status": status}) for name, key in found.items()]
    clients.keys_fetched(tx, asked.client, {"keys": [*kept, *revoked]}, occasion.at)
    if row.status != clients.PENDING:
        _state(tx, parts, occasion, asked.client, came, went)
    return Changed(tuple(key["kid"] for key in came), tuple(key["kid"] for key in went))
    # A crash before the commit leaves the keys as they were; the next look brings them again.


def _identity(key: Kept) -> tuple[str, str]:
    """A key under another kid is another entry: assertions name the kid."""
    return str(key["kid"]), jwk_thumbprint(dict(key))


def _state(tx: Tx, parts: Parts, occasion: Occasion, client: str, came: list[Kept], went: list[Kept]) -> None:
    said = [Said(Event.KEY_INTRODUCED, {"client": client, **about(key)}, "published") for key in came]
    said += [Said(Event.KEY_RETIRED, {"client": client, **about(key)}, WITHDRAWN) for key in went]
    if said:
        prove(tx, parts, occasion, subject_of(parts, client), said)

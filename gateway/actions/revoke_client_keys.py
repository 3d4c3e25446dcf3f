"""Say that a client's key may be in wrong hands: it signs nothing more, and every token in hand is dead."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.prove import Occasion, Said, Stated, prove
from gateway.actions.register_client import about, registered, subject_of
from gateway.core import client_keys
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.transaction import Tx

COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class Revocation:
    """Which key of a client, by its kid; None for all of them."""

    client: str
    kid: str | None
    officers: TwoOfficers


def revoke_client_keys(tx: Tx, parts: Parts, occasion: Occasion, asked: Revocation) -> list[Stated]:
    """Revoke, kill the tokens and state each key; Refused when the client or the key is unknown or is so already.

    The client may be left without any key: it is then shut out until it has proved a new one.
    """
    row = registered(tx, asked.client)
    chosen = [key for key in row.keys if asked.kid in (None, key["kid"]) and "revoked" not in key]
    if not chosen:
        raise Refused(ErrorCode.NOT_FOUND, detail="The client has no such key, or it is revoked already.")
    after = [client_keys.revoked(key, COMPROMISED) if key in chosen else key for key in row.keys]
    waits = row.jwks_uri is not None or bool(client_keys.waiting(after))
    clients.ask_for_keys(tx, asked.client, {"keys": after}, row.waiting if waits else None)
    clients.recall_tokens(tx, asked.client, occasion.at)
    by: dict[str, str | int] = {"asked_by": asked.officers.first, "agreed_by": asked.officers.second}
    said = [Said(Event.KEY_REVOKED, {**by, **about(key)}, COMPROMISED) for key in chosen]
    return prove(tx, parts, occasion, subject_of(parts, asked.client), said)
    # A crash before the commit leaves the keys as they were; the officers repeat the command.

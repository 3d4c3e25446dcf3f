"""Give a client new keys. The ones before live on for an overlap, or die at once when they may be in wrong hands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.actions.prove import Occasion, Said, Stated, prove
from gateway.actions.register_client import no_other_has, subject_of
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Rotation:
    """New keys for a client (they have passed the key policy). `compromised`: no overlap, and tokens in hand are dead."""

    client: str
    jwks: Mapping[str, Any]
    overlap: timedelta
    compromised: bool
    officers: TwoOfficers


def rotate_client_keys(tx: Tx, parts: Parts, occasion: Occasion, asked: Rotation) -> list[Stated]:
    """Put the new keys beside the old ones, which end after the overlap; Refused for an unknown client or a kid used twice."""
    row = clients.find(tx, asked.client)
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no such client; see `gateway clients list`.")
    new = list(asked.jwks["keys"])
    no_other_has(tx, asked.client, new)
    ends_at = int((occasion.at + asked.overlap).timestamp())
    old = [key for key in row.jwks["keys"] if "exp" not in key or key["exp"] > occasion.at.timestamp()]
    if {key["kid"] for key in old} & {key["kid"] for key in new}:
        detail = "The client has a key of this kid already: give the new key another kid."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    kept = [] if asked.compromised else [{**key, "exp": min(ends_at, key.get("exp", ends_at))} for key in old]
    clients.rotate_keys(tx, asked.client, {"keys": [*new, *kept]})
    said = [Said(Event.KEY_INTRODUCED) for _ in new]
    if asked.compromised:
        clients.recall_tokens(tx, asked.client, occasion.at)
        said += [Said(Event.KEY_REVOKED, reason="compromised") for _ in old]
    return prove(tx, parts, occasion, subject_of(asked.client), said)
    # A crash before the commit leaves the keys as they were; the officers repeat the command.

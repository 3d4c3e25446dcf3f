"""Put a client's pending keys in use: it proved to hold them, and a second officer agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.actions.prove import Occasion, Said, Stated, prove
from gateway.actions.register_client import about, none_is_taken, registered, subject_of
from gateway.core import client_keys
from gateway.core.client_keys import Kept, in_hand
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.clients import ClientRow, Waiting
from gateway.store.transaction import Tx
from keys.signing import jwk_thumbprint


@dataclass(frozen=True, slots=True)
class Approval:
    """The second officer's word. `proved`: thumbprints of the keys that signed the challenge `nonce`, already verified."""

    client: str
    officer: str
    nonce: str
    proved: frozenset[str]


def approve_client(tx: Tx, parts: Parts, occasion: Occasion, asked: Approval) -> list[Stated]:
    """Let every pending key sign from now on and state each; Refused by one officer alone, or without a whole proof.

    Keys by value must each be proved. Of a client that publishes its keys itself one is enough: whoever holds one of them
    and controls the address has shown as much as can be shown.
    """
    row = registered(tx, asked.client)
    waiting = _still_waiting(row, occasion, asked)
    officers = TwoOfficers(waiting.asked_by, asked.officer)
    new = client_keys.waiting(row.keys)
    _all_proved(row, new, asked.proved)
    none_is_taken(tx, asked.client, new)
    clients.approve(tx, asked.client, {"keys": _in_use(row, new, waiting, occasion.at)})
    if row.status == clients.PENDING:
        clients.reinstate(tx, asked.client)
    by: dict[str, str | int] = {"asked_by": officers.first, "agreed_by": officers.second, "client": row.id}
    said = [Said(Event.KEY_INTRODUCED, {**by, **about(key)}) for key in new]
    return prove(tx, parts, occasion, subject_of(parts, asked.client), said)
    # A crash before the commit leaves the keys waiting; the officer repeats the command.


def _still_waiting(row: ClientRow, occasion: Occasion, asked: Approval) -> Waiting:
    if row.waiting is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="No key of this client waits for approval.")
    if row.waiting.nonce != asked.nonce:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="A newer challenge was given out meanwhile: sign that one."
        )
    if row.waiting.expires_at <= occasion.at:
        detail = "The challenge has expired: give out another with `gateway clients challenge`."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return row.waiting


def _all_proved(row: ClientRow, new: list[Kept], proved: frozenset[str]) -> None:
    shown = {jwk_thumbprint(dict(key)) in proved for key in new}
    if not new:
        detail = "Its keys were not fetched yet: see `gateway clients fetch`."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    if True not in shown or (row.jwks_uri is None and False in shown):
        detail = (
            "Each new key must have signed the challenge: ask the agency for the proofs that are missing."
        )
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)


def _in_use(row: ClientRow, new: list[Kept], waiting: Waiting, at: datetime) -> list[Mapping[str, Any]]:
    """The new keys first; those before live on for the overlap, which begins when the new ones do."""
    begins = max((key.get("nbf", 0) for key in new), default=0)
    ends_at = max(at, datetime.fromtimestamp(begins, UTC)) + waiting.overlap
    before = [key for key in row.keys if key not in new]
    live = [client_keys.retired(key, ends_at) for key in in_hand(before, at)]
    dead = [key for key in before if client_keys.status_of(key, at) == client_keys.REVOKED]
    return [*(client_keys.approved(key) for key in new), *live, *dead]

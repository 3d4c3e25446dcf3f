"""Ask for new keys for a client. They wait like those of a new client; the ones in use are not touched until then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.actions.prove import Occasion, Said, prove
from gateway.actions.register_client import challenge, none_is_taken, pending, registered, subject_of
from gateway.core import client_keys
from gateway.core.client_keys import ALWAYS, MOST_KEYS, Window, in_hand
from gateway.core.errors import ErrorCode, Refused
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.clients import Waiting
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Rotation:
    """New keys for a client (they have passed the key policy). `overlap`: how long those before live on once approved."""

    client: str
    jwks: Mapping[str, Any]
    overlap: timedelta
    officer: str
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class NewChallenge:
    """The keys that wait get another challenge, and another officer who asks for them."""

    client: str
    officer: str


def rotate_client_keys(tx: Tx, parts: Parts, occasion: Occasion, asked: Rotation) -> Waiting:
    """Put the new keys beside the others as pending, in place of any that waited before; Refused for an unknown client, a
    kid or key used twice, or more than five keys."""
    row = registered(tx, asked.client)
    if row.jwks_uri is not None:
        detail = "This client publishes its keys itself: it changes them at its own address."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    new = list(asked.jwks["keys"])
    none_is_taken(tx, asked.client, new)
    waited = client_keys.waiting(row.keys)
    kept = [key for key in row.keys if key not in waited]
    live = in_hand(kept, occasion.at)
    if {key["kid"] for key in kept} & {key["kid"] for key in new}:
        detail = "The client has a key of this kid already: give the new key another kid."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    if len(live) + len(new) > MOST_KEYS:
        detail = f"A client has at most {MOST_KEYS} keys: offer fewer, or revoke one."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    waiting = challenge(occasion, asked.officer, asked.overlap)
    keys = [*kept, *pending(new, asked.window)["keys"]]
    clients.ask_for_keys(tx, asked.client, {"keys": keys}, waiting)
    said = Said(Event.CLIENT_CHANGED, {"asked_by": waiting.asked_by}, "keys-asked-for")
    prove(tx, parts, occasion, subject_of(parts, asked.client), [said])
    return waiting
    # A crash before the commit leaves the keys as they were; the officer repeats the command.


def challenge_again(tx: Tx, parts: Parts, occasion: Occasion, asked: NewChallenge) -> Waiting:
    """A fresh challenge for the keys that wait: the one before expired or went astray; Refused when none waits."""
    row = registered(tx, asked.client)
    if row.waiting is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="No key of this client waits for approval.")
    waiting = challenge(occasion, asked.officer, row.waiting.overlap)
    clients.ask_for_keys(tx, asked.client, row.jwks, waiting)
    said = Said(Event.CLIENT_CHANGED, {"asked_by": waiting.asked_by}, "challenged-again")
    prove(tx, parts, occasion, subject_of(parts, asked.client), [said])
    return waiting
    # A crash before the commit leaves the challenge before; the officer repeats the command.

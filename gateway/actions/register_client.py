"""Ask that an agency's software be let in: its keys wait until it proved to hold them and a second officer agreed.

Nothing that waits here opens any door: see `approve_client`. Sources: RFC 7523, FAPI 2.0 section 5.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.core import client_keys
from gateway.core.client_keys import ALWAYS, Window
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients, directory
from gateway.store.clients import ClientRow, Waiting
from gateway.store.transaction import Tx
from keys.signing import jwk_thumbprint
from schemas import newest

PROVE_WITHIN = timedelta(days=14)
NONCE_BYTES = 32

_NO_KEYS: Mapping[str, Any] = {"keys": []}


@dataclass(frozen=True, slots=True)
class Registration:
    """A client for one agency, asked for by one officer. Its keys have passed the key policy.

    `jwks_uri`: it publishes its keys there instead. `message_types`: the only ones it may send; None for whatever the
    rules let its agency send.
    """

    client: str
    agency: AgencyId
    scopes: tuple[str, ...]
    officer: str
    jwks: Mapping[str, Any] = field(default_factory=lambda: _NO_KEYS)
    jwks_uri: str | None = None
    message_types: tuple[str, ...] | None = None
    window: Window = ALWAYS


def register_client(tx: Tx, parts: Parts, occasion: Occasion, asked: Registration) -> Waiting:
    """Enrol the client as pending; Refused when its id, its agency or one of its keys stands in the way."""
    if asked.agency not in directory.known(tx, [asked.agency]):
        detail = "The directory has no such agency: import it first, see `gateway directory import`."
        raise Refused(ErrorCode.NOT_FOUND, detail=detail)
    if clients.find(tx, asked.client) is not None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="A client of this id is registered already: choose another id, or rotate its keys.",
        )
    waiting = challenge(occasion, asked.officer)
    none_is_taken(tx, asked.client, asked.jwks["keys"])
    clients.add(
        tx,
        asked.client,
        asked.agency,
        pending(asked.jwks["keys"], asked.window),
        asked.scopes,
        occasion.at,
        status=clients.PENDING,
        waiting=waiting,
        message_types=asked.message_types,
        jwks_uri=asked.jwks_uri,
        receives=newest(),  # its software was written for these: a later version comes when it asks
    )
    said = Said(Event.CLIENT_CHANGED, {"agency": asked.agency, "asked_by": waiting.asked_by}, "asked-for")
    prove(tx, parts, occasion, subject_of(parts, asked.client), [said])
    return waiting
    # A crash before the commit leaves no client; the officer repeats the command. After it the client waits, harmless.


def challenge(occasion: Occasion, officer: str, overlap: timedelta = timedelta(0)) -> Waiting:
    """What pending keys must sign, and who asked for them; Refused without a name."""
    asked_by = " ".join(officer.split())
    if not asked_by:
        raise Refused(ErrorCode.NOT_PERMITTED, detail="Name the officer who asks for it.")
    nonce = occasion.supply.take(NONCE_BYTES).hex()  # goes over telephones and command lines: no dashes
    return Waiting(nonce, asked_by, occasion.at + PROVE_WITHIN, overlap)


def pending(keys: Sequence[Mapping[str, Any]], window: Window) -> dict[str, Any]:
    """New keys as a set in which each waits."""
    return {"keys": [{**key, **window.members(), "status": client_keys.PENDING} for key in keys]}


def registered(tx: Tx, client: str) -> ClientRow:
    """The client's row, locked; Refused when there is none."""
    row = clients.find_to_change(tx, client)
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no such client; see `gateway clients list`.")
    return row


def none_is_taken(tx: Tx, client: str, keys: Iterable[Mapping[str, Any]]) -> None:
    """Refused when one of these keys speaks for another client, or was revoked for whichever: nobody may bring it back."""
    offered = {jwk_thumbprint(dict(key)) for key in keys}
    for row in clients.listed(tx):
        for key in row.keys:
            if jwk_thumbprint(dict(key)) not in offered:
                continue
            if row.id != client:
                raise Refused(
                    ErrorCode.NOT_ACCEPTABLE_STATE, detail="This key is registered for another client."
                )
            if "revoked" in key:
                raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This key was revoked: make a new one.")


def about(key: Mapping[str, Any]) -> dict[str, str | int]:
    """A key as an entry commits to it: its kid and its RFC 7638 thumbprint."""
    return {"kid": str(key["kid"]), "thumbprint": jwk_thumbprint(dict(key))}


def subject_of(parts: Parts, client: str) -> Subject:
    """The chain of everything that is done with a client; what its entries commit to is sealed under the deployment's key."""
    return Subject(f"client-{client}", None, None, parts.keys.own)

"""Let an agency's software in: two officers register it with the public keys that it will sign with (RFC 7523)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients, directory
from gateway.store.transaction import Tx
from keys.signing import jwk_thumbprint


@dataclass(frozen=True, slots=True)
class Registration:
    """A client for one agency. `jwks` has passed the key policy."""

    client: str
    agency: AgencyId
    jwks: Mapping[str, Any]
    scopes: tuple[str, ...]
    officers: TwoOfficers


def register_client(tx: Tx, parts: Parts, occasion: Occasion, asked: Registration) -> list[Stated]:
    """Enrol the client and state each key; Refused when its id, its agency or one of its keys stands in the way."""
    if asked.agency not in directory.known(tx, [asked.agency]):
        detail = "The directory has no such agency: import it first, see `gateway directory import`."
        raise Refused(ErrorCode.NOT_FOUND, detail=detail)
    if clients.find(tx, asked.client) is not None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="A client of this id is registered already.")
    no_other_has(tx, asked.client, asked.jwks["keys"])
    clients.add(tx, asked.client, asked.agency, asked.jwks, asked.scopes, occasion.at)
    said = [Said(Event.KEY_INTRODUCED) for _ in asked.jwks["keys"]]
    return prove(tx, parts, occasion, subject_of(asked.client), said)
    # A crash before the commit leaves no client; the officers repeat the command.


def no_other_has(tx: Tx, client: str, keys: Iterable[Mapping[str, Any]]) -> None:
    """Refused when one of these keys speaks for another client: nobody could then tell the two apart."""
    rows = [row for row in clients.listed(tx) if row.id != client]
    foreign = {jwk_thumbprint(dict(key)) for row in rows for key in row.jwks["keys"]}
    if any(jwk_thumbprint(dict(key)) in foreign for key in keys):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This key is registered for another client.")


def subject_of(client: str) -> Subject:
    """The chain of everything that is done with a client."""
    return Subject(f"client-{client}", None, None, None)

"""Let an agency's software in by mutual TLS, and give it its next certificate in time (RFC 8705).

Two officers say which certificate is the client's, or which authority issues it and under which name. A certificate needs no
proof of possession here: every handshake proves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.actions.prove import Occasion, Said, Stated, prove
from gateway.actions.register_client import registered, subject_of
from gateway.core.client_certificates import cut_short, end_of
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import clients, directory
from gateway.store.transaction import Tx
from schemas import newest

MOST_CERTIFICATES = 5

Entries = tuple[Mapping[str, Any], ...]  # of `gateway.oauth.certificates`: they have passed its policy


@dataclass(frozen=True, slots=True)
class CertifiedRegistration:
    """A client for one agency that is known by its certificate alone."""

    client: str
    agency: AgencyId
    certificates: Entries
    scopes: tuple[str, ...]
    officers: TwoOfficers
    message_types: tuple[str, ...] | None = None  # the only ones it may send; None: as the rules say


@dataclass(frozen=True, slots=True)
class Renewal:
    """The next certificates of a client. `compromised`: no overlap, and tokens in hand are dead."""

    client: str
    certificates: Entries
    overlap: timedelta
    compromised: bool
    officers: TwoOfficers


def register_certified_client(
    tx: Tx, parts: Parts, occasion: Occasion, asked: CertifiedRegistration
) -> list[Stated]:
    """Enrol the client and state each certificate; Refused when its id, its agency or a certificate stands in the way."""
    if asked.agency not in directory.known(tx, [asked.agency]):
        detail = "The directory has no such agency: import it first, see `gateway directory import`."
        raise Refused(ErrorCode.NOT_FOUND, detail=detail)
    if clients.find(tx, asked.client) is not None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="A client of this id is registered already: choose another id, or rotate its keys.",
        )
    _no_other_shows(tx, asked.client, asked.certificates)
    clients.add(
        tx,
        asked.client,
        asked.agency,
        {"keys": []},
        asked.scopes,
        occasion.at,
        message_types=asked.message_types,
        certificates=asked.certificates,
        receives=newest(),
    )
    return prove(tx, parts, occasion, subject_of(parts, asked.client), _introduced(asked))
    # A crash before the commit leaves no client; the officers repeat the command.


def renew_certificates(tx: Tx, parts: Parts, occasion: Occasion, asked: Renewal) -> list[Stated]:
    """Put the next certificates beside those before, which end after the overlap; Refused when one is there already.

    A client that had none is bound to certificates from now on: it goes on signing assertions with its keys, and its tokens
    that are bound to a key by DPoP are dead (RFC 8705 section 3).
    """
    row = registered(tx, asked.client)
    _no_other_shows(tx, asked.client, asked.certificates)
    old = [entry for entry in row.certificates if end_of(entry) > occasion.at]
    if {_shown_by(entry) for entry in old} & {_shown_by(entry) for entry in asked.certificates}:
        detail = "The client has this certificate already; see `gateway clients list`."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    kept = [] if asked.compromised else [cut_short(entry, occasion.at + asked.overlap) for entry in old]
    if len(kept) + len(asked.certificates) > MOST_CERTIFICATES:
        detail = (
            f"A client has at most {MOST_CERTIFICATES} certificates at a time: wait for an overlap to end."
        )
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    clients.renew_certificates(tx, asked.client, [*asked.certificates, *kept])
    said = _introduced(asked)
    if asked.compromised:
        clients.recall_tokens(tx, asked.client, occasion.at)
        said += [Said(Event.KEY_REVOKED, _about(entry), "compromised") for entry in old]
    return prove(tx, parts, occasion, subject_of(parts, asked.client), said)
    # A crash before the commit leaves the certificates as they were; the officers repeat the command.


def _introduced(asked: CertifiedRegistration | Renewal) -> list[Said]:
    by = {"asked_by": asked.officers.first, "agreed_by": asked.officers.second}
    return [Said(Event.KEY_INTRODUCED, {**_about(entry), **by}) for entry in asked.certificates]


def _about(entry: Mapping[str, Any]) -> dict[str, str | int]:
    """A certificate or authority as an entry commits to it: its SHA-256, and the name that counts under an authority."""
    names: dict[str, str | int] = {kind: str(entry[kind]) for kind in ("uri", "dns") if kind in entry}
    return {"thumbprint": str(entry["x5t#S256"]), **names}


def _no_other_shows(tx: Tx, client: str, certificates: Iterable[Mapping[str, Any]]) -> None:
    """Refused when one of these certificates, or names of one authority, speaks for another client."""
    rows = [row for row in clients.listed(tx) if row.id != client]
    foreign = {_shown_by(entry) for row in rows for entry in row.certificates}
    if any(_shown_by(entry) in foreign for entry in certificates):
        detail = "This certificate or certified name is registered for another client."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)


def _shown_by(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """What an entry lets in: one certificate, or one authority's certificates of one name."""
    return str(entry["x5t#S256"]), str(entry.get("uri", "")), str(entry.get("dns", ""))

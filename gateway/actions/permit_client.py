"""Change what a client may do and is shown: its scopes, the types of message it may send, the audience its assertions may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.actions.prove import Occasion, Said, Stated, prove
from gateway.actions.register_client import registered, subject_of
from gateway.core import client_keys
from gateway.core.demands import DEMANDS, SIGNATURE
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.written_times import written
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.transaction import Tx
from schemas import REGISTRY

NEW_FOR = timedelta(days=30)  # so long a client is new, and new clients do it right from the start
LONGEST_LEGACY = timedelta(days=183)


@dataclass(frozen=True, slots=True)
class Permission:
    """The scopes from now on, and the only types of message it may send (None: whatever the rules let its agency)."""

    client: str
    scopes: tuple[str, ...]
    message_types: tuple[str, ...] | None
    officers: TwoOfficers


@dataclass(frozen=True, slots=True)
class Versions:
    """The version of each type that a client is shown from now on; types that are not named stay as they are."""

    client: str
    receives: Mapping[str, int]
    officers: TwoOfficers


@dataclass(frozen=True, slots=True)
class Demanded:
    """What of `gateway.core.demands` a client's messages must come with from now on; nothing ends it."""

    client: str
    must_send: tuple[str, ...]
    officers: TwoOfficers


@dataclass(frozen=True, slots=True)
class LegacyAudience:
    """Until when assertions made out to the token address are taken beside those made out to the issuer; None ends it."""

    client: str
    until: datetime | None
    officers: TwoOfficers


def permit_client(tx: Tx, parts: Parts, occasion: Occasion, asked: Permission) -> Stated:
    """Change it and state it; Refused for an unknown client. Tokens in hand keep no scope that was taken away."""
    registered(tx, asked.client)
    clients.permit(tx, asked.client, asked.scopes, asked.message_types)
    types = "any" if asked.message_types is None else " ".join(asked.message_types)
    fields: dict[str, str | int] = {"scopes": " ".join(asked.scopes), "message_types": types}
    said = Said(Event.CLIENT_CHANGED, {**fields, **_by(asked.officers)}, "permissions-changed")
    return prove(tx, parts, occasion, subject_of(parts, asked.client), [said])[0]
    # A crash before the commit leaves the client as it was; the officers repeat the command.


def show_client_versions(tx: Tx, parts: Parts, occasion: Occasion, asked: Versions) -> Stated:
    """Change it and state it; Refused for an unknown client, type or version. The sender's bytes are shown beside in any case."""
    row = registered(tx, asked.client)
    if not all((slug, version) in REGISTRY for slug, version in asked.receives.items()):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="There is no such version of that type.")
    clients.show_versions(tx, asked.client, {**row.receives, **asked.receives})
    receives = " ".join(f"{slug}={version}" for slug, version in sorted(asked.receives.items()))
    said = Said(Event.CLIENT_CHANGED, {"receives": receives, **_by(asked.officers)}, "versions-chosen")
    return prove(tx, parts, occasion, subject_of(parts, asked.client), [said])[0]
    # A crash before the commit leaves the client as it was; the officers repeat the command.


def demand_of_client(tx: Tx, parts: Parts, occasion: Occasion, asked: Demanded) -> Stated:
    """Change it and state it; Refused for an unknown client, an unknown demand, or a signature where there is no key."""
    row = registered(tx, asked.client)
    if not set(asked.must_send) <= set(DEMANDS):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=f"Only {', '.join(DEMANDS)} can be demanded.")
    if SIGNATURE in asked.must_send and not any(client_keys.works(key, occasion.at) for key in row.keys):
        detail = "This client has no key to sign with: a certificate signs no messages."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    clients.demand(tx, asked.client, sorted(set(asked.must_send)))
    said = {"must_send": " ".join(sorted(set(asked.must_send))), **_by(asked.officers)}
    return prove(
        tx,
        parts,
        occasion,
        subject_of(parts, asked.client),
        [Said(Event.CLIENT_CHANGED, said, "demands-changed")],
    )[0]
    # A crash before the commit leaves the client as it was; the officers repeat the command.


def allow_legacy_audience(tx: Tx, parts: Parts, occasion: Occasion, asked: LegacyAudience) -> Stated:
    """Allow it until an instant, or end it, and state it (RFC 10070 forbids it; so it expires, and new clients never get it).

    Refused for an unknown client, one registered within the last 30 days, or an end more than half a year ahead.
    """
    row = registered(tx, asked.client)
    if asked.until is not None:
        if occasion.at - row.registered_at < NEW_FOR:
            detail = (
                "A new client names the issuer as audience: this is for software that was connected before."
            )
            raise Refused(ErrorCode.NOT_PERMITTED, detail=detail)
        if not occasion.at < asked.until <= occasion.at + LONGEST_LEGACY:
            detail = f"It must end within {LONGEST_LEGACY.days} days from now."
            raise Refused(ErrorCode.NOT_PERMITTED, detail=detail)
    clients.allow_legacy_audience(tx, asked.client, asked.until)
    until = "" if asked.until is None else written(asked.until)
    reason = "legacy-audience-ended" if asked.until is None else "legacy-audience-allowed"
    said = Said(Event.CLIENT_CHANGED, {"until": until, **_by(asked.officers)}, reason)
    return prove(tx, parts, occasion, subject_of(parts, asked.client), [said])[0]
    # A crash before the commit leaves the client as it was; the officers repeat the command.


def _by(officers: TwoOfficers) -> dict[str, str | int]:
    return {"asked_by": officers.first, "agreed_by": officers.second}

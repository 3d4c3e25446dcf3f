"""What somebody should see to about a client before it is shut out: for lists, for `doctor`, for the operator's figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from gateway.core import client_keys
from gateway.core.client_certificates import WARNED_BEFORE, last_end
from gateway.store import clients
from gateway.store.clients import ClientRow

FETCHED_WITHIN = timedelta(days=1)


class Concern(Enum):
    """A kind of concern, and what is to be done."""

    NO_KEY = "no-key-works"
    KEYS_END = "keys-end-soon"
    WAITS = "waits-for-approval"
    NOT_FETCHED = "keys-not-fetched"
    LEGACY = "legacy-audience"
    CERTIFICATES_END = "certificates-end-soon"


@dataclass(frozen=True, slots=True)
class Noted:
    """A concern about one client, in words that name the remedy."""

    client: str
    concern: Concern
    words: str


def concerns(row: ClientRow, at: datetime) -> list[Noted]:
    """What is to be seen to about this client now; nothing about a suspended one."""
    if row.status == clients.SUSPENDED:
        return []
    found = [_keys(row, at), _approval(row), _fetching(row, at), _audience(row, at), _certificates(row, at)]
    return [Noted(row.id, *one) for one in found if one is not None]


def _keys(row: ClientRow, at: datetime) -> tuple[Concern, str] | None:
    by_certificate_alone = bool(row.certificates) and not row.keys
    if row.status == clients.PENDING or by_certificate_alone or not client_keys.run_out_soon(row.keys, at):
        return None
    end = client_keys.last_end(row.keys, at)
    if end is None or not any(client_keys.works(key, at) for key in row.keys):
        return Concern.NO_KEY, "none of its keys works: rotate its keys"
    return (
        Concern.KEYS_END,
        f"its last key ends on {datetime.fromtimestamp(end, UTC).date()}: rotate its keys",
    )


def _approval(row: ClientRow) -> tuple[Concern, str] | None:
    if row.waiting is None:
        return None
    return Concern.WAITS, f"keys wait for proof and approval until {row.waiting.expires_at.date()}"


def _fetching(row: ClientRow, at: datetime) -> tuple[Concern, str] | None:
    """Keys that a publishing client withdrew would go on working for as long as nothing is fetched."""
    if row.jwks_uri is None or row.keys_fault is None:
        return None
    since = row.keys_fetched_at or row.registered_at
    if at - since < FETCHED_WITHIN and row.status != clients.PENDING:
        return None
    return Concern.NOT_FETCHED, f"its keys could not be fetched since {since.date()} ({row.keys_fault})"


def _audience(row: ClientRow, at: datetime) -> tuple[Concern, str] | None:
    until = row.legacy_audience_until
    if until is None or until <= at:
        return None
    return Concern.LEGACY, f"it may name the token address as audience until {until.date()}"


def _certificates(row: ClientRow, at: datetime) -> tuple[Concern, str] | None:
    """Once its last certificate or authority ends, the client is shut out (RFC 8705)."""
    ends_at = last_end(row.certificates)
    if ends_at is None or ends_at - at >= WARNED_BEFORE:
        return None
    verb = "ended" if ends_at <= at else "ends"
    words = f"its last certificate {verb} on {ends_at.date()}: register the next with `rotate --certificate`"
    return Concern.CERTIFICATES_END, words

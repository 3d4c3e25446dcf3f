"""A client as `gateway clients list` shows it: no private key is ever here, and no content."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.actions.client_concerns import concerns
from gateway.cli.certificates import certificate_rows
from gateway.core import client_keys
from gateway.core.written_times import written
from gateway.store.clients import ClientRow
from keys.signing import jwk_thumbprint


def client_row(row: ClientRow, at: datetime) -> dict[str, Any]:
    """Everything about a client, with each key's state and what should be seen to."""
    waiting = row.waiting
    return {
        "client": row.id,
        "agency": row.agency,
        "status": row.status,
        "scopes": list(row.scopes),
        "message_types": None if row.message_types is None else list(row.message_types),
        "must_send": list(row.must_send),
        "receives": dict(sorted(row.receives.items())),
        "partnerships": sorted(row.partnerships),
        "registered_at": written(row.registered_at),
        "tokens_not_before": utc_or_none(row.tokens_not_before),
        "legacy_audience_until": utc_or_none(row.legacy_audience_until),
        "jwks_uri": row.jwks_uri,
        "keys_fetched_at": utc_or_none(row.keys_fetched_at),
        "keys_fault": row.keys_fault,
        "waits_until": None if waiting is None else written(waiting.expires_at),
        "keys": [_key_row(key, at) for key in row.keys],
        "certificates": certificate_rows(row.certificates, at),
        "concerns": [{"concern": one.concern.value, "words": one.words} for one in concerns(row, at)],
    }


def _key_row(key: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    begins, ends = (
        datetime.fromtimestamp(key[name], UTC) if name in key else None for name in ("nbf", "exp")
    )
    return {
        "kid": key["kid"],
        "algorithm": key["alg"],
        "thumbprint": jwk_thumbprint(dict(key)),
        "status": client_keys.status_of(key, at),
        "begins_at": utc_or_none(begins),
        "ends_at": utc_or_none(ends),
        "works": client_keys.works(key, at),
    }


def client_lines(row: Mapping[str, Any]) -> list[str]:
    """The same in plain words."""
    keys = [f"  {key['kid']}: {key['status']}{_until(key['ends_at'])}" for key in row["keys"]]
    keys += [
        f"  certificate {one['x5t#S256']}: {'works' if one['works'] else 'over'} until {one['ends_at']}"
        for one in row["certificates"]
    ]
    noted = [f"  MEND {one['words']}" for one in row["concerns"]]
    return [f"{row['client']}: {row['agency']}, {row['status']}", *keys, *noted]


def _until(ends_at: str | None) -> str:
    return "" if ends_at is None else f" until {ends_at}"


def utc_or_none(at: datetime | None) -> str | None:
    """`utc`, or None for none."""
    return None if at is None else written(at)

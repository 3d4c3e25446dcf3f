"""The policy that a verifier trusts: whose receipts, which log, which witnesses, which keys and when.

What is written here and served or shipped is for information only. A verifier's trust comes from a copy that reached it
on another path, agreed and kept by the partners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.ledger.statement import written
from gateway.ledger.verify import VerifierKey


@dataclass(frozen=True, slots=True)
class StampersNamed:
    """Time-stamping authorities to believe: their roots (PEM), the policies (OIDs) that they stamp under, and how far apart
    the time-stamps before and after an event may lie."""

    roots: str
    policies: Sequence[str]
    max_window_seconds: int = 86_400


@dataclass(frozen=True, slots=True)
class ReceiptKeyWindow:
    """A receipt key as a public JWK with `kid`, and when it was in force. Instants are aware UTC."""

    jwk: Mapping[str, str]
    not_before_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


def make_policy(
    issuer: str,
    logs: Sequence[VerifierKey],
    receipt_keys: Sequence[ReceiptKeyWindow],
    *,
    witnesses: Sequence[VerifierKey] = (),
    quorum: int = 0,
    timestamps: Literal["none", "required"] = "none",
    tsa: StampersNamed = StampersNamed("", ()),
    skew_seconds: int = 60,
    peers: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, object]:
    """The policy as a JSON value of the form `policy/1`; `verify.load_policy` reads it.

    `logs` are the keys of every log, each named by its log's origin: one key that signs several is there for each.

    `peers` are the thumbprints (RFC 7638) of the keys with which agencies sign their acknowledgements, by agency.
    """
    return {
        "v": "policy/1",
        "issuer": issuer,
        "log": [str(key) for key in logs],
        "witnesses": [str(key) for key in witnesses],
        "quorum": quorum,
        "timestamps": timestamps,
        "receipt_keys": [_key(key) for key in receipt_keys],
        "pinned": [],
        "skew_seconds": skew_seconds,
        "peers": [{"agency": agency, "keys": sorted(keys)} for agency, keys in sorted((peers or {}).items())],
        "tsa": {
            "roots": tsa.roots,
            "policies": list(tsa.policies),
            "max_window_seconds": tsa.max_window_seconds,
        },
    }


def _key(key: ReceiptKeyWindow) -> dict[str, object]:
    return {
        "jwk": dict(key.jwk),
        "nbf": written(key.not_before_at),
        "exp": None if key.expires_at is None else written(key.expires_at),
        "revoked": None if key.revoked_at is None else written(key.revoked_at),
    }

"""Strict compact JWS: the one place in this room where bytes are taken apart and a signature is checked.

Invariant: what was signed is what is read. Base64url is canonical (RFC 7515 section 2), JSON is strict (no
repeated member, no NaN, little nesting), and the algorithm comes from the key, never from the data: the
header's `alg` must be the one name that the key allows (RFC 8725 sections 3.1 and 3.2). Nothing in a header
is fetched or trusted: `jku`, `x5u` and `x5c` are ignored, `crit` is refused because no extension is
understood here.

The signature itself is joserfc's to judge. Its parser is not used: it takes repeated members and NaN, and
answers some malformed headers with exceptions of other kinds. Both are held to the Wycheproof vectors by
`tests/edges/test_oauth_vectors.py`.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

Algorithm = Literal["ES256", "PS256", "Ed25519"]

# `EdDSA` is the older name of the same signature (RFC 9864): understood, never written.
ALGORITHM_NAMES: dict[str, Algorithm] = {
    "ES256": "ES256",
    "PS256": "PS256",
    "Ed25519": "Ed25519",
    "EdDSA": "Ed25519",
}

_MOST_BRACKETS = 16
_REGISTRY = JWSRegistry(algorithms=list(set(ALGORITHM_NAMES.values())))
_JOSERFC = {name: _REGISTRY.get_alg(name) for name in ALGORITHM_NAMES.values()}


class Malformed(ValueError):
    """Not a strict compact JWS, or not strict JSON."""


class BadSignature(ValueError):
    """The signature is not this key's over these bytes."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key that passed `key_policy`, the one algorithm it may be used with, and its RFC 7638
    thumbprint.
    """

    algorithm: Algorithm
    key: ECKey | OKPKey | RSAKey
    thumbprint: str


class Compact(NamedTuple):
    """The three segments of a compact JWS, still encoded."""

    header: bytes
    payload: bytes
    signature: bytes


def split(token: bytes, longest_bytes: int) -> Compact:
    """Take a compact serialization apart; Malformed when it is too long or has not three segments."""
    if len(token) > longest_bytes:
        raise Malformed("too long")
    segments = token.split(b".")
    if len(segments) != 3:  # five: a JWE; one: JSON serialization or rubbish
        raise Malformed("not three segments")
    return Compact(*segments)


def decode(segment: bytes) -> bytes:
    """Base64url without padding, in its one canonical spelling."""
    try:
        raw = base64.b64decode(segment + b"=" * (-len(segment) % 4), b"-_", validate=True)
    except ValueError:
        raise Malformed("not base64url") from None
    if encode(raw) != segment:  # stray bits in the tail, or the other alphabet
        raise Malformed("not canonical base64url")
    return raw


def encode(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def read_object(segment: bytes) -> dict[str, Any]:
    """A segment as one strict JSON object; brackets are counted even inside strings, which errs on the safe
    side.
    """
    return read_strict(decode(segment), _MOST_BRACKETS)


def read_strict(raw: bytes, most_brackets: int = 64) -> dict[str, Any]:
    """Bytes as one strict JSON object: UTF-8, no repeated member, no NaN; Malformed otherwise."""
    if raw.count(b"{") + raw.count(b"[") > most_brackets:
        raise Malformed("nested too deeply")
    try:
        value = _STRICT.decode(raw.decode("utf-8"))
    except ValueError:
        raise Malformed("not strict JSON") from None
    if not isinstance(value, dict):
        raise Malformed("not an object")
    return value


def read_header(segment: bytes) -> dict[str, Any]:
    """The protected header: `alg` is a string, and no extension is critical (RFC 7515 section 4.1.11)."""
    header = read_object(segment)
    if not isinstance(header.get("alg"), str) or "crit" in header or "b64" in header:
        raise Malformed("header not understood")
    return header


def media_type(header: dict[str, Any]) -> str | None:
    """`typ` as it compares: in small letters and without `application/` (RFC 7515 section 4.1.9); None when there is none.

    Anything but a string, and a name with another slash in it, compares with nothing.
    """
    said = header.get("typ")
    if said is None and "typ" not in header:
        return None
    return said.lower().removeprefix("application/") if isinstance(said, str) else ""


def numeric_date(value: object) -> float | None:
    """Seconds since 1970, whole or not (RFC 7519 section 2); None when it is no such number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def verify(key: PublicKey, algorithm: str, token: Compact) -> None:
    """BadSignature unless `token` was signed with this key under the one algorithm that the key allows."""
    if ALGORITHM_NAMES.get(algorithm) != key.algorithm:
        raise BadSignature("algorithm and key differ")
    verify_bytes(key, token.header + b"." + token.payload, decode(token.signature))


def verify_bytes(key: PublicKey, signed: bytes, signature: bytes) -> None:
    """BadSignature unless `signature` is this key's over `signed`; raw r‖s for ES256 (RFC 7518, 3.4)."""
    if not _JOSERFC[key.algorithm].verify(signed, signature, key.key):
        raise BadSignature("does not verify")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("repeated member")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)

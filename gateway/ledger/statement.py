"""Statements: the closed canonical JSON that is signed as a receipt and is a leaf of the log.

Invariant: a statement holds no personal data, only salted commitments (RFC 9901 digests), ids and coarse codes. Its bytes
are canonical (RFC 8785; with ASCII names, strings and whole numbers that is what `json.dumps` writes with sorted names)
and are signed as a compact JWS (RFC 7515, ES256). What a draft needs that differs each time (id, salts, instant) is made
before the transaction, so that a transaction that runs again makes the same statement.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from gateway.core.receipts import Event
from gateway.ledger.verify import LIMIT_STATEMENT_BYTES, NAME, REF, unb64url
from keys.signing import Signer

SALT_BYTES = 16  # RFC 9901 section 9.3: at least 128 bits each
LARGEST_INTEGER = (1 << 53) - 1
FIELD_NAME = re.compile("[a-z][a-z0-9_]{0,63}")

Value = str | int

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_quoted = json.encoder.encode_basestring
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that is ready to be appended: everything but its place in the chain.

    `disclosures` open the commitments; `digests` are those commitments, sorted. `time` is aware UTC, whole milliseconds.
    `chains` says in clear how many entries other chains have, so that none can be cut off at its end afterwards.
    """

    id: str
    event: Event
    ref: str
    time: datetime
    reason: str | None
    disclosures: tuple[str, ...]
    digests: tuple[str, ...]
    chains: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchored checkpoint that a statement is made after: the tree's size and its root in hex."""

    size: int
    root: str


def draft(
    event: Event,
    ref: str,
    time: datetime,
    fields: Mapping[str, Value],
    reason: str | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
    chains: Mapping[str, int] | None = None,
) -> Draft:
    """A draft with a fresh id and salts; ValueError when a value, name, ref or reason is not of its form.

    `fields` are committed to and never written in clear. `reason` is a coarse code in clear: no text that could hold a
    person or an address. An event that tells of a failure must have one.
    """
    _expect(REF, ref, "ref")
    if reason is not None:
        _expect(NAME, reason, "reason")
    elif event.needs_reason:
        raise ValueError("this event needs a reason")
    if time.tzinfo is None:
        raise ValueError("an instant must be aware")
    drawn = random(SALT_BYTES * len(fields) + 16)
    salts = [drawn[at : at + SALT_BYTES] for at in range(16, len(drawn), SALT_BYTES)]
    disclosures = tuple(disclosure(salt, *one) for salt, one in zip(salts, fields.items(), strict=True))
    return Draft(
        id=f"ev-{drawn[:16].hex()}",
        event=event,
        ref=ref,
        time=time.astimezone(UTC).replace(microsecond=time.microsecond // 1000 * 1000),
        reason=reason,
        disclosures=disclosures,
        digests=tuple(sorted(commitment(one) for one in disclosures)),
        chains=chains or None,
    )


def disclosure(salt: bytes, name: str, value: Value) -> str:
    """base64url of `[salt, name, value]` (RFC 9901 section 4.2.1)."""
    if len(salt) < SALT_BYTES or not FIELD_NAME.fullmatch(name):
        raise ValueError("a commitment needs a salt of 128 bits and a plain name")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError("values are strings or whole numbers")
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise ValueError("numbers stay below 2^53")
    written = str(value) if isinstance(value, int) else _quoted(value)
    return _b64url(f'["{_b64url(salt)}","{name}",{written}]'.encode())  # as `_encode` writes it


def opened(one: str) -> tuple[str, Value]:
    """Name and value of a disclosure."""
    _salt, name, value = json.loads(unb64url(one))
    return name, value


def fields_of(disclosures: Iterable[str]) -> dict[str, Value]:
    """What the disclosures of one statement say, by name."""
    return dict(map(opened, disclosures))


def commitment(one: str) -> str:
    """The digest of a disclosure (RFC 9901 section 4.2.3)."""
    return _b64url(hashlib.sha256(one.encode()).digest())


def statement(made: Draft, issuer: str, kid: str, seq: int, prev: str, after: Anchor | None = None) -> bytes:
    """The statement's canonical bytes. `seq` counts from 1; `prev` is the leaf hash before it in hex, or empty."""
    members: dict[str, object] = {
        "_sd": made.digests,
        "_sd_alg": "sha-256",
        "event": made.event.text,
        "id": made.id,
        "iss": issuer,
        "kid": kid,
        "prev": prev,
        "ref": made.ref,
        "seq": seq,
        "time": written(made.time),
        "v": "receipt/1",
    }
    if after is not None:
        members["after"] = {"root": after.root, "size": after.size}
    if made.chains is not None:
        members["chains"] = dict(made.chains)
    if made.reason is not None:
        members["reason"] = made.reason
    encoded = _encode(members).encode()
    if len(encoded) > LIMIT_STATEMENT_BYTES:
        raise ValueError("a statement of this many commitments is too long for the log")
    return encoded


def written(time: datetime) -> str:
    """An aware UTC instant with milliseconds and a final Z."""
    return time.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def sign_statement(encoded: bytes, signer: Signer) -> str:
    """The receipt: a compact JWS with exactly `alg`, `kid` and `typ` in its header."""
    signing_input = f"{_header(signer.kid)}.{_b64url(encoded)}"
    return f"{signing_input}.{_b64url(signer.sign(signing_input.encode()))}"


@lru_cache(maxsize=16)
def _header(kid: str) -> str:
    _expect(REF, kid, "kid")
    return _b64url(_encode({"alg": "ES256", "kid": kid, "typ": "receipt+jws"}).encode())


def _expect(shape: str, text: str, name: str) -> None:
    if not re.fullmatch(shape, text):
        raise ValueError(f"{name} is not of its form")


def _b64url(data: bytes) -> str:
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")

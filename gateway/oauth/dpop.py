"""Does the caller hold the key? DPoP proofs, RFC 9449 section 4.3.

Invariant: a proof that passed was signed, within the last minute, by the key it carries, for this very method
and URL and (when a token comes with it) for this very token. It says nothing until its replay key has been
burnt.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from gateway.oauth.jose import (
    ALGORITHM_NAMES,
    BadSignature,
    Malformed,
    PublicKey,
    encode,
    media_type,
    numeric_date,
    read_header,
    read_object,
    split,
    verify,
)
from gateway.oauth.key_policy import KeyRefused, public_key
from gateway.oauth.nonces import Nonces
from gateway.oauth.reasons import Reason, Rejected
from gateway.oauth.recent import Recent

LONGEST_PROOF_BYTES = 4096
OLDEST_PROOF_SECONDS = 60
CLOCK_SKEW_SECONDS = 10  # FAPI 2.0 section 5.3.2.1: tolerate 10 s

_REMEMBERED_SECONDS = (
    75  # beyond the last second at which the proof could pass, for clocks that differ between hosts
)
_ID = re.compile(r"[\x20-\x7e]{8,256}\Z")
_URL = re.compile(r"[\x21-\x7e]{1,2048}\Z")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}

ProofKeys = Recent[bytes, tuple[str, PublicKey]]  # raw header segment -> algorithm and key


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that passed: the key's thumbprint, and what must still be burnt before it counts."""

    thumbprint: str
    replay_key: str
    expires_at: datetime


def check_proof(
    raw: bytes,
    *,
    method: str,
    url: str,
    now: float,
    keys_seen: ProofKeys,
    token_digest: bytes | None = None,
    bound_to: str | None = None,
    nonces: Nonces | None = None,
) -> Proof:
    """Check one proof for `method` and `url`; Rejected with the reason.

    1. compact JWS of at most 4 KiB   2. typ, alg and a public key under our policy   3. the key is `bound_to`
    4. htm and htu   5. iat in [-60, +10] s   6. jti   7. ath is `token_digest`   8. signature
    9. where nonces are asked for, one of ours (last: only whoever holds the key is told that it lacks one).
    What the caller must still do: burn `replay_key`, and refuse when it was known.
    """
    try:
        compact = split(raw, LONGEST_PROOF_BYTES)
        seen = keys_seen.get(compact.header)
        algorithm, key = seen or _read_key(read_header(compact.header))
        if bound_to is not None and not compare_digest(key.thumbprint, bound_to):
            raise Rejected(Reason.PROOF_KEY_OTHER)
        claims = read_object(compact.payload)
        proof = _check_claims(claims, key.thumbprint, method, url, now)
        if token_digest is not None:
            _check_token_hash(claims.get("ath"), token_digest)
        verify(key, algorithm, compact)
    except BadSignature:
        raise Rejected(Reason.PROOF_SIGNATURE) from None
    except Malformed:
        raise Rejected(Reason.PROOF_MALFORMED) from None
    if seen is None:
        keys_seen.put(compact.header, (algorithm, key))
    if nonces is not None and not nonces.knows(claims.get("nonce"), now):
        raise Rejected(Reason.PROOF_NONCE)
    return proof


def replay_key(kind: str, namespace: str, jti: str) -> str:
    """64 hex digits naming one use; the namespace keeps one client from burning another's ids."""
    return hashlib.sha256(f"{kind}\x00{namespace}\x00{jti}".encode()).hexdigest()


def _read_key(header: dict[str, Any]) -> tuple[str, PublicKey]:
    if media_type(header) != "dpop+jwt":
        raise Rejected(Reason.PROOF_TYPE)
    algorithm: str = header["alg"]
    if algorithm not in ALGORITHM_NAMES:
        raise Rejected(Reason.PROOF_ALGORITHM)
    try:
        return algorithm, public_key(header.get("jwk"))
    except KeyRefused:
        raise Rejected(Reason.PROOF_KEY) from None


def _check_claims(claims: dict[str, Any], thumbprint: str, method: str, url: str, now: float) -> Proof:
    if claims.get("htm") != method:
        raise Rejected(Reason.PROOF_METHOD)
    htu = claims.get("htu")
    if htu != url and not (isinstance(htu, str) and _same_url(htu, url)):
        raise Rejected(Reason.PROOF_URL)
    issued_at, jti = numeric_date(claims.get("iat")), claims.get("jti")
    if issued_at is None or not now - OLDEST_PROOF_SECONDS <= issued_at <= now + CLOCK_SKEW_SECONDS:
        raise Rejected(Reason.PROOF_TIME)
    _check_own_times(claims, now)
    if not isinstance(jti, str) or not _ID.match(jti):
        raise Rejected(Reason.PROOF_ID)
    expires_at = datetime.fromtimestamp(issued_at + _REMEMBERED_SECONDS, UTC)
    return Proof(thumbprint, replay_key("proof", thumbprint, jti), expires_at)


def _check_own_times(claims: dict[str, Any], now: float) -> None:
    """`exp` and `nbf`, which a proof need not have: whoever sets them means them (RFC 7519 sections 4.1.4 and 4.1.5)."""
    ends, begins = numeric_date(claims.get("exp", now + 1)), numeric_date(claims.get("nbf", now))
    if (
        ends is None
        or ends <= now - CLOCK_SKEW_SECONDS
        or begins is None
        or begins > now + CLOCK_SKEW_SECONDS
    ):
        raise Rejected(Reason.PROOF_TIME)


def _check_token_hash(ath: object, token_digest: bytes) -> None:
    expected = encode(token_digest)
    if not isinstance(ath, str) or not compare_digest(ath.encode("utf-8", "replace"), expected):
        raise Rejected(Reason.PROOF_TOKEN_HASH)


def _same_url(htu: str, url: str) -> bool:
    """Equal after RFC 3986 normalisation of case, default port and percent-encoding; query and fragment do
    not count.

    Dot segments and doubled slashes are kept: our paths have none, so a URL with them is another one.
    """
    try:
        return _URL.match(htu) is not None and _normal(htu) == _normal(url)
    except ValueError:  # a broken IPv6 host or port
        return False


def _normal(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    if "@" in parts.netloc or "\\" in url:
        raise ValueError("user information has no place here")
    port = parts.port if parts.port is not None else _DEFAULT_PORTS.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port, _PERCENT.sub(_normal_percent, parts.path or "/")


def _normal_percent(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.match(character) else escape[0].upper()

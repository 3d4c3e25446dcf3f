"""Our access tokens: RFC 9068 `at+jwt`, 300 seconds, bound to a key (RFC 9449 section 6).

Invariant: a token that opens was signed by one of our token keys, says `typ: at+jwt`, is addressed to us, has
not expired and is bound to a key or a certificate; anything else we or others sign (receipts, assertions, identity tokens)
does not open. Tokens carry no personal data, and the agency in them comes from the register, never from the
request.

A token is bound in one way: to the key of DPoP proofs (`jkt`), or to a certificate (`x5t#S256`, RFC 8705 section 3.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gateway.oauth.jose import (
    ALGORITHM_NAMES,
    BadSignature,
    Malformed,
    PublicKey,
    encode,
    read_header,
    read_object,
    split,
    verify,
)
from gateway.oauth.reasons import Reason, Rejected
from keys.signing import Signer

TOKEN_LIFETIME_SECONDS = 300
LONGEST_TOKEN_BYTES = 4096

_CLOCK_SKEW_SECONDS = 10  # between our own hosts


class Binding(Enum):
    """What the bearer must show besides the token: the member of `cnf`, and the type that the token is of."""

    KEY = ("jkt", "DPoP")
    CERTIFICATE = ("x5t#S256", "Bearer")

    def __init__(self, member: str, token_type: str) -> None:
        self.member = member
        self.token_type = token_type


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says. Instants are whole seconds since 1970, as in the token."""

    id: str
    client_id: str
    agency: str
    scopes: frozenset[str]
    issued_at: int
    expires_at: int
    thumbprint: str
    binding: Binding = Binding.KEY

    @property
    def confirmation(self) -> dict[str, str]:
        """`cnf` (RFC 7800)."""
        return {self.binding.member: self.thumbprint}


def mint(token: AccessToken, issuer: str, audience: str, signer: Signer) -> str:
    """The signed token in compact serialization."""
    header = {"typ": "at+jwt", "alg": signer.algorithm, "kid": signer.kid}
    claims = {
        "iss": issuer,
        "sub": token.client_id,
        "client_id": token.client_id,
        "aud": audience,
        "iat": token.issued_at,
        "exp": token.expires_at,
        "jti": token.id,
        "scope": " ".join(sorted(token.scopes)),
        "agency": token.agency,
        "cnf": token.confirmation,
    }
    signed = _segment(header) + b"." + _segment(claims)
    return (signed + b"." + encode(signer.sign(signed))).decode()


def open_token(
    raw: bytes, keys: Mapping[str, PublicKey], issuer: str, audience: str, now: float
) -> AccessToken:
    """Open one of our tokens; Rejected with the reason.

    1. compact JWS of at most 4 KiB
    2. typ is exactly at+jwt, alg and kid name one of our keys   3. signature
    4. iss, aud, sub, client_id, jti, scope, agency   5. iat and exp   6. bound to a key or a
    certificate. What the caller must still do: check that what it is bound to is proved, the client active, and the token not
    revoked.
    """
    try:
        compact = split(raw, LONGEST_TOKEN_BYTES)
        header = read_header(compact.header)
        verify(_our_key(header, keys), header["alg"], compact)
        claims = read_object(compact.payload)
    except BadSignature:
        raise Rejected(Reason.TOKEN_SIGNATURE) from None
    except Malformed:
        raise Rejected(Reason.TOKEN_MALFORMED) from None
    token = _read_claims(claims, issuer, audience)
    if not token.issued_at <= now + _CLOCK_SKEW_SECONDS or not now < token.expires_at:
        raise Rejected(Reason.TOKEN_TIME)
    return token


def _segment(value: Mapping[str, object]) -> bytes:
    return encode(_COMPACT.encode(value).encode())


_COMPACT = json.JSONEncoder(separators=(",", ":"))  # one for all: json.dumps makes a new one each time


def _our_key(header: dict[str, Any], keys: Mapping[str, PublicKey]) -> PublicKey:
    if header.get("typ") != "at+jwt":
        raise Rejected(Reason.TOKEN_TYPE)
    if header["alg"] not in ALGORITHM_NAMES:
        raise Rejected(Reason.TOKEN_ALGORITHM)
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise Rejected(Reason.TOKEN_KEY)
    return key


def _read_claims(claims: dict[str, Any], issuer: str, audience: str) -> AccessToken:
    texts = [claims.get(name) for name in ("jti", "client_id", "agency", "scope")]
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if claims.get("iss") != issuer or claims.get("aud") != audience:
        raise Rejected(Reason.TOKEN_CLAIMS)
    if not all(isinstance(text, str) for text in texts) or claims.get("sub") != claims["client_id"]:
        raise Rejected(Reason.TOKEN_CLAIMS)
    if type(issued_at) is not int or type(expires_at) is not int:
        raise Rejected(Reason.TOKEN_TIME)
    if not issued_at < expires_at <= issued_at + TOKEN_LIFETIME_SECONDS:
        raise Rejected(Reason.TOKEN_TIME)
    thumbprint, binding = _bound_to(claims.get("cnf"))
    return AccessToken(
        id=claims["jti"],
        client_id=claims["client_id"],
        agency=claims["agency"],
        scopes=frozenset(claims["scope"].split()),
        issued_at=issued_at,
        expires_at=expires_at,
        thumbprint=thumbprint,
        binding=binding,
    )


def _bound_to(confirmation: object) -> tuple[str, Binding]:
    """The thumbprint in `cnf` and what of: exactly one binding."""
    match confirmation:
        case {"jkt": str(thumbprint), **others} if thumbprint and not others:
            return thumbprint, Binding.KEY
        case {"x5t#S256": str(thumbprint), **others} if thumbprint and not others:
            return thumbprint, Binding.CERTIFICATE
        case _:
            raise Rejected(Reason.TOKEN_UNBOUND)

"""Is this really the client? `private_key_jwt` assertions: RFC 7523 section 3, RFC 7521, RFC 10070, FAPI 2.0.

Invariant: an assertion that passed was signed by a live key of an active client, addressed to our issuer and
nobody else, lives at most 300 seconds, and can be used once. It says nothing until its replay key has been
burnt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.oauth.dpop import CLOCK_SKEW_SECONDS, replay_key
from gateway.oauth.jose import (
    ALGORITHM_NAMES,
    BadSignature,
    Compact,
    Malformed,
    media_type,
    numeric_date,
    read_header,
    read_object,
    split,
    verify,
)
from gateway.oauth.metadata import TOKEN_PATH
from gateway.oauth.parts import Client, ClientKey, ClientStatus
from gateway.oauth.reasons import Reason, Rejected

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE_SECONDS = 300
LONGEST_ASSERTION_BYTES = 8192

CLIENT_ID = re.compile(r"[\x21-\x7e]{1,64}\Z")
_ID = re.compile(r"[\x20-\x7e]{8,256}\Z")
_TYPES = (None, "jwt", "client-authentication+jwt")


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion taken apart but not believed: `client_id` serves to look the client up and for nothing
    else.
    """

    client_id: str
    compact: Compact
    header: dict[str, Any]
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A client that proved itself, by which of its keys, and what must still be burnt before it counts.

    One that proved itself by its certificate has no key here and burns nothing.
    """

    client: Client
    kid: str | None = None
    burn: tuple[str, datetime] | None = None
    names_token_address: bool = False  # by the exception of `legacy_audience_until`


def read_assertion(raw: str) -> Assertion:
    """Take an assertion apart; Rejected when it is no strict compact JWS with `iss` and `sub` naming one
    client id.
    """
    try:
        compact = split(raw.encode(), LONGEST_ASSERTION_BYTES)
        header, claims = read_header(compact.header), read_object(compact.payload)
    except Malformed:
        raise Rejected(Reason.ASSERTION_MALFORMED) from None
    client_id = claims.get("sub")
    if not isinstance(client_id, str) or claims.get("iss") != client_id or not CLIENT_ID.match(client_id):
        raise Rejected(Reason.ASSERTION_ISSUER)
    return Assertion(client_id, compact, header, claims)


def check_assertion(assertion: Assertion, client: Client | None, issuer: str, at: datetime) -> Authenticated:
    """Check the assertion of the client that was looked up by its `client_id`; Rejected with the reason.

    1. the client is known   2. typ and alg   3. signature by a live key of the client
    4. the client is active
    5. aud is our issuer, as the sole string (for a client that two officers excepted for a while, or the token
    address: RFC 10070 forbids it)   6. exp within 300 s, iat and nbf not in the future   7. jti.
    What the caller must still do: burn `burn`, and refuse when it was known.
    """
    if client is None:
        raise Rejected(Reason.CLIENT_UNKNOWN)
    key = _check_signature(assertion, client, at)
    if client.status is not ClientStatus.ACTIVE:
        raise Rejected(Reason.CLIENT_SUSPENDED)
    claims = assertion.claims
    is_legacy = _check_audience(claims.get("aud"), client, issuer, at)
    expires_at = _check_times(claims, at.timestamp())
    jti = claims.get("jti")
    if not isinstance(jti, str) or not _ID.match(jti):
        raise Rejected(Reason.ASSERTION_ID)
    return Authenticated(client, key.kid, (replay_key("assertion", client.id, jti), expires_at), is_legacy)


def _check_audience(audience: object, client: Client, issuer: str, at: datetime) -> bool:
    """Whether the audience is the older one, allowed for this client; Rejected unless it is that or the issuer.

    One string: a list of one is refused too.
    """
    if audience == issuer:
        return False
    until = client.legacy_audience_until
    if until is None or at >= until or audience != issuer + TOKEN_PATH:
        raise Rejected(Reason.ASSERTION_AUDIENCE)
    return True


def _check_signature(assertion: Assertion, client: Client, at: datetime) -> ClientKey:
    header = assertion.header
    if media_type(header) not in _TYPES:
        raise Rejected(Reason.ASSERTION_TYPE)
    if header["alg"] not in ALGORITHM_NAMES:
        raise Rejected(Reason.ASSERTION_ALGORITHM)
    key = _choose(header, client, at)
    try:
        verify(key.public, header["alg"], assertion.compact)
    except BadSignature:
        raise Rejected(Reason.ASSERTION_SIGNATURE) from None
    except Malformed:
        raise Rejected(Reason.ASSERTION_MALFORMED) from None
    return key


def _choose(header: dict[str, Any], client: Client, at: datetime) -> ClientKey:
    """The one live key meant by `kid`, or by the algorithm alone when only one key has it.

    Common clients send no kid.
    """
    live = [k for k in client.keys if k.is_live(at) and k.public.algorithm == ALGORITHM_NAMES[header["alg"]]]
    meant = [k for k in live if k.kid == header["kid"]] if "kid" in header else live
    if len(meant) != 1:
        raise Rejected(Reason.ASSERTION_KEY)
    return meant[0]


def _check_times(claims: dict[str, Any], now: float) -> datetime:
    expires = numeric_date(claims.get("exp"))
    latest = (
        now + LONGEST_LIFE_SECONDS + CLOCK_SKEW_SECONDS
    )  # a client's clock may be ahead by the tolerated skew
    if expires is None or not now < expires <= latest:
        raise Rejected(Reason.ASSERTION_TIME)
    for name in ("iat", "nbf"):
        begins = numeric_date(claims.get(name, 0))
        if begins is None or begins > now + CLOCK_SKEW_SECONDS:
            raise Rejected(Reason.ASSERTION_TIME)
    return datetime.fromtimestamp(expires + CLOCK_SKEW_SECONDS, UTC)

"""The checks at the door of /v1: who is calling, proved by token and key or certificate together (RFC 9449 section 7, RFC
8705 section 3, RFC 9068 section 4).

Invariant: a Principal exists only for an active client whose unexpired, unrevoked token came with a fresh
proof by the key that the token is bound to, for exactly this method and URL, or over a connection that the certificate that
it is bound to opened. A proof still has to be burnt: see `authenticate`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from gateway.core.errors import ErrorCode, Refused
from gateway.oauth.access_tokens import AccessToken, Binding, open_token
from gateway.oauth.certificates import Presented, check_certificate, same
from gateway.oauth.dpop import Proof, check_proof
from gateway.oauth.jose import ALGORITHM_NAMES
from gateway.oauth.parts import Burns, Client, ClientStatus, OAuthParts
from gateway.oauth.reasons import OAuthError, Reason, Rejected
from gateway.oauth.revocation_lists import RevocationLists

TOKEN_REMEMBERED_SECONDS = 60  # how long a verified token is believed before revocation is asked about again

Headers = Iterable[tuple[bytes, bytes]]  # as in an ASGI scope: lower-case names, repeats kept

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, for which agency, with which scopes; `proof` must be burnt before anything is done.

    `proof` is what to burn and the instant until which it must be remembered: None for a caller with a certificate.

    `partnerships` are those of the agency when the client was last looked up (at most the age of that
    memory); an action that decides by them reads them again in its transaction.
    """

    client_id: str
    agency: str
    scopes: frozenset[str]
    partnerships: frozenset[str]
    token_id: str
    proof: tuple[str, datetime] | None
    message_types: frozenset[str] | None = None  # the only ones it may send; None: as the rules say

    @property
    def burns(self) -> Burns:
        """`proof`, as `parts.burn` takes it."""
        return [] if self.proof is None else [self.proof]


class NotAuthenticated(Refused):
    """Refused at the door; `www_authenticate` is the whole value of that header (RFC 9449 section 7.1, RFC
    9728 section 5.1).
    """

    def __init__(self, code: ErrorCode, www_authenticate: str) -> None:
        super().__init__(code)
        self.www_authenticate = www_authenticate


async def authenticate(
    headers: Headers, method: str, path: str, parts: OAuthParts, scope: Mapping[str, Any] | None = None
) -> Principal:
    """Name the caller of one request, or raise NotAuthenticated; Unavailable when clients cannot be looked
    up.

    `headers` as in the ASGI scope; `path` the path as received, percent-encoded, without query (`raw_path`). `scope` is the
    ASGI scope, for its TLS extension alone.

    1. exactly one Authorization header: of scheme DPoP with exactly one DPoP header, or Bearer with none
    2. the token is ours, unexpired, bound and not revoked (remembered for at most 60 s)
    3. its client is active, still of the same agency, and the token not older than `tokens_not_before`
    4. the client is registered for the token's way of being bound, and that way fits the scheme
    5. the proof fits method, URL, token and the bound key, is fresh and correctly signed; or 6. the connection's
    certificate is the bound one, and is still registered

    What the caller must still do, in this order: (a) `need_scope`; (b) burn `principal.proof`: for `POST
    /v1/messages` in the very transaction of the accept, otherwise `principal.burns` by `parts.burn`; when the key was known,
    raise `replayed(parts)`; (c) only then read or change anything for the caller.
    """
    at = parts.clock()
    token: AccessToken | None = None
    proof: Proof | None = None
    try:
        shown = _credentials(headers)
        digest = hashlib.sha256(shown.token).digest()
        token = await _recognise(shown.token, digest, at.timestamp(), parts)
        client = _check_client(token, await parts.find_client(token.client_id))
        _check_binding(token, client, shown)
        if shown.proof is not None:
            proof = check_proof(
                shown.proof,
                method=method,
                url=parts.public_url + path,
                now=at.timestamp(),
                keys_seen=parts.proof_keys_seen,
                token_digest=digest,
                bound_to=token.thumbprint,
                nonces=parts.nonces,
            )
        else:
            _check_certificate(token, client, parts.presented(scope or {}), at, parts.revoked)
    except Rejected as rejected:
        _log_refusal(rejected.reason, token)
        raise NotAuthenticated(ErrorCode.NOT_AUTHENTICATED, _challenge(rejected.reason, parts)) from None
    return _principal(token, client, proof)


def need_scope(principal: Principal, scope: str, parts: OAuthParts) -> None:
    """Refuse a caller whose token or registration lacks `scope` (RFC 6750 section 3.1)."""
    if scope not in principal.scopes:
        scheme, algorithms = ("Bearer", "") if principal.proof is None else ("DPoP", f', algs="{_ALGS}"')
        challenge = f'{scheme} error="insufficient_scope", scope="{scope}"{algorithms}'
        raise NotAuthenticated(ErrorCode.INSUFFICIENT_SCOPE, challenge)


def replayed(parts: OAuthParts) -> NotAuthenticated:
    """What to raise when the burn said that the proof had been used before."""
    return NotAuthenticated(ErrorCode.PROOF_REPLAYED, _challenge(Reason.PROOF_ID, parts))


@dataclass(frozen=True, slots=True)
class _Shown:
    """The credentials of one request: a token, and the proof that came with it when its scheme is DPoP."""

    token: bytes
    proof: bytes | None


def _credentials(headers: Headers) -> _Shown:
    authorizations: list[bytes] = []
    proofs: list[bytes] = []
    for name, value in headers:
        if name == b"authorization":
            authorizations.append(value)
        elif name == b"dpop":
            proofs.append(value)
    if not authorizations:
        raise Rejected(Reason.CREDENTIALS_MISSING)
    if len(authorizations) > 1:
        raise Rejected(Reason.CREDENTIALS_REPEATED)
    scheme, _, token = authorizations[0].partition(b" ")
    token = token.lstrip(b" ")  # one space or more: RFC 9110 section 11.4
    match scheme.lower():
        case b"dpop" if token:
            return _Shown(token, sole_proof(proofs))
        case b"bearer" if token and not proofs:
            return _Shown(token, None)
    raise Rejected(Reason.CREDENTIALS_SCHEME)


def _check_binding(token: AccessToken, client: Client, shown: _Shown) -> None:
    """A token bound to a key is never taken as a bearer's, nor one bound to a certificate with a proof (RFC 9449 section 7.2)."""
    if token.binding is not client.binding:
        raise Rejected(Reason.TOKEN_BINDING)
    if (token.binding is Binding.KEY) != (shown.proof is not None):
        raise Rejected(Reason.CREDENTIALS_SCHEME)


def _check_certificate(
    token: AccessToken,
    client: Client,
    shown: Presented | None,
    at: datetime,
    revoked: RevocationLists | None,
) -> None:
    if shown is None or not same(shown.thumbprint, token.thumbprint):
        raise Rejected(Reason.TOKEN_CERTIFICATE)
    check_certificate(shown, client.certificates, at, revoked)


def sole_proof(proofs: list[bytes]) -> bytes:
    """The one DPoP header of a request (RFC 9449 section 4.3 step 1)."""
    if len(proofs) != 1:
        raise Rejected(Reason.PROOF_REPEATED if proofs else Reason.PROOF_MISSING)
    return proofs[0]


async def _recognise(raw: bytes, digest: bytes, now: float, parts: OAuthParts) -> AccessToken:
    """The token, opened or remembered. Its digest covers the signature too, so a memory vouches for these
    very bytes.
    """
    remembered = parts.tokens_seen.get(digest)
    if remembered is not None and now < remembered[1]:
        token = remembered[0]
        if now >= token.expires_at:
            raise Rejected(Reason.TOKEN_TIME)
        return token
    token = open_token(raw, parts.token_keys, parts.issuer, parts.resource, now)
    if await parts.is_revoked(token.id):
        raise Rejected(Reason.TOKEN_REVOKED)
    parts.tokens_seen.put(digest, (token, now + TOKEN_REMEMBERED_SECONDS))
    return token


def _check_client(token: AccessToken, client: Client | None) -> Client:
    if client is None or client.status is not ClientStatus.ACTIVE or client.agency != token.agency:
        raise Rejected(Reason.TOKEN_CLIENT)
    if client.tokens_not_before is not None and token.issued_at < client.tokens_not_before.timestamp():
        raise Rejected(Reason.TOKEN_REVOKED)
    return client


def _principal(token: AccessToken, client: Client, proof: Proof | None) -> Principal:
    return Principal(
        client_id=client.id,
        agency=client.agency,
        scopes=token.scopes & client.scopes,
        partnerships=client.partnerships,
        token_id=token.id,
        message_types=client.message_types,
        proof=None if proof is None else (proof.replay_key, proof.expires_at),
    )


def _log_refusal(reason: Reason, token: AccessToken | None) -> None:
    told = {
        "reason": reason.code,
        "client": token.client_id if token else None,
    }  # ours to say: the token was opened
    if reason is Reason.PROOF_NONCE:  # the first step wherever nonces are asked for
        _log.info("oauth.call_refused", **told)
    else:
        _log.warning("oauth.call_refused", **told)


def _challenge(reason: Reason, parts: OAuthParts) -> str:
    """Names the kind of fault, our algorithms and where to learn the rest; without credentials, no fault at
    all.
    """
    fault = "" if reason is Reason.CREDENTIALS_MISSING else f'error="{_word(reason)}", '
    metadata = f"{parts.public_url}/.well-known/oauth-protected-resource"
    if reason in _OF_CERTIFICATES:
        return f'Bearer {fault}resource_metadata="{metadata}"'
    return f'DPoP {fault}algs="{_ALGS}", resource_metadata="{metadata}"'


def _word(reason: Reason) -> str:
    is_of_proof = reason.error in (OAuthError.INVALID_DPOP_PROOF, OAuthError.USE_DPOP_NONCE)
    return reason.error.word if is_of_proof else OAuthError.INVALID_TOKEN.word


_ALGS = " ".join(ALGORITHM_NAMES)
_OF_CERTIFICATES = frozenset(
    (
        Reason.TOKEN_CERTIFICATE,
        Reason.CERTIFICATE_TIME,
        Reason.CERTIFICATE_OTHER,
        Reason.CERTIFICATE_MALFORMED,
        Reason.CERTIFICATE_REVOKED,
        Reason.CERTIFICATE_STATUS_UNKNOWN,
    )
)

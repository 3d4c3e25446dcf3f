"""The checks at the door of /v1: who is calling, proved by token and key together (RFC 9449 section 7, RFC
9068 section 4).

Invariant: a Principal exists only for an active client whose unexpired, unrevoked token came with a fresh
proof by the key that the token is bound to, for exactly this method and URL. The proof still has to be burnt:
see `authenticate`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from gateway.core.errors import ErrorCode, Refused
from gateway.oauth.access_tokens import AccessToken, open_token
from gateway.oauth.dpop import Proof, check_proof
from gateway.oauth.jose import ALGORITHM_NAMES
from gateway.oauth.parts import Client, ClientStatus, OAuthParts
from gateway.oauth.reasons import OAuthError, Reason, Rejected

TOKEN_REMEMBERED_SECONDS = 60  # how long a verified token is believed before revocation is asked about again

Headers = Iterable[tuple[bytes, bytes]]  # as in an ASGI scope: lower-case names, repeats kept

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, for which agency, with which scopes; `replay_key` must be burnt before anything is
    done.

    `partnerships` are those of the agency when the client was last looked up (at most the age of that
    memory); an action that decides by them reads them again in its transaction.
    """

    client_id: str
    agency: str
    scopes: frozenset[str]
    partnerships: frozenset[str]
    token_id: str
    replay_key: str
    replay_expires_at: datetime
    message_types: frozenset[str] | None = None  # the only ones it may send; None: as the rules say

    @property
    def proof(self) -> tuple[str, datetime]:
        """What to burn, and the instant until which it must be remembered."""
        return self.replay_key, self.replay_expires_at


class NotAuthenticated(Refused):
    """Refused at the door; `www_authenticate` is the whole value of that header (RFC 9449 section 7.1, RFC
    9728 section 5.1).
    """

    def __init__(self, code: ErrorCode, www_authenticate: str) -> None:
        super().__init__(code)
        self.www_authenticate = www_authenticate


async def authenticate(headers: Headers, method: str, path: str, parts: OAuthParts) -> Principal:
    """Name the caller of one request, or raise NotAuthenticated; Unavailable when clients cannot be looked
    up.

    `headers` as in the ASGI scope; `path` the path as received, percent-encoded, without query (`raw_path`).

    1. exactly one Authorization header, scheme DPoP, and exactly one DPoP header
    2. the token is ours, unexpired, bound and not revoked (remembered for at most 60 s)
    3. its client is active, still of the same agency, and the token not older than `tokens_not_before`
    4. the proof fits method, URL, token and the bound key, is fresh and correctly signed

    What the caller must still do, in this order: (a) `need_scope`; (b) burn `principal.proof`: for `POST
    /v1/messages` in the very transaction of the accept, otherwise by `parts.burn`; when the key was known,
    raise `replayed(parts)`; (c) only then read or change anything for the caller.
    """
    now = parts.clock().timestamp()
    token: AccessToken | None = None
    try:
        raw_token, raw_proof = _credentials(headers)
        digest = hashlib.sha256(raw_token).digest()
        token = await _recognise(raw_token, digest, now, parts)
        client = _check_client(token, await parts.find_client(token.client_id))
        proof = check_proof(
            raw_proof,
            method=method,
            url=parts.public_url + path,
            now=now,
            keys_seen=parts.proof_keys_seen,
            token_digest=digest,
            bound_to=token.key_thumbprint,
        )
    except Rejected as rejected:
        client_id = token.client_id if token else None  # ours to say: the token was opened
        _log.warning("oauth.call_refused", reason=rejected.reason.code, client=client_id)
        raise NotAuthenticated(ErrorCode.NOT_AUTHENTICATED, _challenge(rejected.reason, parts)) from None
    return _principal(token, client, proof)


def need_scope(principal: Principal, scope: str, parts: OAuthParts) -> None:
    """Refuse a caller whose token or registration lacks `scope` (RFC 6750 section 3.1)."""
    if scope not in principal.scopes:
        challenge = f'DPoP error="insufficient_scope", scope="{scope}", algs="{_ALGS}"'
        raise NotAuthenticated(ErrorCode.INSUFFICIENT_SCOPE, challenge)


def replayed(parts: OAuthParts) -> NotAuthenticated:
    """What to raise when the burn said that the proof had been used before."""
    return NotAuthenticated(ErrorCode.PROOF_REPLAYED, _challenge(Reason.PROOF_ID, parts))


def _credentials(headers: Headers) -> tuple[bytes, bytes]:
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
    if scheme.lower() != b"dpop" or not token:
        raise Rejected(Reason.CREDENTIALS_SCHEME)
    return token, sole_proof(proofs)


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


def _principal(token: AccessToken, client: Client, proof: Proof) -> Principal:
    return Principal(
        client_id=client.id,
        agency=client.agency,
        scopes=token.scopes & client.scopes,
        partnerships=client.partnerships,
        token_id=token.id,
        replay_key=proof.replay_key,
        replay_expires_at=proof.expires_at,
        message_types=client.message_types,
    )


def _challenge(reason: Reason, parts: OAuthParts) -> str:
    """Names the kind of fault, our algorithms and where to learn the rest; without credentials, no fault at
    all.
    """
    fault = "" if reason is Reason.CREDENTIALS_MISSING else f'error="{_word(reason)}", '
    metadata = f"{parts.public_url}/.well-known/oauth-protected-resource"
    return f'DPoP {fault}algs="{_ALGS}", resource_metadata="{metadata}"'


def _word(reason: Reason) -> str:
    return (
        reason.error.word if reason.error is OAuthError.INVALID_DPOP_PROOF else OAuthError.INVALID_TOKEN.word
    )


_ALGS = " ".join(ALGORITHM_NAMES)

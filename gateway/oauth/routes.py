"""The six endpoints over HTTP.

Invariant: an answer that lets somebody in leaves only after everything used once has been burnt in one atomic
step; when that cannot be told (the store is down), nothing leaves but 503. Answers are never stored by
caches; the published documents may be, for five minutes.

One request at `/oauth2/…`: read the form -> check the DPoP proof -> look the client up -> authlib's states
with our checks -> burn -> revoke or answer. Assertions and tokens never reach the log.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.core.client_certificates import WARNED_BEFORE
from gateway.core.errors import TooFast, Unavailable
from gateway.oauth import metadata
from gateway.oauth.assertions import ASSERTION_TYPE, CLIENT_ID, Assertion, read_assertion
from gateway.oauth.authorization import Answer, ClientCredentials, Exchange, Server, refusal
from gateway.oauth.certificates import Presented
from gateway.oauth.dpop import Proof, check_proof
from gateway.oauth.forms import read_form
from gateway.oauth.parts import OAuthParts
from gateway.oauth.reasons import OAuthError, Reason, Rejected
from gateway.oauth.resource import sole_proof
from keys.hardware import HardwareSigner, ModuleTrouble

_PUBLISHED_SECONDS = 300
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000"}
_PRIVATE = _ALWAYS | {"Cache-Control": "no-store", "Pragma": "no-cache"}
_PUBLIC = _ALWAYS | {"Cache-Control": f"public, max-age={_PUBLISHED_SECONDS}"}

_SCHEMES = {"basic": "Basic", "bearer": "Bearer", "dpop": "DPoP"}

_log = structlog.get_logger()

Handler = Callable[[Request], Awaitable[Response]]


def oauth_routes(parts: OAuthParts) -> list[Route]:
    """The metadata, the key set and the three endpoints; all six are public, the last three authenticate the client
    themselves."""
    server = Server(parts)
    return [
        *(
            Route(path, _endpoint(endpoint, server, parts), methods=["POST"])
            for path, endpoint in (
                (metadata.TOKEN_PATH, "token"),
                (metadata.REVOKE_PATH, "revocation"),
                (metadata.INTROSPECT_PATH, "introspection"),
            )
        ),
        *(
            Route(path, _published(document, parts), methods=["GET"])
            for path, document in (
                (metadata.SERVER_METADATA_PATH, metadata.server_metadata),
                (metadata.RESOURCE_METADATA_PATH, metadata.resource_metadata),
                (metadata.JWKS_PATH, metadata.key_set),
            )
        ),
    ]


def _published(document: Callable[[OAuthParts], dict[str, Any]], parts: OAuthParts) -> Handler:
    async def publish(_: Request) -> Response:
        return JSONResponse(document(parts), headers=_PUBLIC)

    return publish


def _endpoint(endpoint: str, server: Server, parts: OAuthParts) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            reply = await _serve(endpoint, request, server, parts)
        except Rejected as rejected:
            _log_refusal(endpoint, rejected.reason, None)
            reply = refusal(rejected.reason)
        except TooFast as fast:
            return _not_now(429, math.ceil(fast.wait_seconds))
        except Unavailable as unavailable:
            return _not_now(OAuthError.TEMPORARILY_UNAVAILABLE.status, unavailable.retry_after_seconds)
        return JSONResponse(reply.body, reply.status, headers={**_PRIVATE, **_challenge(request, reply)})

    return answer


def _challenge(request: Request, reply: Answer) -> dict[str, str]:
    """To whoever tried by the Authorization header, in the scheme that it used (RFC 6749 section 5.2)."""
    scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
    if reply.status != 401 or scheme not in _SCHEMES:
        return {}
    return {"WWW-Authenticate": f'{_SCHEMES[scheme]} realm="OAuth: private_key_jwt or a certificate"'}


async def _serve(endpoint: str, request: Request, server: Server, parts: OAuthParts) -> Answer:
    exchange = await _prepare(endpoint, request, parts)
    answer = await _respond(server, endpoint, exchange, parts)
    if answer.reason is None and exchange.client is not None:
        await parts.keep_pace(exchange.client.id)
    if answer.reason is None and not await parts.burn(exchange.burns):
        answer = refusal(await _used_before(exchange, parts))
    if answer.reason is not None:
        _log_refusal(endpoint, answer.reason, exchange)
        return answer
    return await _complete(endpoint, exchange, answer, parts)


async def _used_before(exchange: Exchange, parts: OAuthParts) -> Reason:
    """Which of the two had been used: nothing was burnt, so the other one may come again."""
    assertion = exchange.authenticated.burn if exchange.authenticated else None
    if assertion is not None and await parts.is_burnt(assertion[0]):
        return Reason.ASSERTION_REPLAYED
    return Reason.PROOF_REPLAYED


async def _respond(server: Server, endpoint: str, exchange: Exchange, parts: OAuthParts) -> Answer:
    """A token may be signed by a hardware module, which may take its time: nobody else waits for it."""
    if not isinstance(parts.signer, HardwareSigner):
        return server.respond(endpoint, exchange)
    try:
        return await asyncio.to_thread(server.respond, endpoint, exchange)
    except ModuleTrouble as fault:
        _log.error("module.trouble", advice=str(fault))
        raise Unavailable("the hardware module does not sign") from None


async def _prepare(endpoint: str, request: Request, parts: OAuthParts) -> Exchange:
    """Everything that waits, done before authlib: read the form, check the proof, look the client up."""
    form, at, certificate = await read_form(request), parts.clock(), parts.presented(request.scope)
    if endpoint == "token":
        _check_asked(form, parts)
    assertion = _read_client_assertion(form, request, certificate)
    client_id = assertion.client_id if assertion else _named_client(form)
    proofs = [value for name, value in request.scope["headers"] if name == b"dpop"]
    needs_proof = endpoint == "token" and (bool(proofs) or certificate is None)
    proof = _check_token_proof(proofs, at, parts) if needs_proof else None
    client = await parts.find_client(client_id)
    return Exchange(form, assertion, client, proof, at, secrets.token_urlsafe(18), certificate)


def _check_asked(form: dict[str, str], parts: OAuthParts) -> None:
    """What is asked for is told before who asks: the metadata say as much to everybody."""
    if "grant_type" not in form:
        raise Rejected(Reason.GRANT_TYPE_MISSING)
    if form["grant_type"] != ClientCredentials.GRANT_TYPE:
        raise Rejected(Reason.GRANT_TYPE)
    named = form.get("resource", parts.resource).lower()
    ours = [url for url in (parts.resource, parts.mtls_url) if url is not None]
    if not any(named == url or named.startswith(f"{url}/") for url in ours) or "#" in named:
        raise Rejected(Reason.RESOURCE)


def _read_client_assertion(
    form: dict[str, str], request: Request, certificate: Presented | None
) -> Assertion | None:
    """The assertion; None when there is none, but a certificate instead (RFC 8705 section 2)."""
    offers_other = "client_secret" in form or "authorization" in request.headers
    raw = form.get("client_assertion")
    if offers_other:
        raise Rejected(Reason.TWO_METHODS if raw else Reason.SECRET_OFFERED)
    if certificate is not None and raw is None and "client_assertion_type" not in form:
        return None
    if not raw or form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Rejected(Reason.ASSERTION_MISSING)
    assertion = read_assertion(raw)
    if form.get("client_id", assertion.client_id) != assertion.client_id:  # RFC 7521 section 4.2
        raise Rejected(Reason.CLIENT_ID_DIFFERS)
    return assertion


def _named_client(form: dict[str, str]) -> str:
    """`client_id`, which a client without an assertion must send (RFC 8705 section 2)."""
    client_id = form.get("client_id", "")
    if not CLIENT_ID.match(client_id):
        raise Rejected(Reason.CLIENT_UNKNOWN)
    return client_id


def _check_token_proof(proofs: list[bytes], at: datetime, parts: OAuthParts) -> Proof:
    return check_proof(
        sole_proof(proofs),
        method="POST",
        url=parts.public_url + metadata.TOKEN_PATH,
        now=at.timestamp(),
        keys_seen=parts.proof_keys_seen,
        nonces=parts.nonces,
    )


async def _complete(endpoint: str, exchange: Exchange, answer: Answer, parts: OAuthParts) -> Answer:
    """After the burn: what the endpoint promised."""
    who = _names(exchange)
    if exchange.issued is not None:
        _log.info("oauth.token_issued", token=exchange.issued.id, **who)
        if exchange.authenticated is not None and exchange.authenticated.names_token_address:
            _log.warning("oauth.legacy_audience", **who)
        _warn_of_expiry(exchange)
    elif exchange.shown is None:
        pass
    elif endpoint == "revocation":
        until = datetime.fromtimestamp(exchange.shown.expires_at, UTC)
        await parts.revoke(exchange.shown.id, until)
        parts.tokens_seen.forget(hashlib.sha256(exchange.form["token"].encode()).digest())
        _log.info("oauth.token_revoked", token=exchange.shown.id, **who)
    elif await parts.is_revoked(exchange.shown.id) or _is_recalled(exchange):
        return Answer(200, {"active": False})
    return answer


def _warn_of_expiry(exchange: Exchange) -> None:
    """What an authority issued is not registered here, so that its end is only seen when it comes."""
    if exchange.certificate is None or exchange.issued is None:
        return
    left = exchange.certificate.certificate.not_valid_after_utc - exchange.at
    if left < WARNED_BEFORE:
        _log.warning("oauth.certificate_ends_soon", client=exchange.issued.client_id, days_left=left.days)


def _is_recalled(exchange: Exchange) -> bool:
    """Whether the client's tokens of that time were all revoked at once."""
    assert exchange.client
    assert exchange.shown
    earliest = exchange.client.tokens_not_before
    return earliest is not None and exchange.shown.issued_at < earliest.timestamp()


def _log_refusal(endpoint: str, reason: Reason, exchange: Exchange | None) -> None:
    told = {"endpoint": endpoint, "reason": reason.code, **_names(exchange)}
    if reason is Reason.PROOF_NONCE:  # the first step wherever nonces are asked for
        _log.info("oauth.refused", **told)
    else:
        _log.warning("oauth.refused", **told)


def _names(exchange: Exchange | None) -> dict[str, str]:
    """Registered names only: what an unproved caller wrote in its place does not reach the log."""
    if exchange is None or exchange.client is None:
        return {}
    claimed = exchange.assertion.header.get("kid") if exchange.assertion else None
    kids = [key.kid for key in exchange.client.keys if key.kid == claimed]
    if exchange.certificate is not None and exchange.client.certificates:
        kids.append(exchange.certificate.thumbprint)
    return {"client": exchange.client.id, **({"kid": kids[0]} if kids else {})}


def _not_now(status: int, retry_after_seconds: int) -> Response:
    error = OAuthError.TEMPORARILY_UNAVAILABLE
    body = {"error": error.word, "error_description": error.description}
    return JSONResponse(body, status, headers={**_PRIVATE, "Retry-After": str(retry_after_seconds)})

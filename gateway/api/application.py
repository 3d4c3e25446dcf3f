"""The HTTP surface for agencies: every route in one table, each authenticated or listed as public.

It is plain Starlette: every request is read by our own strict readers, so a larger framework's layers would only be walked
through.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.api import attachments, duties, inbox, messages, receipts, registers, webhooks
from gateway.api.door import SCOPES, Door
from gateway.api.limits import LimitedByAddress, limits_of
from gateway.api.openapi import docs_page, openapi_document
from gateway.api.problems import HEADERS, guarded, problem
from gateway.core.errors import ErrorCode
from gateway.oauth.metadata import TOKEN_PATH
from gateway.oauth.nonces import Nonces, NoncesTold
from gateway.oauth.registry import parts_of_store
from gateway.oauth.revocation_lists import RevocationLists
from gateway.oauth.routes import oauth_routes
from gateway.oauth.token_keys import SigningKeys
from gateway.parts import Parts
from keys.custody import load_token_keys

Handler = Callable[[Door, Request], Awaitable[Response]]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/messages", messages.post_message),
    ("POST", "/v1/attachments", attachments.post_attachment),
    ("GET", "/v1/messages/{message}", messages.get_message),
    ("GET", "/v1/messages/{message}/receipts", messages.get_message_receipts),
    ("GET", "/v1/receipts/jwks", receipts.get_jwks),
    ("GET", "/v1/receipts/policy", receipts.get_policy),
    ("GET", "/v1/receipts/{receipt}", receipts.get_receipt),
    ("GET", "/v1/receipts/{receipt}/proof", receipts.get_proof),
    ("GET", "/v1/duties", duties.get_duties),
    ("GET", "/v1/incidents/{incident}", messages.get_incident),
    ("GET", "/v1/partnerships/{partnership}/directory", duties.get_directory),
    ("GET", "/v1/partnerships/{partnership}/registers/{name}", registers.get_register),
    ("GET", "/v1/partnerships/{partnership}/reports/{name}", registers.get_report),
    ("GET", "/v1/inbox", inbox.get_inbox),
    ("GET", "/v1/inbox/{delivery}", inbox.get_delivery),
    ("GET", "/v1/inbox/{delivery}/attachments/{attachment}", attachments.get_attachment),
    ("POST", "/v1/inbox/{delivery}/acknowledgement", inbox.post_acknowledgement),
    ("POST", "/v1/inbox/{delivery}/decline", inbox.post_decline),
    ("POST", "/v1/webhooks", webhooks.post_webhook),
    ("GET", "/v1/webhooks", webhooks.get_webhooks),
    ("GET", "/v1/webhooks/{webhook}", webhooks.get_webhook),
    ("DELETE", "/v1/webhooks/{webhook}", webhooks.delete_webhook),
    ("POST", "/v1/webhooks/{webhook}/secret", webhooks.post_secret),
    ("POST", "/v1/webhooks/{webhook}/ping", webhooks.post_ping),
    ("GET", "/v1/log/checkpoint", receipts.get_checkpoint),
    ("GET", "/v1/log/tile/{tile:path}", receipts.get_tile),
    ("GET", "/v1/log/{log}/checkpoint", receipts.get_checkpoint),
    ("GET", "/v1/log/{log}/tile/{tile:path}", receipts.get_tile),
)
PUBLIC = frozenset({"/v1/receipts/jwks", "/v1/receipts/policy", "/openapi.json", "/docs"})


def agency_api(parts: Parts) -> Starlette:
    """The application that agencies' systems talk to. Whoever runs it closes `app.state.limits` afterwards."""
    limits, lists = limits_of(parts.settings), parts.settings.client_crl_dir
    oauth = parts_of_store(
        parts.store,
        public_url=parts.settings.public_url,
        keys_now=SigningKeys(
            lambda: load_token_keys(parts.settings.keys_dir, parts.ring.home), parts.clock
        ).now,
        clock=parts.clock,
        scopes_supported=SCOPES,
        mtls_url=parts.settings.mtls_url,
        client_wait=limits.client_wait,
        revoked=RevocationLists(lists, parts.clock) if lists else None,
        nonces=Nonces(parts.keys.nonce_key) if parts.settings.dpop_nonces else None,
    )
    door = Door(parts, oauth)
    routes = [
        Route(path, guarded(partial(handler, door)), methods=[method]) for method, path, handler in ROUTES
    ]  # messages first: every request looks for its route in this order
    routes += oauth_routes(oauth)
    described = _Described(parts.settings.mtls_url)
    routes += [
        Route("/openapi.json", described.as_json, methods=["GET"]),
        Route("/docs", described.to_read, methods=["GET"]),
    ]
    middleware = [Middleware(LimitedByAddress, limits)]
    if oauth.nonces is not None:
        middleware.append(Middleware(NoncesTold, oauth.nonces, parts.clock, _takes_proofs))
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={HTTPException: _http_fault},
    )
    app.state.limits = limits
    app.state.closing = (
        asyncio.Event()
    )  # whoever serves it sets it when it stops: nobody is kept waiting then
    app.router.redirect_slashes = False
    return app


def _takes_proofs(path: str) -> bool:
    return path == TOKEN_PATH or (path.startswith("/v1/") and path not in PUBLIC)


_FRESH = HEADERS | {"Cache-Control": "public, max-age=300"}


class _Described:
    """What is published of this surface: made once, since anybody may ask and it takes longer than any other answer."""

    def __init__(self, mtls_url: str | None) -> None:
        self._mtls_url = mtls_url

    async def as_json(self, request: Request) -> Response:
        return _unless_known(request, self._json, "application/json")

    async def to_read(self, request: Request) -> Response:
        return _unless_known(request, self._page, "text/html")

    @cached_property
    def _json(self) -> bytes:
        return bytes(JSONResponse(self._document()).body)

    @cached_property
    def _page(self) -> bytes:
        return docs_page(self._document()).encode()

    def _document(self) -> dict[str, Any]:
        paths = [(method, path, one.__doc__ or "") for method, path, one in ROUTES]
        return openapi_document(paths, PUBLIC, self._mtls_url)


def _unless_known(request: Request, body: bytes, media_type: str) -> Response:
    """The document, or 304 for whoever has it (RFC 9110 section 13.1.2)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = _FRESH | {"ETag": tag}
    known = (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(","))
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


async def _http_fault(request: Request, fault: Exception) -> Response:
    """What the framework itself refuses, in our words: unknown paths and methods."""
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    codes = {404: ErrorCode.NOT_FOUND, 405: ErrorCode.METHOD_NOT_ALLOWED}
    code = codes.get(status, ErrorCode.MALFORMED_REQUEST if status < 500 else ErrorCode.INTERNAL)
    allow = _allowed(request) if code is ErrorCode.METHOD_NOT_ALLOWED else ""
    return problem(code, headers={**HEADERS, **({"Allow": allow} if allow else {})})


def _allowed(request: Request) -> str:
    """Every method of an address (RFC 9110 section 15.5.6): several routes may share one."""
    path = request.scope["path"]
    routes = [one for one in request.app.routes if isinstance(one, Route) and one.path_regex.match(path)]
    return ", ".join(sorted({method for one in routes for method in one.methods or ()}))

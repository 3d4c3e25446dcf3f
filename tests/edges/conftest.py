"""A gateway's door over plain HTTP on loopback: the OAuth router and one protected route, on a real store."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.core.errors import Unavailable
from gateway.core.messages import AgencyId
from gateway.oauth.key_policy import check_jwks
from gateway.oauth.nonces import NoncesTold
from gateway.oauth.parts import OAuthParts
from gateway.oauth.registry import parts_of_store
from gateway.oauth.resource import NotAuthenticated, authenticate, need_scope, replayed
from gateway.oauth.routes import oauth_routes
from gateway.oauth.token_keys import always
from gateway.store import clients
from gateway.store.tables import book
from gateway.store.transaction import Store
from keys.signing import FileSigner
from tests.edges.oauth_caller import Caller, Key

SCOPES = ("messages.write", "messages.read")


@dataclass
class Clock:
    """Real time, moved on by a test."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Door:
    """A running server and the parts behind it."""

    base: str
    parts: OAuthParts
    store: Store
    clock: Clock

    def caller(
        self,
        alg: str = "ES256",
        *,
        client_id: str | None = None,
        scopes: tuple[str, ...] = SCOPES,
        key: Key | None = None,
    ) -> Caller:
        """A client enrolled for an invented police force."""
        key = key or Key.make(alg, f"kid-{secrets.token_hex(4)}")
        client_id = client_id or f"client-{secrets.token_hex(6)}"
        self.enrol(client_id, [{**key.jwk, "kid": key.kid}], scopes)
        return Caller(self.base, client_id, key)

    def enrol(self, client_id: str, jwks: list[dict[str, Any]], scopes: tuple[str, ...] = SCOPES) -> None:
        at = self.clock()
        checked = check_jwks({"keys": jwks})
        self.change(lambda tx: clients.add(tx, client_id, AgencyId("invented-police"), checked, scopes, at))

    def change(self, fn: Any) -> Any:
        return asyncio.run(self.store.transact(fn))


def protected_app(parts: OAuthParts) -> Starlette:
    """What the edge of /v1 does with the room: authenticate, ask for a scope, burn, answer."""

    async def ping(request: Request) -> Response:
        try:
            headers, path = request.scope["headers"], request.scope["raw_path"].decode()
            principal = await authenticate(headers, request.method, path, parts)
            need_scope(principal, "messages.write", parts)
            if not await parts.burn(principal.burns):
                raise replayed(parts)
        except NotAuthenticated as refused:
            challenge = {"WWW-Authenticate": refused.www_authenticate}
            return JSONResponse({"code": refused.code.slug}, refused.code.status, challenge)
        except Unavailable:
            return JSONResponse({"code": "unavailable"}, 503)
        return JSONResponse({"client": principal.client_id, "scopes": sorted(principal.scopes)})

    routes = [*oauth_routes(parts), Route("/v1/ping", ping, methods=["GET", "POST"])]
    told = [Middleware(NoncesTold, parts.nonces, parts.clock, lambda _: True)] if parts.nonces else []
    return Starlette(routes=routes, middleware=told)


def open_door(folder: Path, **changes: Any) -> Iterator[Door]:
    """Serve until the generator is closed; `changes` go to `parts_of_store`."""
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    store = Store.open(f"sqlite:///{folder}/book.sqlite", book)
    store.create_tables()
    clock = Clock()
    signer = changes.pop("signer", None) or FileSigner.generate("token-key-1", "ES256")
    keys_now = changes.pop("keys_now", None) or always(signer, changes.pop("other_keys", ()))
    parts = parts_of_store(store, public_url=base, keys_now=keys_now, clock=clock, **changes)
    server = uvicorn.Server(
        uvicorn.Config(protected_app(parts), log_config=None, access_log=False, lifespan="off")
    )
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield Door(base, parts, store, clock)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        store.close()


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One door for every test that leaves its clock and keys alone; each test brings clients of its own."""
    yield from open_door(tmp_path_factory.mktemp("door"), scopes_supported=SCOPES)


@pytest.fixture
def own_door(tmp_path: Path) -> Iterator[Door]:
    """A door of one's own, whose clock may be moved and whose store may be closed."""
    yield from open_door(tmp_path)


@pytest.fixture(scope="session")
def caller(door: Door) -> Caller:
    """An enrolled client, shared: tests change what it sends, never what it is."""
    return door.caller()

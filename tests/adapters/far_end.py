"""A partner's web server on loopback, with TLS, that answers as it is told and keeps what it was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from aiohttp import web

HOST = "partner.example"

Reply = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_authority = trustme.CA()


def trusting() -> ssl.SSLContext:
    """A client's TLS that trusts the far end's authority and nobody else."""
    context = ssl.create_default_context()
    _authority.configure_trust(context)
    return context


def authority_in(file: Path) -> Path:
    """The far end's authority written to a file, for a gateway that is to trust it."""
    _authority.cert_pem.write_to_path(file)
    return file


async def loopback(host: str, port: int) -> list[str]:
    """A resolver that finds every host on this machine."""
    return ["127.0.0.1"]


@dataclass
class Received:
    headers: dict[str, str]
    path: str
    body: bytes


@dataclass
class FarEnd:
    """`replies` are used first to last, one for each request; when they run out the answer is 204."""

    port: int = 0
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/hooks"

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    def says(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        async def reply(_: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=status, headers=headers, body=body)

        self.replies.append(reply)

    async def goes_away(self) -> None:
        """Nobody listens at its port any more."""
        if self.server is not None:
            self.server.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(headers, request.path, body))
        return await self.replies.popleft()(request) if self.replies else web.Response(status=204)


@asynccontextmanager
async def far_end(certificate_for: str = HOST) -> AsyncIterator[FarEnd]:
    """A far end that listens on loopback and presents a certificate for `certificate_for`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _authority.issue_cert(certificate_for).configure_cert(context)
    end = FarEnd()
    web_server = web.Server(end.handle)

    def connected() -> asyncio.BaseProtocol:
        end.connections += 1
        return web_server()

    end.server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0, ssl=context)
    end.port = end.server.sockets[0].getsockname()[1]
    try:
        yield end
    finally:
        end.server.close()
        await web_server.shutdown(0)

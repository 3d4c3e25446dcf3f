"""A partner's web server that fails, is slow, lies about what it kept and answers after the time-out, by a seed, until it is calm."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

import trustme
from aiohttp import web

from tests.journeys.deployment import server_tls
from tests.partner_agency import WebhookServer


class Whim(Enum):
    """How one attempt is answered."""

    PROPER = "answers 204"
    FAILS = "keeps nothing and says so"
    LIES = "keeps it and says that it did not"
    RUBBISH = "keeps it and answers what is no HTTP"
    CUT = "keeps it and hangs up"
    SLOW = "answers just within the time"
    LATE = "keeps it, and answers after the time-out"


_SHARES = [20 if whim is Whim.PROPER else 1 for whim in Whim]


@dataclass
class FarEnd(WebhookServer):
    """Of each `webhook-id`: how often it came, how often it was kept, and which deliveries its notices named."""

    seed: int = 0
    timeout_seconds: float = 1.0
    is_calm: bool = False
    came: Counter[str] = field(default_factory=Counter)
    named: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    whims: Counter[Whim] = field(default_factory=Counter)

    def whim(self, webhook_id: str) -> Whim:
        drawn = random.Random(f"{self.seed}:{webhook_id}:{self.came[webhook_id]}")
        return Whim.PROPER if self.is_calm else drawn.choices(list(Whim), _SHARES)[0]

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        name = request.headers.get("webhook-id", "")
        if not self.is_genuine(dict(request.headers), body):
            self.forged += 1
            return web.Response(status=401)
        self.came[name] += 1
        self.named[name].add(json.loads(body)["delivery"])
        whim = self.whim(name)
        self.whims[whim] += 1
        if whim is not Whim.FAILS:
            self.known.add(name)
        return await self._answer(whim, request)

    async def _answer(self, whim: Whim, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        match whim:
            case Whim.FAILS | Whim.LIES:
                return web.Response(status=503)
            case Whim.RUBBISH:
                request.transport.write(b"\x00\xffI am not a web server\r\n\r\n")
                request.transport.close()
            case Whim.CUT:
                request.transport.abort()
            case Whim.SLOW:
                await asyncio.sleep(self.timeout_seconds * 0.7)
            case Whim.LATE:
                await asyncio.sleep(self.timeout_seconds * 1.5)
        return web.Response(status=204)


@asynccontextmanager
async def far_end(authority: trustme.CA, seed: int, timeout_seconds: float) -> AsyncIterator[FarEnd]:
    """It listens on a free loopback port, with a certificate of `authority`."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    server = FarEnd(secret, seed=seed, timeout_seconds=timeout_seconds)
    app = web.Application()
    app.router.add_post("/hooks", server.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls(authority, "127.0.0.1")).start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()

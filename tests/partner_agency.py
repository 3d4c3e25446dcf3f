"""A simulated agency: its own software sends and collects, its own web server is told by webhook what waits, and it can misbehave.

    async with partner_agency(house, "northshire-icb") as icb:
        await icb.collect_all()

With a webhook, the server must stand before the gateway does (its address is in the directory):

    async with webhook_server(authority) as server, gateway_house(..., authority=authority, hooks={ICB: server}) as house:
        told = await server.next_notice()
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import trustme
from aiohttp import web

from gateway.agency.client import AgencyClient

if TYPE_CHECKING:
    from tests.gateway_house import House

LOOPBACK = "127.0.0.1"
TOLERANCE_SECONDS = 300  # Standard Webhooks 1.0.0, "Verifying webhook authenticity"


class Manners(Enum):
    """How the web server answers a notice."""

    PROPER = "checks the signature and answers 204"
    BUSY = "answers 503 and keeps nothing"
    DEAF = "takes the notice and cuts the connection before it answers"
    GONE = "answers 410"
    ELSEWHERE = "redirects to another address"
    HANGING = "answers nothing until `may_answer`"


@dataclass
class Notice:
    """One webhook whose signature held."""

    id: str
    delivery: str
    document: dict[str, Any]


@dataclass
class WebhookServer:
    """A partner's web server that keeps what it was told, once for each `webhook-id`."""

    secret: str
    manners: Manners = Manners.PROPER
    port: int = 0
    attempts: int = 0
    forged: int = 0  # notices whose signature or time did not hold
    known: set[str] = field(default_factory=set)
    notices: asyncio.Queue[Notice] = field(default_factory=asyncio.Queue)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Any = None  # set by the house: both sides tell the same time

    @property
    def url(self) -> str:
        return f"https://{self.host}/hooks"

    @property
    def host(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    async def next_notice(self) -> Notice:
        """The next new notice; the test's own time limit bounds the wait."""
        return await self.notices.get()

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.attempts += 1
        match self.manners:
            case Manners.BUSY:
                return web.Response(status=503, headers={"Retry-After": "60"})
            case Manners.GONE:
                return web.Response(status=410)
            case Manners.ELSEWHERE:
                return web.Response(status=307, headers={"Location": "https://elsewhere.example/hooks"})
            case Manners.HANGING:
                await self.may_answer.wait()
        if not self.is_genuine(dict(request.headers), body):
            self.forged += 1
            return web.Response(status=401)
        self._keep(request.headers["webhook-id"], body)
        if self.manners is Manners.DEAF and request.transport is not None:
            request.transport.abort()
        return web.Response(status=204)

    def is_genuine(self, headers: dict[str, str], body: bytes) -> bool:
        """Standard Webhooks 1.0.0: an HMAC of `id.timestamp.body`, made within five minutes."""
        given = {name.lower(): value for name, value in headers.items()}
        try:
            signed = f"{given['webhook-id']}.{given['webhook-timestamp']}.".encode() + body
            made_at, shown = int(given["webhook-timestamp"]), given["webhook-signature"].split(" ")
        except (KeyError, ValueError):
            return False
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        now: datetime | None = self.clock() if self.clock else None
        is_fresh = now is None or abs(now.timestamp() - made_at) <= TOLERANCE_SECONDS
        return is_fresh and any(hmac.compare_digest(expected, one) for one in shown)

    def _keep(self, webhook_id: str, body: bytes) -> None:
        if webhook_id not in self.known:
            self.known.add(webhook_id)
            document = json.loads(body)
            self.notices.put_nowait(Notice(webhook_id, document.get("delivery", ""), document))


@asynccontextmanager
async def webhook_server(authority: trustme.CA) -> AsyncIterator[WebhookServer]:
    """A server on a free loopback port, with a certificate of `authority`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    server = WebhookServer("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())
    app = web.Application()
    app.router.add_post("/hooks", server.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0, ssl_context=context).start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


@dataclass
class PartnerAgency:
    """One agency with its software, and what it collected so far by delivery."""

    id: str
    house: House
    client: AgencyClient
    collected: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def send(self, slug: str, body: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
        """Send the example of a type, changed; a reference of its own unless one is given."""
        envelope.setdefault("reference", f"{self.id}-{secrets.token_hex(6)}")
        return await self.client.submit(self.house.example(slug, body, **envelope))

    async def collect_all(self, wait_seconds: int = 5) -> list[dict[str, Any]]:
        """Fetch everything that waits; what was fetched before is not fetched again."""
        waiting = [item["id"] for item in await self.client.inbox(wait_seconds)]
        for delivery in waiting:
            if delivery not in self.collected:
                self.collected[delivery] = await self.client.fetch(delivery)
        return [self.collected[delivery] for delivery in waiting]

    async def wait_for(self, type_: str) -> dict[str, Any]:
        """The first delivery of a type, fetched; looks again until it is there (the test's time limit bounds it)."""
        while True:
            found = [item for item in await self.collect_all(1) if item["type"] == type_]
            if found:
                return found[0]
            await asyncio.sleep(0.05)  # the inbox may hold other things, and then it does not wait

    async def acknowledge(self, delivery: dict[str, Any], name: str) -> dict[str, Any]:
        """A person of this agency acknowledges; the receipt is checked."""
        answer = await self.client.acknowledge(delivery["id"], "person", delivery["role"], name)
        await self.client.check(answer["receipt"])
        return answer


@asynccontextmanager
async def partner_agency(house: House, agency: str, **changes: Any) -> AsyncIterator[PartnerAgency]:
    """The agency at work; `changes` as in `House.client`."""
    async with house.client(agency, **changes) as client:
        yield PartnerAgency(agency, house, client)

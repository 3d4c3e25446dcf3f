"""A partner's web server in little: takes notices of Standard Webhooks 1.0.0 and passes on those whose signature holds.

It speaks plain HTTP and belongs behind the partner's own server, which ends TLS.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from aiohttp import web

TOLERANCE_SECONDS = 300


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str, at: datetime) -> bool:
    """Whether a notice was signed with one of the secrets (`whsec_…`, apart by spaces), lately."""
    id_, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isascii() or not sent.isdecimal() or abs(at.timestamp() - int(sent)) > TOLERANCE_SECONDS:
        return False
    given = headers.get("webhook-signature", "").split(" ")
    signed = f"{id_}.{sent}.".encode() + body
    keys = (base64.b64decode(one.removeprefix("whsec_")) for one in secret.split())
    expected = [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys
    ]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given)


@asynccontextmanager
async def listening(
    host: str, port: int, secret: str, clock: Callable[[], datetime]
) -> AsyncIterator[asyncio.Queue[str]]:
    """Listen while this lasts; the deliveries of genuine notices come through the queue. OSError when the port is taken."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        if not is_genuine(request.headers, body, secret, clock()):
            return web.Response(status=401)
        if delivery := json.loads(body).get("delivery"):  # a ping names none
            told.put_nowait(str(delivery))
        return web.Response(status=204)

    app = web.Application(client_max_size=65_536)
    app.router.add_post("/{anywhere:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield told
    finally:
        await runner.cleanup()

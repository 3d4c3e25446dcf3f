"""The witness over HTTP: `POST /add-checkpoint` (C2SP tlog-witness), and what it signed last, for whoever asks.

There is no sign-in: what counts is the log's signature, and nothing here is personal or secret. A request is at most 64 KiB.
"""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.witness.witnessing import Witnessing

LARGEST_BYTES = 65_536
SIZE_TYPE = "text/x.tlog.size"


def witness_app(witness: Witnessing) -> Starlette:
    """`POST /add-checkpoint`, `GET /checkpoint/{origin}`, `GET /livez`."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_BYTES:
                return PlainTextResponse("too large\n", 413)
        answer = await asyncio.to_thread(witness.add_checkpoint, body)
        if answer.status == 409:
            return Response(answer.body, 409, headers={"Content-Type": SIZE_TYPE})
        return PlainTextResponse(answer.body, answer.status)

    async def checkpoint(request: Request) -> Response:
        """The last checkpoint of that log with this witness's line; 404 for a log that it has signed nothing of."""
        last = await asyncio.to_thread(witness.memory.last, request.path_params["origin"])
        if last is None:
            return PlainTextResponse("nothing was signed of that log\n", 404)
        return PlainTextResponse(last.note.decode())

    async def livez(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/checkpoint/{origin:path}", checkpoint),
            Route("/livez", livez),
        ]
    )

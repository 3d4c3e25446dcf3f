"""Sending and acknowledging: what one message costs with both its ends, beside NHS's own MESH sandbox doing the same.

    python -m tests.bench.pairs < JOB.json        the load, in a process of its own

Both are given the same content over as many kept connections: first everything is sent, then everything is acknowledged by the
recipient's system, and a pair's time is the sum. Of ours the whole gateway runs, carrying and sealing beside it, every answer after a
flushed commit and with a signed receipt; the sandbox keeps files and flushes nothing. How the recipient lists what waits is not timed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from mesh_client import AuthTokenGenerator

from keys.signing import FileSigner, signer_from_jwk
from tests.adapters.mesh_sandbox import OURS, PASSWORD, PYTHON, SHARED_KEY, THEIRS, WORKFLOW
from tests.bench.house import BUSINESS_UNIT, document, furnish
from tests.bench.load import Connection, Job, authorized, requests_of, token
from tests.bench.servers import first_answer, free_ports, from_a_process, process

CONNECTIONS = 32
RATIO = "send-and-acknowledge pairs to mesh-sandbox's"
INCIDENTS = 100


@dataclass(frozen=True)
class Pairs:
    """What is to be sent and acknowledged, where."""

    target: str  # gateway or mesh
    folder: str
    port: int
    count: int


def measured(count: int = 2_000) -> dict[str, Any]:
    """Pairs a second of each, and what they are to each other."""
    with tempfile.TemporaryDirectory(prefix="bench-pairs-") as name:
        folder = Path(name)
        port, operator_port, mesh_port = free_ports(3)
        furnish(folder, port, operator_port, incidents=INCIDENTS)
        with process([sys.executable, "-m", "tests.bench.served", str(folder), "whole"]):
            first_answer(f"http://127.0.0.1:{port}/v1/receipts/jwks")
            ours = _asked(Pairs("gateway", name, port, count))
        mesh = _beside_mesh(folder, mesh_port, count)
    told = {f"gateway, {what} a second": rate for what, rate in ours.items()}
    if mesh is None:
        return told | {"mesh-sandbox": "not installed"}
    told |= {f"mesh-sandbox, {what} a second": rate for what, rate in mesh.items()}
    return told | {RATIO: round(ours["pairs"] / mesh["pairs"], 2)}


def _beside_mesh(folder: Path, port: int, count: int) -> dict[str, float] | None:
    if not PYTHON.exists():
        return None
    kept = folder / "mesh"
    for mailbox in (OURS, THEIRS):
        (kept / mailbox / "in").mkdir(parents=True)
    settings = {
        "STORE_MODE": "file",
        "MAILBOXES_DATA_DIR": str(kept),
        "AUTH_MODE": "full",
        "SHARED_KEY": SHARED_KEY,
    }
    command = [
        str(PYTHON),
        "-m",
        "uvicorn",
        "mesh_sandbox.api:app",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    with process(command, os.environ | settings):
        first_answer(f"http://127.0.0.1:{port}/health")
        return _asked(Pairs("mesh", str(folder), port, count))


def _asked(pairs: Pairs) -> dict[str, float]:
    return from_a_process("tests.bench.pairs", asdict(pairs), 300)


# --- in a process of its own ------------------------------------------------------------------------------------------


class All:
    """Every request once, over kept connections; the answers' bodies, and how long it took."""

    def __init__(self, requests: list[bytes], expects: bytes) -> None:
        self._requests, self._expects = iter(requests), expects
        self._open = CONNECTIONS
        self._ended = asyncio.Event()
        self.bodies: list[bytes] = []

    async def run(self, port: int) -> float:
        began_at = time.perf_counter()
        for _ in range(CONNECTIONS):
            await asyncio.get_running_loop().create_connection(lambda: Connection(self), "127.0.0.1", port)
        await self._ended.wait()
        return time.perf_counter() - began_at

    def next(self) -> bytes | None:
        return next(self._requests, None)

    def answered(self, status: bytes, seconds: float, body: bytes) -> None:
        if status != self._expects:
            raise SystemExit(f"{status.decode()} was answered, so nothing was measured")
        self.bodies.append(body)

    def ended(self) -> None:
        self._open -= 1
        if not self._open:
            self._ended.set()


async def _measured(pairs: Pairs) -> dict[str, float]:
    sends = list(_sends(pairs))
    sending = All(sends, b"201" if pairs.target == "gateway" else b"202")
    sent = await sending.run(pairs.port)
    acknowledging = All(
        [one async for one in _acknowledgements(pairs, sending.bodies)],
        b"201" if pairs.target == "gateway" else b"200",
    )
    acknowledged = await acknowledging.run(pairs.port)
    count = len(acknowledging.bodies)
    return {
        "sends": round(pairs.count / sent, 1),
        "acknowledgements": round(count / acknowledged, 1),
        "pairs": round(1 / (sent / pairs.count + acknowledged / count), 1),
    }


def _sends(pairs: Pairs) -> Iterator[bytes]:
    if pairs.target == "gateway":
        job = Job("gateway", "information-return", pairs.folder, pairs.port, 0, 1, 0, pairs.count)
        yield from requests_of(job)
        return
    sign, body = (
        AuthTokenGenerator(SHARED_KEY.encode(), OURS, PASSWORD),
        document("information-return", "r", None),
    )
    for number in range(pairs.count):
        more = f"Mex-From: {OURS}\r\nMex-To: {THEIRS}\r\nMex-WorkflowID: {WORKFLOW}\r\nMex-LocalID: m{number}\r\n"
        yield _mesh("POST", f"/messageexchange/{OURS}/outbox", sign(), body, more)


async def _acknowledgements(pairs: Pairs, sent: list[bytes]) -> Any:
    """Ready-made requests of the recipient's system, one for each that it was sent."""
    if pairs.target == "mesh":
        sign = AuthTokenGenerator(SHARED_KEY.encode(), THEIRS, PASSWORD)
        for one in sent:
            where = f"/messageexchange/{THEIRS}/inbox/{json.loads(one)['message_id']}/status/acknowledged"
            yield _mesh("PUT", where, sign(), b"", "")
        return
    base, mine = f"http://127.0.0.1:{pairs.port}", {json.loads(one)["id"] for one in sent}
    signer = signer_from_jwk(json.loads((Path(pairs.folder) / f"{BUSINESS_UNIT}.jwk").read_text()))
    key = FileSigner.generate("proof", "Ed25519")
    given = token(base, BUSINESS_UNIT, signer, key)
    said = json.dumps({"by": "system", "role": "sbu"}).encode()
    for delivery in [one async for one in _inbox(base, given, key) if one["message"] in mine]:
        path = f"/v1/inbox/{delivery['id']}/acknowledgement"
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        proof = authorized(given, key, "POST", f"{base}{path}")
        yield f"{head}Content-Length: {len(said)}\r\n{proof}\r\n".encode() + said


async def _inbox(base: str, given: str, key: FileSigner) -> Any:
    """All that waits for the recipient, page after page; not timed."""
    after = ""
    async with aiohttp.ClientSession() as session:
        while after is not None:
            lines = authorized(given, key, "GET", f"{base}/v1/inbox").strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            async with session.get(f"{base}/v1/inbox?limit=100{after}", headers=headers) as answer:
                said = await answer.json()
            for one in said["deliveries"]:
                yield one
            after = f"&after={said['next']}" if said["next"] else None


def _mesh(method: str, path: str, authorization: str, body: bytes, more: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n{more}"
    accept = "Accept: application/vnd.mesh.v2+json\r\nContent-Type: application/json\r\n"
    return f"{head}{accept}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    given_pairs = Pairs(**json.load(sys.stdin))
    uvloop.install()
    print(json.dumps(asyncio.run(_measured(given_pairs))))

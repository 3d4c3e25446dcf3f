"""The load, in a process of its own: requests are built and signed before the clock starts, then sent over kept connections.

    python -m tests.bench.load < JOB.json        one line of JSON comes back

Proofs of possession are good for a minute, so each run makes its own. What answers anything but 201 is counted and told.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import http.client
import json
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import uvloop
from cryptography.hazmat.primitives.asymmetric import ed25519

from keys.signing import FileSigner, signer_from_jwk
from tests.bench.floor import FLOOR_KEY
from tests.bench.house import HOSPITALS, POLICE, document

WARM_UP_SECONDS = 0.7
CHILDREN = (
    2_500  # each referral of a run is about another child, or children would be found alike all the time
)
SENDERS = {"information-return": HOSPITALS, "referral": POLICE}


@dataclass(frozen=True)
class Job:
    """One run: `limit` requests at most, against `port`; `pid` is the server's, whose processor time is read.

    `beside`: ports and process ids of others that serve the same, between which the connections are shared out.
    """

    target: str  # "floor" or "gateway"
    slug: str
    folder: str
    port: int
    pid: int
    connections: int
    seconds: float
    limit: int
    beside: list[tuple[int, int]] = field(default_factory=list)

    @property
    def ports(self) -> list[int]:
        return [self.port, *(port for port, _ in self.beside)]

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid) + sum(cpu_seconds(pid) for _, pid in self.beside)


@dataclass(frozen=True)
class Figures:
    """What a run showed. Times in milliseconds; `cpu_ms` is the server's user and system time per accept."""

    accepts: int
    per_second: float
    cpu_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    refused: dict[str, int]
    ran_out: bool


class Requests(Protocol):
    """Whatever has requests for connections, and takes the answers."""

    def next(self) -> bytes | None: ...

    def answered(self, status: bytes, seconds: float, body: bytes) -> None: ...

    def ended(self) -> None: ...


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the one before is answered."""

    def __init__(self, run: Requests) -> None:
        self._run = run
        self._received = b""
        self._sent_at = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap or len(body) < _length(head):
            return
        self._received = b""
        self._run.answered(head[9:12], time.perf_counter() - self._sent_at, body)
        self._send()

    def connection_lost(self, fault: Exception | None) -> None:
        self._run.ended()

    def _send(self) -> None:
        request = self._run.next()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


class Run:
    """One timed run over all its connections."""

    def __init__(self, job: Job, requests: list[bytes]) -> None:
        self._job = job
        self._requests = iter(requests)
        self._took: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._is_over = False
        self.ran_out = False
        self._open = job.connections
        self._closed = asyncio.Event()

    async def run(self) -> Figures:
        loop = asyncio.get_running_loop()
        ports = self._job.ports
        for number in range(self._job.connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", ports[number % len(ports)])
        await self._run_until(time.perf_counter() + WARM_UP_SECONDS)
        self._took.clear()
        began_at, used = time.perf_counter(), self._job.cpu_seconds()
        await self._run_until(began_at + self._job.seconds)
        seconds, used = time.perf_counter() - began_at, self._job.cpu_seconds() - used
        took = sorted(self._took)
        self._is_over = True
        await asyncio.wait_for(self._closed.wait(), 30)
        return self._figures(took, seconds, used)

    async def _run_until(self, end_at: float) -> None:
        while not self.ran_out and time.perf_counter() < end_at:
            await asyncio.sleep(0.01)

    def next(self) -> bytes | None:
        if self._is_over:
            return None
        request = next(self._requests, None)
        self.ran_out = self.ran_out or request is None
        return request

    def answered(self, status: bytes, seconds: float, body: bytes) -> None:
        self._statuses[status.decode()] += 1
        self._took.append(seconds)

    def ended(self) -> None:
        self._open -= 1
        if not self._open:
            self._closed.set()

    def _figures(self, took: list[float], seconds: float, used: float) -> Figures:
        count = len(took)
        at = [round(took[min(count - 1, int(count * share))] * 1000, 2) for share in (0.5, 0.95, 0.99)]
        refused = {status: number for status, number in self._statuses.items() if status != "201"}
        rate, cpu_ms = round(count / seconds, 1), round(used / count * 1000, 3)
        return Figures(count, rate, cpu_ms, at[0], at[1], at[2], refused, self.ran_out)


def requests_of(job: Job) -> Iterator[bytes]:
    """`limit` requests with a reference each."""
    folder = Path(job.folder)
    incidents = json.loads((folder / "incidents.json").read_text())
    opened = (
        incidents if job.slug == "information-return" else [{"incident": None, "message": None}] * CHILDREN
    )
    mark = secrets.token_hex(6)
    templates = [_template(job.slug, f"{mark}-{place}-########", one) for place, one in enumerate(opened)]
    headers = _floor_headers(folder) if job.target == "floor" else _gateway_headers(folder, job)
    for number in range(job.limit):
        body = templates[number % len(templates)].replace(b"########", b"%08d" % number)
        head = (
            f"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nContent-Type: application/json\r\n"
        )
        yield f"{head}Content-Length: {len(body)}\r\n{headers(body)}\r\n".encode() + body


def _template(slug: str, reference: str, opened: dict[str, Any]) -> bytes:
    made = json.loads(document(slug, reference, opened["incident"]))
    return json.dumps(made | {"in_reply_to": opened["message"]}).encode()


def _floor_headers(folder: Path) -> Any:
    key = ed25519.Ed25519PrivateKey.from_private_bytes((folder / FLOOR_KEY).read_bytes())
    return lambda body: f"X-Signature: {base64.b64encode(key.sign(body)).decode()}\r\n"


def _gateway_headers(folder: Path, job: Job) -> Any:
    client = SENDERS[job.slug]
    signer = signer_from_jwk(json.loads((folder / f"{client}.jwk").read_text()))
    proof_key = FileSigner.generate("proof", "Ed25519")
    base = f"http://127.0.0.1:{job.port}"
    given = token(base, client, signer, proof_key)
    return lambda _: authorized(given, proof_key, "POST", f"{base}/v1/messages")


def authorized(given: str, proof_key: FileSigner, method: str, url: str) -> str:
    """The two header lines of one request with a token."""
    claims = {"ath": _b64(hashlib.sha256(given.encode()).digest())}
    return f"Authorization: DPoP {given}\r\nDPoP: {_proof(proof_key, url, claims, method)}\r\n"


def token(base: str, client: str, signer: FileSigner, proof_key: FileSigner) -> str:
    now = int(time.time())
    claims = {
        "iss": client,
        "sub": client,
        "aud": base,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_hex(16),
    }
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": _jws({"alg": signer.algorithm, "kid": signer.kid, "typ": "JWT"}, claims, signer),
    }
    headers = {
        "DPoP": _proof(proof_key, base + "/oauth2/token", {}),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=20)
    connection.request("POST", "/oauth2/token", urlencode(form), headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return str(answer["access_token"])


def _proof(key: FileSigner, url: str, more: dict[str, str], method: str = "POST") -> str:
    public = {name: value for name, value in key.public_jwk().items() if name in ("kty", "crv", "x", "y")}
    claims = {"htm": method, "htu": url, "iat": int(time.time()), "jti": secrets.token_hex(12)}
    return _jws({"typ": "dpop+jwt", "alg": key.algorithm, "jwk": public}, claims | more, key)


def _jws(header: dict[str, Any], claims: dict[str, Any], signer: FileSigner) -> str:
    signed = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    return f"{signed}.{_b64(signer.sign(signed.encode()))}"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0])


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    given = Job(**json.load(sys.stdin))
    ready = list(requests_of(given))
    gc.collect()
    gc.freeze()
    gc.disable()
    uvloop.install()

    async def main() -> Figures:
        return await Run(given, ready).run()

    print(json.dumps(asdict(asyncio.run(main()))))

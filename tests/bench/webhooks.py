"""Deliveries by webhook, each ending in a signed entry and a flushed commit, beside Celery with one task for each delivery.

    python -m tests.bench.webhooks PORT FILE      a partner's web server in little: answers 204, and says when each notice came

Three ways drain as many notices to the same server: the gateway's own loop (SQLite), `gateway work` with two Celery processes
(PostgreSQL and Valkey), and a Celery of two processes whose tasks post the same signed bytes over a kept connection and keep nothing
at all. Each rate is that of the middle four fifths, as the server saw them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from adapters.webhook import signature_headers
from gateway.app import build_parts, close
from gateway.core.messages import AgencyId, RoleId
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.loop import carry_and_read_all
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import deliveries, directory
from gateway.store.directory import WayRow
from tests.bench.folder import settings_of
from tests.bench.house import (
    BUSINESS_UNIT,
    HOSPITALS,
    PARTNERSHIP,
    accepted,
    document,
    environment,
    furnish,
)
from tests.bench.servers import free_ports, process
from tests.servers import postgres_server, valkey_server

IN_PROCESS, BY_WORKERS = "webhooks in process to plain Celery", "webhooks by Celery workers to plain Celery"
INCIDENTS, WORKERS, WAIT_SECONDS = 10, 2, 120
FEWEST = 20  # to say a rate by


def measured(count: int = 2_000) -> dict[str, Any]:
    """Deliveries a second by each way, and what they are to plain Celery."""
    with tempfile.TemporaryDirectory(prefix="bench-webhooks-") as name:
        folder = Path(name)
        with _sink(folder / "own.times") as url:
            (folder / "own").mkdir()
            _furnished(folder / "own", url)
            delivered = asyncio.run(_in_process(folder / "own", url, count))
            assert delivered >= count, delivered
        with valkey_server() as broker:
            _by_workers(folder, count, broker.url)
            _by_plain_celery(folder, count, broker.url)
        rates = {way: _rate(folder / f"{way}.times", count) for way in ("own", "workers", "plain")}
    return {
        "in process a second": rates["own"],
        "by Celery workers a second": rates["workers"],
        "plain Celery, one task each, a second": rates["plain"],
        IN_PROCESS: round(rates["own"] / rates["plain"], 2),
        BY_WORKERS: round(rates["workers"] / rates["plain"], 2),
    }


async def _in_process(folder: Path, url: str, count: int) -> int:
    parts = build_parts(settings_of(folder))
    try:
        await _owe(parts, url, count)
        await carry_and_read_all(parts)
        return (await parts.store.read(deliveries.counts_by_state)).get("delivered", 0)
    finally:
        await close(parts)


def _by_workers(folder: Path, count: int, broker: str) -> None:
    house = folder / "scaled"
    house.mkdir()
    with _sink(folder / "workers.times") as url, postgres_server(fsync=True) as postgres:
        databases = {"database_url": postgres.fresh_database(), "custody_url": postgres.fresh_database()}
        _furnished(house, url, broker_url=broker, **databases)
        asyncio.run(_with_parts(settings_of(house), url, count))
        command = [sys.executable, "-m", "gateway", "work", "--processes", str(WORKERS)]
        with process(command, environment(house)):
            _await(folder / "workers.times", count)


def _by_plain_celery(folder: Path, count: int, broker: str) -> None:
    from tests.bench.plain_celery import application

    variables = os.environ | {"BENCH_BROKER": broker.removesuffix("0") + "1"}
    with _sink(folder / "plain.times") as url:
        key, body = (
            secrets.token_bytes(32),
            json.dumps({"type": "delivery.waiting", "filling": "x" * 200}).encode(),
        )
        app = application(variables["BENCH_BROKER"])
        for number in range(count):
            headers = signature_headers(f"dlv-{number}", datetime.now(UTC), body, [key])
            app.send_task("post", (url, headers, body.decode()))
        words = ["-A", "tests.bench.plain_celery", "worker", "-c", str(WORKERS), "--loglevel", "ERROR"]
        with process([sys.executable, "-m", "celery", *words], variables):
            _await(folder / "plain.times", count)


def _furnished(folder: Path, url: str, **settings: Any) -> None:
    host = url.removeprefix("http://").partition("/")[0]
    port, operator_port = free_ports(2)
    furnish(folder, port, operator_port, incidents=INCIDENTS, fetch_development_hosts=[host], **settings)


async def _with_parts(settings: Settings, url: str, count: int) -> None:
    parts = build_parts(settings)
    try:
        await _owe(parts, url, count)
    finally:
        await close(parts)


async def _owe(parts: Parts, url: str, count: int) -> None:
    """So many notices for one agency, and nothing else, are due."""
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}".encode()
    sealed = parts.keys.seal_secret(f"way:{PARTNERSHIP}:{BUSINESS_UNIT}", secret)
    way = WayRow(AgencyId(BUSINESS_UNIT), RoleId("*"), "webhook", url, sealed)
    await parts.store.transact(lambda tx: directory.set_way(tx, PARTNERSHIP, way))
    parts.partnerships.forget()
    while await carry_due(parts):  # what opening the incidents left
        pass
    opened = json.loads((Path(parts.settings.var_dir).parent / "incidents.json").read_text())
    for number in range(count):
        one = opened[number % len(opened)]
        made = json.loads(document("information-return", f"told-{number}", one["incident"]))
        await accepted(parts, HOSPITALS, json.dumps(made | {"in_reply_to": one["message"]}).encode())


# --- the partner's web server -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _sink(times: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    with process([sys.executable, "-m", "tests.bench.webhooks", str(port), str(times)]):
        give_up_at = time.perf_counter() + 20
        while not times.exists():
            if time.perf_counter() > give_up_at:
                raise SystemExit("the partner's web server did not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/hooks"


def _await(times: Path, count: int) -> None:
    give_up_at = time.perf_counter() + WAIT_SECONDS
    while len(_seen(times)) < count:
        if time.perf_counter() > give_up_at:
            raise SystemExit(f"only {len(_seen(times))} of {count} came, so nothing was measured")
        time.sleep(0.1)


def _seen(times: Path) -> list[float]:
    return [float(line) for line in times.read_text().split()]


def _rate(times: Path, count: int) -> float:
    seen = _seen(times)[-count:]
    assert len(seen) >= FEWEST, "too few to say a rate by"
    tenth = len(seen) // 10
    middle = seen[tenth : len(seen) - tenth]
    return round((len(middle) - 1) / (middle[-1] - middle[0]), 1)


class _Hook(asyncio.Protocol):
    """Answers each request that has come whole; bodies here are small and carry their length."""

    def __init__(self, times: Any) -> None:
        self._times, self._received = times, b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (gap := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:gap].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if len(self._received) < gap + 4 + length:
                return
            self._received = self._received[gap + 4 + length :]
            self._times.write(f"{time.perf_counter()}\n")
            self._times.flush()
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def _serve(port: int, file: Path) -> None:
    with file.open("w") as times:
        server = await asyncio.get_running_loop().create_server(lambda: _Hook(times), "127.0.0.1", port)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))

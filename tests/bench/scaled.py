"""Accepting on PostgreSQL with one, two and four serving processes, beside the floor with as many, and beside Postfix.

PostgreSQL flushes every commit. Floor and gateway run in turn in every round; nothing is carried meanwhile, the first process seals.
Postfix takes mails of the same size over as many connections, without TLS, flushes each into its queue and hands it on to smtp-sink.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.house import DOCUMENT_BYTES, furnish
from tests.bench.load import Figures
from tests.bench.servers import Server, first_answer, free_ports, load, process
from tests.mail_servers import postfix_alone
from tests.servers import postgres_server

CONNECTIONS = 32
INCIDENTS = 100  # opened one by one, at a round trip for each statement
SHARE, TO_POSTFIX = "postgresql: share of the floor, {} processes", "durable accepts to Postfix's"
FLOOR_TABLES = """
    CREATE TABLE message (id TEXT PRIMARY KEY, reference TEXT UNIQUE, body BYTEA NOT NULL, receipt TEXT NOT NULL);
    CREATE TABLE delivery (id TEXT PRIMARY KEY, message TEXT NOT NULL, state TEXT NOT NULL, next_at TEXT NOT NULL);
"""


def measured(rounds: int = 3, seconds: float = 4.0, processes: Sequence[int] = (1, 2, 4)) -> dict[str, Any]:
    """Medians of the rounds; shares are of the same round."""
    told: dict[str, Any] = {}
    with postgres_server(fsync=True) as postgres, tempfile.TemporaryDirectory(prefix="bench-scaled-") as name:
        folder = Path(name)
        ports = free_ports(2 * max(processes) + 1)
        databases = {"database_url": postgres.fresh_database(), "custody_url": postgres.fresh_database()}
        furnish(folder, ports[0], ports[-1], incidents=INCIDENTS, **databases)
        bare = postgres.fresh_database().replace("+psycopg", "")
        with psycopg.connect(bare) as link:
            link.execute(FLOOR_TABLES)
        for count in processes:
            runs = _both(folder, bare, ports, count, rounds, seconds)
            told |= _told(count, *runs)
    postfix = postfix_rate()
    told["postfix, accepts a second"] = postfix
    if isinstance(postfix, float):
        ours = max(told[f"gateway a second, {count} processes"] for count in processes)
        told[TO_POSTFIX] = round(ours / postfix, 2)
    return told


def _both(
    folder: Path, bare: str, ports: list[int], count: int, rounds: int, seconds: float
) -> tuple[list[Figures], list[Figures]]:
    mine, theirs = ports[:count], ports[len(ports) // 2 : len(ports) // 2 + count]
    with contextlib.ExitStack() as stack:
        gateways = [
            stack.enter_context(
                _served("gateway", one, "tests.bench.served", str(folder), mode, f"127.0.0.1:{one}")
            )
            for one, mode in zip(mine, ["alone"] + ["door"] * (count - 1), strict=True)
        ]
        floors = [
            stack.enter_context(_served("floor", one, "tests.bench.floor", str(folder), str(one), bare))
            for one in theirs
        ]
        runs: tuple[list[Figures], list[Figures]] = ([], [])
        for _ in range(rounds):
            for servers, into in zip((gateways, floors), runs, strict=True):
                into.append(load(folder, servers, "information-return", CONNECTIONS, seconds))
    return runs


@contextlib.contextmanager
def _served(name: str, port: int, module: str, *words: str) -> Iterator[Server]:
    with process([sys.executable, "-m", module, *words]) as pid:
        first_answer(f"http://127.0.0.1:{port}/nowhere")
        yield Server(name, port, pid)


def _told(count: int, ours: list[Figures], floors: list[Figures]) -> dict[str, Any]:
    shares = [a.per_second / f.per_second for a, f in zip(ours, floors, strict=True)]
    return {
        f"gateway a second, {count} processes": statistics.median(one.per_second for one in ours),
        f"floor a second, {count} processes": statistics.median(one.per_second for one in floors),
        f"gateway CPU ms, {count} processes": statistics.median(one.cpu_ms for one in ours),
        f"floor CPU ms, {count} processes": statistics.median(one.cpu_ms for one in floors),
        f"gateway p95 ms, {count} processes": statistics.median(one.p95_ms for one in ours),
        SHARE.format(count): round(statistics.median(shares), 2),
    }


def postfix_rate(mails: int = 1500) -> float | str:
    """Mails a second that Postfix answers for, each flushed into its queue, while it hands on what it has."""
    if os.geteuid() or not all(shutil.which(one) for one in ("postfix", "smtp-source", "smtp-sink")):
        return "not installed"
    sink = free_ports(1)[0]
    with subprocess.Popen(["smtp-sink", "-u", "nobody", f"127.0.0.1:{sink}", "100"]) as taking:
        try:
            with postfix_alone(sink) as port:
                return _sent(port, mails)
        finally:
            taking.kill()


def _sent(port: int, mails: int) -> float:
    words = ["-c", "-s", str(CONNECTIONS), "-l", str(DOCUMENT_BYTES), "-f", "a@council.example"]
    command = ["smtp-source", *words, "-t", "b@council.example", "-m", str(mails), f"127.0.0.1:{port}"]
    began_at = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=120)
    return round(mails / (time.perf_counter() - began_at), 1)

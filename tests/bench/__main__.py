"""`make bench`: JSON lines on standard output, a table on standard error. Loopback only; everything it starts, it stops.

    python -m tests.bench [--full | --quick]

Exit 1 when anything was refused, never because of speed: figures are for people to judge.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import console, ledger, letters, oauth, stored
from tests.bench.house import SETTINGS, environment, furnish
from tests.bench.load import Figures, Job, cpu_seconds

GOALS = {
    "share of the floor at 32": (0.45, "at least"),
    "p95 ms at 8": (20, "at most"),
    "p99 ms at 32": (120, "at most"),
    "memory MiB": (120, "at most"),
    "start-up seconds": (1.5, "at most"),
    "accepts kept while delivering": (0.6, "at least"),
    "ms for a decision, six packs": (0.1, "at most"),
    "due duties: most stored to fewest": (1.5, "at most"),
    "console page p95 ms, most stored": (100, "at most"),
    "heaviest page KB": (250, "at most"),
    "console pages: most stored to fewest": (1.2, "at most"),
    "token to its cryptography": (5, "at most"),
    "call to its cryptography": (5, "at most"),
    "token: 10000 clients to 50": (1.2, "at most"),
    "call: 10000 clients to 50": (1.2, "at most"),
    "p99 s from receipt to proof": (2, "at most"),
    "p50 ms for a proof, largest log": (2, "at most"),
    "p99 ms for a proof, largest log": (20, "at most"),
    letters.RATIO: (0.8, "at least"),
}
FASTEST = {"floor": 5000, "gateway": 3500}  # requests a second that are made ready, at 8 connections and more


@dataclass(frozen=True)
class Scale:
    """How much is run: `rounds` rounds of each case in turn, `seconds` each."""

    rounds: int
    seconds: float
    connections: tuple[int, ...]
    stored: tuple[int, ...] = (1_000, 100_000)  # duties in the books that the due ones are looked for in
    leaves: tuple[int, ...] = (100_000,)  # entries in the logs that proofs are made from
    shown: tuple[int, ...] = (10_000, 200_000)  # messages in the books that the console's pages are made from


SCALES = {
    "--quick": Scale(1, 2.0, (8, 32)),
    "": Scale(3, 4.0, (1, 8, 32)),
    "--full": Scale(
        7,
        8.0,
        (1, 8, 32, 96),
        (1_000, 1_000_000),
        (100_000, 1_000_000, 10_000_000),
        (10_000, 1_000_000),
    ),
}


@dataclass(frozen=True)
class Server:
    """A server of ours in a process of its own."""

    name: str
    port: int
    pid: int

    def memory_mib(self) -> float:
        """The most it has held at once (VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)


def main(scale: Scale) -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        port, operator_port, floor_port = _free_ports(3)
        furnish(folder, port, operator_port)
        say("machine", **_machine())
        start_up = [_start_up_seconds(folder, port) for _ in range(max(3, scale.rounds))]
        with _floor(folder, floor_port) as floor:
            with _gateway(folder, port, "alone") as gateway:
                began_at = datetime.now(UTC)
                cases = _accepting(folder, scale, floor, gateway)
                memory = gateway.memory_mib()
                proved = ledger.promised_to_proved(_book(folder), began_at)
            floor_memory = floor.memory_mib()
        delivering, delivered = _delivering(folder, scale, port)
        cases.append(delivering)
        kept = _kept(folder)
    evidence = ledger.measured(scale.leaves)
    decided, found, let_in = stored.decided(), stored.due_found(scale.stored), oauth.measured()
    shown = console.pages(scale.shown)
    say("console pages", ms_by_stored=shown, **console.reached(shown))
    say("decisions", **decided)
    say("mail read", **_in_a_process_of_its_own())
    say("let in", **let_in)
    say("receipt to proof under load", ms=proved)
    say("evidence", **evidence)
    say("kept", **kept)
    written = letters.measured(rounds=scale.rounds)
    say("letters", **written)
    say("due duties found", median_ms_by_stored=found)
    say("memory", gateway_mib=memory, floor_mib=floor_memory)
    say("start-up", seconds=round(statistics.median(start_up), 2), runs=start_up)
    say("delivered meanwhile", per_second=delivered)
    cpu = [_at_32(cases, name).median("cpu_ms") for name in ("floor", "information-return")]
    say("share of the floor at 32, by processor time", value=round(cpu[0] / cpu[1], 2))
    reached = _reached(cases, memory, statistics.median(start_up), decided["median_us"] / 1000, found)
    reached |= {
        goal: value for goal, value in (let_in | written | console.reached(shown)).items() if goal in GOALS
    }
    largest = evidence[f"proof from {max(scale.leaves)} leaves, ms"]
    reached |= {"p99 s from receipt to proof": round(proved["p99"] / 1000, 2)}
    reached |= {f"{share} ms for a proof, largest log": value for share, value in largest.items()}
    for goal, value in reached.items():
        bound, way = GOALS[goal]
        met = value >= bound if way == "at least" else value <= bound
        say("goal", name=goal, value=value, goal=f"{way} {bound}", met=met)
    _table(cases, reached)


def _in_a_process_of_its_own() -> dict[str, float]:
    """So that the memory of children is the reading's alone."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.inbound"], capture_output=True, text=True, timeout=120, check=True
    )
    return dict(json.loads(done.stdout))


@dataclass(frozen=True)
class Case:
    """One thing that was measured, round by round."""

    name: str
    connections: int
    runs: list[Figures]

    def median(self, figure: str) -> float:
        return float(statistics.median(getattr(run, figure) for run in self.runs))


def _accepting(folder: Path, scale: Scale, floor: Server, gateway: Server) -> list[Case]:
    """Floor and gateway in turn, both up all the time; the heavier message type at the most connections only."""
    cases: dict[tuple[str, int], Case] = {}
    wanted = [
        (server, "information-return", many) for many in scale.connections for server in (floor, gateway)
    ]
    wanted.append((gateway, "referral", 32))
    for _ in range(scale.rounds):
        for server, slug, many in wanted:
            name = "floor" if server is floor else slug
            case = cases.setdefault((name, many), Case(name, many, []))
            case.runs.append(_load(folder, scale, server, slug, many))
            say("run", case=name, connections=many, **asdict(case.runs[-1]))
    return list(cases.values())


def _delivering(folder: Path, scale: Scale, port: int) -> tuple[Case, float]:
    """Accepting while the whole gateway works off what the runs before left to deliver, and more comes in."""
    case = Case("information-return, delivering", 32, [])
    rates = []
    with _gateway(folder, port, "whole") as gateway:
        for _ in range(scale.rounds):
            before, began_at = _delivered(folder), time.perf_counter()
            case.runs.append(_load(folder, scale, gateway, "information-return", 32))
            rates.append((_delivered(folder) - before) / (time.perf_counter() - began_at))
            say("run", case=case.name, connections=32, **asdict(case.runs[-1]))
    return case, round(statistics.median(rates), 1)


def _delivered(folder: Path) -> int:
    return _count(folder, "delivery WHERE state = 'delivered'")


def _kept(folder: Path) -> dict[str, Any]:
    """What a message leaves in the book, its deliveries, duties and signed entries included."""
    messages = _count(folder, "message")
    return {"messages": messages, "bytes_a_message": _book(folder).stat().st_size // messages}


def _book(folder: Path) -> Path:
    return Path(json.loads((folder / SETTINGS).read_text())["var_dir"]) / "gateway.sqlite3"


def _count(folder: Path, rows: str) -> int:
    with contextlib.closing(sqlite3.connect(_book(folder))) as book:
        return int(book.execute(f"SELECT count(*) FROM {rows}").fetchone()[0])


def _load(folder: Path, scale: Scale, server: Server, slug: str, connections: int) -> Figures:
    target = "floor" if server.name == "floor" else "gateway"
    fastest = FASTEST[target] * (0.5 if connections == 1 else 1)
    limit = int(fastest * (scale.seconds + 1))
    job = Job(target, slug, str(folder), server.port, server.pid, connections, scale.seconds, limit)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"the load ended badly: {done.stderr[-2000:]}")
    figures = Figures(**json.loads(done.stdout))
    if figures.refused:
        raise SystemExit(
            f"{slug}: answers other than 201 were given, so nothing was measured: {figures.refused}"
        )
    return figures


@contextlib.contextmanager
def _floor(folder: Path, port: int) -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.bench.floor", str(folder), str(port)]
    with _process(command) as pid:
        _first_answer(f"http://127.0.0.1:{port}/nowhere")
        yield Server("floor", port, pid)


@contextlib.contextmanager
def _gateway(folder: Path, port: int, mode: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.bench.served", str(folder), mode]
    with _process(command) as pid:
        _first_answer(f"http://127.0.0.1:{port}/v1/receipts/jwks")
        yield Server("gateway", port, pid)


def _start_up_seconds(folder: Path, port: int) -> float:
    """From `gateway serve` to its first 200, on migrated databases."""
    began_at = time.perf_counter()
    with _process([sys.executable, "-m", "gateway", "serve"], environment(folder)) as pid:
        _first_answer(f"http://127.0.0.1:{port}/v1/receipts/jwks")
        took = round(time.perf_counter() - began_at, 3)
        say("run", case="start-up", seconds=took, cpu_seconds=cpu_seconds(pid))
        return took


@contextlib.contextmanager
def _process(command: list[str], variables: dict[str, str] | None = None) -> Iterator[int]:
    """A child that is told to stop, and killed when it does not."""
    quiet = subprocess.DEVNULL  # what each delivery logs would drown the figures
    with subprocess.Popen(command, env=variables, stdout=quiet, stderr=quiet) as child:
        try:
            yield child.pid
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def _first_answer(url: str) -> None:
    """Ask until the server answers; any status shows that it does."""
    give_up_at = time.perf_counter() + 30
    while time.perf_counter() < give_up_at:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit("a server did not start")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in found]


def _at_32(cases: list[Case], name: str) -> Case:
    return next(case for case in cases if (case.name, case.connections) == (name, 32))


def _reached(
    cases: list[Case],
    memory_mib: float,
    start_up_seconds: float,
    decision_ms: float,
    due_found: dict[int, float],
) -> dict[str, float]:
    by_name = {(case.name, case.connections): case for case in cases}
    accept, floor = by_name["information-return", 32], by_name["floor", 32]
    delivering = by_name["information-return, delivering", 32]
    shares = [a.per_second / f.per_second for a, f in zip(accept.runs, floor.runs, strict=True)]
    values = (
        statistics.median(shares),
        by_name["information-return", 8].median("p95_ms"),
        accept.median("p99_ms"),
        memory_mib,
        start_up_seconds,
        delivering.median("per_second") / accept.median("per_second"),
        decision_ms,
        due_found[max(due_found)] / due_found[min(due_found)],
    )
    return {goal: round(value, 4 if value < 0.01 else 2) for goal, value in zip(GOALS, values, strict=False)}


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "python": platform.python_version(),
        "at": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def say(what: str, **values: Any) -> None:
    """One JSON line."""
    print(json.dumps({"what": what, **values}), flush=True)


def _table(cases: list[Case], reached: dict[str, float]) -> None:
    lines = [
        f"\n{'case':34}{'conns':>6}{'per s':>9}{'CPU ms':>8}{'p50':>8}{'p95':>8}{'p99':>8}   range per s"
    ]
    for case in sorted(cases, key=lambda c: (c.connections, c.name)):
        figures = [case.median(name) for name in ("per_second", "cpu_ms", "p50_ms", "p95_ms", "p99_ms")]
        rates = [run.per_second for run in case.runs]
        columns = "{:>9.0f}{:>8.2f}{:>8.1f}{:>8.1f}{:>8.1f}".format(*figures)
        lines.append(f"{case.name:34}{case.connections:>6}{columns}   {min(rates):.0f}-{max(rates):.0f}")
    lines.append("")
    for goal, value in reached.items():
        bound, way = GOALS[goal]
        lines.append(f"{goal:34}{value:>9}   goal: {way} {bound}")
    print("\n".join(lines), file=sys.stderr)


if __name__ == "__main__":
    main(SCALES[sys.argv[1] if len(sys.argv) > 1 else ""])

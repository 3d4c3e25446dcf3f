"""`make bench`: JSON lines on standard output, a table on standard error. Loopback only; everything it starts, it stops.

    python -m tests.bench [--full | --quick]        everything
    python -m tests.bench NAME [--full | --quick]   one of: scaled pairs webhooks queue growth recovery letters

Exit 1 when anything was refused, never because of speed: figures are for people to judge.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import (
    console,
    growth,
    ledger,
    letters,
    oauth,
    pairs,
    queue,
    recovery,
    scaled,
    stored,
    webhooks,
)
from tests.bench.folder import SETTINGS
from tests.bench.house import environment, furnish
from tests.bench.load import Figures, cpu_seconds
from tests.bench.servers import Server, first_answer, free_ports, load, process

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
    **{scaled.SHARE.format(count): (0.45, "at least") for count in (1, 2, 4)},
    scaled.TO_POSTFIX: (1.5, "at least"),
    pairs.RATIO: (4, "at least"),
    webhooks.IN_PROCESS: (2, "at least"),
    webhooks.BY_WORKERS: (2, "at least"),
    growth.RATIO: (1.15, "at most"),
}


@dataclass(frozen=True)
class Scale:
    """How much is run: `rounds` rounds of each case in turn, `seconds` each."""

    rounds: int
    seconds: float
    connections: tuple[int, ...]
    stored: tuple[int, ...] = (1_000, 100_000)  # duties in the books that the due ones are looked for in
    leaves: tuple[int, ...] = (100_000,)  # entries in the logs that proofs are made from
    shown: tuple[int, ...] = (10_000, 200_000)  # messages in the books that the console's pages are made from
    grown: tuple[int, int] = (10_000, 100_000)  # messages in the books that accepting is compared in
    pairs: int = 2_000  # messages that are sent and acknowledged
    told: int = 2_000  # deliveries by webhook
    letters: int = 300  # that are queued and drained


SCALES = {
    "--quick": Scale(1, 2.0, (8, 32), pairs=400, told=400, letters=50),
    "": Scale(3, 4.0, (1, 8, 32)),
    "--full": Scale(
        7,
        8.0,
        (1, 8, 32, 96),
        (1_000, 1_000_000),
        (100_000, 1_000_000, 10_000_000),
        (10_000, 1_000_000),
        (10_000, 1_000_000),
        letters=100_000,
    ),
}

# What can be run alone; each gives figures by name, and those that are goals are judged.
ROWS: dict[str, Callable[[Scale], dict[str, Any]]] = {
    "scaled": lambda scale: scaled.measured(scale.rounds, scale.seconds),
    "pairs": lambda scale: pairs.measured(scale.pairs),
    "webhooks": lambda scale: webhooks.measured(scale.told),
    "queue": lambda scale: queue.measured(scale.letters),
    "growth": lambda scale: growth.measured(scale.grown),
    "recovery": lambda scale: recovery.measured(),
    "letters": lambda scale: letters.measured(rounds=scale.rounds),
}


def main(scale: Scale) -> None:
    """Run everything."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        port, operator_port, floor_port = free_ports(3)
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
    rows = {name: row(scale) for name, row in ROWS.items()}
    for name, figures in rows.items():
        say(name, **figures)
    say("due duties found", median_ms_by_stored=found)
    say("memory", gateway_mib=memory, floor_mib=floor_memory)
    say("start-up", seconds=round(statistics.median(start_up), 2), runs=start_up)
    say("delivered meanwhile", per_second=delivered)
    cpu = [_at_32(cases, name).median("cpu_ms") for name in ("floor", "information-return")]
    say("share of the floor at 32, by processor time", value=round(cpu[0] / cpu[1], 2))
    reached = _reached(cases, memory, statistics.median(start_up), decided["median_us"] / 1000, found)
    measured = [let_in, console.reached(shown), *rows.values()]
    reached |= {goal: value for figures in measured for goal, value in figures.items() if goal in GOALS}
    largest = evidence[f"proof from {max(scale.leaves)} leaves, ms"]
    reached |= {"p99 s from receipt to proof": round(proved["p99"] / 1000, 2)}
    reached |= {f"{share} ms for a proof, largest log": value for share, value in largest.items()}
    _judge(reached)
    _table(cases, reached)


def alone(name: str, scale: Scale) -> None:
    """One row and its goals."""
    say("machine", **_machine())
    figures = ROWS[name](scale)
    say(name, **figures)
    _judge({goal: value for goal, value in figures.items() if goal in GOALS})


def _judge(reached: dict[str, float]) -> None:
    for goal, value in reached.items():
        bound, way = GOALS[goal]
        met = value >= bound if way == "at least" else value <= bound
        say("goal", name=goal, value=value, goal=f"{way} {bound}", met=met)


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
            case.runs.append(load(folder, [server], slug, many, scale.seconds))
            say("run", case=name, connections=many, **asdict(case.runs[-1]))
    return list(cases.values())


def _delivering(folder: Path, scale: Scale, port: int) -> tuple[Case, float]:
    """Accepting while the whole gateway works off what the runs before left to deliver, and more comes in."""
    case = Case("information-return, delivering", 32, [])
    rates = []
    with _gateway(folder, port, "whole") as gateway:
        for _ in range(scale.rounds):
            before, began_at = _delivered(folder), time.perf_counter()
            case.runs.append(load(folder, [gateway], "information-return", 32, scale.seconds))
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


@contextlib.contextmanager
def _floor(folder: Path, port: int) -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.bench.floor", str(folder), str(port)]
    with process(command) as pid:
        first_answer(f"http://127.0.0.1:{port}/nowhere")
        yield Server("floor", port, pid)


@contextlib.contextmanager
def _gateway(folder: Path, port: int, mode: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "tests.bench.served", str(folder), mode]
    with process(command) as pid:
        first_answer(f"http://127.0.0.1:{port}/v1/receipts/jwks")
        yield Server("gateway", port, pid)


def _start_up_seconds(folder: Path, port: int) -> float:
    """From `gateway serve` to its first 200, on migrated databases."""
    began_at = time.perf_counter()
    with process([sys.executable, "-m", "gateway", "serve"], environment(folder)) as pid:
        first_answer(f"http://127.0.0.1:{port}/v1/receipts/jwks")
        took = round(time.perf_counter() - began_at, 3)
        say("run", case="start-up", seconds=took, cpu_seconds=cpu_seconds(pid))
        return took


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
    names = [word for word in sys.argv[1:] if not word.startswith("--")]
    size = SCALES[next((word for word in sys.argv[1:] if word.startswith("--")), "")]
    for one in names:
        alone(one, size)
    if not names:
        main(size)

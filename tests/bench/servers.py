"""Servers of ours in processes of their own, and one run of the load against them."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.load import Figures, Job

FASTEST = {"floor": 5000, "gateway": 3500}  # requests a second that are made ready, at 8 connections and more


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


def load(folder: Path, servers: Sequence[Server], slug: str, connections: int, seconds: float) -> Figures:
    """One run against servers that serve the same. Ends the bench when anything but 201 is answered."""
    first, *others = servers
    target = "floor" if first.name == "floor" else "gateway"
    fastest = FASTEST[target] * (0.5 if connections == 1 else 1)
    limit = int(fastest * (seconds + 1))
    beside = [(one.port, one.pid) for one in others]
    job = Job(target, slug, str(folder), first.port, first.pid, connections, seconds, limit, beside)
    figures = Figures(**from_a_process("tests.bench.load", asdict(job), 120))
    if figures.refused:
        raise SystemExit(
            f"{slug}: answers other than 201 were given, so nothing was measured: {figures.refused}"
        )
    return figures


def from_a_process(module: str, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What a load process answers: it is given JSON and gives JSON, within so many seconds. Ends the bench when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the load ended badly: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout))


@contextlib.contextmanager
def process(command: list[str], variables: dict[str, str] | None = None) -> Iterator[int]:
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


def first_answer(url: str) -> None:
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


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in found]

"""The parts that die: PostgreSQL with its flushes on and a small disk under its tables, Valkey, and processes that are started again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests import servers
from tests.journeys.mortal_gateway import environment

START_SECONDS = 60
PIECE_BYTES = 64 * 1024
AGAIN_SECONDS = 0.3  # before a supervisor starts what died


class Postgres:
    """A PostgreSQL that can be killed with all its backends and started on the same files."""

    def __init__(self, folder: Path, disk: Path | None) -> None:
        self.folder = folder
        self.disk = disk  # where tables lie, of limited size; None where nothing may be mounted
        self._programs = servers.postgres_programs(folder)
        self._running: subprocess.Popen[bytes] | None = None
        servers.run_once(
            [self._programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"],
            ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"],
        )

    @property
    def socket(self) -> Path:
        return self.folder / ".s.PGSQL.5432"

    def start(self) -> None:
        """Start, and start again while what was killed still holds the files; returns when it answers."""
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            if self._running is None or self._running.poll() is not None:
                self._running = self._begin()
            with suppress(psycopg.OperationalError):
                self.ask("SELECT 1")
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "server.log").read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """SIGKILL to the postmaster and every backend: as when the machine's power goes."""
        assert self._running is not None
        backends = subprocess.run(
            ["pgrep", "-P", str(self._running.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        for pid in (self._running.pid, *map(int, backends)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._running.wait(10)

    def stop(self) -> None:
        if self._running is not None and self._running.poll() is None:
            self._running.send_signal(signal.SIGINT)
            self._running.wait(30)

    def database(self, name: str) -> None:
        """Create one, its tables on the small disk."""
        if self.disk is not None and name == "book":
            self.ask(f"CREATE TABLESPACE small LOCATION '{self.disk / 'tables'}'")
        where = " TABLESPACE small" if self.disk is not None else ""
        self.ask(f"CREATE DATABASE {name} TEMPLATE template0{where}")

    def url(self, name: str, folder: Path | None = None, process: str = "judge") -> str:
        return (
            f"postgresql+psycopg://postgres@/{name}?host={folder or self.folder}&application_name={process}"
        )

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(
            host=str(self.folder), user="postgres", dbname="postgres", autocommit=True
        ) as link:
            found = link.execute(statement.encode())
            return found.fetchall() if found.description else []

    def fill_disk(self) -> Path:
        """Leave no room on the small disk; what stands there is removed again by whoever called."""
        assert self.disk is not None
        ballast = self.disk / "ballast"
        # Tables grow meanwhile, so how much is left is found by taking it.
        with ballast.open("wb") as file, suppress(OSError):
            for piece in range(1 << 20):
                os.posix_fallocate(file.fileno(), piece * PIECE_BYTES, PIECE_BYTES)
        return ballast

    def _begin(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "max_connections": "300",
            "shared_buffers": "64MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=servers.environment(),
                start_new_session=True,
                **servers.as_unprivileged(),
            )


@contextmanager
def postgres(disk_mib: int) -> Iterator[Postgres]:
    """Running, in a folder of its own."""
    with servers.server_folder() as folder, _small_disk(folder, disk_mib) as disk:
        server = Postgres(folder, disk)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def _small_disk(folder: Path, mib: int) -> Iterator[Path | None]:
    """A file system in memory that holds so much; None where this user may not mount one."""
    disk = folder / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        (disk / "tables").mkdir()
        if os.geteuid() == 0:
            os.chown(disk / "tables", servers.UNPRIVILEGED_UID, servers.UNPRIVILEGED_UID)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


class Broker:
    """A Valkey that loses everything when it dies, and comes back on the same port."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._server = self._stack.enter_context(servers.valkey_server())
        self.port = self._server.port

    def die_and_return(self, seconds: float) -> None:
        os.kill(self._server.pid, signal.SIGKILL)
        self._stack.close()
        time.sleep(seconds)
        self._server = self._stack.enter_context(servers.valkey_server(self.port))

    def close(self) -> None:
        self._stack.close()


@dataclass
class Child:
    """One `gateway` command under a supervisor that starts it again whenever it ends."""

    name: str
    words: tuple[str, ...]
    settings_file: Path
    clock_file: Path | None = None  # its clock goes by libfaketime, which reads the offset here
    starts: int = 0
    killed: int = 0
    ended: int = 0  # by itself, say because the database was away when it started
    _process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        return self._log_file.read_text("utf-8", "replace") if self._log_file.exists() else ""

    async def live(self) -> None:
        """Until cancelled; then it is told to stop, and killed when it does not within its time."""
        while True:
            before = self.killed
            self._process = await self._start()
            try:
                await self._process.wait()
            except asyncio.CancelledError:
                await self._end()
                raise
            self.ended += before == self.killed
            await asyncio.sleep(AGAIN_SECONDS)

    def kill(self) -> None:
        """SIGKILL for it and its children: nothing is flushed, nothing is said."""
        if self._signal(signal.SIGKILL):
            self.killed += 1

    async def pause(self, seconds: float) -> None:
        """Stopped in whatever it does, holding what it holds; everybody else goes on."""
        self._signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._signal(signal.SIGCONT)

    def step_clock(self, seconds: int) -> None:
        assert self.clock_file is not None
        self.clock_file.write_text(f"{seconds:+d}")

    def _signal(self, number: signal.Signals) -> bool:
        if self._process is None or self._process.returncode is not None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
            return True
        return False

    async def _start(self) -> asyncio.subprocess.Process:
        self.starts += 1
        with self._log_file.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", *self.words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(self.settings_file) | self._clock(),
                cwd=self.settings_file.parent,
                start_new_session=True,
            )

    def _clock(self) -> dict[str, str]:
        """Wall clock only: what counts waiting is not stepped when a machine's clock is."""
        if self.clock_file is None:
            return {}
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    async def _end(self) -> None:
        assert self._process is not None
        self._signal(signal.SIGCONT)
        if self._process.returncode is None:
            self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(20):
                    await self._process.wait()
        self._signal(signal.SIGKILL)
        await self._process.wait()

    @property
    def _log_file(self) -> Path:
        return self.settings_file.with_suffix(".log")


@dataclass
class Children:
    """All of them, each with its supervisor."""

    every: list[Child] = field(default_factory=list)
    _lives: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        self._lives = [asyncio.create_task(child.live()) for child in self.every]

    async def stop(self) -> None:
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    def named(self, prefix: str) -> list[Child]:
        return [child for child in self.every if child.name.startswith(prefix)]

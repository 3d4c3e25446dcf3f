"""A database as files, and files as a database: consistent, beside a gateway that goes on, without another program.

SQLite copies itself page by page (its back-up interface); PostgreSQL is read table by table in one snapshot (COPY). Invariant: a folder
is whole or it does not load: its manifest is written last and holds each file's SHA-256, and nothing is loaded over rows that are there.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gateway.core.errors import Misconfigured
from gateway.store import engines, migrations
from gateway.store.engines import EngineName
from gateway.store.migrations import Which

FORM, MANIFEST, SQLITE_FILE = "backup/1", "manifest.json", "database.sqlite3"


@dataclass(frozen=True, slots=True)
class BackUp:
    """What a folder holds. `destroy_by`: the day by which it must be gone; None for as long as the records schedule says."""

    store: Which
    engine: EngineName
    revision: str
    made_at: str
    destroy_by: str | None
    files: dict[str, str]


def back_up(url: str, which: Which, folder: Path, made_at: datetime, destroy_by: date | None) -> BackUp:
    """Write a database into a new folder, for its owner alone. Misconfigured where there is no database of this release."""
    if not migrations.is_current(url, which):
        raise Misconfigured(
            f"the {which} database is not there or not of this release: run `gateway migrate`"
        )
    folder.mkdir(mode=0o700, parents=True)
    engine = engines.open_engine(url, busy_timeout_seconds=60)
    name = engines.engine_name(engine)
    with engine.connect() as connection:
        if name == "sqlite":
            _copy_pages(engines.driver_connection(connection), folder / SQLITE_FILE)
        else:
            _copy_tables(connection, migrations.metadata(which), folder)
    engine.dispose()
    files = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    last = destroy_by.isoformat() if destroy_by else None
    made = BackUp(which, name, migrations.NEWEST[which], made_at.isoformat(), last, files)
    _write(folder / MANIFEST, json.dumps({"v": FORM, **asdict(made)}, indent=2).encode() + b"\n")
    return made


def read_manifest(folder: Path, which: Which) -> BackUp:
    """What the folder holds, every file checked; Misconfigured when it is not whole or not of this release."""
    try:
        document = json.loads((folder / MANIFEST).read_bytes())
        if document.pop("v") != FORM:
            raise ValueError
        found = BackUp(**document)
        digests = {name: _digest(folder / name) for name in found.files}
    except (OSError, ValueError, KeyError, TypeError):
        raise Misconfigured(f"{folder.name} is no whole back-up of a database") from None
    if found.store != which or digests != found.files:
        raise Misconfigured(f"{folder.name} was changed, or is the back-up of another database")
    if found.revision != migrations.NEWEST[which]:
        detail = "restore it with the release that made it, then bring it here with `gateway migrate`"
        raise Misconfigured(f"{folder.name} is of another release ({found.revision}): {detail}")
    return found


def restore(url: str, which: Which, folder: Path) -> None:
    """Load a folder into an empty database; nothing is loaded when any row is there, or when the folder is not whole."""
    found = read_manifest(folder, which)
    migrations.migrate(url, which)
    must_be_empty(url, which)
    engine = engines.open_engine(url, busy_timeout_seconds=60)
    if engines.engine_name(engine) != found.engine:
        raise Misconfigured(f"{folder.name} is of {found.engine}, and the database here is not")
    with engine.connect() as connection:
        if found.engine == "sqlite":
            _load_pages(engines.driver_connection(connection), folder / SQLITE_FILE)
        else:
            _load_tables(connection, migrations.metadata(which), folder)
    engine.dispose()


def must_be_empty(url: str, which: Which) -> None:
    """Misconfigured when any table has a row. A database that is not there is empty, and is not made by looking."""
    file = url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else None
    if file is not None and not Path(file).exists():
        return
    engine = engines.open_engine(url)
    with engine.connect() as connection:
        there = set(sa.inspect(connection).get_table_names())
        tables = [table for table in migrations.metadata(which).sorted_tables if table.name in there]
        filled = [
            table.name for table in tables if connection.execute(sa.select(1).select_from(table)).first()
        ]
    engine.dispose()
    if filled:
        raise Misconfigured(
            f"the {which} database is not empty: restore into a new one, and keep this one apart"
        )


def _copy_pages(source: Any, file: Path) -> None:
    """In steps, so that writers of the gateway that serves get their turns between."""
    file.touch(mode=0o600)
    with closing(sqlite3.connect(file)) as copy:
        source.backup(copy, pages=4096)
        copy.execute("PRAGMA journal_mode=DELETE")
    _flush(file)


def _load_pages(target: Any, file: Path) -> None:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as copy:
        copy.backup(target)


def _copy_tables(connection: sa.Connection, metadata: sa.MetaData, folder: Path) -> None:
    driver = engines.driver_connection(connection)
    driver.execute(engines.begin_statement("postgresql", read_only=True))
    for table in metadata.sorted_tables:
        statement = f"COPY {_named(connection, table)} TO STDOUT"
        with (
            _created(folder / f"{table.name}.copy") as file,
            driver.cursor() as cursor,
            cursor.copy(statement) as rows,
        ):
            for block in rows:
                file.write(block)
    driver.execute("COMMIT")


def _load_tables(connection: sa.Connection, metadata: sa.MetaData, folder: Path) -> None:
    """One transaction: a crash leaves the database empty."""
    driver = engines.driver_connection(connection)
    driver.execute(engines.begin_statement("postgresql", read_only=False))
    for table in metadata.sorted_tables:
        statement = f"COPY {_named(connection, table)} FROM STDIN"
        with (
            (folder / f"{table.name}.copy").open("rb") as file,
            driver.cursor() as cursor,
            cursor.copy(statement) as rows,
        ):
            while block := file.read(1 << 16):
                rows.write(block)
    driver.execute("COMMIT")


def _named(connection: sa.Connection, table: sa.Table) -> str:
    quote = connection.dialect.identifier_preparer
    columns = ", ".join(quote.quote(column.name) for column in table.columns)
    return f"{quote.format_table(table)} ({columns})"


@contextmanager
def _created(file: Path) -> Iterator[Any]:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        yield opened
        opened.flush()
        os.fsync(opened.fileno())


def _write(file: Path, content: bytes) -> None:
    with _created(file) as opened:
        opened.write(content)


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

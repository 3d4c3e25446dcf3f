"""A witness's memory: for each log, by its origin, the one checkpoint that it signed last. A SQLite file of its own.

Invariant: a size only grows, and what is remembered is on the disk before a signature leaves the house. Compare and advance
are one transaction (C2SP tlog-witness), so two requests at once cannot take a log back. Whoever edits the file can make the
witness sign a fork: it belongs on a machine that the gateway's operator does not run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

_TABLE = """
CREATE TABLE IF NOT EXISTS witnessed (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last checkpoint of a log that was signed: `note` is complete, with the witness's own line."""

    size: int
    root: bytes
    note: bytes


class MemoryUnusable(Exception):
    """The file is not one of a witness, is damaged, or the disk does not take it: nothing is signed."""


class Memory:
    """The file; each use opens a connection of its own, so that any thread may."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._transaction() as connection:
            connection.execute(_TABLE)

    def last(self, origin: str) -> Remembered | None:
        """What was signed last of this log."""
        with self._transaction() as connection:
            return _last(connection, origin)

    def advance(self, origin: str, expected: int, to: Remembered) -> Remembered | None:
        """Remember `to` if the last size is still `expected` (0: none); durable on return. The last one if it is not."""
        with self._transaction() as connection:
            last = _last(connection, origin)
            if (last.size if last else 0) != expected:
                return last
            values = (origin, to.size, to.root, to.note)
            connection.execute("INSERT OR REPLACE INTO witnessed VALUES (?, ?, ?, ?)", values)
            return None
            # A crash before the commit leaves the older checkpoint, and no signature went out; after it, a signature that
            # never arrived is asked for again: the log is answered with this size, and repeats.

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._file, timeout=10, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")  # closing without it rolls back
        except sqlite3.Error as fault:
            raise MemoryUnusable("the witness's memory cannot be read or written") from fault


def _last(connection: sqlite3.Connection, origin: str) -> Remembered | None:
    query = "SELECT size, root, note FROM witnessed WHERE origin = ?"
    row = connection.execute(query, (origin,)).fetchone()
    return None if row is None else Remembered(*row)

"""Bringing a database to the tables of this release (Alembic), without a configuration file.

Two histories, `book` and `custody`, each with a folder of revisions and a version table of its own, so that they may
share a PostgreSQL database or not. A migration is one transaction on both engines: a crash or an error leaves the
database as it was, and whoever ran it runs it again. While nothing is released there is one revision each, written from
the tables by `python -m gateway.store.migrations.first`; once released, a revision never changes.

Rolling upgrades: a revision named `book_1_…` only adds what releases of generation 1 do not miss (a table, an index, a column that
may be null or has a default), so that processes of both releases serve beside each other while it is made and afterwards. One that
older processes cannot live with begins a generation, `book_2_…`: they then refuse to start.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from gateway.settings import Settings
from gateway.store import engines, tables

if (
    TYPE_CHECKING
):  # it takes a third of a second to load, which a process that finds itself up to date can save
    from alembic.config import Config

Which = Literal["book", "custody"]

NEWEST: dict[Which, str] = {"book": "book_first", "custody": "custody_first"}  # the revision of this release
# Every revision that this release can migrate from: one that it does not know comes from a newer release.
KNOWN: dict[Which, frozenset[str]] = {
    "book": frozenset({"book_first"}),
    "custody": frozenset({"custody_first"}),
}

_ADVISORY_LOCK = 7_430_119  # any number that nothing else in the database locks


def urls(settings: Settings) -> dict[Which, str]:
    """Both databases of a deployment."""
    return {"book": settings.book_url, "custody": settings.keys_book_url}


def metadata(which: Which) -> sa.MetaData:
    """The tables that the newest revision of `which` stands for."""
    return tables.book if which == "book" else tables.custody


def version_table(which: Which) -> str:
    """Where a database remembers at which revision of `which` it is."""
    return f"version_{which}"


def migrate(url: str, which: Which, folders: Sequence[Path] = ()) -> None:
    """Bring the database at `url` to the newest revision of `which`; nothing happens when it is there already.

    Processes that migrate at the same time take turns, each waiting up to 60 seconds. `folders` hold further revisions, as a later
    release has them.
    """
    from alembic import command

    engine = engines.open_engine(url, busy_timeout_seconds=60)
    name = engines.engine_name(engine)
    with engine.connect() as connection:
        driver = engines.driver_connection(connection)
        driver.execute(engines.begin_statement(name, read_only=False))
        if name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        command.upgrade(_config(which, connection, folders), "head")
        driver.execute("COMMIT")


def is_current(url: str, which: Which) -> bool:
    """True when the database at `url` is at the newest revision of `which`: what `doctor` and back-ups ask first."""
    return _revision(url, which) == NEWEST[which]


def trouble(url: str, which: Which) -> str | None:
    """Why this release cannot work on the database and what to do; None when it is current, or a newer one only added to it.

    A SQLite file that is not there is not made by asking. Raises as SQLAlchemy does when the database cannot be reached.
    """
    if not engines.is_there(url):
        return "is not there: run `gateway migrate`, or load a back-up"
    found = _revision(url, which)
    if found is None or found in KNOWN[which] - {NEWEST[which]}:
        return "is not up to date: run `gateway migrate`"
    if _generation(found) != _generation(NEWEST[which]):
        return "is of a newer release, which this one cannot work beside: start that release"
    return None


def _revision(url: str, which: Which) -> str | None:
    engine = engines.open_engine(url)
    with engine.connect() as connection:
        name = version_table(which)
        if not sa.inspect(connection).has_table(name):
            return None
        query = sa.select(sa.column("version_num", sa.String)).select_from(sa.table(name))
        found = list(connection.execute(query).scalars())
        return str(found[0]) if len(found) == 1 else None


def _generation(revision: str) -> int:
    """The number in its name; the first revision has none and begins generation 1."""
    numbered = re.match(r"[a-z]+_([0-9]+)_", revision)
    return int(numbered[1]) if numbered else 1


def _config(which: Which, connection: sa.Connection, folders: Sequence[Path]) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "gateway.store:migrations")
    places = [f"gateway.store:migrations/{which}", *map(str, folders)]
    config.set_main_option("version_locations", "\n".join(places))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, which=which)
    return config

"""Bringing a database to the tables of this release (Alembic), without a configuration file.

Two histories, `book` and `custody`, each with a folder of revisions and a version table of its own, so that they may
share a PostgreSQL database or not. A migration is one transaction on both engines: a crash or an error leaves the
database as it was, and whoever ran it runs it again. While nothing is released there is one revision each, written from
the tables by `python -m gateway.store.migrations.first`; once released, a revision never changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from gateway.store import engines, tables

if (
    TYPE_CHECKING
):  # it takes a third of a second to load, which a process that finds itself up to date can save
    from alembic.config import Config

Which = Literal["book", "custody"]

NEWEST: dict[Which, str] = {"book": "book_first", "custody": "custody_first"}  # the revision of this release

_ADVISORY_LOCK = 7_430_119  # any number that nothing else in the database locks


def metadata(which: Which) -> sa.MetaData:
    """The tables that the newest revision of `which` stands for."""
    return tables.book if which == "book" else tables.custody


def version_table(which: Which) -> str:
    """Where a database remembers at which revision of `which` it is."""
    return f"version_{which}"


def migrate(url: str, which: Which) -> None:
    """Bring the database at `url` to the newest revision of `which`; nothing happens when it is there already.

    Processes that migrate at the same time take turns, each waiting up to 60 seconds.
    """
    from alembic import command

    engine = engines.open_engine(url, busy_timeout_seconds=60)
    name = engines.engine_name(engine)
    with engine.connect() as connection:
        driver = engines.driver_connection(connection)
        driver.execute(engines.begin_statement(name, read_only=False))
        if name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        command.upgrade(_config(which, connection), "head")
        driver.execute("COMMIT")


def is_current(url: str, which: Which) -> bool:
    """True when the database at `url` is at the newest revision of `which`: what serving and `doctor` ask first."""
    engine = engines.open_engine(url)
    with engine.connect() as connection:
        name = version_table(which)
        if not sa.inspect(connection).has_table(name):
            return False
        query = sa.select(sa.column("version_num", sa.String)).select_from(sa.table(name))
        return list(connection.execute(query).scalars()) == [NEWEST[which]]


def _config(which: Which, connection: sa.Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "gateway.store:migrations")
    config.set_main_option("version_locations", f"gateway.store:migrations/{which}")
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, which=which)
    return config

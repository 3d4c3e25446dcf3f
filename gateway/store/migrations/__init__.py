"""Bringing a database to the tables of this release (Alembic), without a configuration file.

Two histories, `book` and `custody`, each with a folder of revisions and a version table of its own, so that they may
share a PostgreSQL database or not. A migration is one transaction on both engines: a crash or an error leaves the
database as it was, and whoever ran it runs it again. While nothing is released there is one revision each, written from
the tables by `python -m gateway.store.migrations.first`; once released, a revision never changes.
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.store import engines, tables

Which = Literal["book", "custody"]

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
        context = MigrationContext.configure(connection, opts={"version_table": version_table(which)})
        newest = ScriptDirectory.from_config(_config(which, connection)).get_heads()
        return set(context.get_current_heads()) == set(newest)


def _config(which: Which, connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "gateway.store:migrations")
    config.set_main_option("version_locations", f"gateway.store:migrations/{which}")
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, which=which)
    return config

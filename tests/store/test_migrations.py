"""A migrated database has the tables of this release, on both engines, and a migration is all or nothing."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from gateway.store import engines
from gateway.store import tables as t
from gateway.store.migrations import (
    KNOWN,
    Which,
    first,
    is_current,
    metadata,
    migrate,
    trouble,
    version_table,
)
from gateway.store.transaction import Store, Tx
from tests import servers

HISTORIES: tuple[Which, ...] = get_args(Which)


@pytest.fixture(params=["sqlite", "postgresql"])
def two_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two empty databases on one engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/one.sqlite", f"sqlite:///{tmp_path}/two.sqlite"
        return
    postgres: servers.PostgresServer = request.getfixturevalue("postgres")
    urls = postgres.fresh_database(), postgres.fresh_database()
    yield urls
    for url in urls:
        postgres.give_back(url)


def described(url: str, ignore: str = "") -> dict[str, Any]:
    """All that an engine tells of every table, in an order of its own."""
    with engines.open_engine(url).connect() as connection:
        inspector = sa.inspect(connection)
        return {
            table: {
                "columns": {
                    column["name"]: {**column, "type": repr(column["type"])}
                    for column in inspector.get_columns(table)
                },
                "primary key": inspector.get_pk_constraint(table),
                "foreign keys": inspector.get_foreign_keys(table),
                "unique": sorted(map(repr, inspector.get_unique_constraints(table))),
                "checks": sorted(map(repr, inspector.get_check_constraints(table))),
                "indexes": sorted(map(plain, inspector.get_indexes(table))),
            }
            for table in inspector.get_table_names()
            if table != ignore
        }


def plain(index: Any) -> str:
    """An index as text; the condition of a partial one is an object without a text of its own."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return repr({**index, "dialect_options": options})


@pytest.mark.parametrize("which", HISTORIES)
def test_the_first_revision_is_the_one_that_the_tables_give(which: Which) -> None:
    """While nothing is released. When this fails: `python -m gateway.store.migrations.first`."""
    written = (Path(first.__file__).parent / which / "first.py").read_text(encoding="utf-8")
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(first.source(which)))


@pytest.mark.parametrize("which", HISTORIES)
def test_a_migrated_database_equals_the_tables(which: Which, two_urls: tuple[str, str]) -> None:
    migrated, created = two_urls
    migrate(migrated, which)
    store = Store.open(created, metadata(which))
    store.create_tables()
    store.close()
    assert described(migrated, ignore=version_table(which)) == described(created)
    with engines.open_engine(migrated).connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": version_table(which)})
        assert compare_metadata(context, metadata(which)) == []


@pytest.mark.parametrize("which", HISTORIES)
def test_a_database_knows_whether_it_is_current_and_migrating_twice_changes_nothing(
    which: Which, database_url: str
) -> None:
    assert not is_current(database_url, which)
    migrate(database_url, which)
    assert is_current(database_url, which)
    before = described(database_url)
    migrate(database_url, which)
    assert described(database_url) == before


def test_both_histories_may_share_a_database(database_url: str) -> None:
    for which in HISTORIES:
        migrate(database_url, which)
    assert all(is_current(database_url, which) for which in HISTORIES)


def test_processes_that_migrate_at_once_take_turns(database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(migrate, database_url, "custody") for _ in range(4)]:
            done.result()
    assert is_current(database_url, "custody")


def test_a_migration_that_fails_leaves_the_database_as_it_was(database_url: str) -> None:
    with engines.open_engine(database_url).connect() as connection:
        connection.execute(sa.text("CREATE TABLE watermark (something_else INTEGER)"))
    with pytest.raises(sa.exc.DBAPIError):
        migrate(database_url, "book")
    assert list(described(database_url)) == ["watermark"]
    with engines.open_engine(database_url).connect() as connection:
        connection.execute(sa.text("DROP TABLE watermark"))
    migrate(database_url, "book")
    assert is_current(database_url, "book")


def test_no_text_has_a_length_that_one_engine_alone_would_hold_to() -> None:
    """SQLite ignores lengths: a longer value would pass every test there and be refused by PostgreSQL in use."""
    columns = [
        column for which in HISTORIES for table in metadata(which).tables.values() for column in table.c
    ]
    kinds = [(column, getattr(column.type, "impl_instance", column.type)) for column in columns]
    assert [str(column) for column, kind in kinds if getattr(kind, "length", None) is not None] == []


LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{revision}", "custody_first", None, None


def upgrade() -> None:
    op.add_column("data_key", sa.Column("note", sa.Text()))
    op.create_index("data_key_note", "data_key", ["note"])
    op.create_table("further", sa.Column("id", sa.Text(), primary_key=True))
"""


def later(folder: Path, revision: str) -> list[Path]:
    """The folder of a later release's revisions: one that adds a column, an index and a table."""
    folder.mkdir()
    (folder / "later.py").write_text(LATER.format(revision=revision))
    return [folder]


@pytest.mark.parametrize("which", HISTORIES)
def test_every_revision_of_this_release_is_known_to_it(which: Which) -> None:
    folder = Path(first.__file__).parent / which
    named = {re.findall(r'^revision = "(.+)"', file.read_text(), re.M)[0] for file in folder.glob("*.py")}
    assert named == KNOWN[which]


async def test_processes_of_both_releases_write_while_an_additive_revision_is_made(
    database_url: str, tmp_path: Path
) -> None:
    """A rolling upgrade: from the first revision up, on a database in use; the older release may even be started again."""
    migrate(database_url, "custody")
    older = Store.open(database_url, metadata("custody"), busy_timeout_seconds=10)
    stop = asyncio.Event()

    async def write_for_ever(name: str) -> int:
        done = 0
        while not stop.is_set():
            await older.transact(partial(add_key, f"{name}-{done}"))
            done += 1
        return done

    writing = [asyncio.create_task(write_for_ever(str(number))) for number in range(3)]
    await asyncio.to_thread(migrate, database_url, "custody", later(tmp_path / "later", "custody_1_note"))
    newer = Store.open(database_url, newer_tables(), busy_timeout_seconds=10)
    await newer.transact(lambda tx: add_key("newer", tx, note="known to the newer release alone"))
    await older.transact(partial(add_key, "older"))
    stop.set()
    written = sum(await asyncio.gather(*writing))
    assert await newer.read(lambda tx: tx.execute(sa.text("SELECT count(*) FROM data_key")).scalar_one()) == (
        written + 2
    )
    assert trouble(database_url, "custody") is None
    assert not is_current(database_url, "custody")
    await asyncio.gather(older.aclose(), newer.aclose())


def test_an_older_release_is_not_started_beside_a_generation_it_does_not_know(
    database_url: str, tmp_path: Path
) -> None:
    assert "run `gateway migrate`" in str(trouble(database_url, "custody"))
    migrate(database_url, "custody", later(tmp_path / "later", "custody_2_note"))
    assert "newer release" in str(trouble(database_url, "custody"))


def newer_tables() -> sa.MetaData:
    """What the later release knows of the table."""
    tables = sa.MetaData()
    columns = [
        sa.Column(column.name, column.type, primary_key=column.primary_key) for column in t.data_key.columns
    ]
    sa.Table("data_key", tables, *columns, sa.Column("note", sa.Text))
    return tables


def add_key(name: str, tx: Tx, note: str | None = None) -> None:
    row = {"id": name, "master": "master-1", "created_at": datetime(2026, 11, 2, tzinfo=UTC)}
    table = t.data_key if note is None else newer_tables().tables["data_key"]
    tx.execute(sa.insert(table), row | ({} if note is None else {"note": note}))

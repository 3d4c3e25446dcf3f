"""After deleting and scrubbing, nothing of a value is left in the database's own files."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from gateway.core.errors import Unavailable
from gateway.store.transaction import Store, Tx
from tests import servers
from tests.store.conftest import keep, kept, note

# A short value, one that fills a page, and one that spills over many.
SECRETS = {number: f"secret-{number}-" * length for number, length in ((1, 1), (2, 300), (3, 30_000))}


def traces(files: Iterable[Path]) -> set[int]:
    """The secrets of which anything is left in these files."""
    content = b"".join(file.read_bytes() for file in files if file.is_file())
    return {number for number in SECRETS if f"secret-{number}-".encode() in content}


def sqlite_files(url: str) -> list[Path]:
    """The database, its log, its index, and whatever else SQLite put beside them."""
    return list(Path(str(make_url(url).database)).parent.iterdir())


async def keep_and_lose_secrets(store: Store) -> None:
    """Write the secrets among other notes; overwrite the first, delete the others."""
    for number in range(100):
        await store.transact(keep(number, SECRETS.get(number, "nothing of note")))
    await store.transact(
        lambda tx: tx.execute(sa.update(note).where(note.c.id == 1).values(text="")).rowcount
    )
    await store.transact(lambda tx: tx.execute(sa.delete(note).where(note.c.id.in_([2, 3]))).rowcount)


async def test_sqlite_keeps_no_byte_of_what_was_deleted(sqlite_store: Store, sqlite_url: str) -> None:
    await keep_and_lose_secrets(sqlite_store)
    assert traces(sqlite_files(sqlite_url)) == set(SECRETS)  # in the write-ahead log, if nowhere else
    await sqlite_store.scrub()
    assert traces(sqlite_files(sqlite_url)) == set()
    assert len(await kept(sqlite_store)) == 98
    assert await sqlite_store.transact(keep(2)) == 2


async def test_what_a_savepoint_would_restore_is_kept_in_memory(sqlite_store: Store) -> None:
    """Else SQLite writes it to a temporary file elsewhere, which no scrub reaches."""
    in_memory = 2
    for run in (sqlite_store.transact, sqlite_store.read):
        assert await run(lambda tx: tx.execute(sa.text("PRAGMA temp_store")).scalar_one()) == in_memory


async def test_scrubbing_reaches_the_stale_pages_that_overwriting_leaves(tmp_path: Path) -> None:
    """`secure_delete` alone is not enough: pages split and merged by an index keep copies of what moved through them."""
    metadata = sa.MetaData()
    indexed = sa.Table(
        "indexed",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text, index=True),
    )
    url = f"sqlite:///{tmp_path}/book.sqlite"
    store = Store.open(url, metadata)
    store.create_tables()
    chance = random.Random(1)
    numbers = chance.sample(range(3000), 3000)

    def churn(tx: Tx) -> None:
        for number in numbers:
            text = f"secret-{number}-" + "y" * chance.randint(0, 900)
            tx.execute(sa.insert(indexed), {"id": number, "text": text})
        for number in numbers[:1500]:
            tx.execute(sa.delete(indexed).where(indexed.c.id == number))
        tx.execute(sa.update(indexed).values(text="nothing of note"))

    await store.transact(churn)
    await store.scrub()
    assert b"secret-" not in b"".join(file.read_bytes() for file in sqlite_files(url))
    await store.aclose()


async def test_a_snapshot_in_use_makes_scrubbing_unavailable_and_it_may_be_repeated(
    sqlite_store: Store, sqlite_url: str
) -> None:
    await keep_and_lose_secrets(sqlite_store)
    has_looked, may_end = threading.Event(), threading.Event()

    def look_long(tx: Tx) -> int:
        count = tx.execute(sa.select(sa.func.count()).select_from(note)).scalar_one()
        has_looked.set()
        assert may_end.wait(30)
        return int(count)

    reading = asyncio.ensure_future(sqlite_store.read(look_long))
    await asyncio.to_thread(has_looked.wait, 30)
    with pytest.raises(Unavailable):
        await sqlite_store.scrub()
    may_end.set()
    assert await reading == 98
    await sqlite_store.scrub()
    assert traces(sqlite_files(sqlite_url)) == set()


async def test_postgresql_keeps_no_byte_of_what_was_deleted_in_its_tables(
    postgres_store: Store, postgres: servers.PostgresServer, postgres_url: str
) -> None:
    """Its write-ahead log keeps old bytes until recycled: there, the destroyed data key is what erases."""
    plainly = sa.text(
        "ALTER TABLE note ALTER COLUMN text SET STORAGE EXTERNAL"
    )  # else long ones are compressed
    await postgres_store.transact(lambda tx: tx.execute(plainly).rowcount)
    await keep_and_lose_secrets(postgres_store)
    name = make_url(postgres_url).database
    number = postgres.administer(f"SELECT oid FROM pg_database WHERE datname = '{name}'")[0][0]
    folder = postgres.folder / "data" / "base" / str(number)
    postgres.administer("CHECKPOINT")
    assert traces(folder.iterdir()) == set(SECRETS)
    await postgres_store.scrub([note])
    postgres.administer("CHECKPOINT")  # forgets the file that the rewritten table replaced
    assert traces(folder.iterdir()) == set()
    assert len(await kept(postgres_store)) == 98

"""A look-up beside another store's transaction: in the same thread, on a connection that cannot write."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from gateway.core.errors import Unavailable
from gateway.store import custody
from gateway.store import tables as t
from gateway.store.prepared import Prepared
from gateway.store.transaction import Store, Tx
from keys.sealing import WrappedKey

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = WrappedKey(f"{custody.OWN}1", b"wrapped", "master-1")


async def test_a_key_is_found_in_the_thread_that_asks_and_is_gone_once_destroyed(database_url: str) -> None:
    store = Store.open(database_url, t.custody, readers=1)
    store.create_tables()
    await store.transact(lambda tx: custody.keep(tx, KEY, "SI-1", NOW))

    def look(_: Tx) -> tuple[WrappedKey | None, str]:
        return custody.own_key(store, "SI-1"), threading.current_thread().name

    found, thread = await store.read(look)
    assert (found, thread) == (KEY, "store-reader-0")
    await store.transact(lambda tx: custody.destroy(tx, "SI-1", [], NOW))
    assert (await store.read(look))[0] is None
    await store.aclose()


async def test_a_look_up_cannot_write(sqlite_url: str) -> None:
    """On SQLite the connection itself refuses; only SELECTs are looked up anyway."""
    store = Store.open(sqlite_url, t.custody, readers=1)
    store.create_tables()
    forget = Prepared(sa.update(t.data_key).values(wrapped=None))
    with pytest.raises(sa.exc.OperationalError):
        await store.read(lambda _: store.look_up(forget, {}).rowcount)
    await store.aclose()


async def test_what_cannot_be_looked_up_is_unavailable(postgres_url: str) -> None:
    store = Store.open(postgres_url, t.custody, readers=1, busy_timeout_seconds=0.2)
    store.create_tables()
    await store.transact(lambda tx: custody.keep(tx, KEY, "SI-1", NOW))
    locked, done = threading.Event(), threading.Event()

    def hold(tx: Tx) -> None:
        tx.execute(sa.text("LOCK TABLE data_key IN ACCESS EXCLUSIVE MODE"))
        locked.set()
        done.wait(20)

    holding = store.transact(hold)
    task = asyncio.ensure_future(holding)
    await asyncio.to_thread(locked.wait, 20)
    with pytest.raises(Unavailable):
        await asyncio.to_thread(custody.own_key, store, "SI-1")
    done.set()
    await task
    assert await asyncio.to_thread(custody.own_key, store, "SI-1") == KEY
    await store.aclose()

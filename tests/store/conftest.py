"""A store on each engine over two small tables, and a way to make functions wait for one another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.store.transaction import Store, Tx

METADATA = sa.MetaData()
note = sa.Table("note", METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))
remark = sa.Table(
    "remark",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    # Checked at commit, so that a batch can fail as a whole.
    sa.Column("note", sa.ForeignKey("note.id", deferrable=True, initially="DEFERRED"), nullable=False),
)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = Store.open(database_url, METADATA)
    opened.create_tables()
    yield opened
    await opened.aclose()


@pytest.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[Store]:
    opened = Store.open(sqlite_url, METADATA, busy_timeout_seconds=0.05)
    opened.create_tables()
    yield opened
    await opened.aclose()


@pytest.fixture
async def postgres_store(postgres_url: str) -> AsyncIterator[Store]:
    opened = Store.open(postgres_url, METADATA)
    opened.create_tables()
    yield opened
    await opened.aclose()


def keep(number: int, text: str = "") -> Callable[[Tx], int]:
    """A function that writes note `number` and returns the number."""

    def write(tx: Tx) -> int:
        tx.execute(sa.insert(note), {"id": number, "text": text})
        return number

    return write


async def kept(store: Store) -> list[int]:
    """The numbers of all notes."""
    return await store.read(lambda tx: list(tx.execute(sa.select(note.c.id).order_by(note.c.id)).scalars()))


class Gate:
    """A function that holds its writer until the test lets it go on."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self, tx: Tx) -> None:
        self._entered.set()
        assert self._opened.wait(30)

    async def is_entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 30)

    def open(self) -> None:
        self._opened.set()


async def together(store: Store, *fns: Callable[[Tx], Any], apart: tuple[int, ...] = ()) -> list[Any]:
    """Answers of functions that all wait when the writer comes free: on SQLite they share a commit.

    The functions at the indexes `apart` ask not to share.
    """
    gate = Gate()
    holding = asyncio.ensure_future(store.transact(gate))
    await gate.is_entered()
    waiting = [
        asyncio.ensure_future(store.transact(fn, shared=index not in apart)) for index, fn in enumerate(fns)
    ]
    await asyncio.sleep(0)  # each task has queued its function
    gate.open()
    await holding
    return await asyncio.gather(*waiting, return_exceptions=True)

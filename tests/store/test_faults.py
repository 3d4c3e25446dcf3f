"""Real faults: a killed backend, a full disk, a lock held elsewhere. Everyone is answered; nothing unknown is re-run."""

from __future__ import annotations

import asyncio
import sqlite3
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from gateway.core.errors import ErrorCode, Misconfigured, Refused, Unavailable
from gateway.store.transaction import RERUNS, Store, Tx
from tests import servers
from tests.store.conftest import METADATA, Gate, keep, kept, note, together


class Counted:
    """A function that counts its runs."""

    def __init__(self, fn: Callable[[Tx], Any]) -> None:
        self._fn = fn
        self.runs = 0

    def __call__(self, tx: Tx) -> Any:
        self.runs += 1
        return self._fn(tx)


def fail_as(sqlstate: str) -> Callable[[Tx], Any]:
    """A function that writes note 1 and then has the server fail with this SQLSTATE."""

    def fail(tx: Tx) -> None:
        keep(1)(tx)
        tx.execute(sa.text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$"))

    return fail


def end_backends(server: servers.PostgresServer, url: str) -> int:
    """End every connection to the database of `url`; how many there were."""
    database = make_url(url).database
    return len(
        server.administer(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        )
    )


# PostgreSQL


async def test_a_deadlock_is_run_again_and_both_are_kept(postgres_store: Store) -> None:
    for number in (1, 2):
        await postgres_store.transact(keep(number, "old"))
    both_hold_one = threading.Barrier(2)

    def change(first: int, second: int) -> Counted:
        def run(tx: Tx) -> None:
            tx.execute(sa.update(note).where(note.c.id == first).values(text=note.c.text + "+"))
            if counted.runs == 1:
                both_hold_one.wait(30)
            tx.execute(sa.update(note).where(note.c.id == second).values(text=note.c.text + "+"))

        counted = Counted(run)
        return counted

    changes = [change(1, 2), change(2, 1)]
    await asyncio.gather(*[postgres_store.transact(fn) for fn in changes])
    assert sorted(fn.runs for fn in changes) == [1, 2]
    texts = await postgres_store.read(lambda tx: tx.execute(sa.select(note.c.text)).scalars().all())
    assert texts == ["old++", "old++"]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_serialization_failure_or_deadlock_is_re_run_at_most_three_times(
    postgres_store: Store, sqlstate: str
) -> None:
    fn = Counted(fail_as(sqlstate))
    with pytest.raises(Unavailable):
        await postgres_store.transact(fn)
    assert fn.runs == 1 + RERUNS == 4
    assert await kept(postgres_store) == []


@pytest.mark.parametrize("sqlstate", ["53100", "58030", "57P01", "XX001", "25006", "55P03"])
async def test_a_fault_of_the_server_is_unavailable_at_once(postgres_store: Store, sqlstate: str) -> None:
    """Disk full, I/O error, shutdown, damaged data, a server turned read-only, a lock not had in time."""

    def rename(tx: Tx) -> None:
        try:
            fail_as(sqlstate)(tx)
        except sa.exc.DBAPIError as failure:
            raise Refused(ErrorCode.REFERENCE_REUSED) from failure

    for fn in (Counted(fail_as(sqlstate)), Counted(rename)):
        with pytest.raises(Unavailable):
            await postgres_store.transact(fn)
        assert fn.runs == 1
    assert await kept(postgres_store) == []
    assert await postgres_store.transact(keep(1)) == 1


async def test_a_connection_lost_in_the_middle_is_unavailable_and_the_next_one_works(
    postgres_store: Store, postgres: servers.PostgresServer, postgres_url: str
) -> None:
    gate = Gate()

    def write_late(tx: Tx) -> None:
        keep(1)(tx)
        gate(tx)
        keep(2)(tx)

    fn = Counted(write_late)
    losing = asyncio.ensure_future(postgres_store.transact(fn))
    await gate.is_entered()
    assert end_backends(postgres, postgres_url)
    gate.open()
    with pytest.raises(Unavailable):
        await losing
    assert fn.runs == 1
    assert await kept(postgres_store) == []
    assert await postgres_store.transact(keep(1)) == 1


async def test_connections_that_died_while_idle_cost_nobody_anything(
    postgres_store: Store, postgres: servers.PostgresServer, postgres_url: str
) -> None:
    await asyncio.gather(
        *[postgres_store.transact(keep(number)) for number in range(20)], kept(postgres_store)
    )
    assert end_backends(postgres, postgres_url)
    await asyncio.gather(*[postgres_store.transact(keep(number)) for number in range(20, 40)])
    assert await kept(postgres_store) == list(range(40))


async def test_a_connection_lost_during_commit_is_unknown_and_never_re_run(postgres_store: Store) -> None:
    def lose_at_commit(tx: Tx) -> None:
        keep(1)(tx)
        tx.execute(sa.text("CREATE FUNCTION end_me() RETURNS trigger LANGUAGE plpgsql AS $$"
                           " BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"))  # fmt: skip
        tx.execute(
            sa.text(
                "CREATE CONSTRAINT TRIGGER end_me AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION end_me()"
            )
        )
        keep(2)(tx)
        has_finished.append(True)

    has_finished: list[bool] = []
    fn = Counted(lose_at_commit)
    with pytest.raises(Unavailable):
        await postgres_store.transact(fn)
    assert has_finished == [True]
    assert fn.runs == 1
    assert await postgres_store.transact(keep(3)) == 3


async def test_a_transaction_that_stands_still_is_ended_and_keeps_nobody_out_for_long(
    postgres_store: Store, postgres_url: str
) -> None:
    """A process that was stopped, or whose machine went, in the middle: its locks go with its session."""
    await postgres_store.transact(keep(1, "old"))
    paused = Store.open(postgres_url, METADATA, busy_timeout_seconds=0.1)
    gate = Gate()

    def hold(tx: Tx) -> None:
        tx.execute(sa.update(note).where(note.c.id == 1).values(text="never"))
        gate(tx)
        tx.execute(sa.update(note).where(note.c.id == 1).values(text="never again"))

    holding = asyncio.ensure_future(paused.transact(hold))
    await gate.is_entered()
    await postgres_store.transact(
        lambda tx: tx.execute(sa.update(note).where(note.c.id == 1).values(text="new")) and None
    )
    gate.open()
    with pytest.raises(Unavailable):
        await holding
    texts = await postgres_store.read(lambda tx: tx.execute(sa.select(note.c.text)).scalars().all())
    assert texts == ["new"]
    await paused.aclose()


async def test_no_server_is_unavailable(tmp_path: Path) -> None:
    store = Store.open(f"postgresql://postgres@/book?host={tmp_path}", METADATA)
    fn = Counted(keep(1))
    with pytest.raises(Unavailable):
        await store.transact(fn)
    with pytest.raises(Unavailable):
        await store.read(fn)
    assert fn.runs == 0
    await store.aclose()


async def test_a_commit_is_flushed_even_where_the_operator_said_otherwise(
    postgres: servers.PostgresServer, postgres_url: str
) -> None:
    postgres.administer(f'ALTER DATABASE "{make_url(postgres_url).database}" SET synchronous_commit = off')
    store = Store.open(postgres_url, METADATA)
    setting = await store.transact(lambda tx: tx.execute(sa.text("SHOW synchronous_commit")).scalar_one())
    assert setting == "on"
    await store.aclose()


# SQLite


def fill_the_disk(tx: Tx) -> None:
    """Let the database grow no further (until the connection closes), then write more than fits."""
    tx.execute(sa.text("PRAGMA max_page_count = 1"))  # SQLite takes the present size as the smallest limit
    keep(900, "x" * 200_000)(tx)


async def test_a_full_disk_answers_the_whole_batch_and_the_store_recovers(sqlite_store: Store) -> None:
    def refuse(tx: Tx) -> None:
        raise Refused(ErrorCode.NOT_PERMITTED)

    fns = [Counted(fn) for fn in (keep(1), refuse, fill_the_disk, keep(2))]
    answers = await together(sqlite_store, *fns)
    assert [type(answer) for answer in answers] == [Unavailable] * 4
    assert [fn.runs for fn in fns] == [1, 1, 1, 0]
    assert await kept(sqlite_store) == []
    assert await sqlite_store.transact(keep(1)) == 1


async def test_a_full_disk_that_the_function_swallowed_is_unavailable_all_the_same(
    sqlite_store: Store,
) -> None:
    def swallow(tx: Tx) -> None:
        with pytest.raises(sa.exc.OperationalError, match="full"):
            fill_the_disk(tx)
        with pytest.raises(sa.exc.OperationalError, match="full"):
            keep(1)(tx)  # would be outside the transaction, which SQLite has rolled back

    with pytest.raises(Unavailable):
        await sqlite_store.transact(swallow)
    assert await kept(sqlite_store) == []


async def test_a_write_lock_held_elsewhere_is_unavailable_after_its_time_out(
    sqlite_store: Store, sqlite_url: str
) -> None:
    await sqlite_store.transact(keep(1))
    fn = Counted(keep(2))
    elsewhere = sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)
    elsewhere.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await sqlite_store.transact(fn)
    assert await kept(sqlite_store) == [1]  # reading goes on
    elsewhere.execute("ROLLBACK")
    elsewhere.close()
    assert fn.runs == 0
    assert await sqlite_store.transact(fn) == 2


async def test_another_process_may_write_beside_the_server(sqlite_store: Store, sqlite_url: str) -> None:
    beside = Store.open(sqlite_url, METADATA)
    await asyncio.gather(
        *[sqlite_store.transact(keep(number)) for number in range(20)],
        *[beside.transact(keep(number)) for number in range(20, 40)],
    )
    assert await kept(sqlite_store) == list(range(40))
    await beside.aclose()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "book.sqlite").write_bytes(b"this is not a database" * 100)
    store = Store.open(f"sqlite:///{tmp_path}/book.sqlite", METADATA)
    with pytest.raises(Unavailable):
        await store.transact(keep(1))
    await store.aclose()


def test_a_file_that_cannot_be_made_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be opened"):
        Store.open(f"sqlite:///{tmp_path}/absent/book.sqlite", METADATA)


async def test_sqlite_is_durable_strict_and_private(sqlite_store: Store, sqlite_url: str) -> None:
    def settings(tx: Tx) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        return [tx.execute(sa.text(f"PRAGMA {name}")).scalar_one() for name in names]

    assert await sqlite_store.transact(settings) == ["wal", 2, 1, 1]
    await sqlite_store.transact(keep(1))
    files = [Path(f"{make_url(sqlite_url).database}{suffix}") for suffix in ("", "-wal", "-shm")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 3


def commits(log: Path) -> int:
    """How many commits a write-ahead log holds: frames that state the database's size after them."""
    content = log.read_bytes()
    page_size, salts = struct.unpack(">8xI4x8s", content[:24])
    frames = [content[at : at + 24] for at in range(32, len(content), 24 + page_size)]
    return sum(1 for frame in frames if frame[8:16] == salts and frame[4:8] != bytes(4))


async def test_functions_that_wait_share_one_commit_except_those_that_ask_not_to(
    sqlite_store: Store, sqlite_url: str
) -> None:
    log = Path(f"{make_url(sqlite_url).database}-wal")
    await sqlite_store.transact(keep(99))
    before = commits(log)
    await together(sqlite_store, *[keep(number) for number in range(10)])
    assert commits(log) == before + 1
    await together(sqlite_store, *[keep(number) for number in range(10, 13)], apart=(1,))
    assert commits(log) == before + 4

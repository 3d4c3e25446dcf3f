"""What `transact` and `read` promise on both engines (architecture, section 6)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.core.errors import ErrorCode, Misconfigured, Refused, Unavailable
from gateway.store.engines import open_engine
from gateway.store.prepared import Prepared
from gateway.store.transaction import Store, Tx
from tests.store.conftest import METADATA, Gate, keep, kept, note, remark, together

PROJECT = Path(__file__).parents[2]


async def test_a_value_is_returned_and_what_was_written_is_there_for_others(
    store: Store, database_url: str
) -> None:
    assert await store.transact(keep(1)) == 1
    other = Store.open(database_url, METADATA)
    assert await kept(other) == [1]
    await other.aclose()


async def test_an_exception_rolls_back_its_own_function_and_only_its_caller_sees_it(store: Store) -> None:
    def refuse(tx: Tx) -> None:
        keep(2)(tx)
        raise Refused(ErrorCode.NOT_PERMITTED)

    answers = await together(store, keep(1), refuse, keep(3))
    assert [answers[0], answers[2]] == [1, 3]
    assert isinstance(answers[1], Refused)
    assert await kept(store) == [1, 3]


async def test_a_failed_statement_fails_only_its_own_function(store: Store) -> None:
    await store.transact(keep(2))
    answers = await together(store, keep(1), keep(2), keep(3))
    assert isinstance(answers[1], sa.exc.IntegrityError)
    assert await kept(store) == [1, 2, 3]


async def test_a_function_that_swallows_a_failed_statement_fails_all_the_same(store: Store) -> None:
    """PostgreSQL has aborted the transaction by then; SQLite would go on: here both answer alike."""
    await store.transact(keep(2))

    def swallow(tx: Tx) -> str:
        keep(1)(tx)
        with pytest.raises(sa.exc.IntegrityError):
            keep(2)(tx)
        with pytest.raises(sa.exc.IntegrityError):
            tx.execute(sa.select(note))
        return "all is well"

    for fns in ([swallow], [swallow, keep(3)]):
        answers = await together(store, *fns)
        assert isinstance(answers[0], sa.exc.IntegrityError)
    assert await kept(store) == [2, 3]


async def test_a_failure_at_commit_is_seen_by_its_own_caller_and_the_others_are_kept(store: Store) -> None:
    runs: list[int] = []

    def keep_counting(number: int) -> Any:
        def write(tx: Tx) -> int:
            runs.append(number)
            return keep(number)(tx)

        return write

    def orphan(tx: Tx) -> None:
        tx.execute(sa.insert(remark), {"id": 1, "note": 999})

    answers = await together(store, keep_counting(1), orphan, keep_counting(3))
    assert [answers[0], answers[2]] == [1, 3]
    failure = answers[1].orig if isinstance(answers[1], sa.exc.DBAPIError) else answers[1]
    assert "FOREIGN KEY" in str(failure).upper()
    assert await kept(store) == [1, 3]
    runs_each = 2 if store.engine_name == "sqlite" else 1  # once in the batch, once alone
    assert [runs.count(1), runs.count(3)] == [runs_each, runs_each]


async def test_an_error_text_never_shows_the_values_of_a_statement(store: Store) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught:
        await store.transact(
            lambda tx: tx.execute(sa.text("INSERT INTO absent VALUES (:v)"), {"v": "a secret"}).rowcount
        )
    assert "a secret" not in str(caught.value)


async def test_a_transaction_is_over_when_its_function_returns(store: Store) -> None:
    escaped = await store.transact(lambda tx: tx)
    with pytest.raises(RuntimeError, match="over"):
        escaped.execute(sa.select(note))


async def test_an_open_result_is_not_a_value(store: Store) -> None:
    with pytest.raises(TypeError, match="open result"):
        await store.transact(lambda tx: tx.execute(sa.select(note)))
    with pytest.raises(TypeError, match="open result"):
        await store.read(lambda tx: tx.execute(sa.select(note)))


async def test_nor_is_what_a_prepared_statement_is_still_to_find(store: Store) -> None:
    """On PostgreSQL it may be on its way still, and the connection serves another function by then."""
    every = Prepared(sa.select(note))
    with pytest.raises(TypeError, match="open result"):
        await store.transact(lambda tx: tx.execute(every))


async def test_stop_iteration_reaches_the_caller_as_a_bug(store: Store) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await store.transact(lambda tx: next(iter([])))


async def test_a_caller_that_goes_away_cancels_nothing(database_url: str) -> None:
    store = Store.open(database_url, METADATA, writers=1)
    store.create_tables()
    gate = Gate()
    holding = asyncio.ensure_future(store.transact(gate))
    await gate.is_entered()
    leaving, staying = [asyncio.ensure_future(store.transact(keep(number))) for number in (1, 2)]
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    gate.open()
    assert await staying == 2
    await holding
    assert await kept(store) == [1, 2]
    await store.aclose()


def test_an_event_loop_that_is_gone_neither_cancels_the_work_nor_stops_the_store(database_url: str) -> None:
    store = Store.open(database_url, METADATA, writers=1)
    store.create_tables()
    gate = Gate()

    async def leave() -> None:
        asyncio.ensure_future(store.transact(gate))  # noqa: RUF006 - cancelled with the loop: that is the point
        await gate.is_entered()
        asyncio.ensure_future(store.transact(keep(1)))  # noqa: RUF006
        await asyncio.sleep(0)

    async def come_back() -> list[int]:
        await store.transact(keep(2))
        return await kept(store)

    asyncio.run(leave())
    gate.open()
    assert asyncio.run(come_back()) == [1, 2]
    store.close()


async def test_a_full_queue_refuses_at_once_and_keeps_what_it_has(database_url: str) -> None:
    store = Store.open(database_url, METADATA, queue_limit=2, writers=1)
    store.create_tables()
    gate = Gate()
    holding = asyncio.ensure_future(store.transact(gate))
    await gate.is_entered()
    waiting = [asyncio.ensure_future(store.transact(keep(number))) for number in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="full"):
        await store.transact(keep(3))
    gate.open()
    await asyncio.gather(holding, *waiting)
    assert await kept(store) == [1, 2]
    await store.aclose()


async def test_closing_finishes_what_waits_and_takes_nothing_more(database_url: str) -> None:
    store = Store.open(database_url, METADATA, writers=1)
    store.create_tables()
    gate = Gate()
    holding = asyncio.ensure_future(store.transact(gate))
    await gate.is_entered()
    waiting = asyncio.ensure_future(store.transact(keep(1)))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.aclose())
    gate.open()
    await asyncio.gather(holding, waiting, closing)
    with pytest.raises(Unavailable, match="closing"):
        await store.transact(keep(2))
    with pytest.raises(Unavailable, match="closing"):
        await kept(store)
    await store.aclose()


async def test_dispatch_is_woken_in_the_callers_loop_once_the_work_is_durable(
    store: Store, database_url: str
) -> None:
    seen: list[tuple[asyncio.AbstractEventLoop, int]] = []

    def look() -> None:
        with open_engine(database_url).connect() as other:
            seen.append(
                (
                    asyncio.get_running_loop(),
                    other.execute(sa.select(sa.func.count()).select_from(note)).scalar_one(),
                )
            )

    def keep_and_wake(tx: Tx) -> None:
        keep(1)(tx)
        tx.wake()

    store.on_wake = look
    await store.transact(keep_and_wake)
    store.on_wake = None
    await store.transact(lambda tx: tx.wake())
    assert seen == [(asyncio.get_running_loop(), 1)]


async def test_dispatch_is_not_woken_for_what_was_rolled_back_or_did_not_ask(store: Store) -> None:
    woken: list[None] = []
    store.on_wake = lambda: woken.append(None)

    def wake_and_fail(tx: Tx) -> None:
        tx.wake()
        raise Refused(ErrorCode.NOT_PERMITTED)

    with pytest.raises(Refused):
        await store.transact(wake_and_fail)
    await together(store, wake_and_fail, keep(1))
    assert woken == []


async def test_a_read_sees_one_snapshot_and_writers_do_not_wait_for_it(store: Store) -> None:
    has_looked, may_look_again = threading.Event(), threading.Event()

    def look_twice(tx: Tx) -> list[int]:
        count = sa.select(sa.func.count()).select_from(note)
        first = tx.execute(count).scalar_one()
        has_looked.set()
        assert may_look_again.wait(30)
        return [first, tx.execute(count).scalar_one()]

    reading = asyncio.ensure_future(store.read(look_twice))
    await asyncio.to_thread(has_looked.wait, 30)
    await store.transact(keep(1))
    may_look_again.set()
    assert await reading == [0, 0]
    assert await kept(store) == [1]


async def test_a_read_does_not_wait_behind_a_writer(database_url: str) -> None:
    store = Store.open(database_url, METADATA, writers=1)
    store.create_tables()
    gate = Gate()
    holding = asyncio.ensure_future(store.transact(gate))
    await gate.is_entered()
    assert await kept(store) == []
    gate.open()
    await holding
    await store.aclose()


async def test_a_reading_function_cannot_write(store: Store) -> None:
    with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
        await store.read(keep(1))
    assert await kept(store) == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "not a url", ""])
def test_only_a_sqlite_file_or_postgresql_will_do(url: str) -> None:
    with pytest.raises(Misconfigured):
        Store.open(url, METADATA)


_WRITER = """
import asyncio, sys
from gateway.store.transaction import Store
from tests.store.conftest import METADATA, keep

async def main():
    store = Store.open(sys.argv[1], METADATA)
    async def one(number):
        print(await store.transact(keep(number)), flush=True)
    for start in range(0, 100_000, 10):
        await asyncio.gather(*[one(number) for number in range(start, start + 10)])

asyncio.run(main())
"""


async def test_whatever_was_answered_survives_a_kill(store: Store, database_url: str) -> None:
    command = [sys.executable, "-c", _WRITER, database_url]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(200)]
        os.kill(process.pid, signal.SIGKILL)
        answered += [int(line) for line in process.stdout if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL
    assert set(answered) <= set(await kept(store))

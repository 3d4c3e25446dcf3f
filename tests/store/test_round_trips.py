"""On PostgreSQL what is written goes with the next question, and what is asked ahead comes with one answer; on SQLite nothing changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store import deliveries, log, replay
from gateway.store import tables as t
from gateway.store.engines import driver_connection, open_engine
from gateway.store.prepared import Prepared
from gateway.store.transaction import Store, Tx
from tests.servers import PostgresServer

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BURN = Prepared(sa.insert(t.replay))
BURNT = Prepared(sa.select(t.replay.c.key).where(t.replay.c.key == sa.bindparam("key")))
PUT_OFF = Prepared(sa.update(t.replay).values(expires_at=sa.bindparam("until")))
Count = Callable[[Callable[[Tx], None]], int]


class Taken(Exception):
    pass


BURN_ONCE = Prepared(sa.insert(t.replay), taken=Taken)


def burn(tx: Tx, key: str, statement: Prepared = BURN) -> None:
    tx.execute(statement, {"key": key, "expires_at": NOW})


def is_burnt(tx: Tx, key: str) -> bool:
    return tx.execute(BURNT, {"key": key}).first() is not None


@pytest.fixture
async def store(database_url: str) -> Store:
    made = Store.open(database_url, t.book, writers=1, readers=1)
    made.create_tables()
    return made


@pytest.fixture
def trips(postgres: PostgresServer, tmp_path: Path) -> Iterator[Count]:
    """How many round trips a function and its commit take, as the driver's own trace of the protocol has them."""
    engine = open_engine(postgres.fresh_database())
    with engine.connect() as connection:
        t.book.create_all(connection)
        driver = driver_connection(connection)

        def count(fn: Callable[[Tx], None]) -> int:
            driver.execute("BEGIN")
            told = tmp_path / "protocol"
            with told.open("w") as file:
                driver.pgconn.trace(file.fileno())
                tx = Tx(connection, "postgresql")
                fn(tx)
                tx.send("COMMIT")
                driver.pgconn.untrace()
                os.fsync(file.fileno())
            return told.read_text().count("ReadyForQuery")

        yield count
    engine.dispose()


def test_any_number_of_writes_goes_with_the_commit(trips: Count) -> None:
    def write(tx: Tx) -> None:
        for number in range(9):
            burn(tx, f"key-{number}")

    assert trips(write) == 1


def test_a_question_takes_what_waits_along(trips: Count) -> None:
    def write_ask_write(tx: Tx) -> None:
        burn(tx, "one")
        assert is_burnt(tx, "one")
        burn(tx, "two")

    assert trips(write_ask_write) == 2


def test_what_is_asked_ahead_is_asked_once_in_one_round_trip(
    trips: Count,
) -> None:
    def ask(tx: Tx) -> None:
        tx.ahead(lambda tx: [is_burnt(tx, key) for key in "abcdef"])
        assert not any(is_burnt(tx, key) for key in "abcdef")

    assert trips(ask) == 2


def test_a_proof_that_is_burnt_changes_nothing_else_that_was_asked_ahead(trips: Count) -> None:
    def ask_burn_ask(tx: Tx) -> None:
        tx.ahead(lambda tx: log.chain_head(tx, "msg-one"))
        assert replay.burn(tx, "key", NOW, NOW)
        assert log.chain_head(tx, "msg-one") is None

    assert trips(ask_burn_ask) == 2, "and the commit"


def test_looking_for_due_deliveries_where_none_is_due_is_one_question(trips: Count) -> None:
    def look(tx: Tx) -> None:
        assert deliveries.claim(tx, NOW, NOW, most=8, each=2) == []

    assert trips(look) == 2, "and the commit"


async def test_what_a_transaction_writes_it_finds_although_it_had_asked_ahead(store: Store) -> None:
    def ask_write_ask(tx: Tx) -> list[bool]:
        tx.ahead(lambda tx: is_burnt(tx, "one"))
        before = is_burnt(tx, "one")
        burn(tx, "one")
        return [before, is_burnt(tx, "one")]

    assert await store.transact(ask_write_ask) == [False, True]
    await store.aclose()


async def test_whoever_takes_turns_sees_what_the_one_before_left_whatever_was_asked_ahead(
    postgres_url: str,
) -> None:
    one, other = (Store.open(postgres_url, t.book, writers=1, readers=1) for _ in range(2))
    one.create_tables()

    def ask_wait_ask(tx: Tx) -> list[bool]:
        tx.ahead(lambda tx: is_burnt(tx, "one"))
        before = is_burnt(tx, "one")
        asyncio.run(other.transact(lambda tx: burn(tx, "one")))
        tx.take_turns("here")
        return [before, is_burnt(tx, "one")]

    assert await one.transact(ask_wait_ask) == [False, True]
    await one.aclose()
    await other.aclose()


async def test_how_many_rows_a_write_touched_is_known_when_it_is_asked(store: Store) -> None:
    def write(tx: Tx) -> int:
        tx.execute(BURN, [{"key": key, "expires_at": NOW} for key in "abc"])
        return tx.execute(PUT_OFF, {"until": NOW}).rowcount

    assert await store.transact(write) == 3
    await store.aclose()


@pytest.mark.parametrize("asks_after", [False, True], ids=["at the commit", "at the next question"])
async def test_a_taken_key_ends_the_function_in_the_statement_s_own_word_and_keeps_nothing(
    store: Store, asks_after: bool
) -> None:
    await store.transact(lambda tx: burn(tx, "one"))

    def write(tx: Tx) -> None:
        burn(tx, "two")
        burn(tx, "one", BURN_ONCE)
        burn(tx, "three")
        if asks_after:
            is_burnt(tx, "two")

    with pytest.raises(Taken):
        await store.transact(write)
    kept = await store.read(lambda tx: [is_burnt(tx, key) for key in ("one", "two", "three")])
    assert kept == [True, False, False]
    await store.aclose()


async def test_a_value_that_is_missing_is_no_taken_key(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        await store.transact(lambda tx: tx.execute(BURN_ONCE, {"key": "one", "expires_at": None}).rowcount)
    await store.aclose()


async def test_a_function_that_lets_a_failure_pass_fails_all_the_same(store: Store) -> None:
    await store.transact(lambda tx: burn(tx, "one"))

    def swallow(tx: Tx) -> str:
        try:
            burn(tx, "one", BURN_ONCE)
            is_burnt(tx, "one")
        except Taken:
            pass
        return "well"

    with pytest.raises(sa.exc.IntegrityError):
        await store.transact(swallow)
    assert await store.transact(lambda tx: is_burnt(tx, "one"))
    await store.aclose()


@pytest.mark.parametrize(
    "ask",
    [
        lambda tx: burn(tx, "one"),
        lambda tx: tx.execute(sa.select(t.replay)),
        lambda tx: tx.take_turns("here"),
    ],
    ids=["a write", "a question that is not prepared", "taking turns"],
)
async def test_ahead_of_a_function_nothing_is_done_but_prepared_questions_asked(
    postgres_url: str, ask: Callable[[Tx], object]
) -> None:
    """It would be done twice, or be asked in vain."""
    store = Store.open(postgres_url, t.book, writers=1, readers=1)
    store.create_tables()
    with pytest.raises(TypeError, match="prepared questions"):
        await store.transact(lambda tx: tx.ahead(ask))
    assert not await store.transact(lambda tx: is_burnt(tx, "one"))
    await store.aclose()


async def test_nothing_is_asked_ahead_when_the_function_fails_before_it_asks(store: Store) -> None:
    def fail(tx: Tx) -> None:
        tx.ahead(lambda tx: is_burnt(tx, "one"))
        raise LookupError

    with pytest.raises(LookupError):
        await store.transact(fail)
    assert not await store.transact(lambda tx: is_burnt(tx, "one"))
    await store.aclose()

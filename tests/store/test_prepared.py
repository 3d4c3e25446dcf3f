"""A prepared statement does what SQLAlchemy would have done with it, on both engines."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from gateway.store import tables as t
from gateway.store.prepared import Prepared
from gateway.store.transaction import Store, Tx

NOW = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
DUTY = {
    "id": "dty-1",
    "partnership": "north",
    "incident": "SI-1",
    "message": "msg-1",
    "agency": "council",
    "role": "dsp-la",
    "expects": "triage-decision",
    "clock": "K11",
    "rule": "referral",
    "pack_version": "1",
    "start_at": NOW,
    "due_on": date(2026, 3, 3),
    "due_at": None,
    "due_inclusive": True,
    "state": "open",
}
OWE = Prepared(sa.insert(t.duty))
OPEN = Prepared(sa.insert(t.incident))
INCIDENT = {"partnership": "north", "chain": "c", "pack_version": "1", "state": "open", "opened_at": NOW}


@pytest.fixture
async def store(database_url: str) -> Store:
    made = Store.open(database_url, t.book, writers=1, readers=1)
    made.create_tables()
    return made


async def test_values_come_back_in_the_types_they_went_in(store: Store) -> None:
    names = [column for column in t.duty.c if column.name in DUTY]
    query = sa.select(*names).where(t.duty.c.id == sa.bindparam("duty"))

    def write_and_read(tx: Tx) -> tuple[object, object]:
        tx.execute(OWE, DUTY)
        prepared = tx.execute(Prepared(query), {"duty": "dty-1"}).first()
        plain = tx.execute(query, {"duty": "dty-1"}).first()
        return prepared, tuple(plain) if plain else None

    prepared, plain = await store.transact(write_and_read)
    assert prepared == plain == tuple(DUTY[column.name] for column in names)
    await store.aclose()


async def test_json_and_the_table_s_defaults_are_kept(store: Store) -> None:
    query = Prepared(sa.select(t.incident.c.outcomes, t.incident.c.legal_hold))

    def write_and_read(tx: Tx) -> list[object]:
        tx.execute(OPEN, INCIDENT | {"id": "SI-1", "outcomes": [{"decided": ["by", "all"]}]})
        return list(tx.execute(query))

    assert await store.transact(write_and_read) == [([{"decided": ["by", "all"]}], False)]
    await store.aclose()


async def test_several_rows_are_one_statement_and_are_counted(store: Store) -> None:
    rows = [DUTY | {"id": f"dty-{number}"} for number in range(3)]
    close = Prepared(sa.update(t.duty).where(t.duty.c.state == sa.bindparam("was")).values(state="met"))

    def write(tx: Tx) -> int:
        tx.execute(OWE, rows)
        return tx.execute(close, {"was": "open"}).rowcount

    assert await store.transact(write) == 3
    await store.aclose()


async def test_a_failed_statement_fails_its_function_and_shows_no_value(store: Store) -> None:
    def twice(tx: Tx) -> None:
        tx.execute(OWE, DUTY | {"role": "secret-role"})
        tx.execute(OWE, DUTY | {"role": "secret-role"})

    with pytest.raises(sa.exc.IntegrityError) as refused:
        await store.transact(twice)
    assert "secret-role" not in str(refused.value)
    assert await store.read(lambda tx: list(tx.execute(Prepared(sa.select(t.duty.c.id))))) == []
    await store.aclose()


async def test_a_missing_value_is_a_fault_and_never_null(store: Store) -> None:
    query = Prepared(sa.select(t.duty.c.id).where(t.duty.c.id == sa.bindparam("duty")))
    with pytest.raises(KeyError):
        await store.read(lambda tx: list(tx.execute(query, {"dutty": "dty-1"})))
    with pytest.raises(KeyError):
        await store.transact(lambda tx: tx.execute(OWE, [DUTY, {"id": "dty-2"}]).rowcount)
    await store.aclose()

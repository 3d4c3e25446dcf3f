"""The log in a real database, on both engines, with the transactions in the test's hands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from sqlalchemy import Engine

from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.ledger.appending import Entry, Issuer, append
from gateway.ledger.sealing import BATCH, Waiting, plan, seal
from gateway.ledger.statement import draft
from gateway.store.engines import open_engine
from gateway.store.log import CheckpointRow
from gateway.store.tables import book
from gateway.store.transaction import Tx
from tests.ledger.scene import LOG, ORIGIN, RECEIPTS

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ISSUER = Issuer("gateway.example", RECEIPTS)
NORTH = PartnershipId("north")


class Begin(Protocol):
    def __call__(self, *, keep: bool = True) -> AbstractContextManager[Tx]: ...


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = open_engine(database_url, busy_timeout_seconds=0.2)
    with made.connect() as connection:
        book.create_all(connection)
    yield made
    made.dispose()


@pytest.fixture
def begin(engine: Engine) -> Begin:
    """A transaction of its own connection: commits at the end of the block (`keep=False` rolls back), and rolls back when it raises."""

    @contextmanager
    def one(*, keep: bool = True) -> Iterator[Tx]:
        with ExitStack() as stack:
            connection = stack.enter_context(engine.connect())
            connection.exec_driver_sql("BEGIN")
            tx = Tx(connection, "sqlite" if engine.dialect.name == "sqlite" else "postgresql")
            try:
                yield tx
                tx.send()
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT" if keep else "ROLLBACK")

    return one


def seal_now(
    tx: Tx, at: datetime = NOW, origin: str = ORIGIN, limit: int = BATCH, link: Waiting | None = None
) -> CheckpointRow | None:
    """Plan, sign and write one batch in one transaction."""
    planned = plan(tx, origin, limit, link)
    return None if planned is None else seal(tx, planned, planned.signed(LOG), at)


def log_one(
    tx: Tx, ref: str, number: int = 0, incident: str | None = None, event: Event = Event.ROUTED
) -> Entry:
    """Append one entry without fields."""
    one = draft(event, ref, NOW + timedelta(seconds=number), {})
    return append(
        tx,
        ISSUER,
        one,
        partnership=NORTH,
        incident=None if incident is None else IncidentId(incident),
        seal=None,
        data_key=None,
    )

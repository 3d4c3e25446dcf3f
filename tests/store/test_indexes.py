"""What the timetable asks again and again is answered by an index, on both engines."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from gateway.store import incidents
from gateway.store.tables import book
from gateway.store.transaction import Store, Tx


async def test_erasures_under_way_are_found_without_a_walk_through_all_incidents(database_url: str) -> None:
    books = Store.open(database_url, book)
    books.create_tables()
    asked: list[str] = []

    def note(_1: Any, _2: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    def explained(tx: Tx) -> str:
        if tx.engine_name == "postgresql":  # else it walks through what is as small as this
            tx.execute(sa.text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN" if tx.engine_name == "postgresql" else "EXPLAIN QUERY PLAN"
        return " ".join(str(row) for row in tx.execute(sa.text(f"{explain} {asked[0]}")))

    sa.event.listen(Engine, "before_cursor_execute", note)
    try:
        assert await books.read(incidents.being_erased) == []
    finally:
        sa.event.remove(Engine, "before_cursor_execute", note)
    assert "incident_erasing" in await books.read(explained)
    await books.aclose()

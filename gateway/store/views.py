"""Each officer's own saved views of the list of incidents: a name and the filters, no content."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from gateway.store import tables as t
from gateway.store.transaction import Tx

MOST_VIEWS = 20  # of one officer


@dataclass(frozen=True, slots=True)
class SavedView:
    """`query` is what stands in the page's address after the question mark."""

    id: str
    name: str
    query: str


def of_officer(tx: Tx, officer: str) -> list[SavedView]:
    """By name."""
    rows = tx.execute(
        select(t.saved_view).where(t.saved_view.c.officer == officer).order_by(t.saved_view.c.name)
    )
    return [SavedView(row.id, row.name, row.query) for row in rows]


def save(tx: Tx, officer: str, view: SavedView) -> bool:
    """Keep it in place of one of the same name; False when the officer has as many as may be."""
    mine = t.saved_view.c.officer == officer
    tx.execute(delete(t.saved_view).where(mine, t.saved_view.c.name == view.name))
    kept = tx.execute(select(func.count()).select_from(t.saved_view).where(mine)).scalar_one()
    if kept >= MOST_VIEWS:
        return False
    values = {"id": view.id, "officer": officer, "name": view.name, "query": view.query}
    tx.execute(insert(t.saved_view).values(values))
    return True


def remove(tx: Tx, officer: str, view: str) -> None:
    tx.execute(delete(t.saved_view).where(t.saved_view.c.officer == officer, t.saved_view.c.id == view))

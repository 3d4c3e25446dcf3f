"""Lists of bank holidays that officers put in force, kept whole so that every date stays explainable (C-12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from gateway.store import tables as t
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class HolidaysRow:
    """One dated copy. `recounted_at` is set once every open duty has been counted by it."""

    version: str
    document: str
    uploaded_at: datetime
    uploaded_by: str
    seconded_by: str
    current: bool
    recounted_at: datetime | None


_ALL = select(*[t.holidays.c[name] for name in HolidaysRow.__slots__])


def current_version(tx: Tx) -> str | None:
    """The version in force, or None while only the shipped copy is."""
    return tx.execute(select(t.holidays.c.version).where(t.holidays.c.current.is_(True))).scalar()


def document(tx: Tx, version: str) -> str:
    return str(tx.execute(select(t.holidays.c.document).where(t.holidays.c.version == version)).scalar_one())


def every(tx: Tx) -> list[HolidaysRow]:
    """The newest first."""
    rows = tx.execute(_ALL.order_by(t.holidays.c.uploaded_at.desc(), t.holidays.c.version.desc()))
    return [HolidaysRow(*row) for row in rows]


def put_in_force(tx: Tx, values: Mapping[str, Any]) -> None:
    """This list from now on; the one before stays on record. An earlier one may come back."""
    tx.execute(update(t.holidays).values(current=False))
    tx.execute(t.holidays.delete().where(t.holidays.c.version == values["version"]))
    tx.execute(insert(t.holidays).values(**values, current=True, recounted_at=None))


def waits_for_recount(tx: Tx) -> HolidaysRow | None:
    """The list in force while open duties may still stand by the one before."""
    where = (t.holidays.c.current.is_(True), t.holidays.c.recounted_at.is_(None))
    row = tx.execute(_ALL.where(*where)).first()
    return None if row is None else HolidaysRow(*row)


def recounted(tx: Tx, version: str, at: datetime) -> None:
    tx.execute(update(t.holidays).where(t.holidays.c.version == version).values(recounted_at=at))

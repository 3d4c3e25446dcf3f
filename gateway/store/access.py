"""Which incidents only named officers may open, who those are, and how much each officer searched, opened and took out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, insert, select, update

from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.officers import name_key
from gateway.store import tables as t
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class RestrictionRow:
    """An incident that only named officers open. `reason` is a coarse code."""

    partnership: PartnershipId
    incident: IncidentId
    reason: str
    restricted_by: str
    restricted_at: datetime


@dataclass(frozen=True, slots=True)
class AdmissionRow:
    """An officer who may open it. `until` is set on one who opened it against the restriction, with their `reason`."""

    partnership: PartnershipId
    incident: IncidentId
    officer: str
    name: str
    admitted_by: str
    admitted_at: datetime
    until: datetime | None
    reason: str | None

    def holds_at(self, at: datetime) -> bool:
        return self.until is None or at < self.until


@dataclass(frozen=True, slots=True)
class UseRow:
    """How often an officer did one thing on one day."""

    officer: str
    used_on: date
    act: str
    count: int


def restriction(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> RestrictionRow | None:
    c = t.restriction.c
    row = tx.execute(select(*c).where(c.partnership == partnership, c.incident == incident)).first()
    return None if row is None else RestrictionRow(**row._mapping)


def restrict(tx: Tx, row: RestrictionRow) -> None:
    tx.execute(insert(t.restriction).values(**{name: getattr(row, name) for name in row.__slots__}))


def lift(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> None:
    """Everybody may open it again; who was admitted is forgotten, and stands in the ledger."""
    r, a = t.restriction.c, t.admission.c
    tx.execute(delete(t.restriction).where(r.partnership == partnership, r.incident == incident))
    tx.execute(delete(t.admission).where(a.partnership == partnership, a.incident == incident))


def admissions(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[AdmissionRow]:
    """Who was admitted, also those whose time is over; by name."""
    c = t.admission.c
    query = select(*c).where(c.partnership == partnership, c.incident == incident).order_by(c.officer)
    return [AdmissionRow(**row._mapping) for row in tx.execute(query)]


def admit(tx: Tx, row: AdmissionRow) -> None:
    """One admission an officer: the newest word counts."""
    c = t.admission.c
    same = (c.partnership == row.partnership, c.incident == row.incident, c.officer == row.officer)
    tx.execute(delete(t.admission).where(*same))
    tx.execute(insert(t.admission).values(**{name: getattr(row, name) for name in row.__slots__}))


def restricted_in(tx: Tx, within: Sequence[PartnershipId]) -> list[RestrictionRow]:
    """Every restricted incident, the newest first; there are few."""
    c = t.restriction.c
    query = select(*c).where(c.partnership.in_(list(within))).order_by(c.restricted_at.desc(), c.incident)
    return [RestrictionRow(**row._mapping) for row in tx.execute(query)]


def overrides_in(tx: Tx, within: Sequence[PartnershipId], most: int) -> list[AdmissionRow]:
    """Who opened a restricted incident without being named, the newest first."""
    c = t.admission.c
    query = select(*c).where(c.partnership.in_(list(within)), c.until.is_not(None))
    return [
        AdmissionRow(**row._mapping)
        for row in tx.execute(query.order_by(c.admitted_at.desc(), c.incident).limit(most))
    ]


def count_use(tx: Tx, officer: str, on: date, act: str) -> int:
    """One more; how many it are on that day now."""
    key, c = name_key(officer), t.officer_use.c
    tx.take_turns(f"use:{key}")
    same = (c.officer == key, c.used_on == on, c.act == act)
    found = tx.execute(select(c["count"]).where(*same)).scalar_one_or_none()
    if found is None:
        tx.execute(insert(t.officer_use).values(officer=key, used_on=on, act=act, count=1))
        return 1
    tx.execute(update(t.officer_use).where(*same).values(count=found + 1))
    return int(found) + 1


def uses_since(tx: Tx, since: date, at_least: dict[str, int]) -> list[UseRow]:
    """Days on which an officer did one of these things at least so often, the newest first."""
    c = t.officer_use.c
    query = select(*c).where(c.used_on >= since).order_by(c.used_on.desc(), c.officer, c.act)
    rows = (UseRow(**row._mapping) for row in tx.execute(query))
    return [row for row in rows if row.act in at_least and row.count >= at_least[row.act]]

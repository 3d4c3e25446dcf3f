"""The log of personal-data breaches, near misses among them (UK GDPR Article 33(5)). Ids and codes, never content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from gateway.core.messages import DutyId, IncidentId, MessageId, PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class BreachRow:
    id: str
    partnership: PartnershipId
    incident: IncidentId
    message: MessageId | None
    kind: str
    duty: DutyId | None
    aware_at: datetime
    recorded_at: datetime
    recorded_by: str
    state: str
    closed_at: datetime | None
    ico_reference: str | None


_ALL = select(*[t.breach.c[name] for name in BreachRow.__dataclass_fields__])


def record(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(t.breach), dict(values))


def find(tx: Tx, within: Sequence[str], breach: str) -> BreachRow | None:
    """A breach of any of these partnerships."""
    row = tx.execute(_ALL.where(t.breach.c.id == breach, t.breach.c.partnership.in_(within))).first()
    return None if row is None else BreachRow(*row)


def every(tx: Tx, within: Sequence[str]) -> list[BreachRow]:
    """Newest first."""
    query = _ALL.where(t.breach.c.partnership.in_(within))
    return [BreachRow(*row) for row in tx.execute(query.order_by(t.breach.c.recorded_at.desc()))]


def still_open(tx: Tx, within: Sequence[str], most: int) -> list[BreachRow]:
    """Those that wait for a report or a decision, the longest known first; at most so many of each partnership."""
    c = t.breach.c
    found: list[BreachRow] = []
    for partnership in within:
        query = _ALL.where(c.partnership == partnership, c.state == "open")
        found.extend(BreachRow(*row) for row in tx.execute(query.order_by(c.aware_at, c.id).limit(most)))
    return sorted(found, key=lambda one: (one.aware_at, one.id))[:most]


def ended(tx: Tx, within: Sequence[str], most: int) -> list[BreachRow]:
    """Those that were closed, the newest first."""
    query = _ALL.where(t.breach.c.partnership.in_(within), t.breach.c.state != "open")
    return [BreachRow(*row) for row in tx.execute(query.order_by(t.breach.c.recorded_at.desc()).limit(most))]


def of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[BreachRow]:
    """Oldest first."""
    query = _ALL.where(t.breach.c.partnership == partnership, t.breach.c.incident == incident)
    return [BreachRow(*row) for row in tx.execute(query.order_by(t.breach.c.recorded_at))]


def close(tx: Tx, partnership: PartnershipId, breach: str, **values: Any) -> None:
    where = (t.breach.c.id == breach, t.breach.c.partnership == partnership)
    tx.execute(update(t.breach).where(*where).values(**values))

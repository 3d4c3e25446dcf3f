"""What waits for an officer, and how each wait ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, insert, or_, select, update

from gateway.core.messages import IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx

MOST_WAITING = 1000


@dataclass(frozen=True, slots=True)
class HoldRow:
    id: str
    partnership: PartnershipId
    incident: IncidentId | None
    subject_kind: str
    subject: str
    reasons: tuple[str, ...]
    held_at: datetime
    settled_at: datetime | None
    settled_as: str | None


_ALL = select(
    t.hold.c.id,
    t.hold.c.partnership,
    t.hold.c.incident,
    t.hold.c.subject_kind,
    t.hold.c.subject,
    t.hold.c.reasons,
    t.hold.c.held_at,
    t.hold.c.settled_at,
    t.hold.c.settled_as,
)


def place(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(t.hold), dict(values))


def open_holds(tx: Tx, partnership: PartnershipId | None = None) -> list[HoldRow]:
    query = _ALL.where(t.hold.c.settled_at.is_(None))
    if partnership is not None:
        query = query.where(t.hold.c.partnership == partnership)
    return [_hold(row) for row in tx.execute(query.order_by(t.hold.c.held_at))]


def waiting(tx: Tx, within: Sequence[str]) -> list[HoldRow]:
    """What waits in these partnerships, the longest first; of each at most the thousand that wait longest."""
    found: list[HoldRow] = []
    for partnership in within:
        query = _ALL.where(t.hold.c.partnership == partnership, t.hold.c.settled_at.is_(None))
        rows = tx.execute(query.order_by(t.hold.c.held_at, t.hold.c.id).limit(MOST_WAITING))
        found.extend(_hold(row) for row in rows)
    return sorted(found, key=lambda one: (one.held_at, one.id))


def about_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[HoldRow]:
    """What waits about one incident, the longest first."""
    query = _ALL.where(
        t.hold.c.partnership == partnership, t.hold.c.settled_at.is_(None), t.hold.c.incident == incident
    )
    return [_hold(row) for row in tx.execute(query.order_by(t.hold.c.held_at))]


def open_of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId, reason: str) -> list[HoldRow]:
    """What waits about one incident for this reason."""
    query = _ALL.where(
        t.hold.c.partnership == partnership, t.hold.c.incident == incident, t.hold.c.settled_at.is_(None)
    )
    return [held for row in tx.execute(query) if reason in (held := _hold(row)).reasons]


def count_open(tx: Tx) -> int:
    query = select(func.count()).select_from(t.hold).where(t.hold.c.settled_at.is_(None))
    return int(tx.execute(query).scalar_one())


def find(tx: Tx, hold: str) -> HoldRow | None:
    row = tx.execute(_ALL.where(t.hold.c.id == hold)).first()
    return None if row is None else _hold(row)


def settle(tx: Tx, hold: str, at: datetime, by: str, settled_as: str) -> bool:
    """End a hold once; False when somebody already did: a double click does it once."""
    done = tx.execute(
        update(t.hold)
        .where(t.hold.c.id == hold, t.hold.c.settled_at.is_(None))
        .values(settled_at=at, settled_by=by, settled_as=settled_as)
    )
    return done.rowcount == 1


def settle_of_subject(tx: Tx, kind: str, subject: str, at: datetime, by: str, settled_as: str) -> None:
    """End whatever is held about one subject: the officer has dealt with it by other means."""
    where = (t.hold.c.subject_kind == kind, t.hold.c.subject == subject, t.hold.c.settled_at.is_(None))
    tx.execute(update(t.hold).where(*where).values(settled_at=at, settled_by=by, settled_as=settled_as))


def settle_between(
    tx: Tx,
    partnership: PartnershipId,
    one: IncidentId,
    other: IncidentId,
    at: datetime,
    settled_as: str,
    by: str | None = None,
) -> None:
    """End the question whether two incidents are about one child, whichever of them asked it."""
    sides = or_(
        and_(t.hold.c.incident == one, t.hold.c.subject == other),
        and_(t.hold.c.incident == other, t.hold.c.subject == one),
    )
    where = (t.hold.c.partnership == partnership, t.hold.c.subject_kind == "incident", sides)
    still = t.hold.c.settled_at.is_(None)
    tx.execute(
        update(t.hold).where(*where, still).values(settled_at=at, settled_by=by, settled_as=settled_as)
    )


def settle_of_incident(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, at: datetime, settled_as: str
) -> None:
    """End every hold of an incident, or about it: after erasure there is nothing left to decide on."""
    where = (
        t.hold.c.partnership == partnership,
        or_(t.hold.c.incident == incident, t.hold.c.subject == incident),
        t.hold.c.settled_at.is_(None),
    )
    tx.execute(update(t.hold).where(*where).values(settled_at=at, settled_as=settled_as))


def _hold(row: Any) -> HoldRow:
    return HoldRow(row[0], row[1], row[2], row[3], row[4], tuple(row[5]), *row[6:])

"""Pairs of incidents that may be, or were said to be, about the same child; each pair stands once, in the order of its ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from gateway.core.messages import IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.transaction import Tx

POSSIBLE, LINKED, APART = "possible", "linked", "apart"


@dataclass(frozen=True, slots=True)
class LikenessRow:
    partnership: PartnershipId
    first: IncidentId
    second: IncidentId
    state: str
    strength: str
    reasons: tuple[str, ...]
    children: tuple[tuple[str, str], ...]
    found_at: datetime
    settled_at: datetime | None
    settled_by: str | None

    def other(self, incident: IncidentId) -> IncidentId:
        return self.second if incident == self.first else self.first

    def letters(self, incident: IncidentId) -> tuple[tuple[str, str], ...]:
        """Which child of `incident` is like which child of the other one."""
        return self.children if incident == self.first else tuple((b, a) for a, b in self.children)


_NAMES = (
    "partnership",
    "first",
    "second",
    "state",
    "strength",
    "reasons",
    "children",
    "found_at",
    "settled_at",
    "settled_by",
)
_ALL = select(*[t.likeness.c[name] for name in _NAMES])


def find(tx: Tx, partnership: PartnershipId, one: IncidentId, other: IncidentId) -> LikenessRow | None:
    row = tx.execute(_ALL.where(*_pair(partnership, one, other))).first()
    return None if row is None else _likeness(row)


def of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[LikenessRow]:
    return [row for row in of_partnership(tx, partnership, incident) if row.state != APART]


def of_partnership(
    tx: Tx, partnership: PartnershipId, incident: IncidentId | None = None
) -> list[LikenessRow]:
    """Every pair of a partnership, or of one of its incidents, told apart or not; the newest first."""
    query = _ALL.where(t.likeness.c.partnership == partnership)
    if incident is not None:
        query = query.where(or_(t.likeness.c.first == incident, t.likeness.c.second == incident))
    ordered = query.order_by(t.likeness.c.found_at.desc(), t.likeness.c.first, t.likeness.c.second)
    return [_likeness(row) for row in tx.execute(ordered)]


def possible(tx: Tx, within: Sequence[str], most: int) -> list[LikenessRow]:
    """Pairs that an officer has not looked at, the longest waiting first; at most so many of each partnership."""
    c = t.likeness.c
    found: list[LikenessRow] = []
    for partnership in within:
        query = _ALL.where(c.partnership == partnership, c.state == POSSIBLE)
        rows = tx.execute(query.order_by(c.found_at, c.first, c.second).limit(most))
        found.extend(_likeness(row) for row in rows)
    return sorted(found, key=lambda one: (one.found_at, one.first, one.second))[:most]


def record(
    tx: Tx,
    partnership: PartnershipId,
    pair: tuple[IncidentId, IncidentId],
    children: Sequence[tuple[str, str]],
    **values: Any,
) -> None:
    """Set what is known of a pair. `children` are letters in the order of `pair`, whichever order that is."""
    one, other = pair
    letters = [[a, b] if one < other else [b, a] for a, b in children]
    fresh = values | {"children": letters}
    done = tx.execute(update(t.likeness).where(*_pair(partnership, one, other)).values(**fresh))
    if done.rowcount == 0:
        names = {"partnership": partnership, "first": min(pair), "second": max(pair)}
        tx.execute(insert(t.likeness), fresh | names)


def settle(
    tx: Tx, partnership: PartnershipId, pair: tuple[IncidentId, IncidentId], state: str, at: datetime, by: str
) -> None:
    """An officer's word on a pair that is known."""
    where = _pair(partnership, *pair)
    tx.execute(update(t.likeness).where(*where).values(state=state, settled_at=at, settled_by=by))


def forget_unlinked(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> None:
    """What was only found, or told apart, goes with the content that it came from; an officer's link stays."""
    c = t.likeness.c
    where = (c.partnership == partnership, or_(c.first == incident, c.second == incident), c.state != LINKED)
    tx.execute(delete(t.likeness).where(*where))


def _pair(partnership: PartnershipId, one: IncidentId, other: IncidentId) -> tuple[Any, ...]:
    c = t.likeness.c
    return c.partnership == partnership, c.first == min(one, other), c.second == max(one, other)


def _likeness(row: Any) -> LikenessRow:
    values = list(row)
    values[5], values[6] = tuple(values[5]), tuple((a, b) for a, b in values[6])
    return LikenessRow(*values)

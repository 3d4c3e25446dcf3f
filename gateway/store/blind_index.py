"""The blind index: under which keyed terms the children of an incident are found again. No name, number or date is here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, select

from gateway.core.messages import IncidentId, PartnershipId
from gateway.store import tables as t
from gateway.store.prepared import Places, Prepared, Row
from gateway.store.transaction import Tx

CLOSED_TO_SEARCH = ("erasing", "erased")

_KEEP = Prepared(insert(t.blind_index))
AT_ONCE = 40  # values in one statement: as many terms as an ordinary child is looked for under
_ANY = Places("value", AT_ONCE)
_OF_TERMS = Prepared(
    select(t.blind_index.c.incident).where(
        t.blind_index.c.partnership == bindparam("partnership"), t.blind_index.c.term.in_(_ANY.binds)
    )
)
_OF_INCIDENTS = Prepared(
    select(*[t.blind_index.c[name] for name in ("incident", "child", "kind", "term")]).where(
        t.blind_index.c.partnership == bindparam("partnership"), t.blind_index.c.incident.in_(_ANY.binds)
    )
)
_OPENED = Prepared(
    select(t.incident.c.id, t.incident.c.opened_at).where(
        t.incident.c.partnership == bindparam("partnership"),
        t.incident.c.id == bindparam("incident"),  # of several at once, SQLite walks the partnership's
        and_(*(t.incident.c.state != state for state in CLOSED_TO_SEARCH)),
    )
)


@dataclass(frozen=True, slots=True)
class IndexedChild:
    """One child of one incident: the kind of each keyed term under which it is kept."""

    incident: IncidentId
    letter: str
    kinds: Mapping[str, str]  # term -> kind


def keep(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, rows: Sequence[tuple[str, str, str]]
) -> None:
    """Add terms as (child's letter, kind, term); the caller has left out those that are there."""
    if rows:
        about = {"partnership": partnership, "incident": incident}
        tx.execute(
            _KEEP, [about | {"child": child, "kind": kind, "term": term} for child, kind, term in rows]
        )


def children_of(tx: Tx, partnership: PartnershipId, incidents: Collection[IncidentId]) -> list[IndexedChild]:
    """Every indexed child of some incidents, by incident and letter."""
    found: dict[tuple[IncidentId, str], dict[str, str]] = {}
    for incident, child, kind, term in _of_any(tx, _OF_INCIDENTS, partnership, incidents):
        found.setdefault((IncidentId(incident), child), {})[term] = kind
    ordered = sorted(found, key=lambda place: (place[0], len(place[1]), place[1]))
    return [IndexedChild(*place, found[place]) for place in ordered]


def incidents_with(
    tx: Tx,
    partnership: PartnershipId,
    terms: Collection[str],
    most: int,
    other_than: IncidentId | None = None,
) -> list[IncidentId]:
    """Incidents with a child kept under any of these terms, the newest first; what is erased is found by nobody."""
    found = {row[0] for row in _of_any(tx, _OF_TERMS, partnership, terms)} - {other_than}
    opened = _each(tx, _OPENED, [{"partnership": partnership, "incident": one} for one in found])
    newest = sorted(sorted(opened, key=itemgetter(0)), key=itemgetter(1), reverse=True)
    return [IncidentId(incident) for incident, _ in newest[:most]]


def forget(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> None:
    """Remove an incident from the index, before it is erased or indexed anew."""
    i = t.blind_index.c
    tx.execute(delete(t.blind_index).where(i.partnership == partnership, i.incident == incident))


def record_search(tx: Tx, values: Mapping[str, Any]) -> None:
    tx.execute(insert(t.search), dict(values))


def searches(tx: Tx, partnership: PartnershipId) -> list[tuple[str, str, str, datetime, int]]:
    """Who searched here and why: (id, officer, reason, at, incidents found), the newest first."""
    s = t.search.c
    query = select(s.id, s.officer, s.reason, s.searched_at, s.found).where(s.partnership == partnership)
    return [tuple(row) for row in tx.execute(query.order_by(s.searched_at.desc(), s.id))]


def _of_any(tx: Tx, statement: Prepared, partnership: PartnershipId, values: Collection[str]) -> list[Row]:
    """The rows of any of these values, so many at once; places that are left over ask for the first once more."""
    listed = list(values)
    asked = [
        {"partnership": partnership} | _ANY.of(listed[at : at + AT_ONCE])
        for at in range(0, len(listed), AT_ONCE)
    ]
    return _each(tx, statement, asked)


def _each(tx: Tx, statement: Prepared, asked: Sequence[dict[str, Any]]) -> list[Row]:
    tx.ahead(lambda tx: [tx.execute(statement, one) for one in asked])
    return [row for one in asked for row in tx.execute(statement, one)]

"""The list of incidents: filtered, sorted by what is due soonest or by age, page after page by place.

Sorted by what is due, a page walks the index of unanswered duties and takes each incident at its soonest one; incidents on
which nothing with a limit is owed follow, the newest first. What a row shows besides is read for the page's rows at once.
Every query names its partnership. Reads only; ids and codes, never content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select

from gateway.core.messages import AgencyId, IncidentId, PartnershipId, RoleId
from gateway.store import tables as t
from gateway.store.overview import MOST_COUNTED, ROWS, Place, awaiting, bounded, is_unanswered
from gateway.store.transaction import Tx

RETURNS = ("information-return", "imr", "dsl-confirmation")  # what agencies and schools send back
REVIEW = ("meeting-notice", "rapid-review-report", "final-decision", "panel-response")
STAGES = ("triage", "notify", "gathering", "review", "other")


@dataclass(frozen=True, slots=True)
class Filters:
    """What the officer asks for; None or empty: everything. `due_before` leaves what has no limit out."""

    state: str | None = "open"
    stage: str | None = None
    label: str | None = None
    owed_by: AgencyId | None = None
    due_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """One row. `owes` is who owes what is due soonest; `returned` of `asked` answers of agencies and schools are in."""

    id: IncidentId
    partnership: PartnershipId
    opened_at: datetime
    label: str | None
    state: str
    has_outcome: bool
    soonest_due_at: datetime | None
    expects: str | None
    agency: AgencyId | None
    role: RoleId | None
    unanswered: int
    returned: int
    asked: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """An incident of the page and the place at which it stands."""

    id: IncidentId
    partnership: PartnershipId
    place: Place
    is_limited: bool


def page(
    tx: Tx, within: Sequence[str], wanted: Filters, after: Place | None, limited: bool
) -> tuple[list[Found], bool]:
    """One page, what is due soonest first, and whether more follows. `after` and `limited` are where the page before
    ended: among the incidents with a limit, or among those without one."""
    found: list[Found] = []
    if limited:
        found = _merged((_due(tx, one, wanted, after) for one in within), newest_first=False)
    if len(found) <= ROWS and wanted.due_before is None:
        beyond = None if limited else after
        rest = _merged((_undue(tx, one, wanted, beyond) for one in within), newest_first=True)
        found += rest[: ROWS + 1 - len(found)]
    return found[:ROWS], len(found) > ROWS


def newest(tx: Tx, within: Sequence[str], wanted: Filters, after: Place | None) -> tuple[list[Found], bool]:
    """One page, what was opened last first."""
    found = _merged((_opened(tx, one, wanted, after) for one in within), newest_first=True)
    return found[:ROWS], len(found) > ROWS


def awaiting_triage(tx: Tx, within: Sequence[str], after: Place | None) -> tuple[list[Found], bool]:
    """Open incidents that nobody has decided on, the oldest first."""
    found: list[Found] = []
    opened_at, key = t.incident.c.opened_at, t.incident.c.id
    for partnership in within:
        query = select(key, opened_at).where(*awaiting(partnership))
        if after is not None:
            same = and_(opened_at == after.at, key > after.id)
            query = query.where(opened_at >= after.at, or_(opened_at > after.at, same))
        rows = tx.execute(query.order_by(opened_at, key).limit(ROWS + 1))
        found.extend(Found(r.id, PartnershipId(partnership), Place(r.opened_at, r.id), False) for r in rows)
    found.sort(key=lambda one: (str(one.place.at), one.id))
    return found[:ROWS], len(found) > ROWS


def count(tx: Tx, within: Sequence[str], wanted: Filters) -> int:
    """How many incidents there are, no further than `MOST_COUNTED`."""
    counts = (bounded(tx, t.incident.c.id, *_matching(one, wanted)) for one in within)
    return min(MOST_COUNTED, sum(counts))


def labels(tx: Tx, within: Sequence[str]) -> list[str]:
    """The labels that open incidents bear."""
    query = select(t.incident.c.label).where(
        t.incident.c.partnership.in_(within), t.incident.c.state == "open", t.incident.c.label.is_not(None)
    )
    return sorted({row.label for row in tx.execute(query.limit(MOST_COUNTED))})


def lines(tx: Tx, found: Sequence[Found]) -> list[IncidentLine]:
    """What the rows show, in the order of `found`: four queries, however many rows."""
    groups: dict[PartnershipId, list[IncidentId]] = {}
    for one in found:
        groups.setdefault(one.partnership, []).append(one.id)
    shown: dict[IncidentId, IncidentLine] = {}
    for partnership, ids in groups.items():
        shown |= _lines(tx, partnership, ids)
    return [shown[one.id] for one in found]


def _lines(
    tx: Tx, partnership: PartnershipId, ids: Sequence[IncidentId]
) -> Mapping[IncidentId, IncidentLine]:
    rows = tx.execute(
        select(t.incident).where(t.incident.c.partnership == partnership, t.incident.c.id.in_(ids))
    )
    soonest = _soonest(tx, partnership, ids)
    tallies = {row.incident: row for row in tx.execute(_tally(partnership, ids))}
    entry = t.entry.c
    last = tx.execute(
        select(entry.incident, func.max(entry.at).label("at"))
        .where(entry.partnership == partnership, entry.incident.in_(ids))
        .group_by(entry.incident)
    )
    last_at = {row.incident: row.at for row in last}
    return {row.id: _line(row, soonest.get(row.id), tallies.get(row.id), last_at.get(row.id)) for row in rows}


def _line(row: Any, soonest: Any, tally: Any, last_at: datetime | None) -> IncidentLine:
    return IncidentLine(
        id=row.id,
        partnership=row.partnership,
        opened_at=row.opened_at,
        label=row.label,
        state=row.state,
        has_outcome=bool(row.outcomes),
        soonest_due_at=soonest.due_at if soonest else None,
        expects=soonest.expects if soonest else None,
        agency=soonest.agency if soonest else None,
        role=soonest.role if soonest else None,
        unanswered=tally.unanswered if tally else 0,
        returned=tally.returned if tally else 0,
        asked=tally.asked if tally else 0,
        last_at=last_at,
    )


def _soonest(tx: Tx, partnership: PartnershipId, ids: Sequence[IncidentId]) -> dict[IncidentId, Any]:
    """The unanswered duty of each incident that is due first; without a limit only where there is none with one."""
    of = t.duty.c
    query = select(of.incident, of.due_at, of.expects, of.agency, of.role).where(
        of.partnership == partnership, of.incident.in_(ids), is_unanswered(t.duty)
    )
    first: dict[IncidentId, Any] = {}
    for row in tx.execute(query.order_by(of.due_at.is_(None), of.due_at, of.id)):
        first.setdefault(row.incident, row)
    return first


def _tally(partnership: PartnershipId, ids: Sequence[IncidentId]) -> Any:
    of = t.duty.c
    asked = of.expects.in_(RETURNS)
    returned = and_(asked, of.met_at.is_not(None))

    def counted(what: ColumnElement[bool]) -> Any:
        return func.sum(case((what, 1), else_=0))

    return (
        select(
            of.incident,
            counted(is_unanswered(t.duty)).label("unanswered"),
            counted(returned).label("returned"),
            counted(and_(asked, of.state != "waived")).label("asked"),
        )
        .where(of.partnership == partnership, of.incident.in_(ids))
        .group_by(of.incident)
    )


def _due(tx: Tx, partnership: str, wanted: Filters, after: Place | None) -> list[Found]:
    """Incidents with something due, each at its soonest duty."""
    duty, earlier = t.duty, t.duty.alias("earlier")
    sooner = exists().where(
        earlier.c.partnership == partnership,
        earlier.c.incident == duty.c.incident,
        is_unanswered(earlier),
        or_(
            earlier.c.due_at < duty.c.due_at,
            and_(earlier.c.due_at == duty.c.due_at, earlier.c.id < duty.c.id),
        ),
    )
    query = (
        select(duty.c.incident, duty.c.due_at)
        .join(t.incident, t.incident.c.id == duty.c.incident)
        .where(duty.c.partnership == partnership, is_unanswered(duty), duty.c.due_at.is_not(None), ~sooner)
        .where(*_matching(partnership, wanted))
    )
    if wanted.due_before is not None:
        query = query.where(duty.c.due_at < wanted.due_before)
    if after is not None:
        same = and_(duty.c.due_at == after.at, duty.c.incident > after.id)
        query = query.where(duty.c.due_at >= after.at, or_(duty.c.due_at > after.at, same))
    rows = tx.execute(query.order_by(duty.c.due_at, duty.c.incident).limit(ROWS + 1))
    return [Found(r.incident, PartnershipId(partnership), Place(r.due_at, r.incident), True) for r in rows]


def _undue(tx: Tx, partnership: str, wanted: Filters, after: Place | None) -> list[Found]:
    """Incidents on which nothing with a limit is owed."""
    limited = exists().where(
        t.duty.c.partnership == partnership,
        t.duty.c.incident == t.incident.c.id,
        is_unanswered(t.duty),
        t.duty.c.due_at.is_not(None),
    )
    return _opened(tx, partnership, wanted, after, ~limited)


def _opened(
    tx: Tx, partnership: str, wanted: Filters, after: Place | None, *besides: ColumnElement[bool]
) -> list[Found]:
    opened_at, key = t.incident.c.opened_at, t.incident.c.id
    query = select(key, opened_at).where(*_matching(partnership, wanted), *besides)
    if after is not None:
        same = and_(opened_at == after.at, key < after.id)
        query = query.where(opened_at <= after.at, or_(opened_at < after.at, same))
    rows = tx.execute(query.order_by(opened_at.desc(), key.desc()).limit(ROWS + 1))
    return [Found(r.id, PartnershipId(partnership), Place(r.opened_at, r.id), False) for r in rows]


def _matching(partnership: str, wanted: Filters) -> list[ColumnElement[bool]]:
    where = [t.incident.c.partnership == partnership]
    if wanted.state is not None:
        where.append(t.incident.c.state == wanted.state)
    if wanted.label is not None:
        where.append(t.incident.c.label == wanted.label)
    if wanted.stage is not None:
        where.append(_at_stage(partnership, wanted.stage))
    if wanted.owed_by is not None:
        where.append(_owes(partnership, t.duty.c.agency == wanted.owed_by))
    if wanted.due_before is not None:
        where.append(_owes(partnership, t.duty.c.due_at < wanted.due_before))
    return where


def _at_stage(partnership: str, stage: str) -> ColumnElement[bool]:
    """What the incident waits for, by what is owed on it."""
    match stage:
        case "triage":
            return and_(*awaiting(partnership))
        case "notify":
            return _owes(partnership, t.duty.c.expects == "sin-record")
        case "gathering":
            return _owes(partnership, t.duty.c.expects.in_(RETURNS))
        case "review":
            return _owes(partnership, t.duty.c.expects.in_(REVIEW))
        case _:
            named = ("sin-record", *RETURNS, *REVIEW)
            return and_(~and_(*awaiting(partnership)), ~_owes(partnership, t.duty.c.expects.in_(named)))


def _owes(partnership: str, what: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        exists()
        .where(
            t.duty.c.partnership == partnership,
            t.duty.c.incident == t.incident.c.id,
            is_unanswered(t.duty),
            what,
        )
        .correlate(t.incident)
    )


def _merged(several: Iterable[list[Found]], *, newest_first: bool) -> list[Found]:
    found = [one for each in several for one in each]
    return sorted(found, key=lambda one: (str(one.place.at), one.id), reverse=newest_first)[: ROWS + 1]

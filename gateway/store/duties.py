"""Duties owed: made with a message, met by an arrival, chased until they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, insert, literal, or_, select, update

from gateway.core.duties import UNANSWERED, DutyState
from gateway.core.messages import AgencyId, DutyId, IncidentId, MessageId, PartnershipId, RoleId
from gateway.store import incidents
from gateway.store import tables as t
from gateway.store.incidents import Incident
from gateway.store.prepared import Prepared
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class DutyRow:
    id: DutyId
    partnership: PartnershipId
    incident: IncidentId
    message: MessageId | None
    agency: AgencyId
    role: RoleId
    expects: str
    clock: str
    rule: str
    pack_version: str
    start_at: datetime
    due_on: date | None
    due_at: datetime | None
    due_inclusive: bool
    state: DutyState
    met_at: datetime | None
    met_by: str | None
    chase_stage: str | None
    next_chase_at: datetime | None
    task: str | None
    event: str | None
    event_at: datetime | None
    due_changes: Sequence[Mapping[str, Any]] | None = None
    is_early: bool = False
    explained_at: datetime | None = None

    @property
    def wants_reason(self) -> bool:
        """It was late, or before its exact day, and somebody is to say why (S4-22, C-11)."""
        return self.is_early or self.state in (DutyState.MET_LATE, DutyState.MISSED)

    @property
    def is_uncounted(self) -> bool:
        """It has a limit, and no date yet: the holiday data ended before it when it was laid."""
        return self.due_at is None and bool(self.due_changes)


_NAMES = (
    "id",
    "partnership",
    "incident",
    "message",
    "agency",
    "role",
    "expects",
    "clock",
    "rule",
    "pack_version",
    "start_at",
    "due_on",
    "due_at",
    "due_inclusive",
    "state",
    "met_at",
    "met_by",
    "chase_stage",
    "next_chase_at",
    "task",
    "event",
    "event_at",
    "due_changes",
    "is_early",
    "explained_at",
)
_STATE = _NAMES.index("state")
_ALL = select(*[t.duty.c[name] for name in _NAMES])
_OPEN_STATES = [state.value for state in UNANSWERED]
_OWED = Prepared(
    _ALL.where(
        t.duty.c.partnership == bindparam("partnership"),
        t.duty.c.incident == bindparam("incident"),
        t.duty.c.agency == bindparam("agency"),
        t.duty.c.expects == bindparam("expects"),
        or_(*(t.duty.c.state == state for state in _OPEN_STATES)),
    ).order_by(t.duty.c.start_at, t.duty.c.due_at.is_(None), t.duty.c.due_at, t.duty.c.id)
)
_MEET = Prepared(
    update(t.duty)
    .where(t.duty.c.id == bindparam("duty"))
    .values(
        state=bindparam("new_state"),
        met_at=bindparam("at"),
        met_by=bindparam("by"),
        event_at=bindparam("told_at"),
        is_early=bindparam("early"),
        next_chase_at=None,
    )
)
SAME = ("agency", "role", "expects", "task", "clock", "start_at")
ENDED_BY_DECISION, NEVER_BEGAN = "ended-by-decision", "message-recalled"  # why a duty was waived
_LAID = Prepared(
    select(*[t.duty.c[name] for name in SAME], t.duty.c.state).where(
        t.duty.c.partnership == bindparam("partnership"),
        t.duty.c.incident == bindparam("incident"),
        t.duty.c.waived_reason.is_distinct_from(literal(NEVER_BEGAN)),
    )
)
_OF_INCIDENT = Prepared(
    _ALL.where(
        t.duty.c.partnership == bindparam("partnership"), t.duty.c.incident == bindparam("incident")
    ).order_by(t.duty.c.start_at, t.duty.c.id)
)
_INSERT = Prepared(insert(t.duty))
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
_due_or_never: ColumnElement[Any] = func.coalesce(t.duty.c.due_at, literal(NEVER, t.Instant()))
IS_UNCOUNTED = and_(t.duty.c.due_at.is_(None), t.duty.c.due_changes.is_not(None))
_WAITS_FOR_A_DATE = and_(IS_UNCOUNTED, t.duty.c.state != DutyState.WAIVED.value)
_LAYS = and_(  # an index finds an incident's duties; none finds those of one message
    t.duty.c.partnership == t.message.c.partnership,
    t.duty.c.incident == t.message.c.incident,
    t.duty.c.message == t.message.c.id,
)

Place = tuple[datetime, str]  # an instant in UTC and an id
_ON_OPEN = exists().where(  # asked of each duty that is due: there may be very many open incidents
    t.incident.c.id == t.duty.c.incident,
    t.incident.c.partnership == t.duty.c.partnership,
    t.incident.c.state == "open",
)


def owe(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.execute(_INSERT, [dict(row) for row in rows])


def owed(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, agency: AgencyId, expects: str
) -> list[DutyRow]:
    """What an agency still owes on an incident, earliest first; missed duties too, for they may be met late."""
    values = {"partnership": partnership, "incident": incident, "agency": agency, "expects": expects}
    return [_duty(row) for row in tx.execute(_OWED, values)]


def laid(
    tx: Tx, partnership: PartnershipId, incident: IncidentId
) -> dict[tuple[Any, ...], frozenset[DutyState]]:
    """The states of every duty that an incident has or had, by what makes two duties the same (`SAME`).

    A duty that ended together with the message that began it counts as never laid.
    """
    found: dict[tuple[Any, ...], frozenset[DutyState]] = {}
    for row in tx.execute(_LAID, {"partnership": partnership, "incident": incident}):
        *same, state = row
        found[tuple(same)] = found.get(tuple(same), frozenset()) | {DutyState(state)}
    return found


def meet(
    tx: Tx,
    duty: DutyId,
    state: DutyState,
    at: datetime,
    by: str,
    told_at: datetime | None = None,
    is_early: bool = False,
) -> None:
    """Close a duty with the answer that arrived `at`; `told_at` is the event's own time where that counted (C-16)."""
    values = {"duty": duty, "new_state": state.value, "at": at, "by": by, "told_at": told_at}
    tx.execute(_MEET, values | {"early": is_early})


def owe_again(tx: Tx, duty: DutyId, at: datetime) -> None:
    """Its answer no longer counts: open as before, looked at by the next chase."""
    fresh = dict.fromkeys(("met_at", "met_by", "event_at", "explained_at", "waived_reason"))
    change(tx, duty, state=DutyState.OPEN.value, is_early=False, chase_stage=None, next_chase_at=at, **fresh)


def change(tx: Tx, duty: DutyId, **values: Any) -> None:
    tx.execute(update(t.duty).where(t.duty.c.id == duty).values(**values))


def ended_by_decision(tx: Tx, partnership: PartnershipId, incident: IncidentId, clock: str) -> list[DutyRow]:
    """What is owed by a clock no more because a decision said so, and no officer."""
    d = t.duty.c
    query = _ALL.where(d.partnership == partnership, d.incident == incident, d.clock == clock)
    return [_duty(row) for row in tx.execute(query.where(d.waived_reason == ENDED_BY_DECISION))]


def find_locked(tx: Tx, duty: DutyId) -> tuple[DutyRow | None, Incident | None]:
    """A duty as it is once its incident is locked, with that incident; None for what is not there."""
    found = find(tx, duty)
    incident = incidents.lock(tx, found.partnership, found.incident) if found else None
    return find(tx, duty) if found else None, incident


def find(tx: Tx, duty: DutyId) -> DutyRow | None:
    row = tx.execute(_ALL.where(t.duty.c.id == duty)).first()
    return None if row is None else _duty(row)


def of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[DutyRow]:
    """Every duty that an incident has or had, by its start."""
    found = tx.execute(_OF_INCIDENT, {"partnership": partnership, "incident": incident})
    return [_duty(row) for row in found]


def by_and_to(
    tx: Tx, agency: AgencyId, partnerships: Sequence[str], after: Place | None, most: int
) -> list[DutyRow]:
    """Duties owed by an agency and those that its own messages laid on others, soonest first, after a place."""
    here = t.duty.c.partnership.in_(partnerships)
    mine = _ALL.where(here, t.duty.c.agency == agency)
    to_me = _ALL.join(t.message, _LAYS).where(
        here,
        t.duty.c.agency != agency,
        t.message.c.agency == agency,
        t.message.c.partnership.in_(partnerships),
    )
    found = [*_page(tx, mine, after, most), *_page(tx, to_me, after, most)]
    return sorted(found, key=place_of)[:most]


def every(
    tx: Tx,
    after: Place | None = None,
    most: int | None = None,
    partnership: PartnershipId | None = None,
    state: DutyState | None = None,
) -> list[DutyRow]:
    """Soonest first, after a place; all of them unless `most` is given."""
    query = _ALL if partnership is None else _ALL.where(t.duty.c.partnership == partnership)
    if state is not None:
        query = query.where(t.duty.c.state == state.value)
    return _page(tx, query, after, most)


def place_of(row: DutyRow) -> Place:
    """Where a duty stands among those that are listed soonest first: what has no limit comes last."""
    return row.due_at or NEVER, row.id


def _page(tx: Tx, query: Any, after: Place | None, most: int | None) -> list[DutyRow]:
    if after is not None:
        at, last = after
        query = query.where(or_(_due_or_never > at, and_(_due_or_never == at, t.duty.c.id > last)))
    return [_duty(row) for row in tx.execute(query.order_by(_due_or_never, t.duty.c.id).limit(most))]


def open_with_due(tx: Tx) -> list[DutyRow]:
    """Duties whose due instant may still be counted anew: open ones with a limit, of incidents that are open (C-12); and
    whatever was never counted, answered or not."""
    has_limit = and_(t.duty.c.state == DutyState.OPEN.value, t.duty.c.due_at.is_not(None))
    query = _ALL.where(or_(has_limit, _WAITS_FOR_A_DATE), _ON_OPEN)
    return [_duty(row) for row in tx.execute(query.order_by(t.duty.c.id))]


def uncounted(tx: Tx, partnerships: Sequence[str], most: int) -> int:
    """How many duties wait for a newer list of holidays to have their date, no further than `most`."""
    query = select(t.duty.c.id).where(t.duty.c.partnership.in_(partnerships), _WAITS_FOR_A_DATE, _ON_OPEN)
    return len(list(tx.execute(query.limit(most))))


def to_chase(tx: Tx, now: datetime, most: int) -> list[DutyRow]:
    """Unanswered duties with a stage of their chase reached."""
    query = (
        _ALL.where(t.duty.c.state.in_(_OPEN_STATES), t.duty.c.next_chase_at <= now, _ON_OPEN)
        .order_by(t.duty.c.next_chase_at)
        .limit(most)
    )
    return [_duty(row) for row in tx.execute(query)]


def lapsed(tx: Tx, now: datetime, most: int) -> list[DutyRow]:
    """Open duties whose due instant is past and which are not yet stated as missed."""
    query = (
        _ALL.where(t.duty.c.state == DutyState.OPEN.value, t.duty.c.due_at <= now, _ON_OPEN)
        .order_by(t.duty.c.due_at)
        .limit(most)
    )
    return [_duty(row) for row in tx.execute(query)]


def _duty(row: Any) -> DutyRow:
    values = list(row)
    values[_STATE] = DutyState(values[_STATE])
    return DutyRow(*values)

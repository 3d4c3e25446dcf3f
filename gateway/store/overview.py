"""What an officer sees of all incidents at once: counts, and lists in pages. Reads only; ids and codes, never content.

Every query names the partnerships whose incidents may be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, select

from gateway.core.deliveries import DeliveryState
from gateway.core.duties import UNANSWERED
from gateway.core.messages import AgencyId, DeliveryId, DutyId, IncidentId, PartnershipId, RoleId
from gateway.store import tables as t
from gateway.store.transaction import Tx

FAILED = (DeliveryState.FAILED_PARTNER.value, DeliveryState.FAILED_SYSTEM.value)
ACKNOWLEDGEMENT = "acknowledgement"

_UNANSWERED = [state.value for state in UNANSWERED]


@dataclass(frozen=True, slots=True)
class Day:
    """The instant it is, and the instant at which the officer's day ends."""

    now: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a list: how many rows to leave out first, and how many to show at most."""

    skip: int = 0
    most: int = 25


@dataclass(frozen=True, slots=True)
class Counts:
    """How much waits. Each number is the length of the list of the same name."""

    overdue: int
    due_today: int
    awaiting_triage: int
    held: int
    failed_deliveries: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class IncidentLine:
    id: IncidentId
    partnership: PartnershipId
    opened_at: datetime
    label: str | None
    state: str
    soonest_due_at: datetime | None
    unanswered: int
    has_outcome: bool


@dataclass(frozen=True, slots=True)
class DutyLine:
    id: DutyId
    partnership: PartnershipId
    incident: IncidentId
    agency: AgencyId
    role: RoleId
    expects: str
    clock: str
    due_at: datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    id: DeliveryId
    partnership: PartnershipId
    incident: IncidentId | None
    message_type: str
    agency: AgencyId
    role: RoleId
    adapter: str
    state: str
    attempt: int
    created_at: datetime
    next_at: datetime | None
    last_reason: str | None
    opened_at: datetime | None
    acknowledged_by: str | None


def partnerships(tx: Tx) -> tuple[PartnershipId, ...]:
    """Those with a pack in force."""
    rows = tx.execute(
        select(t.pack.c.partnership).where(t.pack.c.current.is_(True)).order_by(t.pack.c.partnership)
    )
    return tuple(PartnershipId(row.partnership) for row in rows)


def counts(tx: Tx, within: Sequence[str], day: Day) -> Counts:
    """The figures of the first page, on one snapshot."""
    return Counts(
        overdue=_count(tx, t.duty, *_overdue(within, day)),
        due_today=_count(tx, t.duty, *_due_today(within, day)),
        awaiting_triage=_count(tx, t.incident, *_awaiting(within)),
        held=_count(tx, t.hold, t.hold.c.partnership.in_(within), t.hold.c.settled_at.is_(None)),
        failed_deliveries=_count(
            tx, t.delivery, t.delivery.c.partnership.in_(within), t.delivery.c.state.in_(FAILED)
        ),
        unacknowledged=_count(tx, t.duty, *_unacknowledged(within)),
    )


def incidents(
    tx: Tx, within: Sequence[str], page: Page, *, awaiting_triage: bool = False
) -> tuple[list[IncidentLine], int]:
    """One page of incidents, soonest due first, and how many there are in all."""
    where = _awaiting(within) if awaiting_triage else [t.incident.c.partnership.in_(within)]
    owed = _owed_per_incident(within)
    query = (
        select(
            t.incident.c.id,
            t.incident.c.partnership,
            t.incident.c.opened_at,
            t.incident.c.label,
            t.incident.c.state,
            owed.c.soonest,
            owed.c.unanswered,
            t.incident.c.outcomes,
        )
        .outerjoin(owed, owed.c.incident == t.incident.c.id)
        .where(*where)
        .order_by(owed.c.soonest.is_(None), owed.c.soonest, t.incident.c.opened_at.desc(), t.incident.c.id)
    )
    rows = tx.execute(query.offset(page.skip).limit(page.most))
    found = [_incident(row) for row in rows]
    return found, _count(tx, t.incident, *where)


def overdue(tx: Tx, within: Sequence[str], day: Day, page: Page) -> tuple[list[DutyLine], int]:
    return _duties(tx, _overdue(within, day), page)


def due_today(tx: Tx, within: Sequence[str], day: Day, page: Page) -> tuple[list[DutyLine], int]:
    return _duties(tx, _due_today(within, day), page)


def unacknowledged(tx: Tx, within: Sequence[str], day: Day, page: Page) -> tuple[list[DutyLine], int]:
    """Acknowledgements by a person that are still owed, late or not."""
    return _duties(tx, _unacknowledged(within), page)


def deliveries(
    tx: Tx, within: Sequence[str], states: Sequence[str], page: Page
) -> tuple[list[DeliveryLine], int]:
    """One page of deliveries in any of these states, newest first, and how many there are."""
    where = [t.delivery.c.partnership.in_(within), t.delivery.c.state.in_(states)]
    query = _DELIVERIES.where(*where).order_by(t.delivery.c.created_at.desc(), t.delivery.c.id)
    rows = tx.execute(query.offset(page.skip).limit(page.most))
    return [DeliveryLine(*row) for row in rows], _count(tx, t.delivery, *where)


def deliveries_by_state(tx: Tx, within: Sequence[str]) -> dict[str, int]:
    query = select(t.delivery.c.state, func.count()).where(t.delivery.c.partnership.in_(within))
    return {row[0]: row[1] for row in tx.execute(query.group_by(t.delivery.c.state))}


def deliveries_of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[DeliveryLine]:
    """Oldest first."""
    query = _DELIVERIES.where(t.delivery.c.partnership == partnership, t.delivery.c.incident == incident)
    rows = tx.execute(query.order_by(t.delivery.c.created_at, t.delivery.c.id))
    return [DeliveryLine(*row) for row in rows]


_DELIVERIES = select(
    t.delivery.c.id,
    t.delivery.c.partnership,
    t.delivery.c.incident,
    t.message.c.type,
    t.delivery.c.agency,
    t.delivery.c.role,
    t.delivery.c.adapter,
    t.delivery.c.state,
    t.delivery.c.attempt,
    t.delivery.c.created_at,
    t.delivery.c.next_at,
    t.delivery.c.last_reason,
    t.delivery.c.opened_at,
    t.delivery.c.acknowledged_by,
).join(t.message, t.message.c.id == t.delivery.c.message)


def _owed(within: Sequence[str]) -> list[ColumnElement[bool]]:
    """Unanswered duties of incidents that are open: nobody is chased for what was erased."""
    on_open = select(t.incident.c.id).where(
        t.incident.c.partnership.in_(within), t.incident.c.state == "open"
    )
    return [
        t.duty.c.partnership.in_(within),
        t.duty.c.state.in_(_UNANSWERED),
        t.duty.c.incident.in_(on_open),
    ]


def _overdue(within: Sequence[str], day: Day) -> list[ColumnElement[bool]]:
    return [*_owed(within), t.duty.c.due_at < day.now]


def _due_today(within: Sequence[str], day: Day) -> list[ColumnElement[bool]]:
    """A limit at midnight belongs to the day that ends there."""
    return [*_owed(within), t.duty.c.due_at >= day.now, t.duty.c.due_at <= day.ends_at]


def _unacknowledged(within: Sequence[str]) -> list[ColumnElement[bool]]:
    return [*_owed(within), t.duty.c.expects == ACKNOWLEDGEMENT]


def _awaiting(within: Sequence[str]) -> list[ColumnElement[bool]]:
    """Open incidents on which no decision has been reached."""
    undecided = cast(t.incident.c.outcomes, Text) == "[]"
    return [t.incident.c.partnership.in_(within), t.incident.c.state == "open", undecided]


def _owed_per_incident(within: Sequence[str]) -> Any:
    return (
        select(
            t.duty.c.incident,
            func.min(t.duty.c.due_at).label("soonest"),
            func.count().label("unanswered"),
        )
        .where(*_owed(within))
        .group_by(t.duty.c.incident)
        .subquery()
    )


def _duties(tx: Tx, where: list[ColumnElement[bool]], page: Page) -> tuple[list[DutyLine], int]:
    columns = [
        t.duty.c[name]
        for name in (
            "id",
            "partnership",
            "incident",
            "agency",
            "role",
            "expects",
            "clock",
            "due_at",
            "state",
        )
    ]
    query = select(*columns).where(*where).order_by(t.duty.c.due_at, t.duty.c.id)
    rows = tx.execute(query.offset(page.skip).limit(page.most))
    return [DutyLine(*row) for row in rows], _count(tx, t.duty, *where)


def _incident(row: Any) -> IncidentLine:
    return IncidentLine(
        row.id,
        row.partnership,
        row.opened_at,
        row.label,
        row.state,
        row.soonest,
        row.unanswered or 0,
        bool(row.outcomes),
    )


def _count(tx: Tx, table: Any, *where: ColumnElement[bool]) -> int:
    return int(tx.execute(select(func.count()).select_from(table).where(*where)).scalar_one())

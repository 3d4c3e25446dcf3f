"""What an officer sees of all incidents at once: counts, and lists by place. Reads only; ids and codes, never content.

Every query names the partnerships whose incidents may be shown, one after another, so that each follows its index. A list
goes on after the place where the page before ended (no offsets), and a count ends at `MOST_COUNTED`: neither costs more
with a million messages than with ten thousand. The cases of the list of incidents stand in `caseload`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, Text, and_, bindparam, cast, exists, func, or_, select

from gateway.core.deliveries import DeliveryState
from gateway.core.duties import UNANSWERED
from gateway.core.messages import AgencyId, DeliveryId, DutyId, IncidentId, PartnershipId, RoleId
from gateway.core.waiting import CALLS, MESSAGES, REPLIES, kind_of_wait
from gateway.store import breaches, duties, holds, likenesses, proposals, sharing
from gateway.store import tables as t
from gateway.store.transaction import Tx

FAILED = (DeliveryState.FAILED_PARTNER.value, DeliveryState.FAILED_SYSTEM.value)
ACKNOWLEDGEMENT = "acknowledgement"
MOST_COUNTED = 1000
MOST_LISTED = 100  # of the short lists, which have one page
ROWS = 25
TROUBLE_AFTER = 2  # attempts of a delivery that is still on its way, before its recipient counts as failing

_UNANSWERED = sorted(
    (state.value for state in UNANSWERED), reverse=True
)  # as the index `duty_owed` writes them


@dataclass(frozen=True, slots=True)
class Day:
    """The instant it is, and the instant at which the officer's day ends."""

    now: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list ended: the instant that it is sorted by (None where a row has none) and the row's id."""

    at: datetime | None
    id: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much waits, each no further than `MOST_COUNTED`. Each number is the length of the list of the same name."""

    overdue: int
    due_today: int
    awaiting_triage: int
    unacknowledged: int
    held_replies: int
    held_messages: int
    calls: int
    failed_deliveries: int
    failing_partners: int
    same_child: int
    breaches: int
    guests: int
    approvals: int


@dataclass(frozen=True, slots=True)
class DutyLine:
    id: DutyId
    partnership: PartnershipId
    incident: IncidentId
    agency: AgencyId
    role: RoleId
    expects: str
    task: str | None
    clock: str
    due_at: datetime | None
    state: str
    is_uncounted: bool = False  # it has a limit, and no date before a newer list of holidays is uploaded


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


@dataclass(frozen=True, slots=True)
class PartnerTrouble:
    """One agency to which deliveries fail: how many were given up, how many are tried again, and the newest reason."""

    partnership: PartnershipId
    agency: AgencyId
    given_up: int
    tried_again: int
    since: datetime
    last_reason: str | None


def partnerships(tx: Tx) -> tuple[PartnershipId, ...]:
    """Those with a pack in force."""
    rows = tx.execute(
        select(t.pack.c.partnership).where(t.pack.c.current.is_(True)).order_by(t.pack.c.partnership)
    )
    return tuple(PartnershipId(row.partnership) for row in rows)


def are_all(tx: Tx, within: Sequence[str]) -> bool:
    """Whether these are every partnership with a pack in force."""
    return set(partnerships(tx)) <= set(within)


def duty_counts(tx: Tx, within: Sequence[str], day: Day) -> dict[str, int]:
    """How many duties are overdue, due today and unacknowledged, and how many incidents await triage."""
    return {
        "overdue": _count(tx, t.duty, within, _overdue, day),
        "due_today": _count(tx, t.duty, within, _due_today, day),
        "unacknowledged": _count(tx, t.duty, within, _unacknowledged, day),
        "awaiting_triage": _count(tx, t.incident, within, lambda one, _: awaiting(one), day),
    }


def counts(tx: Tx, within: Sequence[str], day: Day) -> Counts:
    """Every figure of the first page."""
    held = Counter(kind_of_wait(hold.subject_kind, hold.reasons) for hold in holds.waiting(tx, within))
    waits_for_others = len(sharing.guests_waited_for(tx, within, MOST_LISTED))
    in_these = [PartnershipId(one) for one in within]
    asked = proposals.waiting(tx, in_these, day.now, with_all=are_all(tx, within))
    return Counts(
        **duty_counts(tx, within, day),
        held_replies=held[REPLIES],
        held_messages=held[MESSAGES],
        calls=held[CALLS],
        failed_deliveries=failed_deliveries(tx, within),
        failing_partners=len(failing_partners(tx, within)),
        same_child=len(likenesses.possible(tx, within, MOST_LISTED)),
        breaches=len(breaches.still_open(tx, within, MOST_LISTED)),
        approvals=min(MOST_COUNTED, len(asked)),
        guests=waits_for_others + len(sharing.not_taken_up(tx, within, MOST_LISTED)),
    )


def has_incidents(tx: Tx, within: Sequence[str]) -> bool:
    """Whether there was ever one in any of these partnerships."""
    of = t.incident.c
    return any(
        tx.execute(select(of.id).where(of.partnership == one).limit(1)).first() is not None for one in within
    )


def failed_deliveries(tx: Tx, within: Sequence[str]) -> int:
    counts = deliveries_by_state(tx, within, FAILED)
    return min(MOST_COUNTED, sum(counts.values()))


def overdue(tx: Tx, within: Sequence[str], day: Day, after: Place | None = None) -> list[DutyLine]:
    return _duties(tx, within, _overdue, day, after)


def due_today(tx: Tx, within: Sequence[str], day: Day, after: Place | None = None) -> list[DutyLine]:
    return _duties(tx, within, _due_today, day, after)


def unacknowledged(tx: Tx, within: Sequence[str], day: Day, after: Place | None = None) -> list[DutyLine]:
    """Acknowledgements by a person that are still owed, late or not; those without a limit last."""
    return _duties(tx, within, _unacknowledged, day, after)


def soonest_due(tx: Tx, within: Sequence[str], day: Day, most: int) -> list[DutyLine]:
    """What is owed next, overdue or not."""
    return _duties(tx, within, lambda one, _: owed(one), day, None)[:most]


def deliveries(
    tx: Tx,
    within: Sequence[str],
    states: Sequence[str],
    after: Place | None = None,
    agency: str = "",
    adapter: str = "",
) -> list[DeliveryLine]:
    """One page of deliveries in any of these states and one more, newest first; of one agency or one way where named."""
    found: list[DeliveryLine] = []
    created_at, key = t.delivery.c.created_at, t.delivery.c.id
    for partnership in within:
        for state in states:
            query = _DELIVERIES.where(t.delivery.c.partnership == partnership, t.delivery.c.state == state)
            if agency:
                query = query.where(t.delivery.c.agency == agency)
            if adapter:
                query = query.where(t.delivery.c.adapter == adapter)
            if after is not None:
                same = and_(created_at == after.at, key < after.id)
                query = query.where(created_at <= after.at, or_(created_at < after.at, same))
            rows = tx.execute(query.order_by(created_at.desc(), key.desc()).limit(ROWS + 1))
            found.extend(DeliveryLine(*row) for row in rows)
    return sorted(found, key=lambda one: (one.created_at, one.id), reverse=True)[: ROWS + 1]


def deliveries_by_state(tx: Tx, within: Sequence[str], states: Iterable[str] | None = None) -> dict[str, int]:
    """How many are in each state, none counted further than `MOST_COUNTED`."""
    wanted = states or [state.value for state in DeliveryState]
    of = t.delivery.c
    return {
        state: min(
            MOST_COUNTED,
            sum(bounded(tx, of.id, of.partnership == one, of.state == state) for one in within),
        )
        for state in wanted
    }


def failing_partners(tx: Tx, within: Sequence[str]) -> list[PartnerTrouble]:
    """Agencies to which deliveries were given up, or are being tried again; those given up first.

    At most the newest 1,000 of each kind are looked at in a partnership.
    """
    found: list[PartnerTrouble] = []
    for partnership in within:
        rows = _stuck(tx, partnership)
        for agency in sorted({row.agency for row in rows}):
            found.append(_trouble(PartnershipId(partnership), [row for row in rows if row.agency == agency]))
    return sorted(found, key=lambda one: (-one.given_up, -one.tried_again, one.agency))


def deliveries_of_incident(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[DeliveryLine]:
    """Oldest first. By its messages: those have an index by incident, deliveries have one by message."""
    query = _DELIVERIES.where(t.message.c.partnership == partnership, t.message.c.incident == incident)
    rows = tx.execute(query.where(t.delivery.c.partnership == partnership))
    return sorted((DeliveryLine(*row) for row in rows), key=lambda one: (one.created_at, one.id))


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

_DUTY_LINE = select(
    *(
        t.duty.c[name]
        for name in (
            "id",
            "partnership",
            "incident",
            "agency",
            "role",
            "expects",
            "task",
            "clock",
            "due_at",
            "state",
        )
    ),
    duties.IS_UNCOUNTED.label("is_uncounted"),
)

Where = Callable[[str, Day], list[ColumnElement[bool]]]


def is_unanswered(duty: Any) -> ColumnElement[bool]:
    """Written out in the statement, not bound: only so does SQLite see that the index `duty_owed` holds these rows."""
    states = bindparam("unanswered", _UNANSWERED, type_=String, expanding=True, literal_execute=True)
    return duty.c.state.in_(states)  # type: ignore[no-any-return]


def owed(partnership: str) -> list[ColumnElement[bool]]:
    """Unanswered duties of incidents that are open: nobody is chased for what was erased."""
    on_open = exists().where(
        t.incident.c.id == t.duty.c.incident,
        t.incident.c.partnership == partnership,
        t.incident.c.state == "open",
    )
    return [t.duty.c.partnership == partnership, is_unanswered(t.duty), on_open]


def awaiting(partnership: str) -> list[ColumnElement[bool]]:
    """Open incidents on which no decision has been reached."""
    undecided = cast(t.incident.c.outcomes, Text) == "[]"
    return [t.incident.c.partnership == partnership, t.incident.c.state == "open", undecided]


def _overdue(partnership: str, day: Day) -> list[ColumnElement[bool]]:
    return [*owed(partnership), t.duty.c.due_at < day.now]


def _due_today(partnership: str, day: Day) -> list[ColumnElement[bool]]:
    """A limit at midnight belongs to the day that ends there."""
    return [*owed(partnership), t.duty.c.due_at >= day.now, t.duty.c.due_at <= day.ends_at]


def _unacknowledged(partnership: str, day: Day) -> list[ColumnElement[bool]]:
    return [*owed(partnership), t.duty.c.expects == ACKNOWLEDGEMENT]


def _duties(tx: Tx, within: Sequence[str], where: Where, day: Day, after: Place | None) -> list[DutyLine]:
    """One page and one row more: first by the due instant, then what has no limit."""
    found: list[DutyLine] = []
    due_at, key = t.duty.c.due_at, t.duty.c.id
    for partnership in within:
        query = _DUTY_LINE.where(*where(partnership, day))
        if after is None or after.at is not None:
            limited = query.where(due_at.is_not(None))
            if after is not None:
                same = and_(due_at == after.at, key > after.id)
                limited = limited.where(due_at >= after.at, or_(due_at > after.at, same))
            found.extend(DutyLine(*row) for row in tx.execute(limited.order_by(due_at, key).limit(ROWS + 1)))
        if len(found) <= ROWS:
            beyond = after.id if after is not None and after.at is None else ""
            unlimited = query.where(due_at.is_(None), key > beyond)
            found.extend(DutyLine(*row) for row in tx.execute(unlimited.order_by(key).limit(ROWS + 1)))
    return sorted(found, key=_by_due)[: ROWS + 1]


def _by_due(one: DutyLine) -> tuple[bool, str, str]:
    return one.due_at is None, one.due_at.isoformat() if one.due_at else "", one.id


def _stuck(tx: Tx, partnership: str) -> list[Any]:
    """Deliveries given up and those tried again and again, the newest first. State by state: each follows its index."""
    of = t.delivery.c
    rows: list[Any] = []
    for state in (*FAILED, DeliveryState.PENDING.value):
        query = select(of.agency, of.state, of.created_at, of.last_reason)
        query = query.where(of.partnership == partnership, of.state == state)
        if state not in FAILED:
            query = query.where(of.attempt >= TROUBLE_AFTER)
        rows += tx.execute(query.order_by(of.created_at.desc()).limit(MOST_COUNTED)).all()
    return sorted(rows, key=lambda row: row.created_at, reverse=True)


def _trouble(partnership: PartnershipId, rows: Sequence[Any]) -> PartnerTrouble:
    given_up = sum(row.state in FAILED for row in rows)
    since = min(row.created_at for row in rows)
    reason = next((row.last_reason for row in rows if row.last_reason), None)
    return PartnerTrouble(partnership, rows[0].agency, given_up, len(rows) - given_up, since, reason)


def _count(tx: Tx, table: Any, within: Sequence[str], where: Where, day: Day) -> int:
    return min(MOST_COUNTED, sum(bounded(tx, table.c.id, *where(one, day)) for one in within))


def bounded(tx: Tx, key: ColumnElement[str], *where: ColumnElement[bool]) -> int:
    few = select(key).where(*where).limit(MOST_COUNTED).subquery()
    return int(tx.execute(select(func.count()).select_from(few)).scalar_one())

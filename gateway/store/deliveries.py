"""The outbox: deliveries owed, claimed under a lease and a fence, and the inbox that agencies read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    ScalarSelect,
    Subquery,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from gateway.core.deliveries import DeliveryState
from gateway.core.ladder import Rung
from gateway.core.messages import AgencyId, DeliveryId, IncidentId, MessageId, PartnershipId, RoleId, Seat
from gateway.store import tables as t
from gateway.store.engines import EngineName
from gateway.store.prepared import AT_ONCE, Places, Prepared
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    id: DeliveryId
    partnership: PartnershipId
    incident: IncidentId | None
    message: MessageId
    agency: AgencyId
    role: RoleId
    adapter: str
    state: DeliveryState
    attempt: int
    created_at: datetime
    next_at: datetime | None
    last_reason: str | None
    done_at: datetime | None
    opened_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    recalled_at: datetime | None
    notice: bool
    copies: str | None
    to_deputy: bool
    rung: Rung | None
    rung_at: datetime | None
    rule: str
    pack_version: str | None
    trace: str | None
    message_type: str

    @property
    def way(self) -> str:
        """By which way it is carried now: the directory's, or e-mail once it has gone up its ladder."""
        return "mail" if self.rung in (Rung.MAIL, Rung.DEPUTY) else self.adapter


_NAMES = (
    "id",
    "partnership",
    "incident",
    "message",
    "agency",
    "role",
    "adapter",
    "state",
    "attempt",
    "created_at",
    "next_at",
    "last_reason",
    "done_at",
    "opened_at",
    "acknowledged_at",
    "acknowledged_by",
    "recalled_at",
    "notice",
    "copies",
    "to_deputy",
    "rung",
    "rung_at",
    "rule",
    "pack_version",
    "trace",
)
_STATE, _RUNG = _NAMES.index("state"), _NAMES.index("rung")
_ALL = select(*[t.delivery.c[name] for name in _NAMES], t.message.c.type.label("message_type")).join(
    t.message, t.message.c.id == t.delivery.c.message
)
_BY_ID = Prepared(_ALL.where(t.delivery.c.id == bindparam("delivery")))
_NOT_LEFT = (DeliveryState.HELD, DeliveryState.CANCELLED)
_GUEST = Prepared(  # of an incident of a partnership that the agency is no member of
    select(t.participant.c.agency).where(
        t.participant.c.partnership == bindparam("partnership"),
        t.participant.c.incident == bindparam("incident"),
        t.participant.c.agency == bindparam("agency"),
        t.participant.c.guest.is_(True),
    )
)
_INSERT = Prepared(insert(t.delivery))
_FULL = Places("full")  # agencies that a worker carries the share of


def _is_due(delivery: FromClause) -> ColumnElement[bool]:
    """To be carried by now, and in no worker's hands; without the state, which `next_at` says too and which misleads planners."""
    lease = delivery.c.lease_until
    return and_(delivery.c.next_at <= bindparam("now"), or_(lease.is_(None), lease <= bindparam("now")))


def _queues() -> CTE:
    """Each priority and agency that anything is pending of: from one to the next in `delivery_in_turn`, however long each is."""
    one, first, same, later = (t.delivery.alias(name) for name in ("one", "first", "same", "later"))
    start = select(one.c.priority, one.c.agency).where(one.c.id == _id_of_first(first))
    queues = start.cte("queues", recursive=True)
    next_agency = _id_of_first(same, same.c.priority == queues.c.priority, same.c.agency > queues.c.agency)
    next_priority = _id_of_first(later, later.c.priority > queues.c.priority)
    following = one.c.id == func.coalesce(next_agency, next_priority)
    return queues.union_all(select(one.c.priority, one.c.agency).select_from(queues).join(one, following))


def _id_of_first(delivery: FromClause, *where: ColumnElement[bool]) -> ScalarSelect[str]:
    order = delivery.c["priority", "agency", "next_at", "id"]
    ids = select(delivery.c.id).where(delivery.c.next_at.is_not(None), *where)
    return ids.order_by(*order).limit(1).scalar_subquery()


def _heads(engine: EngineName) -> Subquery:
    """The first `each` that are due of every queue, with their turn in it."""
    queues, one, waiting = _queues(), t.delivery.alias("one"), t.delivery.alias("waiting")
    order = (waiting.c.next_at, waiting.c.id)
    head = (
        select(waiting.c.id, waiting.c.priority, waiting.c.next_at)
        .where(waiting.c.priority == queues.c.priority, waiting.c.agency == queues.c.agency, _is_due(waiting))
        .order_by(*order)
        .limit(bindparam("each"))
    )
    has_room = queues.c.agency.not_in(_FULL.binds)
    if engine == "postgresql":
        turn = func.row_number().over(order_by=order).label("turn")
        each = head.add_columns(turn).lateral("each")
        return select(each).select_from(queues.join(each, true())).where(has_room).subquery("heads")
    in_head = one.c.id.in_(head.with_only_columns(waiting.c.id).correlate(queues))  # SQLite has no LATERAL
    place_in_queue = func.row_number().over(
        partition_by=(one.c.priority, one.c.agency), order_by=(one.c.next_at, one.c.id)
    )
    columns = (one.c.id, one.c.priority, one.c.next_at, place_in_queue.label("turn"))
    return select(*columns).select_from(queues.join(one, in_head)).where(has_room).subquery("heads")


def _due(engine: EngineName) -> Prepared:
    """The most urgent, and among equals the first of every queue, then the second; what another worker locks is left out, and where
    that is all there is, one row of nothing says so."""
    heads = _heads(engine)
    order = heads.c["priority", "turn", "next_at"]
    first = select(heads).order_by(*order).limit(bindparam("among")).cte("in_turn")
    place = [first.c[name].label(f"in_{name}") for name in ("priority", "turn", "next_at")]
    due = _ALL.add_columns(*place).join(first, first.c.id == t.delivery.c.id).where(_is_due(t.delivery))
    locked = due.with_for_update(of=t.delivery, skip_locked=True).order_by(*place).limit(bindparam("most"))
    found, anything = locked.cte("found"), select(first.c.id).limit(1).subquery("anything")
    rows = select(*found.c[*_NAMES, "message_type"]).select_from(anything.outerjoin(found, true()))
    return Prepared(rows.order_by(*(found.c[one.name] for one in place)))


_DUE: Mapping[EngineName, Prepared] = {"sqlite": _due("sqlite"), "postgresql": _due("postgresql")}
BEHIND_OTHERS = 4  # so many times deeper is looked when other workers hold all that would be taken first
_PLACES, _FENCES = Places("delivery"), Places("fence")
_IN_PLACES = t.delivery.c.id.in_(_PLACES.binds)
_CLAIM = Prepared(
    update(t.delivery)
    .where(_IN_PLACES)
    .values(attempt=t.delivery.c.attempt + 1, lease_until=bindparam("until"))
)
_UNSETTLED = {"state": DeliveryState.PENDING.value, "next_at": None, "done_at": None, "last_reason": None}
_SETTLE = Prepared(
    update(t.delivery)
    .where(
        t.delivery.c.id == bindparam("settled"),
        t.delivery.c.attempt == bindparam("fence"),
        t.delivery.c.state == DeliveryState.PENDING.value,
    )
    .values(lease_until=None, **{name: bindparam(f"new_{name}") for name in _UNSETTLED})
)
_SETTLE_ALIKE = Prepared(
    update(t.delivery)
    .where(
        _IN_PLACES,
        or_(
            *(
                and_(t.delivery.c.id == bindparam(place), t.delivery.c.attempt == bindparam(fence))
                for place, fence in zip(_PLACES.names, _FENCES.names, strict=True)
            )
        ),
        t.delivery.c.state == DeliveryState.PENDING.value,
    )
    .values(lease_until=None, **{name: bindparam(f"new_{name}") for name in _UNSETTLED})
)

_AS_A_GUEST = exists().where(  # of an incident of a partnership that the agency is no member of
    t.participant.c.partnership == t.delivery.c.partnership,
    t.participant.c.incident == t.delivery.c.incident,
    t.participant.c.agency == t.delivery.c.agency,
    t.participant.c.guest.is_(True),
)


def owe(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record deliveries owed; dispatch is woken after the commit."""
    if rows:
        tx.execute(_INSERT, [{**row, "trace": tx.trace} for row in rows])
        tx.wake()


def owed_by_rule(tx: Tx, partnership: PartnershipId, seat: Seat, rule: str, since: datetime) -> bool:
    """Whether something has been owed to a seat by this rule since then."""
    c = t.delivery.c
    where = (c.partnership == partnership, c.agency == seat.agency, c.role == seat.role, c.rule == rule)
    return tx.execute(select(c.id).where(*where, c.created_at > since).limit(1)).first() is not None


def claim(
    tx: Tx,
    now: datetime,
    lease_until: datetime,
    most: int,
    each: int | None = None,
    carried: Mapping[AgencyId, int] | None = None,
) -> list[DeliveryRow]:
    """Take due deliveries for one worker: the most urgent first, and among equals one agency after the other, so that a burst
    to one starves nobody; of one agency at most `each`, with those that the worker carries already.

    The attempt number is the fence: `record` refuses a worker that lost it. What it costs grows with the agencies that anything is
    owed to, not with how much.
    """
    each, carried = each or most, carried or {}
    full = [agency for agency, count in carried.items() if count >= each]
    asked = {"now": now, "most": most, "each": each, "among": BEHIND_OTHERS * most, **_FULL.of(full or [""])}
    rows = tx.execute(_DUE[tx.engine_name], asked).rows
    if rows and rows[0][0] is None:  # others are about to take the first of every queue
        deeper = {"each": BEHIND_OTHERS * each, "most": min(each, most), "among": BEHIND_OTHERS**2 * most}
        rows = tx.execute(_DUE[tx.engine_name], asked | deeper).rows
    found = _within_shares([_delivery(row) for row in rows if row[0] is not None], each, carried)
    if found:
        ids = [row.id for row in found]
        for at in range(0, len(ids), AT_ONCE):
            tx.execute(_CLAIM, _PLACES.of(ids[at : at + AT_ONCE]) | {"until": lease_until})
    return [_with_attempt(row, row.attempt + 1) for row in found]


def _within_shares(
    found: Sequence[DeliveryRow], each: int, carried: Mapping[AgencyId, int]
) -> list[DeliveryRow]:
    """An agency may stand in queues of several priorities, and some of its are carried already."""
    taken = Counter(carried)
    within = []
    for row in found:
        taken[row.agency] += 1
        if taken[row.agency] <= each:
            within.append(row)
    return within


def settle(tx: Tx, delivery: DeliveryId, attempt: int, values: Mapping[str, Any]) -> bool:
    """Write an attempt's outcome if the fence still holds; False when another worker has it or it is final."""
    found = tx.execute(_SETTLE, {"settled": delivery, "fence": attempt, **_written(values)})
    return found.rowcount == 1


def settle_alike(tx: Tx, attempts: Mapping[DeliveryId, int], values: Mapping[str, Any]) -> bool:
    """`settle` for up to `AT_ONCE` deliveries with one outcome; False when that of any was refused: then roll back."""
    placed = _PLACES.of(list(attempts)) | _FENCES.of(list(attempts.values()))
    return tx.execute(_SETTLE_ALIKE, placed | _written(values)).rowcount == len(attempts)


def find(tx: Tx, delivery: DeliveryId) -> DeliveryRow | None:
    row = tx.execute(_BY_ID, {"delivery": delivery}).first()
    return None if row is None else _delivery(row)


def find_for_agency(
    tx: Tx,
    agency: AgencyId,
    partnerships: Sequence[str],
    delivery: DeliveryId,
    *,
    with_letters: bool = False,
) -> DeliveryRow | None:
    """A delivery in this agency's inbox, or None: foreign and unknown look the same. `with_letters`: what went by e-mail too."""
    row = find(tx, delivery)
    if row is None or row.agency != agency or row.state in _NOT_LEFT:
        return None
    if row.adapter == "mail" and not with_letters:
        return None
    if row.partnership not in partnerships:
        guest = {"partnership": row.partnership, "incident": row.incident, "agency": agency}
        return row if tx.execute(_GUEST, guest).first() else None
    return row


def inbox(
    tx: Tx, agency: AgencyId, partnerships: Sequence[str], after: tuple[datetime, str] | None, most: int
) -> list[DeliveryRow]:
    """What an agency has not yet acknowledged, oldest first, after a cursor (created_at, id)."""
    query = _ALL.where(
        t.delivery.c.agency == agency,
        or_(t.delivery.c.partnership.in_(partnerships), _AS_A_GUEST),
        t.delivery.c.acknowledged_at.is_(None),
        _in_inbox(),
    )
    if after is not None:
        at, last = after
        query = query.where(
            or_(t.delivery.c.created_at > at, and_(t.delivery.c.created_at == at, t.delivery.c.id > last))
        )
    rows = tx.execute(query.order_by(t.delivery.c.created_at, t.delivery.c.id).limit(most))
    return [_delivery(row) for row in rows]


def change(tx: Tx, delivery: DeliveryId, **values: Any) -> None:
    tx.execute(
        _change(tuple(values)), {"changed": delivery} | {f"new_{name}": values[name] for name in values}
    )
    if values.get("state") == DeliveryState.PENDING.value:
        tx.wake()


@cache
def _change(names: tuple[str, ...]) -> Prepared:
    """An update of these columns; there are a handful of kinds."""
    query = update(t.delivery).where(t.delivery.c.id == bindparam("changed"))
    return Prepared(query.values({name: bindparam(f"new_{name}") for name in names}))


def cancel_unless_leased(tx: Tx, delivery: DeliveryId, at: datetime) -> bool:
    """Give up a delivery that is held or pending; False when a worker has it in hand, or it is final."""
    free = or_(t.delivery.c.lease_until.is_(None), t.delivery.c.lease_until <= at)
    open_states = (DeliveryState.HELD.value, DeliveryState.PENDING.value)
    done = tx.execute(
        update(t.delivery)
        .where(t.delivery.c.id == delivery, t.delivery.c.state.in_(open_states), free)
        .values(state=DeliveryState.CANCELLED.value, next_at=None, lease_until=None, done_at=at)
    )
    return done.rowcount == 1


def climb_unless_leased(tx: Tx, delivery: DeliveryId, at: datetime, values: Mapping[str, Any]) -> bool:
    """Go on to another rung; False when a worker has the delivery in hand, so that what it learns is recorded first."""
    free = or_(t.delivery.c.lease_until.is_(None), t.delivery.c.lease_until <= at)
    done = tx.execute(
        update(t.delivery)
        .where(t.delivery.c.id == delivery, free)
        .values(lease_until=None, attempt=t.delivery.c.attempt + 1, **values)
    )
    if values.get("state") == DeliveryState.PENDING.value:
        tx.wake()
    return done.rowcount == 1


def end_ladder(tx: Tx, delivery: DeliveryId, at: datetime) -> None:
    """The recipient was heard: no further rung, and what was still to go out by a later one does not."""
    tx.execute(
        update(t.delivery)
        .where(
            t.delivery.c.id == delivery,
            t.delivery.c.state == DeliveryState.PENDING.value,
            t.delivery.c.rung.is_not(None),
        )
        .values(state=DeliveryState.DELIVERED.value, next_at=None, lease_until=None, done_at=at)
    )
    tx.execute(update(t.delivery).where(t.delivery.c.id == delivery).values(rung_at=None))


def rungs_due(tx: Tx, now: datetime, most: int) -> list[DeliveryRow]:
    """Whose next rung is due, the longest waiting first."""
    query = _ALL.where(t.delivery.c.rung_at <= now).order_by(t.delivery.c.rung_at).limit(most)
    return [_delivery(row) for row in tx.execute(query)]


def hold_unless_leased(tx: Tx, delivery: DeliveryId, at: datetime) -> bool:
    """Stop a delivery that has not left; False when a worker has it in hand, or it waits or is final already."""
    free = or_(t.delivery.c.lease_until.is_(None), t.delivery.c.lease_until <= at)
    done = tx.execute(
        update(t.delivery)
        .where(t.delivery.c.id == delivery, t.delivery.c.state == DeliveryState.PENDING.value, free)
        .values(state=DeliveryState.HELD.value, next_at=None, lease_until=None)
    )
    return done.rowcount == 1


def uncollected(tx: Tx, adapter: str, since: datetime, most: int) -> list[DeliveryRow]:
    """What went out by one way since then and nobody has taken, as far as we know; oldest first."""
    query = _ALL.where(
        t.delivery.c.state == DeliveryState.DELIVERED.value,
        t.delivery.c.adapter == adapter,
        t.delivery.c.opened_at.is_(None),
        t.delivery.c.acknowledged_at.is_(None),
        t.delivery.c.done_at >= since,
    )
    return [_delivery(row) for row in tx.execute(query.order_by(t.delivery.c.done_at).limit(most))]


def of_message(tx: Tx, message: MessageId) -> list[DeliveryRow]:
    return [_delivery(row) for row in tx.execute(_ALL.where(t.delivery.c.message == message))]


def under_way(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> list[DeliveryId]:
    """The deliveries of an incident that are still to be carried."""
    where = (
        t.delivery.c.partnership == partnership,
        t.delivery.c.incident == incident,
        t.delivery.c.state == DeliveryState.PENDING.value,
    )
    return [DeliveryId(row.id) for row in tx.execute(select(t.delivery.c.id).where(*where))]


def recipients(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, message: MessageId
) -> tuple[Seat, ...]:
    """The seats that a message of this incident went to, or still goes to; not those it never left for."""
    mine = (
        row for row in of_message(tx, message) if (row.partnership, row.incident) == (partnership, incident)
    )
    return tuple(dict.fromkeys(Seat(row.agency, row.role) for row in mine if is_or_will_be_there(row)))


def is_or_will_be_there(row: DeliveryRow) -> bool:
    """Whether the recipient has it, may have it, or is still to get it."""
    if row.opened_at is not None or row.acknowledged_at is not None:
        return True
    if row.recalled_at is not None and row.state in (
        DeliveryState.FAILED_PARTNER,
        DeliveryState.FAILED_SYSTEM,
    ):
        return False
    return row.state not in (DeliveryState.HELD, DeliveryState.CANCELLED)


def every(
    tx: Tx,
    partnership: PartnershipId | None = None,
    states: Collection[DeliveryState] = (),
    agency: str | None = None,
    after: DeliveryRow | None = None,
    most: int | None = None,
) -> list[DeliveryRow]:
    """Newest first, older than `after`; all of them unless `most` is given."""
    query, created_at, key = _ALL, t.delivery.c.created_at, t.delivery.c.id
    if partnership is not None:
        query = query.where(t.delivery.c.partnership == partnership)
    if states:
        query = query.where(t.delivery.c.state.in_([state.value for state in states]))
    if agency is not None:
        query = query.where(t.delivery.c.agency == agency)
    if after is not None:
        same = and_(created_at == after.created_at, key < after.id)
        query = query.where(or_(created_at < after.created_at, same))
    rows = tx.execute(query.order_by(created_at.desc(), key.desc()).limit(most))
    return [_delivery(row) for row in rows]


def counts_by_state(tx: Tx, most: int | None = None) -> dict[str, int]:
    """How many deliveries are in each state that any is in; no further than `most` of one is counted."""
    state = t.delivery.c.state
    counts = {
        one.value: select(func.count()).select_from(
            select(state).where(state == one.value).limit(most).subquery()
        )
        for one in DeliveryState
    }
    found = {name: int(tx.execute(count).scalar_one()) for name, count in counts.items()}
    return {name: count for name, count in found.items() if count}


def waits_since(tx: Tx, now: datetime) -> datetime | None:
    """Since when the delivery that waits longest past its instant does, while nobody carries it; None when none does."""
    query = select(t.delivery.c.next_at).where(
        t.delivery.c.state == DeliveryState.PENDING.value,
        t.delivery.c.next_at <= now,
        or_(t.delivery.c.lease_until.is_(None), t.delivery.c.lease_until <= now),
    )
    row = tx.execute(query.order_by(t.delivery.c.next_at).limit(1)).first()
    return None if row is None else row.next_at


def cancel_open(tx: Tx, partnership: PartnershipId, incident: IncidentId, at: datetime) -> None:
    """Erasure: nothing of the incident is sent any more."""
    tx.execute(
        update(t.delivery)
        .where(
            t.delivery.c.partnership == partnership,
            t.delivery.c.incident == incident,
            t.delivery.c.state.in_((DeliveryState.HELD.value, DeliveryState.PENDING.value)),
        )
        .values(state=DeliveryState.CANCELLED.value, next_at=None, done_at=at)
    )


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := values.keys() - _UNSETTLED:
        raise TypeError(f"an outcome does not write {unknown}")
    return {f"new_{name}": values.get(name, usual) for name, usual in _UNSETTLED.items()}


def _in_inbox() -> Any:
    """An agency sees what is owed to it by any way but e-mail letters, unless held or cancelled."""
    return and_(_has_left(), t.delivery.c.adapter != "mail")


def _has_left() -> Any:
    return t.delivery.c.state.not_in([state.value for state in _NOT_LEFT])


def _delivery(row: Any) -> DeliveryRow:
    values = list(row)
    values[_STATE] = DeliveryState(values[_STATE])
    values[_RUNG] = None if values[_RUNG] is None else Rung(values[_RUNG])
    return DeliveryRow(*values)


def _with_attempt(row: DeliveryRow, attempt: int) -> DeliveryRow:
    return DeliveryRow(
        **{**{name: getattr(row, name) for name in (*_NAMES, "message_type")}, "attempt": attempt}
    )

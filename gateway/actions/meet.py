"""Which duties a message meets: in time, or late and on record.

What counts is when the answer arrived, unless the duty says that the event which the answer tells of counts (C-16); then
both instants are stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.actions.decided_on import thread
from gateway.actions.prove import Said
from gateway.core.duties import EARLY, UNANSWERED, DutyState, event_time, is_early, settled_state
from gateway.core.messages import Message, RoleId
from gateway.core.receipts import Event
from gateway.core.rules import (
    ACKNOWLEDGEMENT,
    JointDecision,
    Pack,
    Route,
    answers_in_full,
    answers_task,
    joint_decision,
)
from gateway.core.written_times import written, written_or_null
from gateway.parts import Work
from gateway.store import duties
from gateway.store.duties import DutyRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

JUDGED_BY = ("clock", "event", "start_at", "due_on", "due_at", "due_inclusive")


def meet(tx: Tx, work: Work, message: Message, incident: Incident, route: Route) -> list[Said]:
    """Close the duties that this message meets, and return what is to be stated of them.

    An answer in a decision meets the duty of every seat that it speaks for.
    """
    if not answers_in_full(route, message):
        return []
    decision = joint_decision(work.pack, message.type, message.facts)
    if decision is not None:
        answered = _seats_duties(tx, work.pack, decision, message, incident)
    else:
        answered = _answered(tx, work.pack, message, incident)
    return [_close(tx, work.pack, duty, message) for duty in answered]


def earliest(pack: Pack, clock: str, start_at: datetime) -> datetime | None:
    """The earliest instant at which an event can meet a duty by this clock; None where there is none (S0-10).

    A clock of the law, or of an exact day, cannot be met by what happened before it began.
    """
    found = pack.clocks.get(clock)
    return start_at if found is not None and (found.statutory or found.exact) else None


@dataclass(frozen=True, slots=True)
class Met:
    """How an answer meets a duty. `event_at`: when what it tells of happened, where that counts and not the arrival."""

    state: DutyState
    event_at: datetime | None
    is_early: bool

    @property
    def reason(self) -> str:
        """As the receipt calls it."""
        return EARLY if self.is_early else self.state.value


def met_by(pack: Pack, message: Message, duty: Mapping[str, Any]) -> Met:
    """How `message` meets a duty, of which `JUDGED_BY` are asked."""
    clock, told_at = pack.clocks.get(duty["clock"]), message.facts.moments.get(duty["event"])
    counts_at = event_time(told_at, message.arrived_at, earliest(pack, duty["clock"], duty["start_at"]))
    return Met(
        settled_state(duty["due_at"], duty["due_inclusive"], counts_at),
        counts_at if told_at else None,
        is_early(clock, duty["due_on"], counts_at, pack.calendar),
    )


def _close(tx: Tx, pack: Pack, duty: DutyRow, message: Message) -> Said:
    met = met_by(pack, message, {name: getattr(duty, name) for name in JUDGED_BY})
    duties.meet(tx, duty.id, met.state, message.arrived_at, message.id, met.event_at, met.is_early)
    fields = {
        "duty": duty.id,
        "owner": f"{duty.role}@{duty.agency}",
        "clock": duty.clock,
        "due_at": written_or_null(duty.due_at) or "no limit",
    }
    if met.event_at:
        fields |= {"event_at": written(met.event_at), "arrived_at": written(message.arrived_at)}
    return Said(Event.DUTY_MET, fields, reason=met.reason)


def _seats_duties(
    tx: Tx, pack: Pack, decision: JointDecision, message: Message, incident: Incident
) -> list[DutyRow]:
    """The earliest open duty of each seat that decided: a record of the meeting answers for all three (X-29).

    A decision taken on each message anew meets the duties of the message that it is about, and of no other.
    """
    open_here = [
        duty
        for duty in duties.of_incident(tx, incident.partnership, incident.id)
        if duty.expects == message.type and duty.state in UNANSWERED and answers_task(duty.task, message)
    ]
    if decision.each:
        known = thread(tx, pack, incident)
        about = known.about(message.in_reply_to)
        open_here = [duty for duty in open_here if known.about(duty.message) == about]
    first: dict[RoleId, DutyRow] = {}
    for duty in open_here:
        for seat in decided_seats(pack, decision, message):
            if duty.role == seat or duty.role in pack.deputies.get(seat, ()):
                first.setdefault(seat, duty)
    return _by_every_clock(pack, list({duty.id: duty for duty in first.values()}.values()), open_here)


def decided_seats(pack: Pack, decision: JointDecision, message: Message) -> tuple[RoleId, ...]:
    """The decision's own seats for which a message answers; a deputy answers for the seat it stands in for."""
    named = message.facts.codes.get("seat", decision.seats if len(decision.seats) == 1 else ())
    seats = (seat_of(pack, decision, RoleId(role)) for role in named)
    return tuple(seat for seat in seats if seat is not None)


def seat_of(pack: Pack, decision: JointDecision, role: RoleId) -> RoleId | None:
    """The seat of a decision that a role is, or stands in for; None when it has no part in it."""
    if role in decision.seats:
        return role
    return next((seat for seat in decision.seats if role in pack.deputies.get(seat, ())), None)


def _answered(tx: Tx, pack: Pack, message: Message, incident: Incident) -> list[DutyRow]:
    """The duties that an ordinary answer meets.

    The one laid by the very message that it answers, if that laid any; else the sender's earliest of the kind. Where a seat
    owes one thing by two clocks, the answer meets both (K12 and K12b).
    """
    owed = [
        duty
        for duty in duties.owed(tx, incident.partnership, incident.id, message.agency, message.type)
        if answers_task(duty.task, message)
    ]
    if message.in_reply_to is not None and owed:
        laid = [duty for duty in owed if duty.message == message.in_reply_to]
        if laid or _laid_duties(tx, message, incident):
            return _by_every_clock(pack, laid[:1], owed)
    return [] if message.type == ACKNOWLEDGEMENT else _by_every_clock(pack, owed[:1], owed)


def _by_every_clock(pack: Pack, chosen: list[DutyRow], owed: list[DutyRow]) -> list[DutyRow]:
    """The chosen duties, and with each the earliest by every other clock of the same thing and seat."""
    found = {duty.id: duty for duty in chosen}
    for first in chosen:
        if first.expects == ACKNOWLEDGEMENT:
            continue  # each message is acknowledged for itself
        clocks = {first.clock}
        for duty in owed:
            if duty.clock not in clocks and duty.task == first.task and _same_seat(pack, duty, first):
                clocks.add(duty.clock)
                found[duty.id] = duty
    return list(found.values())


def _same_seat(pack: Pack, duty: DutyRow, other: DutyRow) -> bool:
    """One seat, or one that stood in for the other when its duty was laid."""
    stand_in = pack.deputies.get
    alike = duty.role in (other.role, *stand_in(other.role, ())) or other.role in stand_in(duty.role, ())
    return alike and duty.agency == other.agency


def _laid_duties(tx: Tx, message: Message, incident: Incident) -> bool:
    """Whether the message that is answered laid a duty of this kind on the sender that has been met already."""
    every = duties.of_incident(tx, incident.partnership, incident.id)
    mine = (duty for duty in every if duty.agency == message.agency and duty.expects == message.type)
    return any(duty.message == message.in_reply_to and answers_task(duty.task, message) for duty in mine)

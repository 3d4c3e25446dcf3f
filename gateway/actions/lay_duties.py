"""Lay the duties that a rule asks for: one for each owner, due by its clock, and not twice for the same thing.

Invariants: a clock of the law runs even where its owner must not be contacted (G-08); a duty whose date lies beyond the
holiday data is laid without a date, and an officer is told. Nothing is written here: see `what_follows`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.actions.decided_on import thread
from gateway.actions.what_follows import DO_NOT_CONTACT, Forwarded, gap, seats_of
from gateway.core import clocks
from gateway.core.duties import UNCOUNTED, DutyState, next_chase_at
from gateway.core.identifiers import IdKind
from gateway.core.messages import Message, MessageId, Seat
from gateway.core.routing import Circumstances
from gateway.core.rules import (
    ACKNOWLEDGEMENT,
    OF_ONE_MESSAGE,
    DutyRule,
    Route,
    Whom,
    fits,
    flags,
    is_avoided,
    is_each_time,
    moment_values,
)
from gateway.core.written_times import written
from gateway.parts import Work
from gateway.store import duties
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

Same = tuple[Any, ...]  # what makes two duties the same: the values of `duties.SAME`

NOTIFIED = "sin_submitted_at"  # while it has not happened, a clock's other start may be:
WITHOUT_NOTIFICATION = "without-notification"
ENDED_BEFORE = "duty-ended-before"


def add_duties(
    work: Work,
    cause: MessageId | None,
    incident: Incident,
    rule: DutyRule,
    moments: Mapping[str, datetime],
    now: Circumstances,
    result: Forwarded,
) -> None:
    """Add a duty for each owner, due by its clock; none where the clock's start has not happened yet.

    A seat that must not be contacted gets no duty and an officer is asked instead (G-08), except by the law's own clocks,
    which run all the same. They run for a seat that nobody holds too: an officer is told of that by its gap. A duty whose date
    lies beyond the holiday data is added without a date and an officer is told; a newer list of holidays gives the date.
    """
    clock = work.pack.clocks[rule.clock]
    carried = (*flags(now.told), *(() if NOTIFIED in moments else (WITHOUT_NOTIFICATION,)))
    beginning = clocks.begins(clock, moments, carried)
    if beginning is None or rule.unless_received in now.received:
        return
    owners = _owners(work, rule, now, result)
    if not owners and clock.statutory:
        owners = _vacant(work, rule, now)
    for seat, set_at in owners:
        due, is_uncounted = _due(work, clock, beginning.at, set_at)
        plan = clocks.reminders(due, work.pack.calendar)
        if is_avoided(now.avoided, seat.agency, seat.role):
            gap(result, DO_NOT_CONTACT)
            if not clock.statutory:
                continue
        if is_uncounted:
            gap(result, UNCOUNTED)
        result.duties.append(
            _duty_row(work, cause, incident, seat, rule, due)
            | {
                "next_chase_at": next_chase_at(plan, work.at),
                "due_changes": [uncounted(work.at)] if is_uncounted else None,
            }
        )


def _duty_row(
    work: Work,
    cause: MessageId | None,
    incident: Incident,
    seat: Seat,
    rule: DutyRule,
    due: clocks.Due,
) -> dict[str, Any]:
    """An open duty as it is laid; who chases it, and when, is the caller's to say."""
    return {
        "id": work.supply.id(IdKind.DUTY),
        "partnership": incident.partnership,
        "incident": incident.id,
        "message": cause,
        "agency": seat.agency,
        "role": seat.role,
        "expects": rule.expects,
        "clock": rule.clock,
        "pack_version": work.pack.version,
        "start_at": due.start_at,
        "due_on": due.due_on,
        "due_at": due.due_at,
        "due_inclusive": due.inclusive,
        "state": DutyState.OPEN.value,
        "task": rule.task,
        "event": rule.met_at,
        "met_at": None,
        "met_by": None,
        "event_at": None,
        "is_early": False,
    }


def _owners(
    work: Work, rule: DutyRule, now: Circumstances, result: Forwarded
) -> list[tuple[Seat, datetime | None]]:
    """Who owes it, each with the due instant that the message sets, if any; each action of a list sets its own (K19, S4-24)."""
    if rule.owner.whom is not Whom.ACTING:
        set_at = now.told.moments.get(rule.due) if rule.due else None
        return [(seat, set_at) for seat in seats_of(work, rule.owner, now, result)]
    return [
        (seat, action.due_at if rule.due else None)
        for action in now.told.actions
        for seat in seats_of(
            work, rule.owner, replace(now, told=replace(now.told, actions=(action,))), result
        )
    ]


def _vacant(work: Work, rule: DutyRule, now: Circumstances) -> list[tuple[Seat, datetime | None]]:
    """The seat that would owe it if anybody held it: no clock of the law stands still because a director has left (P-05)."""
    if rule.owner.whom is not Whom.SEAT or not fits(rule.owner, now.told.codes):
        return []
    seat = work.directory.vacant(rule.owner.role)
    return [] if seat is None else [(seat, None)]


def _due(
    work: Work, clock: clocks.Clock, start_at: datetime, set_at: datetime | None
) -> tuple[clocks.Due, bool]:
    """When it is due, and whether the holiday data ends too early to say. A clock set case by case is due at `set_at` (K19)."""
    if set_at is None or clock.unit is not clocks.Unit.AS_SET:
        return clocks.due_or_uncounted(clock, start_at, work.pack.calendar)
    return clocks.due_set_at(clock, start_at, set_at, work.pack.calendar), False


def uncounted(at: datetime) -> dict[str, str]:
    """The entry in `due_changes` that says: the holiday data gave this duty no date."""
    return {"old_due_at": "", "new_due_at": "", "cause": UNCOUNTED, "at": written(at)}


def lay_once(
    tx: Tx, work: Work, incident: Incident, result: Forwarded, cause: Message, anew: bool = False
) -> frozenset[str]:
    """Take out of `result` the duties that the incident already has: owed or done, by the same clock from the same start.

    So a second referral or record lays no second duty. A review that every message needs (S1-15, S1-16) is laid once for
    the message that `cause` is about. With `anew` (a decision taken on each message) only reviews are taken out.

    Returns the law's clocks of duties that were taken out although every earlier duty by them was ended by a decision:
    `lay_anew` lays those again.
    """
    if not result.duties:
        return frozenset()
    laid = duties.laid(tx, incident.partnership, incident.id)

    def of_it() -> set[Same]:
        known = thread(tx, work.pack, incident)
        about = known.caused(cause)
        return {
            tuple(getattr(duty, name) for name in duties.SAME)
            for duty in duties.of_incident(tx, incident.partnership, incident.id)
            if known.about(duty.message) == about
        }

    return drop_laid(work, result, laid, of_it, anew)


def drop_laid(
    work: Work,
    result: Forwarded,
    laid: Mapping[Same, frozenset[DutyState]],
    of_it: Callable[[], Collection[Same]],
    anew: bool = False,
) -> frozenset[str]:
    """`lay_once` without the store, so that a replay can ask the same. `laid` are all duties laid before, with their states;
    `of_it` gives those that were laid for the message that this one is about."""
    again = [row for row in result.duties if _is_laid(work, row, laid)]
    reviews = [row for row in again if _is_review(work, row)]
    again = reviews if anew else again
    if reviews:
        had = of_it()
        again = [row for row in again if row not in reviews or same_of(row) in had]
    result.duties = [row for row in result.duties if row not in again]
    return frozenset(row["clock"] for row in again if _was_ended(work, row["clock"], laid))


def same_of(row: Mapping[str, Any]) -> Same:
    """What makes two duties the same, read from the row of one that is being laid."""
    return tuple(row[name] for name in duties.SAME)


def _is_laid(work: Work, row: Mapping[str, Any], laid: Collection[Same]) -> bool:
    if row["expects"] == ACKNOWLEDGEMENT or work.pack.clocks[row["clock"]].start in OF_ONE_MESSAGE:
        return False
    return same_of(row) in laid


def _is_review(work: Work, row: Mapping[str, Any]) -> bool:
    return is_each_time(work.pack, row["expects"], row["task"])


def _was_ended(work: Work, clock: str, laid: Mapping[Same, frozenset[DutyState]]) -> bool:
    at = duties.SAME.index("clock")
    states = {state for same, found in laid.items() if same[at] == clock for state in found}
    return work.pack.is_statutory(clock) and states == {DutyState.WAIVED}


def lay_anew(
    work: Work,
    message: Message,
    incident: Incident,
    route: Route,
    now: Circumstances,
    known: Mapping[str, datetime],
    ended: Collection[str],
    result: Forwarded,
) -> None:
    """Owe again each duty of the law that a decision had ended (`ended`: their clocks), from what this message tells.

    What was known before did not meet the criteria; what this message tells may (P-05, X-01). An officer is told, since
    two officers may end the duty again.
    """
    for rule in route.duties:
        if rule.clock in ended:
            add_duties(
                work, message.id, incident, rule, {**known, **moment_values(route, message)}, now, result
            )
            gap(result, ENDED_BEFORE)

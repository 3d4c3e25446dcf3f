"""What an agency owes by an instant: its states, what meets it, when it is chased.

A duty is met by arrival: what counts is when the answer reached a door of ours, not when we read it. Where a rule says so,
the event that the answer tells of counts instead, never later than the arrival (C-16); both stay on record. Silence never
closes a duty; a missed one stays open to be met late, and the lateness stays on record (S4-22).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from gateway.core.clocks import Clock, Reminder
from gateway.core.messages import RoleId
from gateway.core.working_days import Calendar

# the cause, in a duty's changes, and the reason of a hold: the list of bank holidays ends before its due day
UNCOUNTED = "holiday-data-ends"


class DutyState(Enum):
    OPEN = "open"
    MET = "met"
    MET_LATE = "met-late"
    MISSED = "missed"
    WAIVED = "waived"


EARLY = "met-early"  # how a receipt calls what was met before its exact day
UNANSWERED = frozenset({DutyState.OPEN, DutyState.MISSED})


def settled_state(due_at: datetime | None, inclusive: bool, arrived_at: datetime) -> DutyState:
    """Met, or met late. A duty without a limit (K13) is never late; 17:00:00 itself is in time, midnight is not (C-10)."""
    if due_at is None or arrived_at < due_at or (inclusive and arrived_at == due_at):
        return DutyState.MET
    return DutyState.MET_LATE


def is_early(clock: Clock | None, due_on: date | None, at: datetime, calendar: Calendar) -> bool:
    """Whether an event lies before the day that an exact clock sets: it wants a reason and is no breach (C-11)."""
    return clock is not None and clock.exact and due_on is not None and calendar.local(at).date() < due_on


def event_time(
    event_at: datetime | None, arrived_at: datetime, not_before_at: datetime | None = None
) -> datetime:
    """The instant that counts: that of the event which an answer tells of, or the answer's arrival where it tells of none.

    An event cannot lie after the arrival of the answer that tells of it. One that is said to lie before `not_before_at` is
    not believed, and the arrival counts.
    """
    if event_at is None or (not_before_at is not None and event_at < not_before_at):
        return arrived_at
    return min(event_at, arrived_at)


def latest_reached(plan: Iterable[Reminder], now: datetime) -> Reminder | None:
    """The newest stage already reached: after an outage only this one is sent."""
    reached = [reminder for reminder in plan if reminder.at <= now]
    return reached[-1] if reached else None


def next_chase_at(plan: Iterable[Reminder], now: datetime) -> datetime | None:
    return next((reminder.at for reminder in plan if reminder.at > now), None)


UNDECIDED = frozenset({"more-information", "undecided"})  # answers that decide nothing yet


@dataclass(frozen=True, slots=True)
class Vote:
    seat: RoleId
    outcome: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a joint decision has come: shown as "2 of 3 have decided, dsp-icb missing"."""

    decided: tuple[RoleId, ...]
    missing: tuple[RoleId, ...]
    outcome: str | None
    dissent: bool

    def in_words(self) -> str:
        total = len(self.decided) + len(self.missing)
        if total == 1:
            return self._alone_in_words()
        if not self.missing and self.outcome is None:
            return f"all {total} have answered, and the lead asks for more information"
        if not self.missing or self.outcome is not None:
            count = f"all {total}" if not self.missing else f"{len(self.decided)} of {total}"
            return f"{count} have decided" + (", with dissent" if self.dissent else "")
        names = ", ".join(_short(role) for role in self.missing)
        return f"{len(self.decided)} of {total} have decided, {names} missing"

    def _alone_in_words(self) -> str:
        if self.missing:
            return f"{_short(self.missing[0])} has not decided yet"
        return f"{_short(self.decided[0])} " + (
            "has decided" if self.outcome else "asks for more information"
        )


def _short(role: RoleId) -> str:
    name = role.removeprefix("dsp-")
    return name.upper() if name in ("la", "icb") else name


def tally(seats: tuple[RoleId, ...], lead: RoleId, votes: Iterable[Vote], quorum: int | None = None) -> Tally:
    """Count the latest vote of each seat. The outcome exists once all have decided, or as many as the quorum says: theirs,
    or with dissent the lead's.

    "More information" answers in time, but decides nothing: while it is the lead's latest vote there is no outcome, and every
    seat may vote again until there is one.
    """
    latest = {vote.seat: vote.outcome for vote in votes if vote.seat in seats}
    decided = tuple(seat for seat in seats if seat in latest)
    missing = tuple(seat for seat in seats if seat not in latest)
    dissent = len(set(latest.values())) > 1
    agreed = latest.get(lead) if dissent else next(iter(latest.values()), None)
    enough = len(decided) >= (len(seats) if quorum is None else quorum)
    outcome = None if not enough or agreed in UNDECIDED else agreed
    return Tally(decided, missing, outcome, dissent)

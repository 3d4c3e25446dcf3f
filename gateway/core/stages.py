"""How far an incident has come, step by step, in words that casework uses: made from what was told and what is owed.

A step is there when the partnership's rules know it, or when the incident has something of it. "Asked" is told apart from
"not yet started", as casework needs: somebody was asked and nothing has come back. Source: domain analysis sections 3.3, 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.core.duties import UNANSWERED, DutyState
from gateway.core.rules import Pack


class Progress(Enum):
    COMPLETED = "completed"
    IN_PROGRESS = "in-progress"  # some of it is there
    ASKED = "asked"  # somebody owes it and nothing has come
    NOT_STARTED = "not-started"
    CANNOT_START = "cannot-start"  # it waits for the decision
    NOT_NEEDED = "not-needed"  # the incident is over without it


@dataclass(frozen=True, slots=True)
class Owed:
    """What a step reads of one duty."""

    expects: str
    state: DutyState
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """`came` of `asked` answers are there, `overdue` of the missing ones are late; `due_at` is the soonest of them."""

    id: str
    progress: Progress
    came: int
    asked: int
    overdue: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Kind:
    id: str
    types: frozenset[str]
    after_decision: bool


def _kind(name: str, *types: str, after_decision: bool = True) -> _Kind:
    return _Kind(name, frozenset(types), after_decision)


# In the order of casework. Whatever is owed and stands nowhere here belongs to the last.
KINDS = (
    _kind("acknowledge", "acknowledgement", after_decision=False),
    _kind("decide", "triage-decision", "review-decision", after_decision=False),
    _kind("notify", "sin-record"),
    _kind("schools", "dsl-confirmation"),
    _kind("returns", "information-return", "imr"),
    _kind("review", "meeting-notice", "rapid-review-report", "case-review", "investigation-report"),
    _kind("final", "final-decision"),
    _kind("panel", "panel-response"),
)
OTHER = "other"
_NAMED = frozenset[str]().union(*(kind.types for kind in KINDS))


def steps(
    known: Collection[str],
    told: Sequence[str],
    duties: Sequence[Owed],
    now: datetime,
    *,
    is_decided: bool,
    is_open: bool,
) -> tuple[Step, ...]:
    """The steps of one incident, in order. `known` are the types of message that the rules know, `told` those of the messages
    that came."""
    return tuple(_steps(frozenset(known), Counter(told), duties, now, is_decided, is_open))


def expected_types(pack: Pack) -> frozenset[str]:
    """Every message type that the pack's rules take or ask for."""
    taken = {route.message for route in pack.routes}
    asked = {duty.expects for route in pack.routes for duty in route.duties}
    after = {duty.expects for one in pack.consequences for duty in one.duties}
    letters = {letter.expects for one in pack.consequences for letter in one.letters}
    return frozenset(taken | asked | after | letters)


def _steps(
    known: frozenset[str],
    told: Mapping[str, int],
    duties: Sequence[Owed],
    now: datetime,
    is_decided: bool,
    is_open: bool,
) -> Iterator[Step]:
    for kind in KINDS:
        mine = [duty for duty in duties if duty.expects in kind.types]
        came = sum(told.get(name, 0) for name in kind.types)
        if mine or came or kind.types & known:
            waits = kind.after_decision and not is_decided
            yield _step(kind.id, mine, came, now, waits=waits, is_open=is_open)
    rest = [duty for duty in duties if duty.expects not in _NAMED]
    if rest:
        yield _step(OTHER, rest, 0, now, waits=False, is_open=is_open)


def _step(name: str, duties: Sequence[Owed], told: int, now: datetime, *, waits: bool, is_open: bool) -> Step:
    counted = [duty for duty in duties if duty.state is not DutyState.WAIVED]
    missing = [duty for duty in counted if duty.state in UNANSWERED]
    came = len(counted) - len(missing)
    overdue = sum(duty.due_at is not None and duty.due_at < now for duty in missing)
    due_at = min((duty.due_at for duty in missing if duty.due_at is not None), default=None)
    progress = _progress(came or told, bool(missing), waits=waits, is_open=is_open)
    return Step(name, progress, came, len(counted), overdue, due_at)


def _progress(came: int, is_missing: bool, *, waits: bool, is_open: bool) -> Progress:
    if not is_missing and came:
        return Progress.COMPLETED
    if not is_open:
        return Progress.NOT_NEEDED
    if is_missing:
        return Progress.IN_PROGRESS if came else Progress.ASKED
    return Progress.CANNOT_START if waits else Progress.NOT_STARTED

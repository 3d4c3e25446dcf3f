"""What the business unit looks through every week: what is due in it, and what each agency is late with.

Made from rows alone, like every register; no content, no names. A matter that is closed, transferred or erased owes nothing.
Source: domain analysis section 6.2, S4-12.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from gateway.core.duties import UNANSWERED
from gateway.core.registers import Case, Cell, Ground, Owed, Sheet, days_late

DUE_THIS_WEEK, OVERDUE_BY_AGENCY = "due-this-week", "overdue-by-agency"
COLUMNS = (
    "due_on",
    "agency",
    "role",
    "reference",
    "expects",
    "task",
    "clock",
    "laid_on",
    "state",
    "working_days_left",
    "working_days_late",
    "chases",
)


def due_this_week(cases: Sequence[Case], ground: Ground) -> Sheet:
    """What is unanswered and due from this Monday to Sunday in the partnership's zone, soonest first."""
    today = ground.calendar.local(ground.now).date()
    monday = today - timedelta(days=today.weekday())
    week = {monday + timedelta(days=day) for day in range(7)}
    found = sorted((duty for duty in _unanswered(cases) if duty.due_on in week), key=_by_due)
    return Sheet(DUE_THIS_WEEK, "Due this week", COLUMNS, tuple(_row(duty, ground) for duty in found))


def overdue_by_agency(cases: Sequence[Case], ground: Ground) -> Sheet:
    """What is unanswered and past its limit, agency by agency, the longest overdue first."""
    late = (duty for duty in _unanswered(cases) if duty.is_late(ground.now))
    found = sorted(late, key=lambda duty: (duty.agency, *_by_due(duty)))
    return Sheet(OVERDUE_BY_AGENCY, "Overdue by agency", COLUMNS, tuple(_row(duty, ground) for duty in found))


def _unanswered(cases: Sequence[Case]) -> Iterator[Owed]:
    owed = (duty for case in cases if case.state == "open" for duty in case.duties)
    return (duty for duty in owed if duty.state in UNANSWERED)


def _by_due(duty: Owed) -> tuple[str, str, str]:
    return (duty.due_at.isoformat() if duty.due_at else "", duty.agency, duty.id)


def _row(duty: Owed, ground: Ground) -> tuple[Cell, ...]:
    today = ground.calendar.local(ground.now).date()
    left = None if duty.due_on is None or duty.due_on < today else ground.working_days(today, duty.due_on)
    return (
        duty.due_on.isoformat() if duty.due_on else None,
        duty.agency,
        duty.role,
        duty.incident,
        duty.expects,
        duty.task,
        duty.clock,
        ground.day(duty.start_at),
        duty.state.value,
        None if duty.is_late(ground.now) else left,
        days_late(duty, ground),
        duty.chases,
    )

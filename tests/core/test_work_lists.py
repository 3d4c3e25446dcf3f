"""What is due this week and what each agency is late with, from rows alone (section 6.2, S4-12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from gateway.core.duties import DutyState
from gateway.core.messages import DutyId
from gateway.core.registers import Ground, Owed
from gateway.core.work_lists import due_this_week, overdue_by_agency
from tests.core.test_registers import GROUND, ICB, POLICE, case, column, owed

THURSDAY = replace(GROUND, now=datetime(2026, 11, 12, 9, 0, tzinfo=UTC))


def due(day: date, **changes: object) -> Owed:
    at = datetime(day.year, day.month, day.day, 17, tzinfo=UTC)
    given = {"id": DutyId(f"dty-{day}"), "due_on": day, "due_at": at, "met_at": None} | changes
    return replace(owed("K13", DutyState.OPEN), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("day", "listed"),
    [
        (date(2026, 11, 8), False),  # last Sunday
        (date(2026, 11, 9), True),
        (date(2026, 11, 12), True),
        (date(2026, 11, 15), True),
        (date(2026, 11, 16), False),
    ],
)
def test_the_week_is_monday_to_sunday(day: date, listed: bool) -> None:
    rows = due_this_week([case(duties=(due(day),))], THURSDAY).rows
    assert bool(rows) is listed


def test_the_week_is_that_of_the_partnership_s_zone() -> None:
    """In July midnight in England is eleven at night in UTC: a new week has begun."""
    night = replace(GROUND, now=datetime(2026, 7, 12, 23, 30, tzinfo=UTC))
    cases = [case(duties=(due(date(2026, 7, 13)),))]
    assert len(due_this_week(cases, night).rows) == 1
    assert due_this_week(cases, replace(night, now=datetime(2026, 7, 12, 22, 30, tzinfo=UTC))).rows == ()


def test_what_is_due_comes_soonest_first_with_the_working_days_that_are_left() -> None:
    friday, monday = due(date(2026, 11, 13)), due(date(2026, 11, 9))
    sheet = due_this_week([case(duties=(friday, monday))], THURSDAY)
    assert column(sheet, "due_on") == ["2026-11-09", "2026-11-13"]
    assert column(sheet, "working_days_left") == [None, 1]
    assert column(sheet, "working_days_late") == [3, None]


def test_what_is_overdue_stands_agency_by_agency_and_the_oldest_first() -> None:
    late = (
        due(date(2026, 11, 9), agency=POLICE),
        due(date(2026, 11, 10), agency=ICB, state=DutyState.MISSED),
        due(date(2026, 11, 6), agency=POLICE),
        due(date(2026, 11, 13), agency=ICB),
    )
    sheet = overdue_by_agency([case(duties=late)], THURSDAY)
    assert [(row[1], row[0]) for row in sheet.rows] == [
        (ICB, "2026-11-10"),
        (POLICE, "2026-11-06"),
        (POLICE, "2026-11-09"),
    ]
    assert column(sheet, "working_days_late") == [2, 4, 3]


@pytest.mark.parametrize("state", [DutyState.MET, DutyState.MET_LATE, DutyState.WAIVED])
def test_what_is_answered_or_waived_is_on_neither_list(state: DutyState) -> None:
    cases = [case(duties=(due(date(2026, 11, 10), state=state),))]
    assert (due_this_week(cases, THURSDAY).rows, overdue_by_agency(cases, THURSDAY).rows) == ((), ())


@pytest.mark.parametrize("state", ["closed", "transferred", "erased"])
def test_a_matter_that_is_over_owes_nothing(state: str) -> None:
    cases = [case(state=state, duties=(due(date(2026, 11, 10)),))]
    assert (due_this_week(cases, THURSDAY).rows, overdue_by_agency(cases, THURSDAY).rows) == ((), ())


def test_what_has_no_limit_is_never_overdue_and_due_in_no_week() -> None:
    cases = [case(duties=(replace(due(date(2026, 11, 10)), due_on=None, due_at=None),))]
    ground: Ground = THURSDAY
    assert (due_this_week(cases, ground).rows, overdue_by_agency(cases, ground).rows) == ((), ())

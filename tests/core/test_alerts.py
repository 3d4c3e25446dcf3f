"""When people of the unit are written to."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.core import spoken_times
from gateway.core.alerts import QuietHours, Watch, is_quiet, last_before_due, may_go_at
from gateway.core.clocks import Reminder, Stage
from tests.core.test_working_days import ENGLAND

QUIET = QuietHours(time(18, 0), time(8, 0))
NOBODY = Watch(anybody=False, is_theirs=False)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)  # GMT; 2 November is a Monday


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (at(2, 10), at(2, 10)),
        (at(2, 17, 59), at(2, 17, 59)),
        (at(2, 18), at(3, 8)),
        (at(3, 7, 59), at(3, 8)),
        (at(6, 19), at(9, 8)),
        (at(7, 12), at(9, 8)),
    ],
)
def test_at_night_and_on_closed_days_only_what_the_law_sets_is_told(now: datetime, then: datetime) -> None:
    assert may_go_at(now, ENGLAND, QUIET, NOBODY, statutory=False) == then
    assert may_go_at(now, ENGLAND, QUIET, NOBODY, statutory=True) == now


def test_at_night_who_is_on_call_is_told_of_what_the_law_sets_and_everybody_else_in_the_morning() -> None:
    """And while nobody is on call everybody is told: no turn that was forgotten keeps it from them."""
    night, morning = at(2, 22), at(3, 8)
    on_call, asleep = Watch(anybody=True, is_theirs=True), Watch(anybody=True, is_theirs=False)
    assert may_go_at(night, ENGLAND, QUIET, on_call, statutory=True) == night
    assert may_go_at(night, ENGLAND, QUIET, asleep, statutory=True) == morning
    assert may_go_at(night, ENGLAND, QUIET, on_call, statutory=False) == morning
    assert may_go_at(at(2, 10), ENGLAND, QUIET, asleep, statutory=True) == at(2, 10)


def test_hours_of_one_s_own_leave_enough_of_the_day() -> None:
    late = QuietHours(time(20, 0), time(10, 30))
    assert may_go_at(at(2, 9), ENGLAND, late, NOBODY, statutory=False) == at(2, 10, 30)
    sound = [(time(18, 0), time(8, 0)), (time(14, 0), time(8, 0)), (time(8, 0), time(8, 0))]
    silent = [(time(8, 0), time(18, 0)), (time(13, 59), time(8, 0)), (time(0, 0), time(23, 59))]
    assert all(QuietHours(*hours).is_sound for hours in sound)
    assert not any(QuietHours(*hours).is_sound for hours in silent)


@pytest.mark.parametrize(
    ("due_at", "told"),
    [
        (at(6, 17), "5pm on Friday 6 November 2026"),
        (at(6, 9, 30), "9:30am on Friday 6 November 2026"),
        (at(6, 12), "midday on Friday 6 November 2026"),
        (at(7, 0), "the end of Friday 6 November 2026"),
        (datetime(2026, 7, 1, 16, 5, tzinfo=UTC), "5:05pm on Wednesday 1 July 2026"),
    ],
)
def test_an_alert_tells_a_limit_as_the_pages_do(due_at: datetime, told: str) -> None:
    assert spoken_times.limit(ENGLAND.local(due_at)) == told


def test_equal_hours_are_never_quiet_but_on_closed_days() -> None:
    never = QuietHours(time(8, 0), time(8, 0))
    assert not is_quiet(at(2, 3), ENGLAND, never)
    assert is_quiet(at(7, 12), ENGLAND, never)  # a Saturday


def test_the_last_stage_before_the_limit_is_when_there_is_still_time() -> None:
    half, before, due = (
        Reminder(stage, at(2, 10) + timedelta(hours=hour))
        for hour, stage in enumerate((Stage.HALF, Stage.DAY_BEFORE, Stage.DUE))
    )
    assert last_before_due((half, before, due)) is Stage.DAY_BEFORE
    assert last_before_due((half, due)) is Stage.HALF
    assert last_before_due((due,)) is None

"""When people of the unit are written to."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.core.alerts import QuietHours, last_before_due, may_go_at
from gateway.core.clocks import Reminder, Stage
from tests.core.test_working_days import ENGLAND

QUIET = QuietHours(time(18, 0), time(8, 0))


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
    assert may_go_at(now, ENGLAND, QUIET, statutory=False) == then
    assert may_go_at(now, ENGLAND, QUIET, statutory=True) == now


def test_the_last_stage_before_the_limit_is_when_there_is_still_time() -> None:
    half, before, due = (
        Reminder(stage, at(2, 10) + timedelta(hours=hour))
        for hour, stage in enumerate((Stage.HALF, Stage.DAY_BEFORE, Stage.DUE))
    )
    assert last_before_due((half, before, due)) is Stage.DAY_BEFORE
    assert last_before_due((half, due)) is Stage.HALF
    assert last_before_due((due,)) is None

"""When a delivery is tried again, as a pure function of attempt, beginning, now and answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from gateway.core.deliveries import (
    FINAL_STATES,
    FIRST_WAIT,
    LONGEST_WAIT,
    PATIENCE,
    DeliveryState,
    TryLater,
    next_attempt_at,
)

BEGAN = datetime(
    2026, 10, 24, 12, 0, tzinfo=UTC
)  # the clocks go back the night after: waits are elapsed time


def wait(attempt: int, asked_seconds: float | None = None, now: datetime = BEGAN) -> timedelta:
    at = next_attempt_at(attempt, BEGAN, now, TryLater("server-error", asked_seconds))
    assert at is not None
    return at - now


def test_waits_double_from_the_first_to_the_longest_and_stay_there() -> None:
    waits = [wait(attempt) for attempt in range(1, 30)]
    assert waits[0] == FIRST_WAIT
    for earlier, later in pairwise(waits):
        assert later == min(earlier * 2, LONGEST_WAIT)
    assert waits[-1] == LONGEST_WAIT


@pytest.mark.parametrize("attempt", [100, 10_000, 10**9])
def test_no_number_of_attempts_overflows(attempt: int) -> None:
    assert wait(attempt) == LONGEST_WAIT


@pytest.mark.parametrize(
    ("asked_seconds", "expected"),
    [
        (None, FIRST_WAIT),
        (0.0, FIRST_WAIT),
        (-10.0, FIRST_WAIT),
        (1.0, FIRST_WAIT),
        (120.0, timedelta(seconds=120)),
        (1e12, LONGEST_WAIT),
        (float("inf"), LONGEST_WAIT),
    ],
)
def test_a_partner_may_ask_for_longer_never_for_shorter_or_for_ever(
    asked_seconds: float | None, expected: timedelta
) -> None:
    assert wait(1, asked_seconds) == expected


def test_patience_ends_four_days_after_the_beginning_and_not_before() -> None:
    outcome = TryLater("server-error")
    just_before = BEGAN + PATIENCE - timedelta(microseconds=1)
    assert next_attempt_at(30, BEGAN, just_before, outcome) == just_before + LONGEST_WAIT
    assert next_attempt_at(30, BEGAN, BEGAN + PATIENCE, outcome) is None


def test_only_what_waits_for_an_officer_or_for_its_next_instant_is_not_final() -> None:
    assert frozenset(DeliveryState) - FINAL_STATES == {DeliveryState.HELD, DeliveryState.PENDING}

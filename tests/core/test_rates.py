"""Buckets: what one key is given is bounded, what is refused costs nothing, and nobody takes from another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.rates import Buckets, Rate

PAUSES = st.lists(st.floats(0, 3, allow_nan=False), max_size=200)


@given(PAUSES, st.floats(0.1, 50), st.integers(1, 20))
def test_within_any_time_a_key_is_given_at_most_its_burst_and_its_pace(
    pauses: list[float], per_second: float, burst: int
) -> None:
    buckets, now, taken = Buckets(Rate(per_second, burst), 10), 0.0, []
    for pause in pauses:
        now += pause
        if not buckets.take("a", now):
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - taken[first]) * per_second + 0.01


@given(PAUSES, st.floats(0.1, 50), st.integers(1, 20))
def test_who_waits_as_long_as_was_said_is_served_however_often_it_asked_before(
    pauses: list[float], per_second: float, burst: int
) -> None:
    buckets, now = Buckets(Rate(per_second, burst), 10), 0.0
    for pause in pauses:
        now += pause
        wait_seconds = buckets.take("a", now)
        assert wait_seconds <= 1 / per_second + 0.01
        if wait_seconds:
            assert buckets.take("a", now) == wait_seconds
            now += wait_seconds
            assert buckets.take("a", now) == 0


def test_a_burst_is_served_at_once_and_the_next_waits() -> None:
    buckets = Buckets(Rate(2, 5), 10)
    assert [buckets.take("a", 100.0) for _ in range(5)] == [0] * 5
    assert buckets.take("a", 100.0) == pytest.approx(0.5)


def test_one_keys_burst_takes_nothing_from_another() -> None:
    buckets = Buckets(Rate(1, 3), 10)
    while not buckets.take("hasty", 0.0):
        pass
    assert [buckets.take("calm", 0.0) for _ in range(3)] == [0, 0, 0]


def test_memory_is_bounded_and_the_longest_unused_is_forgotten() -> None:
    buckets = Buckets(Rate(1, 1), 100)
    for number in range(10_000):
        buckets.take(f"key-{number}", 0.0)
    assert len(buckets) == 100
    assert buckets.take("key-9999", 0.0) > 0
    assert buckets.take("key-0", 0.0) == 0

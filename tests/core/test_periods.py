"""Matters come round at each month's end and each year's start, by the partnership's own clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.core.messages import PartnershipId
from gateway.core.periods import periods
from gateway.core.rules import Every, Periodic
from gateway.partnerships import packs

CALENDAR = packs.shipped(PartnershipId("south-tyneside")).calendar
MONTHLY = Periodic("digest", Every.MONTH, 1, "month_end", ())
YEARLY = Periodic("annual", Every.YEAR, 4, "year_start", ())


def test_each_month_s_end_is_one_matter_from_local_midnight_on() -> None:
    """K18: the clock starts from the last day of the month, in summer an hour earlier by UTC."""
    found = periods(
        MONTHLY,
        CALENDAR,
        datetime(2026, 9, 30, 22, 59, 59, tzinfo=UTC),
        datetime(2026, 12, 1, 0, 0, tzinfo=UTC),
    )
    assert [(each.key, each.at, each.opens_at) for each in found] == [
        ("2026-09", datetime(2026, 9, 30, 22, 59, 59, tzinfo=UTC), datetime(2026, 9, 30, 23, 0, tzinfo=UTC)),
        ("2026-10", datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 1, 0, 0, tzinfo=UTC)),
        ("2026-11", datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 1, 0, 0, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(("until", "count"), [((2026, 12, 31, 23, 59, 59), 0), ((2027, 1, 1, 0, 0, 0), 1)])
def test_a_month_is_over_at_midnight_and_not_before(until: tuple[int, ...], count: int) -> None:
    after = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
    assert len(periods(MONTHLY, CALENDAR, after, datetime(*until, tzinfo=UTC))) == count  # type: ignore[arg-type]


def test_a_year_begins_with_its_month() -> None:
    """K06."""
    found = periods(YEARLY, CALENDAR, datetime(2026, 4, 2, tzinfo=UTC), datetime(2028, 5, 1, tzinfo=UTC))
    assert [(each.key, each.at) for each in found] == [
        ("2027-04", datetime(2027, 3, 31, 23, 0, tzinfo=UTC)),
        ("2028-04", datetime(2028, 3, 31, 23, 0, tzinfo=UTC)),
    ]

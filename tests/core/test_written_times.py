"""Instants in documents and the ledger are UTC with a final Z, whatever zone they were worked out in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.core.written_times import written, written_or_null

SUMMER = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 12, 4, 17, tzinfo=UTC), "2026-12-04T17:00:00Z"),
        (datetime(2026, 6, 4, 17, tzinfo=SUMMER), "2026-06-04T16:00:00Z"),
        (datetime(2026, 12, 4, 17, 0, 0, 5, tzinfo=UTC), "2026-12-04T17:00:00.000005Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_a_final_z(at: datetime, text: str) -> None:
    assert written(at) == text
    assert written_or_null(at) == text


def test_no_instant_is_null_and_a_naive_one_is_a_bug() -> None:
    assert written_or_null(None) is None
    with pytest.raises(ValueError, match="offset"):
        written(datetime(2026, 12, 4, 17))

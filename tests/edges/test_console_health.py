"""What today's page says of the gateway's own work: what waits too long is red or yellow, and says whom to tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from gateway.console.today import Health, health_told

NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
WELL = Health(NOW, None, None, {"mailbox": NOW}, 40, None, date(2028, 12, 31), 0)


def states(health: Health, *, is_anchored: bool = True) -> dict[str, str]:
    return {title: tag.words for title, tag, _ in health_told(health, NOW, is_anchored=is_anchored)}


@pytest.mark.parametrize(
    ("changed", "title", "state"),
    [
        ({"unsealed_since": LONG_AGO}, "Receipts are sealed", "Stopped"),
        ({"unsealed_since": NOW}, "Receipts are sealed", "Working"),
        ({"carried_since": LONG_AGO}, "Messages go out", "Stopped"),
        ({"read_until": {"mailbox": NOW, "other": LONG_AGO}}, "Mail comes in", "Stopped"),
        ({"read_until": {}}, "Mail comes in", "Not in use"),
        ({"holidays_until": date(2027, 11, 4)}, "Due dates can be counted", "Ends soon"),
        ({"holidays_until": date(2027, 11, 5)}, "Due dates can be counted", "Working"),
        ({"uncounted": 1}, "Due dates can be counted", "Stopped"),
        ({"unanchored_since": LONG_AGO}, "The log is confirmed by others", "Waiting"),
    ],
)
def test_each_part_is_judged_by_what_waits_longest(changed: dict[str, Any], title: str, state: str) -> None:
    expected = dict.fromkeys(states(WELL), "Working") | {title: state}
    assert states(replace(WELL, **changed)) == expected


def test_a_log_that_nobody_else_confirms_is_said_to_be_the_gateway_s_own_word() -> None:
    assert states(WELL, is_anchored=False)["The log is confirmed by others"] == "Not in use"

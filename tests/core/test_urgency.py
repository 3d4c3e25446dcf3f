"""What cannot wait until morning, and when it is not morning (G-03, S0-09)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.core.messages import AgencyId, AgencyKind, Facts, Message, MessageId, PartnershipId
from gateway.core.urgency import is_out_of_hours, is_urgent
from gateway.partnerships.calendars import load_calendar

AT = datetime(2026, 11, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("codes", "urgent"),
    [
        ({}, False),
        ({"nature": ("near-miss",), "classification": ("serious",), "urgent_concern": ("no",)}, False),
        ({"nature": ("death",)}, True),
        ({"classification": ("catastrophic",)}, True),
        ({"catastrophic_sign": ("press-enquiries",)}, True),
        ({"urgent_concern": ("yes",)}, True),
    ],
)
def test_s0_09_the_sender_s_own_words_make_it_urgent(codes: dict[str, tuple[str, ...]], urgent: bool) -> None:
    force = (PartnershipId("invented"), AgencyId("police"), AgencyKind.POLICE)
    message = Message(MessageId("msg-1"), "referral", 1, *force, "NP-1", None, None, AT, Facts(codes=codes))
    assert is_urgent(message) is urgent


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 11, 2, 9, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 2, 8, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 2, 17, 0, tzinfo=UTC), True),
        (datetime(2026, 7, 6, 8, 0, tzinfo=UTC), False),  # nine o'clock in London's summer
        (datetime(2026, 11, 7, 10, 0, tzinfo=UTC), True),  # a Saturday
        (datetime(2026, 12, 25, 10, 0, tzinfo=UTC), True),  # a public holiday
        (datetime(2199, 1, 1, 10, 0, tzinfo=UTC), True),  # beyond the holiday data
    ],
)
def test_g_03_hours_are_those_of_the_calendar(at: datetime, expected: bool) -> None:
    assert is_out_of_hours(load_calendar("south-tyneside"), at) is expected

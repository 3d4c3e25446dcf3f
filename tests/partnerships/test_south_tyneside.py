"""What South Tyneside's pack promises in words and no worked example can show."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.core.clocks import due
from gateway.partnerships.calendars import load_calendar
from gateway.partnerships.clock_tables import load_clock_table
from tests.schemas import ABSENT, changed, faults

PACK = "south-tyneside"
ENDORSEMENT = "/body/safeguarding_lead_endorsement"


def test_a_school_asked_for_an_answer_is_never_late() -> None:
    """B13, X-08: "without delay" names no number of days, so the duty only ages."""
    (clock,) = [clock for clock in load_clock_table(PACK).clocks.values() if clock.id == "B13"]
    answer = due(clock, datetime(2026, 11, 23, 10, 0, tzinfo=UTC), load_calendar(PACK))
    assert (answer.due_on, answer.due_at, clock.statutory) == (None, None, False)


def test_a_referral_never_waits_for_the_agency_s_own_safeguarding_lead() -> None:
    """S4-11: the lead's endorsement is taken when there is one, and its absence stops nothing."""
    assert faults(changed("referral", {ENDORSEMENT: ABSENT})) == []
    assert faults(changed("referral", {ENDORSEMENT: None})) == []
    half = {"endorsed_by": {"name": "Tobias Greengrass", "post": "Force safeguarding lead"}}
    assert faults(changed("referral", {ENDORSEMENT: half})) == [(f"{ENDORSEMENT}/endorsed_at", "required")]

"""The console's plain words: what an officer reads in place of codes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.console import words
from gateway.console.reports import clock_names
from gateway.core.messages import AgencyId, DutyId, IncidentId, PartnershipId, RoleId
from gateway.partnerships import packs
from gateway.store.overview import DutyLine
from schemas.vocabulary import Role

NOW = datetime(2026, 11, 22, 18, 50, tzinfo=UTC)  # a Sunday
SOUTH_TYNESIDE = PartnershipId("south-tyneside")


def owed(clock: str, due_at: datetime) -> DutyLine:
    seat, incident = AgencyId("unit"), IncidentId("SI-0000-0000-00")
    return DutyLine(
        DutyId("dty-1"), SOUTH_TYNESIDE, incident, seat, RoleId("sbu"), "x", None, clock, due_at, "open"
    )


def test_what_is_limited_in_hours_says_hours_and_not_working_days() -> None:
    """K21: 72 hours run through the weekend; "1 working day left" on a Sunday would be half a day too kind."""
    pack = packs.shipped("south-tyneside")
    limit = NOW + timedelta(hours=14, minutes=40)
    assert words.left_of(owed("K21", limit), NOW, pack).words == "14 hours left"
    assert words.left_of(owed("K21", NOW - timedelta(hours=3)), NOW, pack).words == "Overdue by 3 hours"
    assert words.left_of(owed("K12", limit), NOW, pack).words == "1 working day left"


def test_every_seat_is_named_as_it_stands_within_a_sentence() -> None:
    """No role of the contract is shown as its code, and none begins with a capital that is not its own."""
    proper = {"dcs", "dsp-icb", "sbu"}
    for each in Role:
        told = words.role(each.value)
        assert "-" not in told or told.endswith("-maker"), told
        assert told[0].islower() or each.value in proper, told
    assert (
        words.reason("nobody-holds-ig-officer") == "Nobody holds the seat of information governance officer"
    )


def test_several_reasons_read_as_one_sentence() -> None:
    told = words.reasons(["same-date-of-birth", "same-surname", "nhs-numbers-differ"])
    assert told == "The date of birth is the same; a surname is the same; but the NHS numbers differ (twins?)"
    assert words.reasons(["telephone-them", "no-certificate"]).split("; ")[1].startswith("it must")
    assert words.reasons([]) == ""


def test_the_report_names_what_is_owed_by_a_clock_that_no_message_starts() -> None:
    """A letter's clock and that of a breach, in every pack: a bar called "B13" tells nobody anything."""
    for name in packs.names():
        assert clock_names(packs.shipped(name))["K21"] == "K21: Breach report"
    assert clock_names(packs.shipped("south-tyneside"))["B13"].startswith("B13: Confirmation")

"""Who is at work when, and that nothing is ever addressed only to somebody who is not (G-03, G-04, S3-23)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.messages import AgencyId, AgencyKind, PartnershipId, RoleId, Seat
from gateway.core.presence import (
    School,
    Standing,
    Term,
    begin_of,
    end_of,
    is_in_term,
    local_day,
    read_pattern,
)
from gateway.core.routing import Agency, Directory, Holder, Way

MONDAY = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
SCHOOL, COUNCIL, TRUST = AgencyId("school"), AgencyId("council"), AgencyId("trust")
DSL, RESPONDER, EDT = RoleId("dsl"), RoleId("agency-responder"), RoleId("edt")
AUTUMN = Term("Autumn 2026", date(2026, 9, 1), date(2026, 12, 18))
PATTERNS = (None, "mon-wed", "thu-sun", "mon-fri 09:00-17:00", "mon-sun 17:00-09:00", "term", "holidays")


def at_work(text: str, at: datetime, in_term: bool | None = None) -> bool:
    pattern = read_pattern(text)
    assert pattern is not None
    return pattern.is_at_work(at, in_term)


@pytest.mark.parametrize(
    ("text", "days"),
    [("mon-wed", {0, 1, 2}), ("Mon - Wed, Fri", {0, 1, 2, 4}), ("fri-mon", {4, 5, 6, 0}), ("sun", {6})],
)
def test_a_weekly_pattern_is_written_as_people_say_it(text: str, days: set[int]) -> None:
    week = [MONDAY + timedelta(days=day) for day in range(7)]
    assert {at.weekday() for at in week if at_work(text, at)} == days


@pytest.mark.parametrize(
    ("hours", "expected"), [(0, False), (6.9, False), (7, True), (22.4, True), (22.6, False), (31, True)]
)
def test_g_03_a_rota_may_run_past_midnight(hours: float, expected: bool) -> None:
    assert at_work("mon-thu 17:00-08:30", MONDAY + timedelta(hours=hours)) is expected


def test_a_rota_follows_the_wall_clock_of_london() -> None:
    summer = datetime(2026, 7, 6, 16, 30, tzinfo=UTC)  # 17:30 in London
    assert at_work("mon 17:00-08:30", summer)
    assert not at_work("mon 17:00-08:30", datetime(2026, 11, 2, 16, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    "text", ["", "monday", "mon-wed 9-5", "mon 25:00-26:00", "tomorrow", "mon,,tue", "term x"]
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    assert read_pattern(text) is None


@pytest.mark.parametrize(
    ("text", "in_term", "expected"),
    [
        ("term", True, True),
        ("term", False, False),
        ("term", None, True),
        ("holidays", False, True),
        ("holidays", True, False),
        ("holidays", None, False),
        ("term tue", True, False),
    ],
)
def test_a_pattern_may_hold_in_term_or_in_holidays(text: str, in_term: bool | None, expected: bool) -> None:
    assert at_work(text, MONDAY, in_term) is expected


def test_terms_that_have_run_out_say_holiday_and_none_say_nothing() -> None:
    assert [is_in_term((AUTUMN,), date(2026, 12, day)) for day in (18, 19)] == [True, False]
    assert is_in_term((AUTUMN,), date(2028, 1, 1)) is False
    assert is_in_term((), date(2026, 12, 18)) is None


@pytest.mark.parametrize(
    ("school", "expected"),
    [
        (School(Standing.OPEN), True),
        (School(Standing.CLOSED), False),
        (School(Standing.CLOSED, closed_on=date(2026, 11, 2)), True),
        (School(Standing.CLOSED, closed_on=date(2026, 11, 1)), False),
        (School(Standing.OPEN, closed_on=date(2026, 8, 31)), False),
        (School(Standing.PROPOSED, opened_on=date(2026, 11, 3)), False),
        (School(Standing.PROPOSED, opened_on=date(2026, 11, 2)), True),
    ],
)
def test_a_school_is_open_from_its_first_to_its_last_day(school: School, expected: bool) -> None:
    assert school.is_open(date(2026, 11, 2)) is expected


def test_a_day_in_london_may_have_23_or_25_hours() -> None:
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 2), 24)):
        assert end_of(day).astimezone(UTC) - begin_of(day).astimezone(UTC) == timedelta(hours=hours)
        assert local_day(begin_of(day)) == day


def schools(holders: tuple[Holder, ...], terms: dict[AgencyId, tuple[Term, ...]]) -> Directory:
    agencies = [
        Agency(SCHOOL, AgencyKind.SCHOOL, "School", "999901", School(Standing.OPEN, "393")),
        Agency(COUNCIL, AgencyKind.LOCAL_AUTHORITY, "Council", "393"),
        Agency(AgencyId("other"), AgencyKind.LOCAL_AUTHORITY, "Other", "831"),
    ]
    return Directory.of(PartnershipId("invented"), agencies, {Seat(SCHOOL, DSL): holders}, {}, terms)


def test_a_school_has_its_own_terms_or_those_of_its_council() -> None:
    own = Term("Longer", date(2026, 9, 1), date(2026, 12, 23))
    by_council = schools((), {COUNCIL: (AUTUMN,), AgencyId("other"): (own,)})
    assert by_council.in_term(SCHOOL, date(2026, 12, 20)) is False
    assert schools((), {COUNCIL: (AUTUMN,), SCHOOL: (own,)}).in_term(SCHOOL, date(2026, 12, 20)) is True
    assert schools((), {}).in_term(SCHOOL, date(2026, 12, 20)) is None


def test_in_the_holidays_the_holiday_contact_comes_first() -> None:
    lead = Holder("Ada Placeholder", "ada@school.example", None, 0)
    contact = Holder("Bo Placeholder", "bo@school.example", None, 5, works=read_pattern("holidays"))
    directory = schools((lead, contact), {COUNCIL: (AUTUMN,)})
    seat, holiday = Seat(SCHOOL, DSL), datetime(2026, 12, 28, 12, tzinfo=UTC)
    assert directory.present_holder(seat, MONDAY) == lead
    assert directory.present_holder(seat, holiday) == contact
    assert directory.mail_address(seat, holiday) == "bo@school.example"


def test_s3_23_the_team_mailbox_survives_everybody() -> None:
    away = Holder("Ada Placeholder", "ada@trust.example", None, 0, MONDAY)
    seat = Seat(TRUST, RESPONDER)
    agencies = [Agency(TRUST, AgencyKind.HEALTH_PROVIDER, "Trust", None)]

    def directory(team: str | None, holders: tuple[Holder, ...]) -> Directory:
        return Directory.of(PartnershipId("p"), agencies, {seat: holders}, {seat: Way("mail", team)})

    assert directory("team@trust.example", (away,)).mail_address(seat, MONDAY) == "team@trust.example"
    assert directory("team@trust.example", ()).mail_address(seat, MONDAY) == "team@trust.example"
    assert directory(None, (away,)).mail_address(seat, MONDAY) is None
    assert directory("ADA@trust.example", (away,)).mail_address(seat, MONDAY) is None, "that reads only Ada"


ADDRESSES = st.sampled_from([f"{name}@trust.example" for name in ("ada", "bo", "cy", "team")])
HOLDERS = st.builds(
    Holder,
    st.sampled_from(["Ada Placeholder", "Bo Placeholder", "Cy Placeholder"]),
    st.none() | ADDRESSES,
    st.none(),
    st.integers(0, 9),
    st.none() | st.sampled_from([MONDAY - timedelta(days=1), MONDAY + timedelta(hours=2)]),
    st.none() | st.sampled_from([MONDAY + timedelta(hours=1), MONDAY + timedelta(days=9)]),
    st.sampled_from([read_pattern(text) if text else None for text in PATTERNS]),
)


@given(
    st.lists(HOLDERS, max_size=4),
    st.lists(HOLDERS, max_size=3),
    st.none() | ADDRESSES,
    st.sampled_from([{}, {TRUST: (AUTUMN,)}]),
    st.integers(0, 24 * 70),
)
def test_g_04_no_addressee_is_ever_only_an_absent_person(
    holders: list[Holder],
    rota: list[Holder],
    team: str | None,
    terms: dict[AgencyId, tuple[Term, ...]],
    hours: int,
) -> None:
    at, seat = MONDAY + timedelta(hours=hours), Seat(TRUST, RESPONDER)
    agencies = [Agency(TRUST, AgencyKind.HEALTH_PROVIDER, "Trust", None)]
    seats = {seat: tuple(holders), Seat(TRUST, EDT): tuple(rota)}
    directory = Directory.of(PartnershipId("p"), agencies, seats, {seat: Way("mail", team)}, terms)
    in_term = directory.in_term(TRUST, local_day(at))
    address, present = directory.mail_address(seat, at), [h for h in holders if not h.is_absent(at, in_term)]
    if address is not None:
        readers = [h for h in holders if h.email == address]
        assert not readers or any(not h.is_absent(at, in_term) for h in readers)
    if any(holder.email for holder in present):
        assert address in {holder.email for holder in present}
    assert directory.is_deserted(seat, at) == (bool(holders) and not present)

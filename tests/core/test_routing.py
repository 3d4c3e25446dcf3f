"""Recipients come from the directory alone; what cannot be found is a gap for an officer, never a guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.messages import AgencyId, AgencyKind, Facts, PartnershipId, RoleId, Seat
from gateway.core.routing import Agency, Circumstances, Directory, Holder, Resolved, Way, resolve
from gateway.core.rules import Recipients, Whom

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
LEAD = RoleId("agency-safeguarding-lead")
POLICE, ICB, SCHOOL, TRUST = (AgencyId(name) for name in ("police", "icb", "school", "trust"))
ADA = Holder("Ada Placeholder", None, None, 1)

DIRECTORY = Directory.of(
    PartnershipId("invented"),
    [
        Agency(POLICE, AgencyKind.POLICE, "Police", None),
        Agency(ICB, AgencyKind.ICB, "Board", "999901"),  # a code that is no school's
        Agency(SCHOOL, AgencyKind.SCHOOL, "School", "999902"),
        Agency(TRUST, AgencyKind.HEALTH_PROVIDER, "Trust", None),
    ],
    {Seat(POLICE, LEAD): (ADA,), Seat(ICB, LEAD): (ADA,), Seat(SCHOOL, RoleId("dsl")): (ADA,)},
    {Seat(TRUST, RoleId("*")): Way("webhook", "https://trust.example/hooks"), Seat(ICB, LEAD): Way("mail")},
)


def seats(whom: Whom, role: RoleId = LEAD, **now: object) -> tuple[list[AgencyId], tuple[str, ...]]:
    found = resolve(Recipients(role, whom), DIRECTORY, Circumstances(POLICE, **now))  # type: ignore[arg-type]
    return [seat.agency for seat in found.seats], found.gaps


def test_a_role_is_everyone_who_holds_it() -> None:
    assert seats(Whom.SEAT) == ([ICB, POLICE], ())
    assert seats(Whom.SEAT, RoleId("sbu")) == ([], ("nobody-holds-sbu",))


def test_the_involved_are_told_and_the_sender_is_not() -> None:
    assert seats(Whom.INVOLVED, involved=(POLICE, ICB)) == ([ICB], ())


def test_the_named_are_told_or_all_involved_when_none_is_named() -> None:
    assert seats(Whom.NAMED, named=(POLICE,), involved=(ICB,)) == ([POLICE], ())
    assert seats(Whom.NAMED, involved=(POLICE, ICB)) == ([ICB], ())


def test_an_agency_named_twice_is_told_once() -> None:
    assert seats(Whom.NAMED, named=(ICB, ICB)) == ([ICB], ())


def test_an_unknown_agency_is_a_gap_and_the_others_are_served() -> None:
    assert seats(Whom.NAMED, named=(AgencyId("nobody"), ICB)) == ([ICB], ("unknown-agency",))


def test_an_empty_seat_is_a_gap_unless_the_agency_s_own_system_receives() -> None:
    assert seats(Whom.NAMED, named=(SCHOOL, TRUST)) == ([TRUST], (f"nobody-holds-{LEAD}",))


def test_a_school_is_found_by_its_own_number_and_no_other_agency_by_it() -> None:
    dsl = RoleId("dsl")
    assert seats(Whom.SCHOOLS, dsl, schools=("999902", "999901")) == ([SCHOOL], ("unknown-school",))


def test_who_asked_is_answered_and_nobody_when_nobody_did() -> None:
    assert seats(Whom.ASKER, asker=ICB) == ([ICB], ())
    assert seats(Whom.ASKER) == ([], ())


def test_the_way_is_the_seat_s_own_or_the_agency_s_or_the_inbox() -> None:
    assert DIRECTORY.way_to(Seat(ICB, LEAD)).adapter == "mail"
    assert DIRECTORY.way_to(Seat(TRUST, LEAD)).adapter == "webhook"
    assert DIRECTORY.way_to(Seat(POLICE, LEAD)).adapter == "inbox"


@pytest.mark.parametrize(
    ("since", "until", "absent"),
    [
        (None, None, False),
        (NOW, None, True),
        (NOW + timedelta(microseconds=1), None, False),
        (NOW - timedelta(days=1), NOW, False),
        (NOW - timedelta(days=1), NOW + timedelta(microseconds=1), True),
    ],
)
def test_an_absent_person_is_never_the_only_addressee(
    since: datetime | None, until: datetime | None, absent: bool
) -> None:
    """G-04: from the first instant of the absence until before its end the deputy is written to."""
    lead = Holder("Ada Placeholder", None, None, 1, since, until)
    deputy = Holder("Bo Placeholder", None, None, 2)
    seat = Seat(POLICE, LEAD)
    directory = Directory.of(DIRECTORY.partnership, DIRECTORY.agencies.values(), {seat: (lead, deputy)}, {})
    assert directory.present_holder(seat, NOW) == (deputy if absent else lead)


def test_with_everyone_away_there_is_nobody() -> None:
    seat = Seat(POLICE, LEAD)
    away = Holder("Ada Placeholder", None, None, 1, NOW)
    directory = Directory.of(DIRECTORY.partnership, DIRECTORY.agencies.values(), {seat: (away,)}, {})
    assert directory.present_holder(seat, NOW) is None


def test_the_directory_knows_a_person_s_seats_by_name_at_their_own_agency_only() -> None:
    unit = Agency(AgencyId("unit"), AgencyKind.LOCAL_AUTHORITY, "Unit", None)
    seat, other = Seat(unit.id, RoleId("head-of-service-sqa")), Seat(AgencyId("else"), RoleId("sbu"))
    ann, bo = Holder("Ann  Example", None, None, 0), Holder("Bo Sample", None, None, 1)
    known = Directory.of(PartnershipId("p"), [unit], {seat: (ann, bo), other: (ann,)}, {})
    assert known.roles_of(unit.id, "bo sample") == known.roles_of(unit.id, "Ann Example") == {seat.role}
    assert known.roles_of(unit.id, "Cy Placeholder") == frozenset()


def test_the_sender_s_own_role_is_told() -> None:
    assert seats(Whom.SENDER) == ([POLICE], ())


def test_codes_narrow_who_is_meant_and_silence_is_no_gap() -> None:
    told = Facts(codes={"classification": ("catastrophic",)})
    now = Circumstances(POLICE, told=told)
    wanted = {"classification": frozenset({"catastrophic", "serious"})}
    nobody = RoleId("chief-executive")
    assert resolve(Recipients(nobody, when=wanted), DIRECTORY, now).gaps == ("nobody-holds-chief-executive",)
    assert resolve(Recipients(nobody, unless=wanted), DIRECTORY, now) == Resolved((), ())
    other = {"classification": frozenset({"near-miss"})}
    assert resolve(Recipients(nobody, when=other), DIRECTORY, now) == Resolved((), ())
    assert resolve(Recipients(LEAD, unless=other), DIRECTORY, now).seats


def away(name: str) -> Holder:
    return Holder(name, None, None, 0, absent_from=NOW - timedelta(days=1))


@pytest.mark.parametrize(
    ("holders", "expected"),
    [
        ({"hos": (ADA,), "psw": (ADA,)}, "hos"),
        ({"hos": (away("Ada"),), "psw": (ADA,), "sm": (ADA,)}, "psw"),
        ({"psw": (away("Bea"),), "sm": (ADA,)}, "sm"),
        ({"hos": (away("Ada"),), "psw": (away("Bea"),)}, "hos"),
        ({"hos": (away("Ada"), ADA), "psw": (ADA,)}, "hos"),
    ],
    ids=["present", "absent", "nobody", "all-absent", "a-deputy-in-the-seat"],
)
@pytest.mark.parametrize("whom", [Whom.SEAT, Whom.SENDER])
def test_the_first_deputy_present_stands_in_for_a_role_that_nobody_present_holds(
    whom: Whom, holders: dict[str, tuple[Holder, ...]], expected: str
) -> None:
    """S3-07, G-04."""
    held = {Seat(POLICE, RoleId(role)): people for role, people in holders.items()}
    directory = Directory.of(
        PartnershipId("invented"), [Agency(POLICE, AgencyKind.POLICE, "Police", None)], held, {}
    )
    deputies = {RoleId("hos"): (RoleId("psw"), RoleId("sm"))}
    now = Circumstances(POLICE, deputies=deputies, at=NOW)
    assert resolve(Recipients(RoleId("hos"), whom), directory, now).seats == (Seat(POLICE, RoleId(expected)),)

"""Another list of bank holidays counts open duties anew and no closed one (C-12, edge cases 5, 6 and 14 of section 11.6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from gateway.actions.change_calendar import CalendarChange, Recount, change_calendar, in_force, recount
from gateway.actions.prove import Occasion
from gateway.core.clocks import due
from gateway.core.duties import DutyState
from gateway.core.errors import Misconfigured, Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import TwoOfficers
from gateway.core.working_days import CalendarEnds
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.timetable import chase_due, recount_open
from gateway.partnerships.calendars import (
    ENGLAND,
    BankHolidays,
    joined,
    read_government_list,
    read_holidays,
    shipped_holidays,
    write_holidays,
)
from gateway.partnerships.packs import shipped
from gateway.parts import Supply
from gateway.store import duties, holidays
from tests.actions.scene import (
    HOSPITALS,
    PARTNERS,
    UNIT,
    coarse_reason,
    decide,
    deliveries_of,
    duties_of,
    duty_of,
    entries_named,
    incident_of,
    reasons,
    refer,
    send,
)
from tests.gateway_house import House

OFFICERS = TwoOfficers("Winifred Stave", "Desmond Quill")
PROCLAIMED = date(2026, 11, 5)  # a Thursday, three days after the referral


def government_list(extra: Mapping[date, str], years: tuple[int, ...] = (2026, 2027, 2028)) -> dict[str, Any]:
    """The shipped days of these years as gov.uk would publish them, with more holidays."""
    days = {
        day: why for day, why in shipped_holidays().divisions[ENGLAND].items() if day.year in years
    } | dict(extra)
    events = [
        {"title": why, "date": str(day), "notes": "", "bunting": True} for day, why in sorted(days.items())
    ]
    return {ENGLAND: {"division": ENGLAND, "events": events}}


def listed(extra: Mapping[date, str], version: str = "2026-11-22-aaaaaaaa") -> BankHolidays:
    return read_government_list(json.dumps(government_list(extra)), version)


async def put_in_force(house: House, newer: BankHolidays) -> None:
    """What `gateway calendar upload` does before it counts anew."""
    asked, occasion = CalendarChange(newer, OFFICERS), Occasion(house.clock(), Supply(bytes(32)))
    await house.parts.store.transact(lambda tx: change_calendar(tx, house.parts, occasion, asked))


async def test_a_proclaimed_holiday_moves_open_duties_and_statutory_ones_too(house: House) -> None:
    """C-12: the due before and after, the cause and a receipt; the owner's duty shows it."""
    referral = await refer(house)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"])
    before = {duty.id: duty for duty in await duties_of(house, referral)}
    await put_in_force(house, listed({PROCLAIMED: "Invented Day"}))
    assert await recount_open(house.parts) == 2
    after = {duty.id: duty for duty in await duties_of(house, referral)}
    moved = {after[name].clock for name in before if after[name].due_at != before[name].due_at}
    assert moved == {"K12", "K14"}
    statutory = await duty_of(house, referral, "dsp-la", "sin-record")
    assert statutory.due_at == datetime(2026, 11, 11, tzinfo=UTC)
    (change,) = statutory.due_changes or ()
    assert (change["old_due_at"], change["new_due_at"]) == ("2026-11-10T00:00:00Z", "2026-11-11T00:00:00Z")
    assert change["cause"] == "holiday-list-changed"
    async with house.client(HOSPITALS) as hospitals:
        (mine,) = (await hospitals.duties())["owed_by_me"]
    assert [each["old_due_at"] for each in mine["due_changes"]] == ["2026-11-09T17:00:00Z"]
    assert mine["original_due_at"] == mine["due_at"] == "2026-11-10T17:00:00Z"
    entries = await entries_named(house, "DutyRescheduled")
    assert [coarse_reason(entry) for entry in entries] == ["holiday-list-changed"] * 2


async def test_a_duty_that_was_answered_is_never_counted_anew(house: House) -> None:
    """C-12: closed clocks stay, whatever was proclaimed afterwards."""
    referral = await refer(house)
    await decide(house, referral, "dsp-icb")
    before = await duty_of(house, referral, "dsp-icb", "triage-decision")
    await put_in_force(house, listed({date(2026, 11, 3): "Invented Day"}))
    await recount_open(house.parts)
    after = await duty_of(house, referral, "dsp-icb", "triage-decision")
    assert (after.state, after.due_at, after.due_changes) == (DutyState.MET, before.due_at, None)
    still_open = await duty_of(house, referral, "dsp-la", "triage-decision")
    assert still_open.due_at == datetime(2026, 11, 4, 17, tzinfo=UTC)


async def test_counting_anew_twice_changes_nothing_more(house: House) -> None:
    referral = await refer(house)
    await put_in_force(house, listed({PROCLAIMED: "Invented Day"}))
    assert await recount_open(house.parts) > 0
    assert await recount_open(house.parts) == 0
    statutory = await duty_of(house, referral, "dsp-la", "sin-record")
    assert len(statutory.due_changes or ()) == 1


async def test_after_a_crash_between_list_and_duties_the_timetable_counts_them(house: House) -> None:
    await refer(house)
    newer = listed({PROCLAIMED: "Invented Day"})
    await put_in_force(house, newer)
    waits = await house.parts.store.read(holidays.waits_for_recount)
    assert waits is not None
    assert waits.version == newer.version
    house.clock.move_by(minutes=1)
    assert await recount_open(house.parts) > 0
    assert await house.parts.store.read(holidays.waits_for_recount) is None


async def test_a_duty_that_another_process_lays_by_the_list_before_is_counted_a_little_later(
    house: House,
) -> None:
    """A process knows of another list within two seconds; what it lays meanwhile is found by the next round."""
    referral = await refer(house)
    before = await duty_of(house, referral, "dsp-la", "sin-record")
    await put_in_force(house, listed({PROCLAIMED: "Invented Day"}))
    await recount_open(house.parts)
    moved = await duty_of(house, referral, "dsp-la", "sin-record")
    late = {"due_on": before.due_on, "due_at": before.due_at, "due_changes": None}
    await house.parts.store.transact(lambda tx: duties.change(tx, before.id, **late))
    house.clock.move_by(minutes=1)
    assert await recount_open(house.parts) == 1
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).due_at == moved.due_at
    assert await recount_open(house.parts) == 0


async def test_a_process_that_still_has_the_list_before_does_not_count_by_it(house: House) -> None:
    referral = await refer(house)
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    await house.parts.partnerships.snapshot(duty.partnership)
    await put_in_force(house, listed({PROCLAIMED: "Invented Day"}))
    with pytest.raises(Misconfigured):
        await house.parts.perform(
            recount, Recount(duty.id, "2026-11-22-aaaaaaaa"), duty.partnership, IncidentId(duty.incident)
        )


async def test_every_process_counts_by_the_new_list_within_seconds(house: House) -> None:
    await refer(house)
    await put_in_force(house, listed({PROCLAIMED: "Invented Day"}))
    house.clock.move_by(seconds=3)
    referral = await refer(house)
    found = await duty_of(house, referral, "dsp-la", "sin-record")
    assert found.due_at == datetime(2026, 11, 11, tzinfo=UTC)
    assert (await incident_of(house, referral)).state == "open"


async def test_the_same_list_again_says_nothing_new(house: House) -> None:
    await put_in_force(house, listed({PROCLAIMED: "Invented Day"}))
    with pytest.raises(Refused):
        await put_in_force(house, listed({PROCLAIMED: "Invented Day"}, "2026-11-22-bbbbbbbb"))


async def test_a_list_is_an_entry_and_kept_whole(house: House) -> None:
    newer = listed({PROCLAIMED: "Invented Day"})
    await put_in_force(house, newer)
    stored = await house.parts.store.read(in_force)
    assert stored == read_holidays(write_holidays(joined(shipped_holidays(), newer)))
    assert len(await entries_named(house, "CalendarChanged")) == 1


def test_years_outside_the_new_list_keep_the_days_that_were_known() -> None:
    """Reach is never lost by an upload: gov.uk's file drops the years behind it."""
    newer = read_government_list(json.dumps(government_list({}, (2027,))), "2027-01-01-cccccccc")
    both = joined(shipped_holidays(), newer)
    assert both.divisions[ENGLAND] == dict(shipped_holidays().divisions[ENGLAND])
    assert (both.covers_from, both.covers_until) == (date(2019, 1, 1), date(2028, 12, 31))


def test_a_holiday_that_moved_leaves_its_old_day() -> None:
    """As in 2020: Early May moved from Monday 4 to Friday 8."""
    document = government_list({date(2027, 5, 7): "Early May bank holiday"})
    events = [each for each in document[ENGLAND]["events"] if each["date"] != "2027-05-03"]
    document[ENGLAND]["events"] = events
    both = joined(shipped_holidays(), read_government_list(json.dumps(document), "2027-01-01-dddddddd"))
    assert date(2027, 5, 3) not in both.divisions[ENGLAND]
    assert date(2027, 5, 7) in both.divisions[ENGLAND]


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "{}",
        '{"scotland": {"division": "scotland", "events": []}}',
        '{"england-and-wales": {"events": []}}',
        '{"england-and-wales": {"events": [{"title": "New Year\'s Day", "date": "2027-01-01"}]}}',
        '{"england-and-wales": {"events": [{"title": "x", "date": "soon"}]}}',
    ],
)
def test_edge_case_14_a_list_that_is_not_one_or_misses_days_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        read_government_list(text, "2027-01-01")


def test_edge_case_14_a_date_beyond_the_list_is_refused_and_never_guessed() -> None:
    pack = shipped("south-tyneside")
    with pytest.raises(CalendarEnds, match="holiday data ends on 2028-12-31"):
        due(pack.clocks["K17"], datetime(2028, 12, 20, tzinfo=UTC), pack.calendar)


NEXT_YEAR = {
    date(2029, 1, day): f"Invented Day {day}" for day in (1, 2, 3, 4, 5, 8, 9, 10)
}  # eight: a whole year


async def test_edge_case_14_what_is_told_past_the_end_of_the_list_goes_on_and_its_dates_come_with_a_newer_one(
    house: House,
) -> None:
    """Nobody is kept waiting for a list of holidays: the partners have it, an officer hears, and no date is guessed."""
    house.clock.move_to(
        datetime(2028, 12, 22, 10, tzinfo=UTC)
    )  # a Friday: five working days end in the new year
    referral = await refer(house)
    assert {row.role for row in await deliveries_of(house, referral["id"])} >= set(PARTNERS)
    statutory = await duty_of(house, referral, "dsp-la", "sin-record")
    assert (statutory.due_at, statutory.next_chase_at, statutory.is_uncounted) == (None, None, True)
    assert await reasons(house) == ["holiday-data-ends"]
    triage = await duty_of(house, referral, "dsp-la", "triage-decision")
    assert triage.due_at == datetime(2028, 12, 27, 17, tzinfo=UTC)
    told = {duty["expects"]: duty["uncounted"] for duty in referral["duties"]}
    assert (told["sin-record"], told["triage-decision"]) == (True, False)
    assert await house.parts.store.read(lambda tx: duties.uncounted(tx, [SOUTH_TYNESIDE], 9)) == 1
    house.clock.move_to(datetime(2029, 1, 2, 10, tzinfo=UTC))
    await chase_due(house.parts, frozenset())
    assert "two-working-days-after" in {duty.chase_stage for duty in await duties_of(house, referral)}
    newer = read_government_list(json.dumps(government_list(NEXT_YEAR, (2028,))), "2029-01-02-aaaaaaaa")
    await put_in_force(house, newer)
    assert await recount_open(house.parts) == 1
    counted = await duty_of(house, referral, "dsp-la", "sin-record")
    assert counted.due_at == datetime(2029, 1, 13, tzinfo=UTC)  # 27 to 29 December, 11 and 12 January
    assert counted.next_chase_at is not None
    assert [one["cause"] for one in counted.due_changes or ()] == [
        "holiday-data-ends",
        "holiday-list-changed",
    ]


async def test_edge_case_14_what_was_answered_before_it_had_a_date_is_judged_by_it(house: House) -> None:
    house.clock.move_to(datetime(2028, 12, 29, 10, tzinfo=UTC))
    referral = await refer(house)
    await decide(house, referral, "dsp-icb")
    met = await duty_of(house, referral, "dsp-icb", "triage-decision")
    assert (met.state, met.is_uncounted) == (DutyState.MET, True)
    days = {date(2029, 3, day): "Invented Day" for day in (5, 6, 7, 8, 9, 12, 13, 14)}
    newer = read_government_list(json.dumps(government_list(days, (2028,))), "2028-12-29-aaaaaaaa")
    await put_in_force(house, newer)
    await recount_open(house.parts)
    judged = await duty_of(house, referral, "dsp-icb", "triage-decision")
    assert (judged.state, judged.due_at) == (DutyState.MET, datetime(2029, 1, 1, 17, tzinfo=UTC))
    assert (judged.met_at, judged.next_chase_at) == (met.met_at, None)

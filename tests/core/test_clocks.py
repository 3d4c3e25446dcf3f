"""Clocks: due instants, day ends, exact days, reminders, recalculation: C-06 to C-16, X-01 to X-09, sections 11.4 to 11.6."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.clocks import (
    BadClock,
    Beginning,
    Clock,
    DayEnd,
    Due,
    Roll,
    Stage,
    Unit,
    begins,
    due,
    due_or_uncounted,
    due_set_at,
    reminders,
    target,
)
from gateway.core.duties import DutyState, is_early, settled_state
from gateway.core.errors import Misconfigured
from gateway.core.working_days import Calendar, CalendarEnds, Convention, Skipped
from gateway.partnerships.clock_tables import load_clock_table
from tests.core.test_working_days import ENGLAND, at, vectors

SECOND = timedelta(seconds=1)


def is_in_time(answer: Due, event_at: datetime) -> bool:
    return settled_state(answer.due_at, answer.inclusive, event_at) is DutyState.MET


def clock(unit: Unit, amount: int | None = None, **more: Any) -> Clock:
    ends = {"day_end": DayEnd.HOURS if unit is Unit.HOURS else DayEnd.MIDNIGHT}
    return Clock(**{"id": "K99", "unit": unit, "amount": amount, "start": "began_at", **ends, **more})


def of_pack(pack: str, clock_id: str) -> Clock:
    return load_clock_table(pack).clocks[clock_id]


K07, K08 = of_pack("dcs-notification", "K07"), of_pack("tower-hamlets", "K08")
K11, K15 = of_pack("south-tyneside", "K11"), of_pack("south-tyneside", "K15")
K12, K17 = of_pack("statutory-minimum", "K12"), of_pack("statutory-minimum", "K17")
K02, K13 = of_pack("derby", "K02"), of_pack("southampton", "K13")


# --- the 30 worked examples of section 11.4 ---


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: str(v["id"]))
def test_hours_are_elapsed_time_whatever_the_day(vector: dict[str, Any]) -> None:
    """C-07 (K01, K08, K07): added in UTC, weekends, holidays and clock changes included."""
    for hours, expected in vector["hours"].items():
        answer = due(clock(Unit.HOURS, int(hours)), at(vector["utc"]), ENGLAND)
        assert answer.due_at == at(expected)
        assert answer.due_on == ENGLAND.local(at(expected)).date()
        assert answer.due_at is not None
        assert answer.due_at.utcoffset() == timedelta(0)
        assert is_in_time(answer, at(expected))
        assert not is_in_time(answer, at(expected) + SECOND)


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: str(v["id"]))
def test_calendar_days_are_added_to_the_date_and_stand_on_closed_days(vector: dict[str, Any]) -> None:
    """C-08 (K03 to K05, K09, K10, K17b) with roll none; C-02: the hour of the trigger does not matter."""
    for days, expected in vector["cal"].items():
        answer = due(clock(Unit.CALENDAR_DAYS, int(days)), at(vector["utc"]), ENGLAND)
        assert answer.due_on == date.fromisoformat(expected)
        assert len(answer.counted) == int(days)
        assert answer.counted[-1] == answer.due_on
        assert answer.skipped == ()


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: str(v["id"]))
def test_rolling_back_lands_on_the_last_working_day_on_or_before(vector: dict[str, Any]) -> None:
    """C-08 (K16): a panel cannot sit on a Sunday."""
    for days, expected in vector["cal_rollback"].items():
        rolled = due(clock(Unit.CALENDAR_DAYS, int(days), roll=Roll.BACK), at(vector["utc"]), ENGLAND)
        assert rolled.due_on == date.fromisoformat(expected)
        standing = date.fromisoformat(vector["cal"][days])
        assert [each.on for each in rolled.skipped] == [
            rolled.due_on + timedelta(days=n) for n in range(1, (standing - rolled.due_on).days + 1)
        ]
        assert not {each.on for each in rolled.skipped} & set(rolled.counted)


# --- chained cases of section 11.5: later clocks start from the submission ---


CHAINS = [
    # aware, triage K11, SIN K12, sent, returns K14, meeting K15, Panel K17, panel by K16 before rolling, final K17b
    "A 2026-11-23T10:00 2026-11-24 2026-11-30 2026-11-30T16:00 2026-12-07 2026-12-10 2026-12-21 2026-12-10 2026-12-15",
    "B 2026-11-27T17:30 2026-11-30 2026-12-04 2026-12-04T16:00 2026-12-11 2026-12-16 2026-12-29 2026-12-14 2026-12-19",
    "C 2026-12-18T16:00 2026-12-21 2026-12-29 2026-12-29T16:00 2027-01-06 2027-01-11 2027-01-20 2027-01-08 2027-01-13",
    "D 2026-12-21T09:15 2026-12-22 2026-12-30 2026-12-30T16:00 2027-01-07 2027-01-12 2027-01-21 2027-01-09 2027-01-14",
    "E 2027-03-22T10:00 2027-03-23 2027-03-31 2027-03-31T15:00 2027-04-07 2027-04-12 2027-04-21 2027-04-10 2027-04-15",
    "F 2026-11-23T10:00 2026-11-24 2026-11-30 2026-11-25T15:00 2026-12-02 2026-12-07 2026-12-16 2026-12-05 2026-12-10",
    "G 2026-11-23T10:00 2026-11-24 2026-11-30 2026-12-02T11:00 2026-12-09 2026-12-14 2026-12-23 2026-12-12 2026-12-17",
]


@pytest.mark.parametrize("chain", CHAINS, ids=lambda line: line[0])
def test_later_clocks_follow_the_submission_and_not_the_missed_limit(chain: str) -> None:
    """Section 11.5 (K11, K12, K14, K15, K16, K17, K17b): C-13, X-22."""
    _, aware, triage, limit, sent, returns, meeting, panel, by_tenth, final = chain.split()
    aware_at, sent_at = at(aware + "Z"), at(sent + "Z")
    assert due(K11, aware_at, ENGLAND).due_on == date.fromisoformat(triage)
    assert due(K12, aware_at, ENGLAND).due_on == date.fromisoformat(limit)
    assert due(of_pack("south-tyneside", "K14"), sent_at, ENGLAND).due_on == date.fromisoformat(returns)
    assert due(K15, sent_at, ENGLAND).due_on == date.fromisoformat(meeting)
    assert due(K17, sent_at, ENGLAND).due_on == date.fromisoformat(panel)
    k16 = of_pack("tower-hamlets", "K16")
    assert due(replace(k16, roll=Roll.NONE), sent_at, ENGLAND).due_on == date.fromisoformat(by_tenth)
    assert due(of_pack("tower-hamlets", "K17b"), sent_at, ENGLAND).due_on == date.fromisoformat(final)


@pytest.mark.parametrize("chain", [c for c in CHAINS if c[0] in "DEFG"], ids=lambda line: line[0])
def test_ten_calendar_days_on_a_saturday_roll_back_to_friday(chain: str) -> None:
    """Section 11.5, reading the chains (K16)."""
    fields = chain.split()
    answer = due(of_pack("tower-hamlets", "K16"), at(fields[4] + "Z"), ENGLAND)
    assert answer.due_on == date.fromisoformat(fields[8]) - timedelta(days=1)
    assert answer.skipped == (Skipped(date.fromisoformat(fields[8]), "Saturday"),)


def test_a_late_submission_is_late_and_still_gives_the_full_fifteen_days() -> None:
    """Case G: two working days late, to be reported; K17 runs from the actual submission."""
    answer = due(K12, at("2026-11-23T10:00Z"), ENGLAND)
    assert not is_in_time(answer, at("2026-12-02T11:00Z"))
    assert len(due(K17, at("2026-12-02T11:00Z"), ENGLAND).counted) == 15


# --- edge cases of section 11.6 ---


@pytest.mark.parametrize(
    ("started", "hours", "wall"),
    [
        ("2026-10-24T10:00+01:00", 24, "Sun 25 Oct 09:00 GMT"),
        ("2027-03-27T10:00+00:00", 24, "Sun 28 Mar 11:00 BST"),
        ("2026-12-25T09:00+00:00", 72, "Mon 28 Dec 09:00 GMT"),
    ],
)
def test_a_clock_change_moves_the_wall_time_and_not_the_elapsed_time(
    started: str, hours: int, wall: str
) -> None:
    """C-07, edge cases 7, 8 and 11 (K08, K07)."""
    answer = due(clock(Unit.HOURS, hours), at(started), ENGLAND)
    assert answer.due_at is not None
    assert f"{ENGLAND.local(answer.due_at):%a %d %b %H:%M %Z}" == wall


@pytest.mark.parametrize(
    ("start", "day"), [("2026-11-23T10:00Z", "2026-11-30"), ("2027-05-24T10:00Z", "2027-06-01")]
)
def test_a_notification_at_half_past_eleven_on_day_five_is_on_time_until_midnight(
    start: str, day: str
) -> None:
    """C-10, edge case 12: in time by MIDNIGHT (exclusive), late by close of business (inclusive); winter and summer."""
    by_midnight = due(clock(Unit.WORKING_DAYS, 5), at(start), ENGLAND)
    by_cob = due(clock(Unit.WORKING_DAYS, 5, day_end=DayEnd.COB), at(start), ENGLAND)
    evening = ENGLAND.instant(date.fromisoformat(day), time(23, 30))
    midnight = ENGLAND.instant(date.fromisoformat(day) + timedelta(days=1), time(0))
    close = ENGLAND.instant(date.fromisoformat(day), time(17))
    assert is_in_time(by_midnight, evening)
    assert is_in_time(by_midnight, midnight - SECOND)
    assert not is_in_time(by_midnight, midnight)
    assert not is_in_time(by_cob, evening)
    assert is_in_time(by_cob, close)
    assert not is_in_time(by_cob, close + SECOND)
    assert (by_midnight.inclusive, by_cob.inclusive) == (False, True)


def test_due_instants_are_utc_in_summer_time_too() -> None:
    """C-10: midnight of a summer's day is 23:00 UTC."""
    answer = due(K12, at("2027-06-07T10:00+01:00"), ENGLAND)
    assert (answer.due_on, answer.due_at) == (date(2027, 6, 14), at("2027-06-14T23:00Z"))
    assert due(K11, at("2027-06-07T10:00+01:00"), ENGLAND).due_at == at("2027-06-08T16:00Z")


def test_twenty_eight_days_from_the_first_of_february_end_on_the_29th() -> None:
    """Edge case 15 (K03): 2028 is a leap year."""
    answer = due(of_pack("derby", "K03"), at("2028-02-01T09:00Z"), ENGLAND)
    assert answer.due_on == date(2028, 2, 29)


def test_a_due_date_that_the_holiday_data_does_not_reach_is_refused() -> None:
    """Edge case 14: hours and standing calendar days need no holidays, working days do."""
    start_at = at("2028-12-27T10:00Z")
    with pytest.raises(CalendarEnds, match="holiday data ends on 2028-12-31"):
        due(K12, start_at, ENGLAND)
    with pytest.raises(CalendarEnds):
        due(of_pack("tower-hamlets", "K16"), start_at, ENGLAND)
    assert due(K07, start_at, ENGLAND).due_at == start_at + timedelta(hours=72)
    assert due(of_pack("tower-hamlets", "K10"), start_at, ENGLAND).due_on == date(2029, 1, 1)


def test_edge_case_14_a_duty_past_the_data_has_no_date_and_what_is_due_before_its_end_is_still_chased_after_it() -> (
    None
):
    late = at("2028-12-27T10:00Z")
    uncounted, is_uncounted = due_or_uncounted(K12, late, ENGLAND)
    assert (is_uncounted, uncounted.due_on, uncounted.due_at) == (True, None, None)
    assert reminders(uncounted, ENGLAND) == ()
    counted, is_uncounted = due_or_uncounted(K11, at("2028-12-28T10:00Z"), ENGLAND)
    assert not is_uncounted
    stages = [(each.stage, each.at) for each in reminders(counted, ENGLAND)]
    assert stages[-2:] == [
        (Stage.ONE_AFTER, at("2029-01-01T17:00Z")),  # whether New Year's Day is one is not known here
        (Stage.TWO_AFTER, at("2029-01-02T17:00Z")),
    ]


def test_a_retrospective_alert_runs_from_awareness_and_is_labelled() -> None:
    """Edge case 18 and X-02 (K08); X-01: the statutory clock K12 always runs from awareness."""
    moments = {"incident_at": at("2019-05-01T10:00Z"), "aware_at": at("2026-11-23T10:00Z")}
    retrospective = begins(K08, moments, {"retrospective"})
    assert retrospective == Beginning("aware_at", moments["aware_at"], by_flag="retrospective")
    assert begins(K08, moments) == Beginning("incident_at", moments["incident_at"])
    assert begins(K12, moments) == Beginning("aware_at", moments["aware_at"])


def test_the_flag_changes_nothing_when_awareness_was_not_later() -> None:
    """X-02: "if aware_at is later"."""
    same = {"incident_at": at("2026-11-23T10:00Z"), "aware_at": at("2026-11-23T10:00Z")}
    assert begins(K08, same, {"retrospective"}) == Beginning("incident_at", same["incident_at"])
    assert begins(K08, {"incident_at": same["incident_at"]}, {"retrospective"}) is not None


def test_start_events_are_never_inferred_from_one_another() -> None:
    """Section 11.7: without its own moment a clock does not run, whatever else is known (K17)."""
    assert begins(K17, {"aware_at": at("2026-11-23T10:00Z"), "incident_at": at("2026-11-22T10:00Z")}) is None


def test_a_review_without_notification_runs_from_the_partners_decision() -> None:
    """Section 11.7, last paragraph, S4-10 (K15): a near miss has no submission."""
    moments = {"review_required_at": at("2026-11-24T12:00Z")}
    assert begins(K15, moments) is None
    begun = begins(K15, moments, {"without-notification"})
    assert begun is not None
    assert (begun.event, due(K15, begun.at, ENGLAND).due_on) == ("review_required_at", date(2026, 12, 4))


# --- exact days, targets, and clocks without a limit ---


@pytest.mark.parametrize(
    ("held", "state", "early"),
    [
        ("2026-12-09T16:00", DutyState.MET, True),
        ("2026-12-09T23:59:59", DutyState.MET, True),
        ("2026-12-10T00:00", DutyState.MET, False),
        ("2026-12-10T17:00", DutyState.MET, False),
        ("2026-12-10T17:00:01", DutyState.MET_LATE, False),
        ("2026-12-11T10:00", DutyState.MET_LATE, False),
    ],
)
def test_an_exact_day_is_missed_in_both_directions_but_only_late_is_a_breach(
    held: str, state: DutyState, early: bool
) -> None:
    """C-11, X-04 (K15): the eighth working day after Monday 30 November is Thursday 10 December."""
    answer, held_at = due(K15, at("2026-11-30T16:00Z"), ENGLAND), at(held + "Z")
    assert settled_state(answer.due_at, answer.inclusive, held_at) is state
    assert is_early(K15, answer.due_on, held_at, ENGLAND) is early


def test_what_has_no_exact_day_is_never_early() -> None:
    """C-11: fifteen working days are a limit and not a day."""
    answer = due(K17, at("2026-11-30T16:00Z"), ENGLAND)
    assert not is_early(K17, answer.due_on, at("2026-11-30T16:01Z"), ENGLAND)
    assert not is_early(None, answer.due_on, at("2026-11-30T16:01Z"), ENGLAND)


def test_the_dues_of_a_clock_without_limit_are_null_and_never_late() -> None:
    """X-08 (K13): only ageing, with a local target of one working day."""
    answer = due(K13, at("2026-11-27T17:30Z"), ENGLAND)
    assert (answer.due_on, answer.due_at, answer.counted) == (None, None, ())
    assert is_in_time(answer, at("2027-11-27T17:30Z"))
    assert reminders(answer, ENGLAND) == ()
    aim = target(K13, at("2026-11-27T17:30Z"), ENGLAND)
    assert aim is not None
    assert (aim.due_on, aim.clock.target_only) == (date(2026, 11, 30), True)


@pytest.mark.parametrize(
    ("classified", "same_day", "limit"),
    [
        ("2026-11-23T10:00", "2026-11-23", "2026-11-24"),
        ("2026-11-23T17:00:01", "2026-11-24", "2026-11-24"),
        ("2026-11-28T11:00", "2026-11-30", "2026-11-30"),
    ],
)
def test_the_same_day_target_is_never_passed_before_it_began(
    classified: str, same_day: str, limit: str
) -> None:
    """X-09 (K02): the same working day is amber, one working day is the limit."""
    start_at = at(classified + "Z")
    aim = target(K02, start_at, ENGLAND)
    assert aim is not None
    assert aim.due_at is not None
    assert aim.due_on == date.fromisoformat(same_day)
    assert aim.due_at > start_at
    assert due(K02, start_at, ENGLAND).due_on == date.fromisoformat(limit)


def test_a_clock_without_a_target_has_none() -> None:
    assert target(K12, at("2026-11-23T10:00Z"), ENGLAND) is None


def test_a_set_day_is_the_panels_and_never_before_the_request() -> None:
    """S4-16 (K19)."""
    k19 = of_pack("south-tyneside", "K19")
    requested_at = at("2026-11-23T10:00Z")
    assert due(k19, requested_at, ENGLAND).due_at is None
    set_at = at("2027-01-15T17:00Z")
    answer = due_set_at(k19, requested_at, set_at, ENGLAND)
    assert (answer.due_at, answer.due_on) == (set_at, date(2027, 1, 15))
    with pytest.raises(ValueError, match="counted, not set"):
        due_set_at(K11, requested_at, set_at, ENGLAND)


def test_months_end_with_the_same_day_of_the_month() -> None:
    """K20, K18 and K06: clipped to the month's last day, which ends at midnight in summer and winter."""
    k20 = due(of_pack("statutory-minimum", "K20"), at("2026-08-31T10:00+01:00"), ENGLAND)
    assert (k20.due_on, k20.due_at) == (date(2027, 2, 28), at("2027-03-01T00:00Z"))
    k18 = due(of_pack("tower-hamlets", "K18"), at("2027-03-31T12:00+01:00"), ENGLAND)
    assert (k18.due_on, k18.due_at) == (date(2027, 4, 30), at("2027-04-30T23:00Z"))
    assert due(of_pack("derby", "K06"), at("2026-04-01T09:00+01:00"), ENGLAND).due_on == date(2027, 4, 1)


def test_rolling_forward_passes_over_the_closed_days() -> None:
    """C-08: 28 days from Friday 27 November land on Christmas Day; forward is Tuesday 29 December."""
    answer = due(
        clock(Unit.CALENDAR_DAYS, 28, roll=Roll.FORWARD, day_end=DayEnd.COB),
        at("2026-11-27T17:30Z"),
        ENGLAND,
    )
    assert (answer.due_on, answer.due_at) == (date(2026, 12, 29), at("2026-12-29T17:00Z"))
    assert [each.why for each in answer.skipped] == [
        "Christmas Day",
        "Saturday",
        "Sunday",
        "Boxing Day (substitute day)",
    ]
    assert answer.counted[-2:] == (date(2026, 12, 24), date(2026, 12, 29))


def test_months_may_roll_as_well() -> None:
    rolled = due(clock(Unit.MONTHS, 1, roll=Roll.BACK), at("2026-11-28T10:00Z"), ENGLAND)
    assert (rolled.due_on, rolled.counted) == (date(2026, 12, 24), ())


def test_local_closures_stretch_only_the_clock_that_asks() -> None:
    """C-01."""
    shut = {date(2026, 11, 24): "Moving day"}
    calendar = Calendar("x", ENGLAND.covers_from, ENGLAND.covers_until, ENGLAND.closed, shut)
    start_at = at("2026-11-23T10:00Z")
    assert due(K11, start_at, calendar).due_on == date(2026, 11, 24)
    assert due(replace(K11, local_closures=True), start_at, calendar).due_on == date(2026, 11, 25)


# --- what a clock may not be ---


@pytest.mark.parametrize(
    "change",
    [
        {"convention": Convention.B},
        {"roll": Roll.FORWARD, "unit": Unit.CALENDAR_DAYS},
        {"day_end": DayEnd.COB},
        {"local_closures": True},
        {"target_only": True},
        {"unit": Unit.NONE, "amount": None},
    ],
)
def test_a_statutory_clock_cannot_be_moved_by_a_local_choice(change: dict[str, Any]) -> None:
    """C-01, C-06, C-10: "Never let B move a statutory clock"; C-13: a statutory limit always has an end."""
    with pytest.raises(BadClock, match="K12"):
        replace(K12, **change)
    assert replace(replace(K12, statutory=False), **change).id == "K12"


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit": Unit.WORKING_DAYS, "amount": 0},
        {"unit": Unit.WORKING_DAYS, "amount": None},
        {"unit": Unit.NONE, "amount": 1},
        {"unit": Unit.HOURS, "amount": 1, "day_end": DayEnd.COB},
        {"unit": Unit.WORKING_DAYS, "amount": 1, "day_end": DayEnd.HOURS},
        {"unit": Unit.WORKING_DAYS, "amount": 1, "roll": Roll.BACK},
        {"unit": Unit.CALENDAR_DAYS, "amount": 1, "exact": True},
        {"unit": Unit.WORKING_DAYS, "amount": 1, "target_amount": -1},
        {"unit": Unit.CALENDAR_DAYS, "amount": 1, "target_amount": 1},
    ],
)
def test_a_clock_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadClock) as refused:
        clock(**wrong)
    assert isinstance(refused.value, Misconfigured)
    assert isinstance(refused.value, ValueError)


def test_a_naive_start_is_a_bug_for_every_unit() -> None:
    for each in (K07, K12, K13, of_pack("statutory-minimum", "K20")):
        with pytest.raises(ValueError, match="offset"):
            due(each, datetime(2026, 11, 23, 10), ENGLAND)


# --- recalculation ---


def test_an_open_due_is_recomputed_with_old_and_new_side_by_side() -> None:
    """C-12, edge case 5 (K15) around 19 September 2022."""
    funeral = date(2022, 9, 19)
    before = Calendar(
        "2022-08-01",
        ENGLAND.covers_from,
        ENGLAND.covers_until,
        {day: why for day, why in ENGLAND.closed.items() if day != funeral},
    )
    old, new = (due(K15, at("2022-09-08T10:00Z"), calendar) for calendar in (before, ENGLAND))
    assert (old.due_on, new.due_on) == (date(2022, 9, 20), date(2022, 9, 21))
    assert old.start_at == new.start_at
    assert funeral in old.counted
    assert funeral in {each.on for each in new.skipped}


# --- reminders (G-02) ---


def stages(answer_of: Clock, started: str) -> dict[Stage, str]:
    plan = reminders(due(answer_of, at(started), ENGLAND), ENGLAND)
    return {each.stage: f"{ENGLAND.local(each.at):%a %d %b %H:%M}" for each in plan}


def test_a_five_day_clock_reminds_half_way_the_day_before_at_due_and_twice_after() -> None:
    """G-02 (K14): half of the working days, then the working day before, both at opening."""
    assert stages(of_pack("south-tyneside", "K14"), "2026-11-23T10:00Z") == {
        Stage.HALF: "Thu 26 Nov 09:00",
        Stage.DAY_BEFORE: "Fri 27 Nov 09:00",
        Stage.DUE: "Mon 30 Nov 17:00",
        Stage.ONE_AFTER: "Tue 01 Dec 17:00",
        Stage.TWO_AFTER: "Wed 02 Dec 17:00",
    }


@pytest.mark.parametrize("started", ["2026-11-23T08:00Z", "2026-11-23T10:00Z", "2026-11-23T17:30Z"])
def test_a_one_day_clock_reminds_on_the_morning_it_is_due_and_not_on_the_day_it_started(started: str) -> None:
    """G-02 (K11)."""
    plan = stages(K11, started)
    assert plan[Stage.HALF] == "Tue 24 Nov 09:00"
    assert plan[Stage.DUE] == "Tue 24 Nov 17:00"
    assert Stage.DAY_BEFORE not in plan


def test_an_hour_clock_reminds_at_half_of_its_hours_whatever_the_hour() -> None:
    """G-02 (K07): on a Saturday night over Christmas, and the working days after are the 29th and 30th."""
    assert stages(K07, "2026-12-25T09:00Z") == {
        Stage.HALF: "Sat 26 Dec 21:00",
        Stage.DUE: "Mon 28 Dec 09:00",
        Stage.ONE_AFTER: "Tue 29 Dec 09:00",
        Stage.TWO_AFTER: "Wed 30 Dec 09:00",
    }
    assert stages(K07, "2026-11-23T10:00Z")[Stage.DAY_BEFORE] == "Wed 25 Nov 10:00"


@pytest.mark.parametrize(
    ("days", "started", "half"),
    [
        (28, "2026-11-27T10:00Z", "Fri 11 Dec 17:00"),
        (28, "2026-11-27T08:00Z", "Fri 11 Dec 16:00"),
        (28, "2026-11-27T18:00Z", "Mon 14 Dec 09:00"),
        (28, "2026-11-28T10:00Z", "Mon 14 Dec 09:00"),
        (27, "2026-11-27T10:00Z", "Fri 11 Dec 09:00"),
    ],
)
def test_half_of_calendar_days_waits_for_office_hours(days: int, started: str, half: str) -> None:
    """G-02 (K03): a half-way reminder that falls on Saturday goes out on Monday."""
    assert stages(clock(Unit.CALENDAR_DAYS, days), started)[Stage.HALF] == half


def test_half_of_calendar_days_that_cannot_wait_goes_out_at_once() -> None:
    """G-02: from Friday to the end of a closed Monday there are no office hours left before the due."""
    calendar = ENGLAND.with_closed({date(2026, 11, 30): "Closed"})
    plan = reminders(due(clock(Unit.CALENDAR_DAYS, 3), at("2026-11-27T10:00Z"), calendar), calendar)
    assert (plan[0].stage, plan[0].at) == (Stage.HALF, at("2026-11-29T05:00Z"))


@given(
    st.datetimes(datetime(2019, 2, 1), datetime(2028, 9, 1), timezones=st.just(UTC)),
    st.sampled_from([Unit.HOURS, Unit.WORKING_DAYS, Unit.CALENDAR_DAYS, Unit.MONTHS]),
    st.integers(1, 30),
    st.sampled_from(Convention),
)
def test_reminders_are_strictly_ordered_after_the_start_and_surround_the_due(
    start_at: datetime, unit: Unit, amount: int, convention: Convention
) -> None:
    """G-02 for every kind of clock: the order of time is the order of the stages."""
    rule = clock(unit, min(amount, 3) if unit is Unit.MONTHS else amount, convention=convention)
    answer = due(rule, start_at, ENGLAND)
    plan = reminders(answer, ENGLAND)
    times = [each.at for each in plan]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert all(each > start_at for each in times)
    assert [each.stage for each in plan] == [s for s in Stage if s in {each.stage for each in plan}]
    assert [each.at for each in plan if each.stage is Stage.DUE] == [answer.due_at]
    assert plan[-1].stage is Stage.TWO_AFTER


@given(
    st.datetimes(datetime(2019, 2, 1), datetime(2028, 9, 1), timezones=st.just(UTC)),
    st.sampled_from([K07, K11, K12, K15, K17]),
)
def test_what_is_done_at_once_is_never_late(start_at: datetime, rule: Clock) -> None:
    """A due never lies before its start."""
    assert is_in_time(due(rule, start_at, ENGLAND), start_at)

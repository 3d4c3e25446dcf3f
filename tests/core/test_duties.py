"""Duties: in time or late, which chase is due, and how several seats' answers are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest

from gateway.core.clocks import Reminder, Stage
from gateway.core.duties import (
    UNDECIDED,
    DutyState,
    Vote,
    event_time,
    latest_reached,
    next_chase_at,
    settled_state,
    tally,
)
from gateway.core.messages import RoleId

DUE = datetime(2026, 11, 3, 17, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
LA, ICB, POLICE = (RoleId(f"dsp-{name}") for name in ("la", "icb", "police"))
SEATS = (LA, ICB, POLICE)


@pytest.mark.parametrize(
    ("inclusive", "after", "state"),
    [
        (True, -TICK, DutyState.MET),
        (True, timedelta(0), DutyState.MET),
        (True, TICK, DutyState.MET_LATE),
        (False, -TICK, DutyState.MET),
        (False, timedelta(0), DutyState.MET_LATE),
    ],
)
def test_close_of_business_itself_is_in_time_and_midnight_is_not(
    inclusive: bool, after: timedelta, state: DutyState
) -> None:
    """C-10."""
    assert settled_state(DUE, inclusive, DUE + after) is state


def test_a_duty_without_a_limit_is_never_late() -> None:
    """K13."""
    assert settled_state(None, False, DUE + timedelta(days=3650)) is DutyState.MET


PLAN = tuple(
    Reminder(stage, DUE + timedelta(days=day)) for stage, day in zip(Stage, (-2, -1, 0, 1, 2), strict=True)
)


def test_of_all_stages_reached_only_the_latest_counts() -> None:
    assert latest_reached(PLAN, DUE - timedelta(days=3)) is None
    for reminder in PLAN:
        assert latest_reached(PLAN, reminder.at) == reminder
        assert latest_reached(PLAN, reminder.at - TICK) != reminder
    assert latest_reached(PLAN, DUE + timedelta(days=300)) == PLAN[-1]


def test_the_next_look_is_at_the_next_stage_and_after_the_last_there_is_none() -> None:
    assert next_chase_at(PLAN, DUE - timedelta(days=3)) == PLAN[0].at
    assert next_chase_at(PLAN, PLAN[0].at) == PLAN[1].at
    assert next_chase_at(PLAN, PLAN[-1].at) is None
    assert next_chase_at((), DUE) is None


def test_no_order_of_the_votes_changes_the_tally() -> None:
    for answers in product(("notify", "none"), repeat=3):
        votes = [Vote(seat, answer) for seat, answer in zip(SEATS, answers, strict=True)]
        counted = {tally(SEATS, LA, order) for order in permutations(votes)}
        assert len(counted) == 1
        (count,) = counted
        assert (count.outcome, count.dissent) == (answers[0], len(set(answers)) > 1)


def test_there_is_no_outcome_while_a_seat_is_silent() -> None:
    for silent in SEATS:
        count = tally(SEATS, LA, [Vote(seat, "notify") for seat in SEATS if seat != silent])
        assert (count.outcome, count.missing) == (None, (silent,))
        words = f"2 of 3 have decided, {silent.removeprefix('dsp-')} missing"
        assert count.in_words().casefold() == words


def test_a_seat_s_latest_vote_counts_once_and_strangers_not_at_all() -> None:
    votes = [Vote(ICB, "none"), Vote(ICB, "notify"), Vote(RoleId("dsl"), "none"), Vote(LA, "notify")]
    count = tally(SEATS, LA, votes)
    assert (count.decided, count.missing) == ((LA, ICB), (POLICE,))
    assert not count.dissent


@pytest.mark.parametrize("undecided", sorted(UNDECIDED))
def test_while_the_lead_is_undecided_there_is_no_outcome_and_others_do_not_hold_it_up(undecided: str) -> None:
    others = [Vote(ICB, "notify"), Vote(POLICE, "notify")]
    count = tally(SEATS, LA, [*others, Vote(LA, undecided)])
    assert (count.outcome, count.missing) == (None, ())
    assert "more information" in count.in_words()
    assert tally(SEATS, LA, [*others, Vote(LA, undecided), Vote(LA, "none")]).outcome == "none"
    hesitant = tally(SEATS, LA, [Vote(LA, "notify"), Vote(ICB, undecided), Vote(POLICE, "notify")])
    assert (hesitant.outcome, hesitant.dissent) == ("notify", True)


def test_a_quorum_decides_when_it_agrees_and_waits_for_the_lead_when_it_does_not() -> None:
    """X-14."""
    agreed = tally(SEATS, LA, [Vote(SEATS[1], "notify"), Vote(SEATS[2], "notify")], quorum=2)
    assert (agreed.outcome, agreed.missing) == ("notify", (LA,))
    assert agreed.in_words() == "2 of 3 have decided"
    torn = [Vote(SEATS[1], "notify"), Vote(SEATS[2], "none")]
    assert tally(SEATS, LA, torn, quorum=2).outcome is None
    assert tally(SEATS, LA, [*torn, Vote(LA, "none")], quorum=2).outcome == "none"
    assert tally(SEATS, LA, torn[:1], quorum=2).outcome is None


@pytest.mark.parametrize(
    ("votes", "words"),
    [
        ([], "dcs has not decided yet"),
        ([Vote(RoleId("dcs"), "noted")], "dcs has decided"),
        ([Vote(RoleId("dcs"), "undecided")], "dcs asks for more information"),
    ],
)
def test_one_seat_alone_is_said_in_its_own_words(votes: list[Vote], words: str) -> None:
    seat = RoleId("dcs")
    assert tally((seat,), seat, votes).in_words() == words


def test_an_event_counts_in_place_of_its_telling_and_never_after_it() -> None:
    """C-16."""
    told_at = datetime(2026, 11, 10, 8, 30, tzinfo=UTC)
    earlier = told_at - timedelta(hours=9)
    assert event_time(None, told_at) == told_at
    assert event_time(earlier, told_at) == earlier
    assert event_time(told_at + timedelta(seconds=1), told_at) == told_at

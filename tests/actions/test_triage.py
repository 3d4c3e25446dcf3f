"""Three partners decide (S4-05 to S4-07, X-29): in any order, once, with dissent on record, and never in the council's way (P-05)."""

from __future__ import annotations

import asyncio
from itertools import permutations

import pytest

from gateway.agency.client import AgencyProblem
from gateway.core.duties import DutyState
from gateway.core.working_days import add_working_days
from gateway.demo.partnership import SOUTH_TYNESIDE
from tests.actions.scene import (
    COUNCIL,
    ICB,
    NOTIFY,
    PARTNERS,
    POLICE,
    TUESDAY_COB,
    UNIT,
    decide,
    decide_all,
    deliveries_of,
    duties_of,
    duty_of,
    entries_named,
    incident_of,
    meeting,
    reasons,
    refer,
    send,
    vote,
)
from tests.gateway_house import House


async def test_the_outcome_is_the_same_in_every_order_and_reached_with_the_third(house: House) -> None:
    for order in permutations(PARTNERS):
        referral = await refer(house)
        for number, seat in enumerate(order, start=1):
            await decide(house, referral, seat)
            assert ((await incident_of(house, referral)).outcome is not None) == (number == 3)
        incident = await incident_of(house, referral)
        assert incident.outcome == {"decision": "triage", "outcome": NOTIFY, "dissent": False}
        assert incident.label == "Serious incident"
    assert len(await entries_named(house, "DecisionReached")) == 6


async def test_silence_of_one_reaches_nothing_and_closes_nothing(house: House) -> None:
    referral = await refer(house)
    await decide(house, referral, "dsp-la")
    await decide(house, referral, "dsp-police")
    assert (await incident_of(house, referral)).outcome is None
    assert (await duty_of(house, referral, "dsp-icb", "triage-decision")).state is DutyState.OPEN
    assert (await duty_of(house, referral, "dsp-police", "triage-decision")).state is DutyState.MET


@pytest.mark.parametrize("last", list(PARTNERS))
async def test_with_dissent_the_council_s_own_answer_stands_and_the_dissent_is_recorded(
    house: House, last: str
) -> None:
    """P-05: the duty to notify is the council's."""
    referral = await refer(house)
    for seat in sorted(PARTNERS, key=lambda seat: seat == last):
        await decide(house, referral, seat, "no-further-action" if seat == "dsp-la" else NOTIFY)
    outcome = (await incident_of(house, referral)).outcome
    assert outcome == {"decision": "triage", "outcome": "no-further-action", "dissent": True}


async def test_three_decisions_at_once_reach_one_outcome(house: House) -> None:
    for _ in range(5):
        referral = await refer(house)
        await asyncio.gather(*(decide(house, referral, seat) for seat in PARTNERS))
        assert (await incident_of(house, referral)).outcome is not None
    assert len(await entries_named(house, "DecisionReached")) == 5


async def test_a_vote_after_the_outcome_is_recorded_and_delivered_and_changes_nothing(house: House) -> None:
    referral = await refer(house)
    await decide_all(house, referral)
    before, made = await incident_of(house, referral), await duties_of(house, referral)
    late = await decide(house, referral, "dsp-la", "no-further-action")
    assert await incident_of(house, referral) == before
    assert await duties_of(house, referral) == made
    assert UNIT in {row.agency for row in await deliveries_of(house, late["id"])}
    assert len(await entries_named(house, "DecisionReached")) == 1


async def test_while_the_lead_asks_for_more_information_there_is_no_outcome(house: House) -> None:
    referral = await refer(house)
    for seat in PARTNERS:
        await decide(house, referral, seat, "more-information")
    assert (await incident_of(house, referral)).outcome is None
    assert (await duty_of(house, referral, "dsp-la", "triage-decision")).state is DutyState.MET
    house.clock.move_by(minutes=5)
    await decide(house, referral, "dsp-icb", "sin-only")
    assert (await incident_of(house, referral)).outcome is None
    await decide(house, referral, "dsp-la", "sin-only")
    assert (await incident_of(house, referral)).outcome == {
        "decision": "triage",
        "outcome": "sin-only",
        "dissent": True,
    }


async def test_one_record_of_the_exceptional_meeting_answers_for_all_three(house: House) -> None:
    """X-29: three decisions, or one record of the meeting by the business unit."""
    referral = await refer(house)
    house.clock.move_to(TUESDAY_COB)  # 17:00:00 itself is in time
    outcomes = {"dsp-la": NOTIFY, "dsp-icb": NOTIFY, "dsp-police": "sin-only"}
    about = {"incident": referral["incident"], "in_reply_to": referral["id"]}
    await send(house, UNIT, "triage-decision", meeting(house, outcomes), **about)
    outcome = (await incident_of(house, referral)).outcome
    assert outcome == {"decision": "triage", "outcome": NOTIFY, "dissent": True}
    for seat in PARTNERS:
        assert (await duty_of(house, referral, seat, "triage-decision")).state is DutyState.MET


async def test_only_the_business_unit_records_the_meeting(house: House) -> None:
    referral = await refer(house)
    with pytest.raises(AgencyProblem) as refused:
        await send(
            house,
            ICB,
            "triage-decision",
            meeting(house, dict.fromkeys(PARTNERS, NOTIFY)),
            incident=referral["incident"],
        )
    assert refused.value.code == "not-permitted"


async def test_a_late_decision_meets_its_duty_late(house: House) -> None:
    referral = await refer(house)
    house.clock.move_to(TUESDAY_COB)
    house.clock.move_by(seconds=1)
    await decide(house, referral, "dsp-icb")
    assert (await duty_of(house, referral, "dsp-icb", "triage-decision")).state is DutyState.MET_LATE


AGAINST = dict.fromkeys(PARTNERS, "no-further-action")


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        ({}, DutyState.OPEN),
        (
            {"dsp-icb": "no-further-action", "dsp-police": "no-further-action"},
            DutyState.OPEN,
        ),  # the council is silent
        (AGAINST | {"dsp-police": NOTIFY}, DutyState.OPEN),  # dissent
        (AGAINST | {"dsp-police": "near-miss-review"}, DutyState.OPEN),
        (AGAINST | {"dsp-icb": "more-information"}, DutyState.OPEN),
        (AGAINST, DutyState.WAIVED),
        (dict.fromkeys(PARTNERS, "review-without-sin"), DutyState.WAIVED),
        (dict.fromkeys(PARTNERS, "near-miss-review"), DutyState.WAIVED),
        (dict.fromkeys(PARTNERS, "sin-only"), DutyState.OPEN),
    ],
)
async def test_x_29_only_all_three_together_end_the_duty_to_notify(
    house: House, votes: dict[str, str], state: DutyState
) -> None:
    """P-05, S4-07, X-29: silence or dissent never does; what all three deny, the council among them, is not missed for ever."""
    referral = await refer(house)
    for seat, outcome in votes.items():
        await decide(house, referral, seat, outcome)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is state
    differ = len(votes) == len(PARTNERS) and len(set(votes.values())) > 1
    decided_against = differ and votes["dsp-la"] == "no-further-action"
    assert ("notification-still-owed" in await reasons(house)) == (
        decided_against and state is DutyState.OPEN
    )


async def test_x_29_three_who_call_the_criteria_met_and_decide_on_nothing_leave_it_to_be_notified(
    house: House,
) -> None:
    """S4-07: what is met is notified, whatever box was ticked beside it; an officer hears."""
    referral = await refer(house)
    for seat in PARTNERS:
        body = vote(house, seat, "no-further-action")
        body["criteria_met"] = "yes" if seat == "dsp-icb" else "no"
        about = {"incident": referral["incident"], "in_reply_to": referral["id"]}
        await send(house, PARTNERS[seat], "triage-decision", body, **about)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.OPEN
    assert "notification-still-owed" in await reasons(house)


@pytest.mark.parametrize(
    ("votes", "state"), [({}, DutyState.MET), (AGAINST, DutyState.WAIVED)], ids=["silence", "against"]
)
async def test_the_council_notifies_whatever_triage_says(
    house: House, votes: dict[str, str], state: DutyState
) -> None:
    """S4-04, P-05: the record of the notification never waits for the partners, and the review follows from it."""
    referral = await refer(house)
    for seat, outcome in votes.items():
        await decide(house, referral, seat, outcome)
    record = await send(
        house, COUNCIL, "sin-record", incident=referral["incident"], in_reply_to=referral["id"]
    )
    assert record["decision"] == "forward"
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is state
    assert "K17" in {duty.clock for duty in await duties_of(house, referral)}


async def test_only_the_council_records_a_notification(house: House) -> None:
    referral = await refer(house)
    with pytest.raises(AgencyProblem) as refused:
        await send(house, POLICE, "sin-record", incident=referral["incident"])
    assert refused.value.code == "not-permitted"


async def test_a_local_review_without_notification_has_its_meeting_eight_working_days_after_the_decision(
    house: House,
) -> None:
    """S4-10, S4-13, X-04: K15 runs from the partners' decision; K17 needs a notification and does not start."""
    referral = await refer(house)
    await decide_all(house, referral, "review-without-sin")
    meeting_duty = await duty_of(house, referral, "sbu", "meeting-notice")
    calendar = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack.calendar
    assert meeting_duty.clock == "K15"
    assert meeting_duty.due_on == add_working_days(calendar, meeting_duty.start_at.date(), 8).on
    assert not [duty for duty in await duties_of(house, referral) if duty.clock == "K17"]

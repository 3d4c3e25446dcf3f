"""What would hide a child at risk is not believed or not silent: impossible instants, answers taken back, open decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.actions.ask_the_law import asked_of_incident
from gateway.actions.recall import Fate
from gateway.agency.client import AgencyProblem
from gateway.core.duties import UNANSWERED, DutyState
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.timetable import chase_due
from gateway.store import messages
from gateway.store.duties import DutyRow
from tests.actions.scene import (
    COUNCIL,
    ICB,
    PARTNERS,
    UNIT,
    decide,
    decide_all,
    deliveries_of,
    duties_of,
    duty_of,
    empty_seat,
    entries_named,
    incident_of,
    let_go,
    reasons,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.actions.test_recall import correct, take_back
from tests.gateway_house import House

YEAR = timedelta(days=365)


async def test_c_16_a_notification_said_to_be_made_before_anybody_was_aware_counts_by_its_arrival(
    house: House,
) -> None:
    referral = await refer(house)
    long_before = (house.clock() - YEAR).isoformat()
    house.clock.move_by(days=14)
    await send(
        house,
        COUNCIL,
        "sin-record",
        {"submitted_at": long_before},
        incident=referral["incident"],
        in_reply_to=None,
    )
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    assert duty.state is DutyState.MET_LATE


async def test_x_22_a_notification_said_to_be_made_in_the_future_moves_no_clock(house: House) -> None:
    referral = await refer(house)
    ahead = {"submitted_at": (house.clock() + YEAR).isoformat()}
    await send(house, COUNCIL, "sin-record", ahead, incident=referral["incident"], in_reply_to=None)
    review = next(duty for duty in await duties_of(house, referral) if duty.clock == "K17")
    assert review.start_at == house.clock()


async def test_x_01_awareness_in_the_future_moves_no_clock(house: House) -> None:
    told = house.example("referral")["body"]["incident"]
    ahead = {"incident": told | {"aware_at": (house.clock() + YEAR).isoformat()}}
    referral = await refer(house, COUNCIL, body=ahead)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).start_at == house.clock()


async def test_g_06_an_answer_taken_back_answers_nothing_and_an_officer_hears(house: House) -> None:
    referral = await refer(house)
    about = {"incident": referral["incident"], "in_reply_to": None}
    record = await send(house, COUNCIL, "sin-record", **about)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.MET
    await correct(house, record, "withdraw", COUNCIL)
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    assert (duty.state, duty.met_by, duty.met_at, duty.event_at) == (DutyState.OPEN, None, None, None)
    assert duty.next_chase_at is not None
    assert "answer-taken-back" in await reasons(house)
    assert len(await entries_named(house, "DutyOwedAgain")) == 1
    await send(house, COUNCIL, "sin-record", **about)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.MET


@pytest.mark.parametrize("days_later", [0, 3])
async def test_c_13_a_record_of_a_notification_that_is_taken_back_began_no_clock(
    house: House, days_later: int
) -> None:
    """C-13, P-10, X-22: a wrong day in the record calls no meeting on a wrong day; the right record counts from its own, and the
    notification is owed until it comes."""
    referral = await refer(house)
    about = {"incident": referral["incident"], "in_reply_to": None}
    at = house.clock()
    house.clock.move_by(hours=1)
    wrong = await send(house, COUNCIL, "sin-record", {"submitted_at": at.isoformat()}, **about)
    assert {duty.clock for duty in await unanswered(house, referral)} >= {"K15", "K17"}
    await correct(house, wrong, "withdraw", COUNCIL)
    assert {duty.clock for duty in await unanswered(house, referral)} & {"K12", "K15", "K17"} == {"K12"}
    house.clock.move_by(days=days_later)
    right = at + timedelta(days=days_later)
    await send(house, COUNCIL, "sin-record", {"submitted_at": right.isoformat()}, **about)
    counted = {duty.clock: duty.start_at for duty in await unanswered(house, referral)}
    assert (counted["K15"], counted["K17"]) == (right, right)
    assert "K12" not in counted


async def test_k12_a_seat_that_nobody_holds_stops_no_clock_of_the_law(house: House) -> None:
    """P-05, G-04: the director has left and nobody is entered yet; the five days run, are chased, and the council's record ends them."""
    await empty_seat(house, COUNCIL, "dsp-la")
    referral = await refer(house)
    assert "nobody-holds-dsp-la" in await reasons(house)
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    assert (duty.agency, duty.clock, duty.due_at) == (COUNCIL, "K12", datetime(2026, 11, 10, tzinfo=UTC))
    assert duty.due_at is not None
    house.clock.move_to(duty.due_at)
    house.clock.move_by(minutes=2)
    await chase_due(house.parts, frozenset())
    told = [
        chase["id"]
        for chase in await sent_by_the_house(house, referral, "chase")
        if chase["body"]["duty"] == duty.id
    ]
    assert "sbu" in {row.role for row in await deliveries_of(house, told[-1])}
    await send(house, COUNCIL, "sin-record", incident=referral["incident"], in_reply_to=None)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.MET


@pytest.mark.parametrize("member", ["home_local_authority", "responsible_local_authority"])
async def test_p_09_an_officer_hears_that_a_child_is_another_council_s_until_that_is_a_guest(
    house: House, member: str
) -> None:
    """P-09, G-07, S3-24: a looked-after child placed here by a council elsewhere; nobody has to notice it in the form."""
    children = house.example("referral")["body"]["children"]
    referral = await refer(house, body={"children": [children[0] | {member: "E08000021"}]})
    assert referral["decision"] == "forward"
    assert await reasons(house) == ["another-council"]
    for hold in await waiting(house):
        await let_go(house, hold)
    await refer(house)
    assert "another-council" not in await reasons(house)


async def test_p_05_a_vote_against_that_is_taken_back_owes_the_notification_again(house: House) -> None:
    """P-05, X-29: all three had to say so, and one of them says so no more."""
    referral = await refer(house)
    for seat in PARTNERS:
        last = await decide(house, referral, seat, "no-further-action")
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.WAIVED
    await take_back(house, last)
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.OPEN
    assert "answer-taken-back" in await reasons(house)


async def unanswered(house: House, referral: dict[str, str]) -> list[DutyRow]:
    return [duty for duty in await duties_of(house, referral) if duty.state in UNANSWERED]


async def test_g_06_an_answer_recalled_from_a_wrong_recipient_still_answers(house: House) -> None:
    referral = await refer(house)
    record = await send(house, COUNCIL, "sin-record", incident=referral["incident"], in_reply_to=None)
    await correct(house, record, "recall-misdirected", COUNCIL, misdirected_to=[ICB])
    assert (await duty_of(house, referral, "dsp-la", "sin-record")).state is DutyState.MET


async def test_a_vote_taken_back_counts_no_more(house: House) -> None:
    referral = await refer(house)
    first = await decide(house, referral, "dsp-la", "no-further-action")
    await correct(house, first, "withdraw", COUNCIL)
    await decide(house, referral, "dsp-icb", "no-further-action")
    await decide(house, referral, "dsp-police", "no-further-action")
    assert (await incident_of(house, referral)).outcome is None
    assert (await duty_of(house, referral, "dsp-la", "triage-decision")).state is DutyState.OPEN


async def test_g_06_a_vote_that_two_officers_take_back_before_anybody_has_it_counts_no_more(
    house: House,
) -> None:
    """Nothing of it had left, so that nobody is told and no correction stands for it: the two votes after it decide nothing."""
    referral = await refer(house)
    first = await decide(house, referral, "dsp-la", "no-further-action")
    done = await take_back(house, first)
    assert (set(done.fates.values()), done.correction) == ({Fate.CANCELLED}, None)
    for seat in ("dsp-icb", "dsp-police"):
        await decide(house, referral, seat, "no-further-action")
    assert (await incident_of(house, referral)).outcome is None
    assert (await duty_of(house, referral, "dsp-la", "triage-decision")).state is DutyState.OPEN
    await decide(house, referral, "dsp-la")
    decided = (await incident_of(house, referral)).outcome or {}
    assert (decided["outcome"], decided["dissent"]) == ("sin-and-rapid-review", True)


async def test_g_06_a_vote_taken_back_after_the_outcome_leaves_it_and_an_officer_hears(house: House) -> None:
    referral = await refer(house)
    last = [await decide(house, referral, seat) for seat in PARTNERS][-1]
    await take_back(house, last)
    assert ((await incident_of(house, referral)).outcome or {})["outcome"] == "sin-and-rapid-review"
    assert "answer-taken-back" in await reasons(house)


async def test_g_06_the_business_unit_alone_takes_back_nobody_else_s_message(house: House) -> None:
    referral = await refer(house)
    with pytest.raises(AgencyProblem) as refused:
        await correct(house, referral, "withdraw", UNIT)
    assert refused.value.status == 403
    assert not any(row.recalled_at for row in await deliveries_of(house, referral["id"]))


async def test_s4_07_when_all_have_answered_and_nothing_is_decided_an_officer_hears_until_it_is(
    house: House,
) -> None:
    nearly = house.example("referral")["body"]["incident"] | {"nature": "near-miss"}
    referral = await refer(house, body={"referral_kind": "near-miss", "incident": nearly})
    await decide_all(house, referral, "more-information")
    await decide(house, referral, "dsp-icb", "more-information")
    assert await reasons(house) == ["nothing-decided"]
    house.clock.move_by(minutes=5)
    await decide(house, referral, "dsp-la", "no-further-action")
    assert await reasons(house) == []


async def test_s2_04_awareness_long_ago_is_taken_and_its_clock_is_late_and_chased(house: House) -> None:
    """The holiday data does not reach so far back: no message is lost for that."""
    told = house.example("referral")["body"]["incident"]
    long_ago = {"aware_at": "2015-03-02T09:00:00Z", "incident_at": "2015-03-01T09:00:00Z"}
    referral = await refer(house, COUNCIL, body={"incident": told | long_ago})
    house.clock.move_by(minutes=2)
    await chase_due(house.parts, frozenset())
    duty = await duty_of(house, referral, "dsp-la", "sin-record")
    assert (duty.state, duty.start_at.year) == (DutyState.MISSED, 2015)
    assert duty.id in [chase["body"]["duty"] for chase in await sent_by_the_house(house, referral, "chase")]
    kept = await house.parts.store.read(lambda tx: messages.of_incident(tx, SOUTH_TYNESIDE, duty.incident))
    pack = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).pack
    asked = await house.parts.store.read(lambda tx: asked_of_incident(tx, pack, duty.incident, kept))
    assert asked, "what the law asks can still be shown"

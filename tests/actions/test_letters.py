"""Letters to schools: one for each child and school, drafted by the decision, sent only on a person's word (S2-21, S2-26, X-27)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from adapters.memory import Fail, MemoryAdapter
from gateway.core.deliveries import PATIENCE, DeliveryState, TryLater
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import MessageId, RoleId, Seat
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.carrying import carry_due, letter_of
from gateway.store import messages
from schemas import read_message
from tests.actions.scene import (
    SCHOOL,
    decide_all,
    deliveries_of,
    duties_of,
    duty_of,
    empty_seat,
    incident_of,
    let_go,
    reach_by,
    reasons,
    refer,
    send,
    sent_by_the_house,
    waiting,
)
from tests.actions.test_recall import correct
from tests.gateway_house import House

URN = "999901"


def pupils(house: House, *changes: dict[str, Any]) -> dict[str, Any]:
    """The body of a referral with these children, made from the example's first."""
    first = house.example("referral")["body"]["children"][0] | {"related_people": [], "upn": None}
    return {"children": [first | change for change in changes]}


async def letters_for(house: House, *children: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    referral = await refer(house, body=pupils(house, *children))
    await decide_all(house, referral)
    return referral, await sent_by_the_house(house, referral, "dsl-letter")


async def test_one_letter_for_each_child_and_school(house: House) -> None:
    other = {"given_names": "Jory", "nhs_number": "9990000026", "school_urn": URN}
    _, letters = await letters_for(
        house,
        {},
        other,
        {
            "given_names": "Wren",
            "school_urn": None,
            "nhs_number": None,
            "nhs_number_absence": "not-available",
        },
    )
    assert {letter["body"]["child_name"] for letter in letters} == {
        "Elowen Mae Testington",
        "Jory Testington",
    }
    assert await reasons(house) == ["awaits-release", "awaits-release"]


async def test_two_pupils_of_one_name_have_a_letter_each(house: House) -> None:
    namesake = {"date_of_birth": "2016-02-02", "nhs_number": "9990000026"}
    _, letters = await letters_for(house, {}, namesake)
    assert {letter["body"]["child_date_of_birth"] for letter in letters} == {"2021-05-14", "2016-02-02"}


async def test_a_child_referred_twice_has_one_letter(house: House) -> None:
    referral = await refer(house)
    await refer(house, agency="northshire-hospitals", incident=referral["incident"])
    await decide_all(house, referral)
    assert len(await sent_by_the_house(house, referral, "dsl-letter")) == 1


async def test_s2_26_whom_a_second_referral_names_without_a_sure_date_of_birth_has_one_letter(
    house: House,
) -> None:
    """An estimated date is told to no school: it would look for another child, and find none (S2-21)."""
    guessed = {"date_of_birth": "2021-01-01", "date_of_birth_status": "estimated"}
    referral = await refer(house, body=pupils(house, guessed))
    await refer(house, agency="northshire-hospitals", incident=referral["incident"])
    await decide_all(house, referral)
    (letter,) = await sent_by_the_house(house, referral, "dsl-letter")
    assert letter["body"]["child_date_of_birth"] == "2021-05-14"
    _, (letter,) = await letters_for(house, guessed | {"given_names": "Jory", "nhs_number": "9990000026"})
    assert letter["body"]["child_date_of_birth"] is None


@pytest.mark.parametrize("action", ["withdraw", "supersede"])
async def test_s2_26_no_letter_names_a_child_of_a_referral_that_was_taken_back_or_replaced(
    house: House, action: str
) -> None:
    """G-06: it may have been about a wrong child, of whom that school is to learn nothing."""
    wrong = await refer(
        house, body=pupils(house, {"given_names": "Wrongly Named", "nhs_number": "9990000026"})
    )
    right = await refer(house, incident=wrong["incident"])
    by = {"superseded_by": right["id"]} if action == "supersede" else {}
    await correct(house, wrong, action, **by)
    await decide_all(house, right)
    letters = await sent_by_the_house(house, wrong, "dsl-letter")
    assert [letter["body"]["child_name"] for letter in letters] == ["Elowen Mae Testington"]


async def test_a_letter_is_a_valid_message_of_the_public_schema(house: House) -> None:
    referral, (letter,) = await letters_for(house, {})
    body = {name: value for name, value in letter.items() if name != "id"}
    assert read_message(json.dumps(body).encode()).type == "dsl-letter"
    assert letter["body"]["letter_reference"].startswith("SG-")
    assert "skull" not in json.dumps(letter), "a letter carries no detail of the incident"
    assert (await incident_of(house, referral)).label == "Serious incident"


async def test_nothing_leaves_before_a_person_lets_it_go(house: House) -> None:
    _, (letter,) = await letters_for(house, {})
    house.clock.move_by(days=3)
    while await carry_due(house.parts):
        pass
    (delivery,) = await deliveries_of(house, letter["id"])
    assert (delivery.state, delivery.attempt) == (DeliveryState.HELD, 0)
    async with house.client(SCHOOL) as school:
        assert "dsl-letter" not in {item["type"] for item in await school.inbox()}


async def test_a_released_letter_starts_the_clock_of_its_answer_and_cannot_be_released_twice(
    house: House,
) -> None:
    referral, (letter,) = await letters_for(house, {})
    assert "dsl-confirmation" not in {duty.expects for duty in await duties_of(house, referral)}
    house.clock.move_by(hours=1)
    (hold,) = await waiting(house)
    await let_go(house, hold)
    duty = await duty_of(house, referral, "dsl", "dsl-confirmation")
    assert (duty.start_at, duty.due_at, duty.message) == (house.clock(), None, letter["id"])
    for refuse in (False, True):
        with pytest.raises(Refused) as refused:
            await let_go(house, hold, refuse)
        assert refused.value.code is ErrorCode.NOT_ACCEPTABLE_STATE
    assert len([d for d in await duties_of(house, referral) if d.expects == "dsl-confirmation"]) == 1


async def test_s2_21_a_letter_bears_the_day_of_its_release(house: House) -> None:
    """S2-21, K13: dated by its draft, it would say of a school that it has kept us waiting over Christmas."""
    _, (letter,) = await letters_for(house, {})
    house.clock.move_by(days=9)
    for held in await waiting(house):
        await let_go(house, held)
    (delivery,) = await deliveries_of(house, letter["id"])
    row = await house.parts.store.read(
        lambda tx: messages.find(tx, [SOUTH_TYNESIDE], MessageId(letter["id"]))
    )
    assert row is not None
    directory = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).directory
    _, shown = await letter_of(house.parts, delivery, row, directory)
    assert shown is not None
    assert "11 November 2026" in shown.text
    assert "2 November 2026" not in shown.text


async def test_a_refused_letter_is_never_sent(house: House) -> None:
    referral, (letter,) = await letters_for(house, {})
    await let_go(house, (await waiting(house))[0], refuse=True)
    (delivery,) = await deliveries_of(house, letter["id"])
    assert delivery.state is DeliveryState.CANCELLED
    assert "dsl-confirmation" not in {duty.expects for duty in await duties_of(house, referral)}


async def test_an_answer_meets_the_duty_of_its_own_letter_and_no_other(house: House) -> None:
    other = {"given_names": "Jory", "nhs_number": "9990000026"}
    referral, letters = await letters_for(house, {}, other)
    for hold in await waiting(house):
        await let_go(house, hold)
    answered = letters[-1]
    body = {"letter_reference": answered["body"]["letter_reference"]}
    about = {"incident": referral["incident"], "in_reply_to": answered["id"]}
    await send(house, SCHOOL, "dsl-confirmation", body, **about)
    states = {
        duty.message: duty.state
        for duty in await duties_of(house, referral)
        if duty.expects == "dsl-confirmation"
    }
    assert states == {letters[0]["id"]: DutyState.OPEN, answered["id"]: DutyState.MET}


async def test_a_school_that_is_not_enrolled_is_an_officer_s(house: House) -> None:
    _, letters = await letters_for(house, {"school_urn": "100001"})
    assert letters == []
    assert await reasons(house) == ["unknown-school"]


async def test_a_school_whose_lead_must_not_be_contacted_gets_no_letter(house: House) -> None:
    concern = {"agency": SCHOOL, "role": "dsl", "reason": "The concern is about this post."}
    referral = await refer(house, do_not_contact=[concern])
    await decide_all(house, referral)
    assert await sent_by_the_house(house, referral, "dsl-letter") == []
    assert "do-not-contact" in await reasons(house)


async def test_with_nobody_to_send_it_an_officer_hears_of_it(house: House) -> None:
    await empty_seat(house, "south-tyneside-council", "school-improvement")
    _, letters = await letters_for(house, {})
    assert letters == []
    assert await reasons(house) == ["nobody-holds-school-improvement"]


async def test_without_a_decision_to_notify_there_is_no_letter(house: House) -> None:
    referral = await refer(house)
    await decide_all(house, referral, "review-without-sin")
    assert await sent_by_the_house(house, referral, "dsl-letter") == []
    assert (await incident_of(house, referral)).label == "Local review"


async def test_patience_with_a_letter_begins_at_its_release(house: House) -> None:
    memory = MemoryAdapter()
    house.parts.adapters["memory"] = memory  # type: ignore[index]
    await reach_by(house, SCHOOL, "memory")
    _, (letter,) = await letters_for(house, {})
    house.clock.move_by(days=PATIENCE.days + 1)
    await let_go(house, (await waiting(house))[0])
    memory.tell(Fail(TryLater("server-error")), times=64)
    while await carry_due(house.parts):
        pass
    (delivery,) = await deliveries_of(house, letter["id"])
    assert delivery.state is DeliveryState.PENDING
    assert delivery.next_at == house.clock() + timedelta(seconds=5)
    assert Seat(delivery.agency, delivery.role) == Seat(delivery.agency, RoleId("dsl"))

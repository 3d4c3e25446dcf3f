"""Only a person's acknowledgement is one; a decline brings an officer (contract section 3, S3-16)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.agency.client import AgencyProblem
from gateway.core.deliveries import DeliveryState
from gateway.core.duties import DutyState
from tests.actions.scene import (
    UNIT,
    deliveries_of,
    duty_of,
    events_of,
    let_go,
    reasons,
    refer,
    send,
    waiting,
)
from tests.gateway_house import House

WAITS = DutyState.OPEN


async def waiting_at_the_unit(house: House) -> tuple[Any, str]:
    """A referral, and the delivery of it that the business unit is to acknowledge."""
    referral = await refer(house)
    found = [row.id for row in await deliveries_of(house, referral["id"]) if row.agency == UNIT]
    return referral, found[0]


async def state_of(house: House, referral: Any) -> DutyState:
    return (await duty_of(house, referral, "sbu", "acknowledgement")).state


async def test_a_system_first_then_a_person(house: House) -> None:
    referral, delivery = await waiting_at_the_unit(house)
    async with house.client(UNIT) as unit:
        await unit.acknowledge(delivery, "system", "sbu")
        assert await state_of(house, referral) is WAITS
        await unit.acknowledge(delivery, "person", "sbu", "Winifred Stave")
    assert await state_of(house, referral) is DutyState.MET
    events = await events_of(house, referral["id"])
    assert events[-3:] == ["ContentHandover", "ConsignmentAcceptance", "DutyMet"]


async def test_a_system_says_it_once_and_nothing_follows_a_person_s_word(house: House) -> None:
    _, delivery = await waiting_at_the_unit(house)
    async with house.client(UNIT) as unit:
        first = await unit.acknowledge(delivery, "system", "sbu")
        assert await unit.acknowledge(delivery, "system", "sbu") == first, "said once, told again"
        with pytest.raises(AgencyProblem) as twice:
            await unit.acknowledge(delivery, "system", "dsp-la")
        await unit.acknowledge(delivery, "person", "sbu")
        for by in ("person", "system"):
            with pytest.raises(AgencyProblem) as after:
                await unit.acknowledge(delivery, by, "sbu", "Somebody Else")
            assert after.value.status == twice.value.status == 409
        with pytest.raises(AgencyProblem) as declined:
            await unit.decline(delivery, "Too late")
    assert declined.value.status == 409


async def test_ten_people_at_once_are_one_acknowledgement(house: House) -> None:
    referral, delivery = await waiting_at_the_unit(house)
    async with house.client(UNIT) as unit:
        await unit.token()
        said = await asyncio.gather(
            *(unit.acknowledge(delivery, "person", "sbu") for _ in range(10)), return_exceptions=True
        )
    assert all(one == said[0] for one in said), "one statement, told to each"
    assert (await events_of(house, referral["id"])).count("ConsignmentAcceptance") == 1


async def test_a_person_too_late_meets_the_duty_late(house: House) -> None:
    referral, delivery = await waiting_at_the_unit(house)
    due_at = (await duty_of(house, referral, "sbu", "acknowledgement")).due_at
    assert due_at is not None
    house.clock.move_to(due_at + timedelta(microseconds=1))
    async with house.client(UNIT) as unit:
        await unit.acknowledge(delivery, "person", "sbu")
    assert await state_of(house, referral) is DutyState.MET_LATE


async def test_a_decline_after_the_system_took_it_brings_an_officer_and_meets_nothing(house: House) -> None:
    referral, delivery = await waiting_at_the_unit(house)
    async with house.client(UNIT) as unit:
        await unit.acknowledge(delivery, "system", "sbu")
        await unit.decline(delivery, "Not one of ours")
    assert await reasons(house) == ["declined"]
    assert await state_of(house, referral) is WAITS


@pytest.mark.parametrize("refuse", [False, True], ids=["release", "refuse"])
async def test_dealing_with_a_decline_neither_repeats_nor_cancels_the_delivery(
    house: House, refuse: bool
) -> None:
    referral, delivery = await waiting_at_the_unit(house)
    async with house.client(UNIT) as unit:
        await unit.decline(delivery, "Not one of ours")
    await _carried(house)
    before = {row.id: row.state for row in await deliveries_of(house, referral["id"])}
    assert before[delivery] is DeliveryState.DELIVERED  # type: ignore[index]
    await let_go(house, (await waiting(house))[0], refuse)
    assert {row.id: row.state for row in await deliveries_of(house, referral["id"])} == before


async def _carried(house: House) -> None:
    from gateway.dispatch.carrying import carry_due

    while await carry_due(house.parts):
        pass


@pytest.mark.parametrize(("by", "state"), [("system", DutyState.OPEN), ("person", DutyState.MET)])
async def test_an_acknowledgement_sent_as_a_message_counts_only_from_a_person(
    house: House, by: str, state: DutyState
) -> None:
    referral, _ = await waiting_at_the_unit(house)
    about = {"incident": referral["incident"], "in_reply_to": referral["id"]}
    body = {"by": by, "role": "sbu", "acknowledged_at": house.clock().isoformat(), "delivery": None}
    await send(house, UNIT, "acknowledgement", body, **about)
    assert await state_of(house, referral) is state


async def test_an_acknowledgement_of_another_message_meets_no_duty(house: House) -> None:
    referral, _ = await waiting_at_the_unit(house)
    log = await send(house, "northshire-police", "call-log", incident=referral["incident"])
    body = {"by": "person", "role": "sbu", "acknowledged_at": house.clock().isoformat(), "delivery": None}
    await send(house, UNIT, "acknowledgement", body, incident=referral["incident"], in_reply_to=log["id"])
    assert await state_of(house, referral) is WAITS


async def test_fetching_is_stated_once_and_acknowledges_nothing(house: House) -> None:
    referral, delivery = await waiting_at_the_unit(house)
    async with house.client(UNIT) as unit:
        await unit.fetch(delivery)
        await unit.fetch(delivery)
        assert delivery in {item["id"] for item in await unit.inbox()}
    assert (await events_of(house, referral["id"])).count("ContentHandover") == 1
    assert await state_of(house, referral) is WAITS


async def test_another_agency_s_delivery_is_not_found(house: House) -> None:
    _, delivery = await waiting_at_the_unit(house)
    async with house.client("northshire-icb") as icb:
        for attempt in (
            icb.fetch(delivery),
            icb.acknowledge(delivery, "person", "sbu"),
            icb.decline(delivery, "Mine"),
        ):
            with pytest.raises(AgencyProblem) as refused:
                await attempt
            assert (refused.value.status, refused.value.code) == (404, "not-found")

"""An officer's word on what is held: once, under the incident's lock, and never past an erasure."""

from __future__ import annotations

import asyncio

import pytest

from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.release import Release, release
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from tests.actions.scene import (
    POLICE,
    coarse_reason,
    deliveries_of,
    duties_of,
    entries_named,
    let_go,
    reasons,
    refer,
    waiting,
)
from tests.gateway_house import House

HELD_FOR_A_PERSON = [{"person": "Winifred Stave", "reason": "The concern is about her."}]


async def test_ten_clicks_at_once_release_once(house: House) -> None:
    answer = await refer(house, do_not_contact=HELD_FOR_A_PERSON)
    (hold,) = await waiting(house)
    said = await asyncio.gather(*(let_go(house, hold) for _ in range(10)), return_exceptions=True)
    refused = [one for one in said if isinstance(one, Refused)]
    assert (len(refused), {one.code for one in refused}) == (9, {ErrorCode.NOT_ACCEPTABLE_STATE})
    assert len(await deliveries_of(house, answer["id"])) == 4
    assert len(await entries_named(house, "Released")) == 1


async def test_a_hold_that_nobody_placed_is_not_found(house: House) -> None:
    asked = Release("hld-nothing", "Officer Placeholder")
    with pytest.raises(Refused) as refused:
        await house.parts.perform(release, asked, SOUTH_TYNESIDE, None)
    assert refused.value.code is ErrorCode.NOT_FOUND


async def test_what_is_being_erased_is_released_no_more(house: House) -> None:
    answer = await refer(house, do_not_contact=HELD_FOR_A_PERSON)
    (hold,) = await waiting(house)
    incident = IncidentId(answer["incident"])
    order = Erasure(incident, "First Officer", "Second Officer", "retention")
    await house.parts.perform(begin_erasure, order, SOUTH_TYNESIDE, incident)
    with pytest.raises(Refused) as refused:
        await let_go(house, hold)
    assert refused.value.code is ErrorCode.NOT_ACCEPTABLE_STATE
    assert await deliveries_of(house, answer["id"]) == []


@pytest.mark.parametrize(
    ("refuse", "reason", "duties"), [(False, "released-by-officer", 5), (True, "refused-by-officer", 0)]
)
async def test_either_word_is_stated_and_only_a_release_sets_anything_going(
    house: House, refuse: bool, reason: str, duties: int
) -> None:
    answer = await refer(house, do_not_contact=HELD_FOR_A_PERSON)
    await let_go(house, (await waiting(house))[0], refuse)
    (stated,) = await entries_named(house, "Released")
    assert (stated.chain, coarse_reason(stated)) == (answer["id"], reason)
    assert b"Officer Placeholder" not in stated.statement
    assert len(await duties_of(house, answer)) == duties
    assert await reasons(house) == []
    async with house.client(POLICE) as police:
        assert (await police.message(answer["id"]))["decision"] == ("hold" if refuse else "forward")

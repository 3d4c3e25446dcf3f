"""Something urgent that comes out of hours opens a prompt to ring whoever is on the rota (G-03)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.actions.ring_out_of_hours import whom_to_ring
from gateway.core.deliveries import DeliveryState
from gateway.core.presence import read_pattern
from gateway.core.routing import Holder
from tests.actions.scene import COUNCIL, POLICE, deliveries_of, hold_seat, let_go, refer, waiting
from tests.gateway_house import House

NIGHT = read_pattern("mon-sun 17:00-09:00")
ROTA = (
    Holder("Esme Nightingale", None, "01632 960191", 0, works=read_pattern("tue 00:00-09:00")),
    Holder("Silas Owlett", None, "01632 960192", 1, works=NIGHT),
)


def a_death(house: House, nature: str = "death") -> dict[str, Any]:
    incident = house.example("referral")["body"]["incident"]
    return {"incident": incident | {"nature": nature}}


async def prompts(house: House) -> list[Any]:
    return [hold for hold in await waiting(house) if "ring-out-of-hours" in hold.reasons]


async def test_g_03_a_death_told_at_night_asks_for_a_call_to_whoever_is_on_the_rota_now(house: House) -> None:
    await hold_seat(house, COUNCIL, "edt", ROTA)
    house.clock.move_by(hours=9)  # Monday, 7 in the evening
    answer = await refer(house, body=a_death(house))
    (prompt,) = await prompts(house)
    assert prompt.incident == answer["incident"]
    assert [one.name for one in await whom_to_ring(house.parts, prompt)] == ["Silas Owlett"]
    house.clock.move_by(hours=6)
    house.parts.partnerships.forget()
    (now,) = await whom_to_ring(house.parts, prompt)
    assert (now.agency, now.name, now.telephone) == (COUNCIL, "Esme Nightingale", "01632 960191")
    found = await deliveries_of(house, answer["id"])
    assert found
    assert all(row.state is not DeliveryState.HELD for row in found), "the message does not wait for the call"
    await let_go(house, prompt)
    assert await prompts(house) == []


@pytest.mark.parametrize(("hours", "asks"), [(0, 0), (6.9, 0), (7, 1), (24 * 5, 1), (24 * 7, 0)])
async def test_g_03_only_outside_the_hours_of_the_calendar(house: House, hours: float, asks: int) -> None:
    await hold_seat(house, COUNCIL, "edt", ROTA)
    house.clock.move_by(hours=hours)
    await refer(house, body=a_death(house))
    assert len(await prompts(house)) == asks


async def test_what_is_not_urgent_waits_for_the_morning_and_without_a_rota_nobody_can_be_rung(
    house: House,
) -> None:
    house.clock.move_by(hours=9)
    await refer(house, body=a_death(house))
    assert await prompts(house) == [], "nobody has a rota"
    await hold_seat(house, COUNCIL, "edt", ROTA)
    await refer(house, body=a_death(house, "near-miss"))
    assert await prompts(house) == []


async def test_a_held_message_asks_for_the_call_all_the_same_and_ringing_releases_nothing(
    house: House,
) -> None:
    await hold_seat(house, COUNCIL, "edt", ROTA)
    house.clock.move_by(hours=9)
    person = [{"person": "Winifred Stave", "reason": "The concern is about her."}]
    answer = await refer(house, agency=POLICE, body=a_death(house), do_not_contact=person)
    assert answer["decision"] == "hold"
    (prompt,) = await prompts(house)
    await let_go(house, prompt)
    assert await deliveries_of(house, answer["id"]) == []
    assert house.clock() - prompt.held_at < timedelta(minutes=1)

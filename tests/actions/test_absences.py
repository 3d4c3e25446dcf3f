"""Where a whole seat is away the message still goes to the seat, and an officer hears of it (G-04)."""

from __future__ import annotations

from gateway.core.presence import begin_of, local_day
from gateway.core.routing import Holder
from tests.actions.scene import UNIT, deliveries_of, hold_seat, reasons, refer
from tests.gateway_house import House


async def test_g_04_a_message_to_a_deserted_seat_is_delivered_and_an_officer_is_told(house: House) -> None:
    away = Holder("Winifred Stave", "w.stave@sbu.example", None, 1, begin_of(local_day(house.clock())))
    await hold_seat(house, UNIT, "sbu", (away,))
    answer = await refer(house)
    assert UNIT in {row.agency for row in await deliveries_of(house, answer["id"])}
    assert await reasons(house) == ["everybody-absent"]


async def test_g_04_with_a_deputy_at_work_nobody_needs_to_be_told(house: House) -> None:
    away = Holder("Winifred Stave", "w.stave@sbu.example", None, 1, begin_of(local_day(house.clock())))
    deputy = Holder("Caspian Reed", "c.reed@sbu.example", None, 2)
    await hold_seat(house, UNIT, "sbu", (away, deputy))
    await refer(house)
    assert await reasons(house) == []

"""Matters that come round are opened by the calendar, once, with what is owed on them (K06, K18, S0-24, S3-15)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.core.duties import DutyState
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.timetable import chase_due, open_periodic_matters
from gateway.store import deliveries, duties, incidents, messages
from tests.actions.arrangements import arrange
from tests.actions.scene import UNIT, empty_seat, entries_of, reasons, send, sent_by_the_house
from tests.gateway_house import House

RULES = """
[[clock]]
id = "K18"
amount = 1
unit = "months"
start = "month_end"
day_end = "midnight"
clause = "S3-15"

[[route]]
id = "digest"
message = "learning-digest"
from = ["business-unit"]
deliver = ["dsp-la"]
clause = "S3-15"

[[periodic]]
id = "digest"
every = "month"
moment = "month_end"
label = "Learning digest"
duties = [{ owner = "sbu", expects = "learning-digest", clock = "K18" }]
"""
DECEMBER = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)


async def matters(house: House) -> list[incidents.Incident]:
    return await house.parts.store.read(lambda tx: incidents.every(tx, [SOUTH_TYNESIDE]))


async def owed(house: House) -> list[duties.DutyRow]:
    return await house.parts.store.read(lambda tx: duties.every(tx, partnership=SOUTH_TYNESIDE))


async def test_nothing_is_opened_for_the_time_before_the_pack_was_in_force(house: House) -> None:
    await arrange(house, RULES)
    house.clock.move_to(DECEMBER - timedelta(seconds=1))
    assert await open_periodic_matters(house.parts) == 0
    assert await matters(house) == []


async def test_a_month_s_end_opens_one_matter_however_often_one_looks(house: House) -> None:
    """K18."""
    await arrange(house, RULES)
    house.clock.move_to(DECEMBER)
    assert [await open_periodic_matters(house.parts) for _ in range(3)] == [1, 0, 0]
    (matter,) = await matters(house)
    assert (matter.label, matter.state) == ("Learning digest", "open")
    (duty,) = await owed(house)
    assert (duty.role, duty.expects, duty.message) == ("sbu", "learning-digest", None)
    assert duty.start_at == DECEMBER - timedelta(seconds=1)
    assert duty.due_at == datetime(2026, 12, 31, 0, 0, tzinfo=UTC), "the end of 30 December"
    assert [entry.event for entry in await entries_of(house, matter.chain)] == ["MatterOpened"]


async def test_after_an_outage_every_month_has_its_matter(house: House) -> None:
    await arrange(house, RULES)
    house.clock.move_to(datetime(2027, 2, 3, 9, 0, tzinfo=UTC))
    assert await open_periodic_matters(house.parts) == 3
    assert len(await matters(house)) == 3


async def test_what_comes_round_is_chased_and_met_as_any_duty(house: House) -> None:
    await arrange(house, RULES)
    house.clock.move_to(DECEMBER)
    await open_periodic_matters(house.parts)
    house.clock.move_to(datetime(2026, 12, 20, 12, 0, tzinfo=UTC))
    await chase_due(house.parts, frozenset())
    (matter,) = await matters(house)
    about = {"incident": matter.id}
    (chase,) = await sent_by_the_house(house, about, "chase")
    assert (chase["in_reply_to"], chase["body"]["stage"]) == (None, "half-way")
    told = await house.parts.store.read(lambda tx: deliveries.of_message(tx, chase["id"]))
    assert [row.agency for row in told] == [UNIT]
    house.clock.move_by(seconds=1)
    sent = await send(
        house, UNIT, "learning-digest", partnership=SOUTH_TYNESIDE, incident=matter.id, in_reply_to=None
    )
    assert sent["decision"] == "forward"
    (duty,) = await owed(house)
    assert duty.state is DutyState.MET
    kept = await house.parts.store.read(lambda tx: messages.of_incident(tx, SOUTH_TYNESIDE, matter.id))
    assert sorted(row.type for row in kept) == ["chase", "learning-digest"]


async def test_a_role_that_nobody_holds_is_an_officer_s_question(house: House) -> None:
    await arrange(house, RULES)
    await empty_seat(house, UNIT, "sbu")
    house.clock.move_to(DECEMBER)
    await open_periodic_matters(house.parts)
    assert await reasons(house) == ["nobody-holds-sbu"]
    assert len(await matters(house)) == 1

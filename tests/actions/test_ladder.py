"""A message that nobody takes up goes up its ladder: e-mail, the deputy, an officer's telephone call; one delivery throughout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.memory import Fail, MemoryAdapter
from gateway.actions.record_call import Call, Outcome, record_call
from gateway.core.deliveries import DeliveryState, Fault, TryLater, Undeliverable
from gateway.core.errors import Refused
from gateway.core.ladder import Rung
from gateway.core.messages import AgencyId, RoleId, Seat
from gateway.core.routing import Holder
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.timetable import climb_due
from gateway.store.deliveries import DeliveryRow
from gateway.store.holds import HoldRow
from tests.actions.arrangements import arrange
from tests.actions.scene import (
    ICB,
    coarse_reason,
    deliveries_of,
    entries_of,
    hold_seat,
    let_go,
    reach_by,
    refer,
    waiting,
)
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, gateway_house

LADDER = """
[[ladder]]
messages = ["referral"]
rungs = ["mail", "deputy", "telephone"]
after_hours = 4
"""
SEAT = Seat(AgencyId(ICB), RoleId("dsp-icb"))
FIRST, SECOND = "first@northshire-icb.example", "second@northshire-icb.example"


@pytest.fixture
async def far_end(house: House) -> MemoryAdapter:
    return await laddered(house)


async def laddered(house: House) -> MemoryAdapter:
    """The health board has a far end of its own, two people in the seat, and a ladder; e-mail goes to the same memory."""
    memory = MemoryAdapter()
    house.parts.adapters["memory"] = memory  # type: ignore[index]
    house.parts.adapters["mail"] = memory  # type: ignore[index]
    await arrange(house, LADDER)
    await reach_by(house, ICB, "memory")
    people = [("A. Placeholder", FIRST, "01632 960551"), ("B. Placeholder", SECOND, None)]
    await hold_seat(house, ICB, "dsp-icb", tuple(Holder(*one, rank) for rank, one in enumerate(people)))
    return memory


async def row_of(house: House, referral: Any) -> DeliveryRow:
    return next(row for row in await deliveries_of(house, referral["id"]) if row.agency == ICB)


async def carry(house: House) -> None:
    while await carry_due(house.parts):
        pass


async def climb_after(house: House, hours: float) -> DeliveryRow | None:
    house.clock.move_by(hours=hours)
    await climb_due(house.parts)
    await carry(house)
    return None


async def calls(house: House) -> list[HoldRow]:
    return [held for held in await waiting(house) if "telephone-them" in held.reasons and held.subject]


async def call_about(house: House, row: DeliveryRow) -> list[HoldRow]:
    return [held for held in await calls(house) if held.subject == row.id]


async def test_what_nobody_takes_up_goes_by_mail_then_to_the_deputy_then_to_an_officer_under_one_id(
    house: House, far_end: MemoryAdapter
) -> None:
    """G-02, G-04: each rung in its time and once, with a receipt each."""
    referral = await refer(house)
    await carry(house)
    row, went_to = await row_of(house, referral), []
    for _ in range(4):
        went_to.append(far_end.held[row.id].address)
        await climb_after(house, 4)
    assert went_to == [None, FIRST, SECOND, SECOND]
    assert far_end.attempts[row.id] == 3, "a call is an officer's, and nothing is sent twice by one way"
    (call,) = await call_about(house, row)
    assert call.reasons == ("telephone-them", "not-taken-up")
    climbed = [e for e in await entries_of(house, referral["id"]) if e.event == "Escalated"]
    mine = [entry for entry in climbed if coarse_reason(entry) == "not-taken-up"]
    assert len(mine) >= 3
    after = await row_of(house, referral)
    assert (after.rung, after.rung_at, after.id) == (Rung.TELEPHONE, None, row.id)


async def test_before_its_time_no_rung_is_taken(house: House, far_end: MemoryAdapter) -> None:
    referral = await refer(house)
    await carry(house)
    await climb_after(house, 3.99)
    assert (await row_of(house, referral)).rung is None


async def test_whoever_collects_first_ends_the_other_ways(house: House, far_end: MemoryAdapter) -> None:
    referral = await refer(house)
    await carry(house)
    row = await row_of(house, referral)
    house.clock.move_by(hours=4)
    await climb_due(house.parts)  # e-mail is owed now, and has not gone
    async with house.client(ICB) as client:
        await client.fetch(row.id)
    await carry(house)
    after = await row_of(house, referral)
    assert (after.state, after.rung_at, far_end.attempts[row.id]) == (DeliveryState.DELIVERED, None, 1)
    await climb_after(house, 40)
    assert (await row_of(house, referral)).rung is Rung.MAIL
    assert not await call_about(house, row)


async def test_a_way_that_fails_for_good_hands_over_at_once_and_the_last_failure_is_an_officers(
    house: House, far_end: MemoryAdapter
) -> None:
    referral = await refer(house)
    far_end.tell(Fail(Undeliverable("gone", Fault.PARTNER)))
    await carry(house)
    row = await row_of(house, referral)
    assert (row.state, row.rung) == (DeliveryState.DELIVERED, Rung.MAIL)
    assert far_end.held[row.id].address == FIRST
    assert not [held for held in await waiting(house) if held.subject_kind == "failed-delivery"]
    house.clock.move_by(hours=4)
    await climb_due(house.parts)
    far_end.tell(Fail(Undeliverable("no-such-mailbox", Fault.PARTNER)), times=20)
    await carry(house)
    failed = await row_of(house, referral)
    assert (failed.state, failed.rung) == (DeliveryState.FAILED_PARTNER, Rung.TELEPHONE)
    about = [held.reasons for held in await waiting(house) if held.subject == row.id]
    assert sorted(about) == [("no-such-mailbox",), ("telephone-them", "not-delivered")]


async def test_a_far_end_that_is_only_slow_to_answer_does_not_keep_the_next_way_waiting(
    house: House, far_end: MemoryAdapter
) -> None:
    referral = await refer(house)
    far_end.tell(Fail(TryLater("server-error", 10_000.0)))
    await carry(house)
    await climb_after(house, 4)
    row = await row_of(house, referral)
    assert (row.rung, far_end.held[row.id].address) == (Rung.MAIL, FIRST)


async def test_a_person_who_must_not_be_contacted_is_never_written_to_by_a_ladder(
    house: House, far_end: MemoryAdapter
) -> None:
    """G-08: who is next may be that very person, so an officer judges."""
    about = [{"person": "B. Placeholder", "reason": "The concern is about them."}]
    referral = await refer(house, do_not_contact=about)
    for held in await waiting(house):
        await let_go(house, held)
    await carry(house)
    await climb_after(house, 4)
    row = await row_of(house, referral)
    assert (row.rung, far_end.attempts[row.id]) == (Rung.TELEPHONE, 1)


async def test_a_call_leaves_a_receipt_each_and_only_the_word_of_who_has_it_acknowledges(
    house: House, far_end: MemoryAdapter
) -> None:
    """M02, M20: not reached leaves it open; who has it acknowledges by the officer's hand, once."""
    referral = await refer(house)
    await carry(house)
    for _ in range(3):
        await climb_after(house, 4)
    row = await row_of(house, referral)
    (call,) = await call_about(house, row)

    async def record(outcome: Outcome, name: str | None = None) -> None:
        asked = Call(call.id, "W. Stave", outcome, name)
        await house.parts.perform(record_call, asked, call.partnership, call.incident)

    await record(Outcome.NOT_REACHED)
    assert await call_about(house, row)
    with pytest.raises(Refused):
        await record(Outcome.HAS_IT)
    await record(Outcome.HAS_IT, "A. Placeholder")
    assert not await call_about(house, row)
    assert (await row_of(house, referral)).acknowledged_by == "person"
    with pytest.raises(Refused):
        await record(Outcome.TOLD, "A. Placeholder")
    told = [coarse_reason(entry) for entry in await entries_of(house, referral["id"])]
    assert [one for one in told if one and one.startswith("telephoned")] == [
        "telephoned-not-reached",
        "telephoned-has-it",
    ]


async def test_gateway_tasks_says_whom_to_ring_and_what_to_say_without_a_word_about_the_child(
    tmp_path: Path,
) -> None:
    async with gateway_house(tmp_path, clock=RealTime()) as house:
        await house.gateway.dispatch.stop()
        far_end = await laddered(house)
        referral = await refer(house)
        far_end.tell(Fail(Undeliverable("gone", Fault.PARTNER)), times=3)
        await carry(house)
        listed = [one for one in await gateway(house, "tasks", "list") if one["agency"] == ICB]
        assert [one["telephone"] for one in listed[0]["ring"]] == ["01632 960551"]
        assert referral["incident"] in listed[0]["say"]
        done = ("tasks", "done", listed[0]["id"], "--officer", "W. Stave")
        assert (await attempt(house, *done, "--outcome", "told"))[0] == 1, "who answered is asked for"
        told = await gateway(house, *done, "--outcome", "told", "--name", "A. Placeholder")
        assert (told["open"], bool(told["receipt"])) == (False, True)
        assert not [one for one in await gateway(house, "tasks", "list") if one["agency"] == ICB]
        assert (await row_of(house, referral)).acknowledged_at is None, "being told is no acknowledgement"

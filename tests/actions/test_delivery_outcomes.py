"""What comes of attempts to deliver: waits, failures by whose fault, and a fence against the overtaken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from adapters.memory import Break, Deny, Fail, MemoryAdapter, Stall
from gateway.actions.deliver import Attempted, deliver
from gateway.core.deliveries import (
    FIRST_WAIT,
    LONGEST_WAIT,
    PATIENCE,
    Delivered,
    DeliveryState,
    Fault,
    TryLater,
    Undeliverable,
)
from gateway.core.messages import AgencyId
from gateway.dispatch.carrying import carry_due
from gateway.store.deliveries import DeliveryRow
from tests.actions.scene import ICB, deliveries_of, entries_of, events_of, reach_by, reasons, refer
from tests.gateway_house import House, gateway_house
from tests.partner_agency import Manners, WebhookServer, webhook_server


@pytest.fixture
async def far_end(house: House) -> MemoryAdapter:
    """The health board's far end, in this process."""
    memory = MemoryAdapter()
    house.parts.adapters["memory"] = memory  # type: ignore[index]
    await reach_by(house, ICB, "memory")
    return memory


async def row_of(house: House, referral: Any) -> DeliveryRow:
    return next(row for row in await deliveries_of(house, referral["id"]) if row.agency == ICB)


async def carry(house: House) -> None:
    while await carry_due(house.parts):
        pass


async def test_waits_double_up_to_the_longest_and_patience_ends_in_a_hold(
    house: House, far_end: MemoryAdapter
) -> None:
    referral = await refer(house)
    began = house.clock()
    far_end.tell(Fail(TryLater("server-error")), times=200)
    await carry(house)
    waits = []
    while (row := await row_of(house, referral)).state is DeliveryState.PENDING:
        assert row.next_at is not None
        waits.append(row.next_at - house.clock())
        house.clock.move_to(row.next_at)
        await carry(house)
    assert waits[:4] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4, FIRST_WAIT * 8]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT
    assert house.clock() - began >= PATIENCE
    assert row.state is DeliveryState.FAILED_PARTNER
    assert row.next_at is None
    assert await reasons(house) == ["server-error"]
    assert (await events_of(house, referral["id"])).count("RelayAttempt") == len(waits)
    house.clock.move_by(days=30)
    await carry(house)
    assert (await row_of(house, referral)).attempt == row.attempt, "what has failed is final"


async def test_what_the_partner_asks_for_is_honoured_up_to_the_longest_wait(
    house: House, far_end: MemoryAdapter
) -> None:
    referral = await refer(house)
    far_end.tell(Fail(TryLater("rate-limited", 90)))
    far_end.tell(Fail(TryLater("rate-limited", 10.0**9)))
    await carry(house)
    assert (await row_of(house, referral)).next_at == house.clock() + timedelta(seconds=90)
    house.clock.move_by(seconds=89)
    await carry(house)
    assert far_end.attempts[(await row_of(house, referral)).id] == 1
    house.clock.move_by(seconds=1)
    await carry(house)
    assert (await row_of(house, referral)).next_at == house.clock() + LONGEST_WAIT


@pytest.mark.parametrize(
    ("fault", "state"),
    [(Fault.PARTNER, DeliveryState.FAILED_PARTNER), (Fault.SYSTEM, DeliveryState.FAILED_SYSTEM)],
)
async def test_partner_s_and_system_s_faults_end_apart_and_both_before_an_officer(
    house: House, far_end: MemoryAdapter, fault: Fault, state: DeliveryState
) -> None:
    referral = await refer(house)
    far_end.tell(Fail(Undeliverable("refused", fault)))
    await carry(house)
    assert (await row_of(house, referral)).state is state
    assert await reasons(house) == ["refused"]
    assert "DeliveryFailure" in await events_of(house, referral["id"])


async def test_a_bug_of_ours_is_tried_again_and_ends_as_the_system_s_fault(
    house: House, far_end: MemoryAdapter
) -> None:
    referral = await refer(house)
    far_end.tell(Break(), times=200)
    await carry(house)
    row = await row_of(house, referral)
    assert (row.state, row.last_reason) == (DeliveryState.PENDING, "our-fault")
    house.clock.move_by(days=PATIENCE.days)
    await carry(house)
    assert (await row_of(house, referral)).state is DeliveryState.FAILED_SYSTEM


async def test_a_way_that_is_not_set_up_here_is_our_fault_and_never_lost(house: House) -> None:
    await reach_by(house, ICB, "mesh")
    referral = await refer(house)
    await carry(house)
    row = await row_of(house, referral)
    assert (row.state, row.last_reason) == (DeliveryState.PENDING, "our-fault")


async def test_after_a_lease_runs_out_it_is_carried_again_under_the_same_id_and_the_overtaken_records_nothing(
    house: House, far_end: MemoryAdapter
) -> None:
    referral = await refer(house)
    until = asyncio.Event()
    far_end.tell(Stall(until))
    slow = asyncio.create_task(carry_due(house.parts))
    row = await row_of(house, referral)
    while not far_end.attempts[row.id]:
        await asyncio.sleep(0.01)
    assert await carry_due(house.parts) == 0, "a leased delivery is nobody else's"
    house.clock.move_by(seconds=house.parts.settings.lease_seconds)
    await carry(house)
    after = await row_of(house, referral)
    events = await events_of(house, referral["id"])
    assert (after.state, after.attempt) == (DeliveryState.DELIVERED, 2)
    until.set()
    await slow
    assert await row_of(house, referral) == after
    assert await events_of(house, referral["id"]) == events
    assert set(far_end.held) == {row.id}


async def test_an_outcome_recorded_twice_counts_once(house: House, far_end: MemoryAdapter) -> None:
    referral = await refer(house)
    await carry(house)
    row = await row_of(house, referral)
    again = Attempted(row, Delivered("ContentConsignment"))
    assert await house.parts.perform(deliver, again, row.partnership, row.incident) is None
    stale = Attempted(replace(row, attempt=0), Delivered("ContentConsignment"))
    assert await house.parts.perform(deliver, stale, row.partnership, row.incident) is None
    assert (await events_of(house, referral["id"])).count("ContentConsignment") == 4  # one for each recipient


async def test_an_answer_lost_on_the_way_is_a_repeat_and_no_second_parcel(
    house: House, far_end: MemoryAdapter
) -> None:
    referral = await refer(house)
    far_end.tell(Deny())
    await carry(house)
    house.clock.move_by(seconds=5)
    await carry(house)
    row = await row_of(house, referral)
    assert (row.state, far_end.attempts[row.id], len(far_end.held)) == (DeliveryState.DELIVERED, 2, 1)


async def test_one_far_end_s_failure_keeps_nobody_else_waiting(house: House, far_end: MemoryAdapter) -> None:
    referral = await refer(house)
    far_end.tell(Break())
    await carry(house)
    states = {row.agency: row.state for row in await deliveries_of(house, referral["id"])}
    assert states.pop(AgencyId(ICB)) is DeliveryState.PENDING
    assert set(states.values()) == {DeliveryState.DELIVERED}


async def test_statements_of_attempts_carry_no_address_in_clear(house: House, far_end: MemoryAdapter) -> None:
    referral = await refer(house)
    far_end.tell(Fail(TryLater("server-error", None, {"answer": "MARKER-answer"})))
    await carry(house)
    assert b"MARKER" not in b"".join(entry.statement for entry in await entries_of(house, referral["id"]))


@pytest.fixture
async def hooked(tmp_path: Path) -> AsyncIterator[tuple[House, WebhookServer]]:
    """A gateway that tells the health board by a real webhook; dispatch stands still."""
    authority = trustme.CA()
    async with (
        webhook_server(authority) as server,
        gateway_house(tmp_path, authority=authority, hooks={AgencyId(ICB): server}) as house,
    ):
        await house.gateway.dispatch.stop()
        yield house, server


@pytest.mark.parametrize(
    ("manners", "state", "reason"),
    [
        (Manners.BUSY, DeliveryState.PENDING, "server-error"),
        (Manners.DEAF, DeliveryState.PENDING, None),
        (Manners.GONE, DeliveryState.FAILED_PARTNER, "gone"),
        (Manners.ELSEWHERE, DeliveryState.FAILED_PARTNER, "redirect"),
        (Manners.PROPER, DeliveryState.DELIVERED, None),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Manners) else "",
)
async def test_how_a_partner_s_web_server_answers_decides(
    hooked: tuple[House, WebhookServer], manners: Manners, state: DeliveryState, reason: str | None
) -> None:
    house, server = hooked
    server.manners = manners
    referral = await refer(house)
    await carry(house)
    row = await row_of(house, referral)
    assert row.state is state
    assert reason in (None, row.last_reason)
    if manners is Manners.BUSY:
        assert row.next_at == house.clock() + timedelta(seconds=60), "Retry-After is honoured"
    assert bool(await reasons(house)) == (state is DeliveryState.FAILED_PARTNER)


async def test_s4_19_word_of_the_message_that_opens_an_incident_names_the_incident_it_opened(
    house: House,
) -> None:
    """Such a message cannot name the incident itself; the subject of its notice does, and says nothing of the matter."""
    post = MemoryAdapter()
    house.parts.adapters["mail"] = post  # type: ignore[index]
    await reach_by(house, ICB, "mail")
    referral = await refer(house)
    await carry(house)
    letter = post.held[(await row_of(house, referral)).id].letter
    assert letter is not None
    assert letter.subject == f"Safeguarding gateway: a message waits, incident {referral['incident']}"
    assert referral["incident"] in letter.text


async def test_a_far_end_that_hangs_keeps_what_comes_after_it_from_nobody(tmp_path: Path) -> None:
    """With the loop that serves: a second referral reaches everybody else while the first still hangs at one."""
    async with gateway_house(tmp_path) as house:
        await house.gateway.dispatch.stop()  # what it reads of the directory just now would be the old one
        memory, until = MemoryAdapter(), asyncio.Event()
        house.parts.adapters["memory"] = memory  # type: ignore[index]
        await reach_by(house, ICB, "memory")
        memory.tell(Stall(until), times=2)
        house.gateway.dispatch.start()
        first = await refer(house)
        second = await refer(house)
        while await others_wait(house, first) or await others_wait(house, second):
            await asyncio.sleep(0.02)
        states = [(await row_of(house, one)).state for one in (first, second)]
        assert states == [DeliveryState.PENDING] * 2, "it hangs, and nobody waited for it"
        until.set()


async def others_wait(house: House, referral: Any) -> bool:
    rows = await deliveries_of(house, referral["id"])
    return any(row.state is DeliveryState.PENDING for row in rows if row.agency != ICB)

"""Breaches of personal data: logged, owed to the regulator within 72 elapsed hours, closed on the record (K21, domain section 8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.actions.close_breach import BreachClosing, close_breach
from gateway.actions.record_breach import Breach, BreachKind, Recorded, record_breach
from gateway.actions.waive import Waiver, waive
from gateway.core.duties import DutyState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId, MessageId
from gateway.core.routing import Holder
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import breaches
from tests.actions.scene import (
    COUNCIL,
    HOSPITALS,
    UNIT,
    duty_of,
    events_of,
    hold_seat,
    incident_of,
    reasons,
    refer,
)
from tests.actions.test_recall import TWO, ask_for_information, carry_all, take_back, waits_for
from tests.gateway_house import House


async def record(house: House, answer: Any, **changes: Any) -> Recorded:
    given: dict[str, Any] = {"aware_at": house.clock(), "kind": BreachKind.MISDIRECTED, "officer": TWO.first}
    asked = Breach(IncidentId(answer["incident"]), **(given | changes))
    return await house.parts.perform(record_breach, asked, SOUTH_TYNESIDE, asked.incident)


async def close(house: House, answer: Any, breach: str, **changes: Any) -> Any:
    asked = BreachClosing(breach, TWO.first, **changes)
    return await house.parts.perform(close_breach, asked, SOUTH_TYNESIDE, IncidentId(answer["incident"]))


async def with_officer(house: House) -> Any:
    await hold_seat(
        house, COUNCIL, "ig-officer", (Holder("Ottoline Vane", "o.vane@council.example", None, 0),)
    )
    return await refer(house)


async def test_k21_72_elapsed_hours_run_from_awareness_over_a_weekend(house: House) -> None:
    house.clock.move_by(days=4, hours=6)  # Friday at four
    referral = await with_officer(house)
    aware_at = house.clock() - timedelta(hours=1)
    done = await record(house, referral, aware_at=aware_at)
    duty = await duty_of(house, referral, "ig-officer", "breach-report")
    assert (duty.agency, duty.clock, duty.due_at) == (COUNCIL, "K21", aware_at + timedelta(hours=72))
    assert done.due_at == duty.due_at
    assert "BreachRecorded" in await events_of(house, (await incident_of(house, referral)).chain)


async def test_k21_is_the_law_s_and_no_officer_waives_it(house: House) -> None:
    referral = await with_officer(house)
    await record(house, referral)
    duty = await duty_of(house, referral, "ig-officer", "breach-report")
    with pytest.raises(Refused) as refused:
        await house.parts.perform(waive, Waiver(duty.id, TWO, "No."), SOUTH_TYNESIDE, duty.incident)
    assert refused.value.code is ErrorCode.NOT_PERMITTED


@pytest.mark.parametrize(("hours", "state"), [(72, DutyState.MET), (73, DutyState.MET_LATE)])
async def test_k21_is_met_by_the_regulator_s_reference(house: House, hours: int, state: DutyState) -> None:
    referral = await with_officer(house)
    done = await record(house, referral)
    house.clock.move_by(hours=hours)
    await close(house, referral, done.breach, ico_reference="IC-000000-X0X0")
    assert (await duty_of(house, referral, "ig-officer", "breach-report")).state is state
    found = await house.parts.store.read(lambda tx: breaches.find(tx, [SOUTH_TYNESIDE], done.breach))
    assert found is not None
    assert (found.state, found.ico_reference) == ("reported", "IC-000000-X0X0")
    with pytest.raises(Refused):
        await close(house, referral, done.breach, ico_reference="IC-000000-X0X1")


@pytest.mark.parametrize(
    "given",
    [
        {"words": "No risk."},
        {"words": "No risk.", "second_officer": TWO.first},
        {"second_officer": TWO.second},
    ],
)
async def test_not_to_report_takes_two_officers_and_a_reason(house: House, given: dict[str, str]) -> None:
    referral = await with_officer(house)
    done = await record(house, referral)
    with pytest.raises(Refused):
        await close(house, referral, done.breach, **given)
    assert (await duty_of(house, referral, "ig-officer", "breach-report")).state is DutyState.OPEN
    await close(house, referral, done.breach, words="No risk.", second_officer=TWO.second)
    assert (await duty_of(house, referral, "ig-officer", "breach-report")).state is DutyState.MET


async def test_a_near_miss_is_logged_without_a_duty(house: House) -> None:
    referral = await with_officer(house)
    done = await record(house, referral, kind=BreachKind.NEAR_MISS)
    assert done.due_at is None
    assert len(await house.parts.store.read(lambda tx: breaches.every(tx, [SOUTH_TYNESIDE]))) == 1


async def test_while_nobody_is_the_ig_officer_the_business_unit_owes_it(house: House) -> None:
    referral = await refer(house)
    await record(house, referral)
    assert (await duty_of(house, referral, "sbu", "breach-report")).agency == UNIT
    assert await reasons(house) == ["nobody-holds-ig-officer"]


async def test_awareness_never_lies_in_the_future(house: House) -> None:
    referral = await with_officer(house)
    with pytest.raises(Refused):
        await record(house, referral, aware_at=house.clock() + timedelta(seconds=1))


async def test_g_06_recording_the_breach_answers_what_the_recall_asked(house: House) -> None:
    referral, request = await ask_for_information(house)
    await carry_all(house)
    item = await waits_for(house, HOSPITALS, request["id"])
    assert item is not None
    async with house.client(HOSPITALS) as hospitals:
        await hospitals.fetch(item["id"])
    await take_back(house, request, HOSPITALS)
    await record(house, referral, message=MessageId(request["id"]))
    assert await reasons(house) == ["nobody-holds-ig-officer"]

"""Guests of an incident: the child's home council is copied in and sees nothing else (G-07, P-09, S3-24)."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.actions.dismiss_guest import dismiss_guest
from gateway.actions.invite_guest import GuestChange, Invited, invite_guest
from gateway.agency.client import AgencyProblem
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, IncidentId
from gateway.core.officers import TwoOfficers
from gateway.demo.partnership import SOUTH_TYNESIDE
from tests.actions.neighbours import FELLSIDE_COUNCIL, fellside_joins
from tests.actions.scene import COUNCIL, ICB, UNIT, deliveries_of, events_of, incident_of, refer, send
from tests.actions.test_recall import TWO, carry_all
from tests.gateway_house import House


def change(answer: Any, agency: str = FELLSIDE_COUNCIL, officers: TwoOfficers = TWO) -> GuestChange:
    return GuestChange(
        IncidentId(answer["incident"]), AgencyId(agency), officers, "The child's home council."
    )


async def invite(house: House, answer: Any, agency: str = FELLSIDE_COUNCIL) -> Invited:
    asked = change(answer, agency)
    return await house.parts.perform(invite_guest, asked, SOUTH_TYNESIDE, asked.incident)


async def dismiss(house: House, answer: Any) -> None:
    asked = change(answer)
    await house.parts.perform(dismiss_guest, asked, SOUTH_TYNESIDE, asked.incident)


async def notify(house: House, referral: Any) -> Any:
    return await send(house, COUNCIL, "sin-record", incident=referral["incident"], in_reply_to=None)


async def seen_by(house: House, agency: str) -> list[dict[str, Any]]:
    await carry_all(house)
    async with house.client(agency) as client:
        return await client.inbox()


async def test_g_07_the_home_council_gets_the_notification_s_record_and_nothing_else(house: House) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    assert (await invite(house, referral)).sent == ()
    record = await notify(house, referral)
    await send(house, UNIT, "call-log", incident=referral["incident"])
    (item,) = await seen_by(house, FELLSIDE_COUNCIL)
    assert (item["message"], item["type"]) == (record["id"], "sin-record")
    async with house.client(FELLSIDE_COUNCIL) as guest:
        assert (await guest.fetch(item["id"]))["content"]["type"] == "sin-record"
        await guest.acknowledge(item["id"], "person", "agency-safeguarding-lead")
        with pytest.raises(AgencyProblem) as refused:
            await guest.message(referral["id"])
    assert refused.value.status == 404
    assert "GuestsChanged" in await events_of(house, (await incident_of(house, referral)).chain)


async def test_g_07_a_guest_who_comes_late_gets_what_it_missed(house: House) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    record = await notify(house, referral)
    assert (await invite(house, referral)).sent == (record["id"],)
    assert [item["message"] for item in await seen_by(house, FELLSIDE_COUNCIL)] == [record["id"]]


async def test_g_07_who_is_no_guest_any_more_sees_nothing(house: House) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    await invite(house, referral)
    record = await notify(house, referral)
    (item,) = await seen_by(house, FELLSIDE_COUNCIL)
    await dismiss(house, referral)
    assert await seen_by(house, FELLSIDE_COUNCIL) == []
    async with house.client(FELLSIDE_COUNCIL) as guest:
        with pytest.raises(AgencyProblem) as refused:
            await guest.fetch(item["id"])
    assert refused.value.status == 404
    assert FELLSIDE_COUNCIL in {row.agency for row in await deliveries_of(house, record["id"])}


async def test_a_guest_of_one_incident_sees_nothing_of_another(house: House) -> None:
    await fellside_joins(house)
    await invite(house, await refer(house))
    await notify(house, await refer(house))
    assert await seen_by(house, FELLSIDE_COUNCIL) == []


async def test_an_agency_that_is_not_to_be_contacted_is_no_guest(house: House) -> None:
    await fellside_joins(house)
    concern = {"agency": FELLSIDE_COUNCIL, "role": None, "person": None, "reason": "The concern is about it."}
    with pytest.raises(Refused) as refused:
        await invite(house, await refer(house, do_not_contact=[concern]))
    assert refused.value.code is ErrorCode.NOT_PERMITTED


@pytest.mark.parametrize(
    ("agency", "code"), [("nobody-of-ours", ErrorCode.NOT_FOUND), (ICB, ErrorCode.NOT_ACCEPTABLE_STATE)]
)
async def test_a_guest_stands_in_some_directory_and_takes_no_part_yet(
    house: House, agency: str, code: ErrorCode
) -> None:
    with pytest.raises(Refused) as refused:
        await invite(house, await refer(house), agency)
    assert refused.value.code is code

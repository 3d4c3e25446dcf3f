"""A letter that may reach the wrong person goes only when an officer confirms each reason by name (G-06, G-08, S2-21)."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import Any

import pytest

from gateway.actions.misdirection import standing_against
from gateway.actions.release import Release, release
from gateway.core.deliveries import DeliveryState
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, AgencyKind, DeliveryId
from gateway.core.presence import School, Standing, Term, begin_of
from gateway.core.routing import Agency, Holder
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.ledger.appending import disclosures_label
from gateway.store import deliveries, directory
from tests.actions.scene import (
    SCHOOL,
    decide_all,
    entries_named,
    hold_seat,
    reach_by,
    reasons,
    refer,
    send,
    waiting,
)
from tests.gateway_house import House

LEAD = Holder("Bethany Oakes", "dsl@harbour-view.example", None, 1)


async def a_letter(house: House) -> Any:
    referral = await refer(house)
    await decide_all(house, referral)
    return referral


async def the_letter(house: House) -> Any:
    (hold,) = [hold for hold in await waiting(house) if hold.subject_kind == "delivery"]
    return hold


async def let_go(house: House, *confirmed: str) -> None:
    hold = await the_letter(house)
    asked = Release(hold.id, "Officer Placeholder", confirmed=frozenset(confirmed))
    await house.parts.perform(release, asked, hold.partnership, hold.incident)


async def refused(house: House, *confirmed: str) -> str:
    with pytest.raises(Refused) as fault:
        await let_go(house, *confirmed)
    assert fault.value.code is ErrorCode.NOT_ACCEPTABLE_STATE
    return fault.value.detail or ""


async def register(house: House, school: School) -> None:
    agency = Agency(AgencyId(SCHOOL), AgencyKind.SCHOOL, "Harbour View Primary School", "999901", school)
    await house.parts.store.transact(lambda tx: directory.enrol_agencies(tx, SOUTH_TYNESIDE, [agency]))
    house.parts.partnerships.forget()


async def close(house: House) -> None:
    await register(house, School(Standing.CLOSED, closed_on=date(2026, 8, 31)))


async def holidays(house: House) -> None:
    term = Term("Last year", date(2025, 9, 1), date(2026, 7, 20))
    await house.parts.store.transact(
        lambda tx: directory.replace_terms(tx, SOUTH_TYNESIDE, AgencyId(SCHOOL), [term])
    )
    house.parts.partnerships.forget()


async def new_lead(house: House) -> None:
    await hold_seat(house, SCHOOL, "dsl", (Holder("Kit Newcome", "kit@harbour-view.example", None, 1),))


async def all_away(house: House) -> None:
    away = Holder(LEAD.name, LEAD.email, None, 1, begin_of(date(2026, 1, 1)))
    await hold_seat(house, SCHOOL, "dsl", (away,))


async def no_address(house: House) -> None:
    await reach_by(house, SCHOOL, "mail", "dsl")
    await hold_seat(house, SCHOOL, "dsl", (Holder(LEAD.name, None, "01632 960141", 1),))


CASES = {
    "school-closed": close,
    "school-in-holiday": holidays,
    "dsl-changed": new_lead,
    "everybody-absent": all_away,
    "address-not-enrolled": no_address,
}


@pytest.mark.parametrize("reason", CASES)
async def test_a_reason_that_arose_since_the_draft_stops_the_release_until_it_is_confirmed(
    house: House, reason: str
) -> None:
    await a_letter(house)
    await CASES[reason](house)
    assert await standing_against(house.parts, await the_letter(house)) == (reason,)
    assert reason in await refused(house)
    other = next(one for one in CASES if one != reason)
    assert reason in await refused(house, other), "another reason confirms nothing"
    hold = await the_letter(house)
    await let_go(house, reason)
    (stated,) = await entries_named(house, "Released")
    key = await house.parts.key_by_id(stated.data_key)
    assert key is not None
    assert stated.disclosures is not None
    opened = json.loads(key.open(disclosures_label(stated.id), stated.disclosures))
    said = [base64.urlsafe_b64decode(one + "==") for one in opened]
    assert [one for one in said if b'"confirmed"' in one and reason.encode() in one]
    assert reason.encode() not in stated.statement, "what was confirmed is committed to, not written in clear"
    assert hold.id not in {one.id for one in await waiting(house)}


async def test_several_reasons_are_each_confirmed(house: House) -> None:
    await a_letter(house)
    await close(house)
    await holidays(house)
    assert "school-in-holiday" in await refused(house, "school-closed")
    await let_go(house, "school-closed", "school-in-holiday")


async def test_g_08_a_later_word_not_to_contact_the_lead_stops_a_letter_drafted_before(house: House) -> None:
    referral = await a_letter(house)
    concern = {"agency": SCHOOL, "role": "dsl", "reason": "The concern is about this post."}
    await send(
        house, "northshire-hospitals", "referral", incident=referral["incident"], do_not_contact=[concern]
    )
    assert "do-not-contact" in await refused(house)
    await let_go(house, "do-not-contact")


async def test_a_letter_may_always_be_refused_and_nothing_needs_confirming_for_that(house: House) -> None:
    await a_letter(house)
    await close(house)
    hold = await the_letter(house)
    await house.parts.perform(
        release, Release(hold.id, "Officer Placeholder", refuse=True), hold.partnership, hold.incident
    )
    assert [one for one in await waiting(house) if one.id == hold.id] == []


async def test_what_already_stands_against_a_letter_is_on_the_list_with_its_draft(house: House) -> None:
    await close(house)
    await a_letter(house)
    assert await reasons(house) == ["awaits-release", "school-closed"]


async def test_a_letter_to_a_present_lead_of_an_open_school_in_term_needs_no_confirming(house: House) -> None:
    await register(house, School(Standing.OPEN, opened_on=date(1998, 9, 1)))
    referral = await a_letter(house)
    hold = await the_letter(house)
    await let_go(house)
    found = await house.parts.store.read(lambda tx: deliveries.find(tx, DeliveryId(hold.subject)))
    assert found is not None
    assert (found.state, found.incident) == (DeliveryState.PENDING, referral["incident"])

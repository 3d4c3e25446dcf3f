"""`GET /v1/duties` and the directory: what my agency owes and is owed, and no person's name or address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.agency.client import AgencyProblem
from gateway.demo.partnership import SEATS
from tests.actions.scene import HOSPITALS, ICB, POLICE, UNIT, decide, refer, send
from tests.edges.at_the_door import Raw
from tests.gateway_house import House, gateway_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


async def test_what_one_agency_owes_another_sees_as_owed_to_it(house: House) -> None:
    referral = await refer(house)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"])
    async with house.client(HOSPITALS) as hospitals, house.client(UNIT) as unit:
        mine = (await hospitals.duties())["owed_by_me"]
        theirs = (await unit.duties())["owed_to_me"]
    assert mine == theirs
    (duty,) = mine
    assert (duty["expects"], duty["clock"], duty["state"]) == ("information-return", "K14", "open")
    assert (duty["due_on"], duty["due_at"]) == ("2026-11-09", "2026-11-09T17:00:00Z")


async def test_a_sender_s_own_duty_is_not_owed_to_itself(house: House) -> None:
    await refer(house)
    async with house.client(POLICE) as police:
        found = await police.duties()
    assert {duty["role"] for duty in found["owed_by_me"]} == {"dsp-police"}
    assert {duty["agency"] for duty in found["owed_to_me"]} == {ICB, UNIT, "south-tyneside-council"}


async def test_the_soonest_comes_first_and_what_was_met_says_by_what(house: House) -> None:
    referral = await refer(house)
    answer = await decide(house, referral, "dsp-icb")
    async with house.client(POLICE) as police, house.client(ICB) as icb:
        owed = (await police.duties())["owed_to_me"]
        (mine,) = (await icb.duties())["owed_by_me"]
    assert [duty["due_at"] for duty in owed] == sorted(duty["due_at"] for duty in owed)
    assert (mine["state"], mine["met_by"]) == ("met", answer["id"])


async def test_pages_hold_both_lists_and_every_duty_once(house: House) -> None:
    """Over both lists together, what has no limit last: walking them by threes gives what one page gives."""
    await refer(house)
    await refer(house)
    async with Raw(house, POLICE) as police:
        whole = (await police.call("GET", "/v1/duties?limit=100", headers=())).document
        pages = []
        after = ""
        while after is not None:
            said = await police.call("GET", f"/v1/duties?limit=3{after}", headers=())
            pages.append(said.document)
            after = f"&after={said.document['next']}" if said.document["next"] else None
    assert whole["next"] is None
    for name in ("owed_by_me", "owed_to_me"):
        assert [duty for page in pages for duty in page[name]] == whole[name]
    assert len(pages) > 2
    assert {len(page["owed_by_me"]) + len(page["owed_to_me"]) for page in pages[:-1]} == {3}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "after=x", "after=", "after=MjAyNg==", "limit=%00"]
)
async def test_a_page_of_duties_that_was_never_given_out_is_refused(house: House, query: str) -> None:
    async with Raw(house, POLICE) as police:
        said = await police.call("GET", f"/v1/duties?{query}", headers=())
    assert (said.status, said.code) == (400, "malformed-request")


async def test_an_incident_says_what_the_law_asks_to_those_who_saw_what_happened(house: House) -> None:
    """S2-01, S2-06: who notifies whom, by when; an agency that was not sent the referral is told nothing of it."""
    referral = await refer(house)
    await send(house, UNIT, "information-request", {"agencies": [HOSPITALS]}, incident=referral["incident"])
    async with house.client(ICB) as icb, house.client(HOSPITALS) as hospitals:
        seen = (await icb.incident(referral["incident"]))["statutory"]
        assert (await hospitals.incident(referral["incident"]))["statutory"] == []
    notified = {asked["criterion"]: asked for asked in seen}["abuse-in-england"]
    assert notified["standing"] in ("met", "undecided")
    assert (notified["by"], notified["clock"]) == ("council", "K12")
    assert notified["due_at"] is not None
    assert "panel" in notified["notify"]


async def test_an_agency_that_owes_nothing_sees_nothing(house: House) -> None:
    await refer(house)
    async with house.client(HOSPITALS) as hospitals:
        assert await hospitals.duties() == {"owed_by_me": [], "owed_to_me": []}


async def test_the_directory_names_roles_and_no_person(house: House) -> None:
    async with Raw(house, POLICE) as police:
        said = await police.call("GET", "/v1/partnerships/south-tyneside/directory", headers=())
    roles = {agency["id"]: agency["roles"] for agency in said.document["agencies"]}
    assert "dsp-icb" in roles[ICB]
    text = said.body.decode()
    assert not [seat.name for seat in SEATS if seat.name in text]
    assert "@" not in text
    assert "01632" not in text


async def test_another_partnership_s_directory_is_not_found(house: House) -> None:
    async with house.client(POLICE) as police:
        for partnership in ("southampton", "no-such-place", "../south-tyneside", "%00"):
            with pytest.raises(AgencyProblem) as refused:
                await police.directory(partnership)
            assert (refused.value.status, refused.value.code) == (404, "not-found")

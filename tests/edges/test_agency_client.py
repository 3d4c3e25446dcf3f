"""The agency's own software against a whole gateway over HTTPS: what it may rely on, and what it notices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli.agency import AgencyClient, AgencyProblem
from tests.gateway_house import House, gateway_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        yield running


@pytest.fixture
async def police(house: House) -> AsyncIterator[AgencyClient]:
    async with house.client("northshire-police") as client:
        yield client


async def test_a_token_is_kept_until_shortly_before_it_expires(house: House, police: AgencyClient) -> None:
    first = await police.token()
    house.clock.move_by(seconds=200)
    assert await police.token() == first
    house.clock.move_by(seconds=80)
    assert await police.token() != first


async def test_a_referral_is_taken_with_a_receipt_of_exactly_its_bytes(
    house: House, police: AgencyClient
) -> None:
    answer = await police.submit(house.example("referral", reference="NP-1"))
    assert answer["decision"] == "forward"
    assert answer["incident"].startswith("SI-")
    assert {duty["clock"] for duty in answer["duties"]} == {"K11", "K12", "G01"}
    checked = await police.check(answer["receipt"])
    assert checked.disclosed["reference"] == "NP-1"


async def test_a_repeat_has_the_same_receipt_and_other_content_is_refused(
    house: House, police: AgencyClient
) -> None:
    message = house.example("referral", reference="NP-2")
    first = await police.submit(message)
    assert await police.submit(message) == first
    with pytest.raises(AgencyProblem) as refused:
        await police.submit(house.example("referral", reference="NP-2", marking="OFFICIAL"))
    assert (refused.value.status, refused.value.code) == (422, "reference-reused")

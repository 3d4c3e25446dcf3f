"""`gateway transfer`: two officers move an incident to a partnership here or to a council elsewhere (P-05, P-09, G-07)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import duties, incidents
from tests.actions.neighbours import FELLSIDE, FELLSIDE_COUNCIL, fellside_joins
from tests.command_line import attempt, gateway
from tests.edges.test_officer_commands import refer
from tests.gateway_house import House, RealTime, gateway_house

TWO = ("--officer", "Winifred Stave", "--second-officer", "Desmond Quill")
WHY = ("--reason", "It happened there.")
COUNCIL = ("--to-council", "Farshire County Council")
TAKEN = ("--taken-by", "R. Alder, head of service")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=RealTime()) as running:
        yield running


async def state_of(house: House, incident: str) -> str | None:
    found = await house.parts.store.read(lambda tx: incidents.find(tx, SOUTH_TYNESIDE, IncidentId(incident)))
    return found.state if found else None


async def test_p_09_to_a_partnership_here_where_the_notification_runs_anew(house: House) -> None:
    await fellside_joins(house)
    referral = await refer(house)
    told = await gateway(house, "transfer", referral["incident"], "--to", FELLSIDE, *WHY, *TWO)
    assert told["receipt"].startswith("ev-")
    here = await gateway(house, "duties", "list", "--incident", referral["incident"])
    assert {one["id"] for one in here["duties"] if one["state"] == "waived"} == set(told["ended"])
    new = IncidentId(told["new_incident"])
    owed = await house.parts.store.read(lambda tx: duties.of_incident(tx, FELLSIDE, new))
    assert [duty.agency for duty in owed if duty.clock == "K12"] == [FELLSIDE_COUNCIL]
    assert await state_of(house, referral["incident"]) == "transferred"


async def test_g_07_to_a_council_elsewhere_with_whoever_took_it_over_there(house: House) -> None:
    referral = await refer(house)
    moved = ("transfer", referral["incident"], *COUNCIL, *TAKEN, *WHY, *TWO)
    told = await gateway(house, *moved)
    assert told["new_incident"] is None
    assert await state_of(house, referral["incident"]) == "transferred"
    owed = await gateway(house, "duties", "list", "--incident", referral["incident"], "--state", "open")
    assert owed["duties"] == []
    assert (await attempt(house, *moved))[0] == 1  # it is not here to be moved again


async def test_the_words_say_where_it_is_and_what_to_hand_over(house: House) -> None:
    await fellside_joins(house)
    incident = (await refer(house))["incident"]
    status, out, _ = await attempt(house, "transfer", incident, "--to", FELLSIDE, *WHY, *TWO)
    assert status == 0
    assert f"{incident} is transferred, receipt ev-" in out
    assert "There it is SI-" in out
    assert f"gateway evidence export {incident}" in out


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((), 2),  # nowhere
        (("--to", FELLSIDE, *COUNCIL, *TAKEN), 2),  # to both
        (COUNCIL, 1),  # nobody there has taken it over
        (("--to", SOUTH_TYNESIDE), 1),  # it is there already
        (("--to", "nowhere"), 1),
    ],
)
async def test_without_one_place_that_takes_it_nothing_moves(
    house: House, words: tuple[str, ...], status: int
) -> None:
    incident = (await refer(house))["incident"]
    ended, out, err = await attempt(house, "transfer", incident, *words, *WHY, *TWO)
    assert (ended, out) == (status, "")
    assert err
    assert await state_of(house, incident) == "open"


async def test_one_officer_is_not_two(house: House) -> None:
    incident = (await refer(house))["incident"]
    alone = ("--officer", "Winifred Stave", "--second-officer", "winifred stave")
    status, out, _ = await attempt(house, "transfer", incident, *COUNCIL, *TAKEN, *WHY, *alone)
    assert (status, out) == (1, "")
    assert await state_of(house, incident) == "open"

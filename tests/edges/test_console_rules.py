"""The rules in the console: dates counted day by day, messages tried out, and what another version would change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio

from gateway.console.rules import SUPPOSED, limit, newer, review, simulated
from gateway.partnerships import packs
from gateway.store import messages
from schemas.registry import example_path
from tests.edges.console_person import signed_in
from tests.edges.test_console import refer
from tests.gateway_house import House, gateway_house

in_one_house = pytest.mark.asyncio(loop_scope="module")
PACK = packs.shipped("south-tyneside")
TUESDAY = datetime(2026, 12, 22, 15, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("rules")) as running:
        yield running


def test_c_12_each_day_to_the_due_day_is_counted_or_passed_over_with_its_reason() -> None:
    found = simulated(PACK, PACK.clocks["K12"], TUESDAY, None)
    assert found.due is not None
    assert found.due.due_on == date(2026, 12, 31)
    said = {on: (state.words, why) for on, state, why in found.days}
    assert said[date(2026, 12, 22)][0] == "Not counted"
    assert said[date(2026, 12, 25)] == ("Passed over", "Christmas Day")
    assert said[date(2026, 12, 31)] == ("Due", "day 5")
    assert len(said) == 10, "every day from the start to the due day"


def test_c_12_a_holiday_that_is_supposed_moves_the_date_and_is_called_so() -> None:
    found = simulated(PACK, PACK.clocks["K12"], TUESDAY, date(2026, 12, 29))
    assert found.due is not None
    assert found.due.due_on == date(2027, 1, 4)
    assert ("Passed over", SUPPOSED) in [(state.words, why) for _, state, why in found.days]


def test_a_date_beyond_the_holidays_that_are_known_is_not_made_up() -> None:
    late = datetime.combine(PACK.calendar.covers_until, datetime.min.time(), UTC) + timedelta(days=1)
    found = simulated(PACK, PACK.clocks["K12"], late, None)
    assert found.due is None
    assert found.ends


def test_limits_are_told_in_words() -> None:
    assert limit(PACK.clocks["K12"]) == "5 working days; the day itself is not counted"
    assert limit(PACK.clocks["K15"]).startswith("8 working days, exactly on that day")
    assert limit(PACK.clocks["K21"]) == "72 hours"
    assert limit(PACK.clocks["B13"]).startswith("no limit")


def test_x_24_a_review_that_lapsed_is_told() -> None:
    due_on = PACK.review_due_on
    assert review(PACK, due_on + timedelta(days=1)).tone == "red"
    assert review(PACK, due_on).tone == "yellow"
    assert review(PACK, due_on - timedelta(days=200)).tone == "green"


@in_one_house
async def test_the_page_gives_every_clock_with_its_clause(house: House) -> None:
    async with signed_in(house) as person:
        assert "South Tyneside" in (await person.get("/console/rules")).words
        page = await person.get("/console/rules/south-tyneside")
        for clock in PACK.clocks.values():
            assert clock.clause in page.words
        counted = await person.get("/console/rules/south-tyneside?clock=K12&on=2026-12-22&at=15:00")
        assert "due by the end of Thursday 31 December 2026" in counted.words
        assert "Christmas Day" in counted.words
        for path in ("elsewhere", "south-tyneside?clock=K12&on=never", "south-tyneside/replay"):
            assert (await person.get(f"/console/rules/{path}")).status == 404, path


@in_one_house
async def test_a_message_is_tried_out_and_kept_nowhere(house: House) -> None:
    await refer(house, "NP-before")
    before = await house.parts.store.read(
        lambda tx: messages.incidents_since(tx, PACK.partnership, TUESDAY.replace(year=2020))
    )
    async with signed_in(house) as person:
        await person.get("/console/rules/south-tyneside")
        page = await person.send("/console/rules/south-tyneside/tried", example="referral", message="")
        assert "goes on" in page.words
        assert "Triage decision of the delegated safeguarding partners" in page.words
        assert "Nothing was stored or sent" in page.words
        document = json.loads(example_path("referral").read_text())
        del document["body"]["children"]
        broken = await person.send("/console/rules/south-tyneside/tried", message=json.dumps(document))
        assert broken.status == 422
        assert (await person.send("/console/rules/south-tyneside/tried", example="../x")).status == 400
    after = await house.parts.store.read(
        lambda tx: messages.incidents_since(tx, PACK.partnership, TUESDAY.replace(year=2020))
    )
    assert after == before


@in_one_house
async def test_the_version_in_force_is_not_offered_as_a_newer_one(house: House) -> None:
    assert newer(await house.parts.partnerships.snapshot(PACK.partnership)) is None

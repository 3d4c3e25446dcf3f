"""The rules in the console: dates counted day by day, messages tried out, and what another version would change."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
import pytest_asyncio

from gateway.actions.activate_pack import Activation, activate_pack
from gateway.actions.prove import Occasion
from gateway.console.door import FORM_TOKEN
from gateway.console.rules import SUPPOSED, limit, newer, review, simulated
from gateway.core.officers import TwoOfficers
from gateway.core.permissions import OfficerRole
from gateway.partnerships import packs
from gateway.parts import Supply
from gateway.store import holidays, messages, officers, proposals
from gateway.store import packs as pack_rows
from schemas.registry import example_path
from tests.actions.test_calendar_change import government_list
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def untouched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house in which no test puts other rules in force."""
    async with gateway_house(tmp_path_factory.mktemp("untouched")) as running:
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


@in_one_house
async def test_g_13_the_forms_of_a_partnership_are_printed_from_its_rules(house: House) -> None:
    async with signed_in(house) as person:
        assert "Forms on paper" in (await person.get("/console/rules/south-tyneside")).words
        listed = (await person.get("/console/rules/south-tyneside/forms")).text
        assert "/console/rules/south-tyneside/forms/referral.pdf" in listed
        page = await person.get("/console/rules/south-tyneside/forms/referral")
        assert 'data-name="body.incident.aware_at"' in page.text
        assert "paper.css" in page.text
        address = f"{person.base}/console/rules/south-tyneside/forms/referral.pdf"
        async with person.session.get(address) as printed:
            assert (printed.status, printed.content_type) == (200, "application/pdf")
            assert (await printed.read()).startswith(b"%PDF")
        for path in ("south-tyneside/forms/no-such-form", "tower-hamlets/forms", "tower-hamlets/forms/imr"):
            assert (await person.get(f"/console/rules/{path}")).status == 404


def test_x_24_a_review_that_lapsed_is_told() -> None:
    due_on = PACK.review_due_on
    assert review(PACK, due_on + timedelta(days=1)).tone == "red"
    assert review(PACK, due_on).tone == "yellow"
    assert review(PACK, due_on - timedelta(days=200)).tone == "green"


@in_one_house
async def test_the_page_gives_every_clock_with_its_clause(untouched: House) -> None:
    async with signed_in(untouched) as person:
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
async def test_the_version_in_force_is_not_offered_as_a_newer_one(untouched: House) -> None:
    assert newer(await untouched.parts.partnerships.snapshot(PACK.partnership)) is None


# --- changed by two officers

SECOND = "Cuthbert Reed"


async def another_version(house: House, version: str) -> None:
    """Rules of another version, put in force at the command line: the release's own is then a change."""
    files = {**packs.read_files(packs.HERE / PACK.partnership)}
    files["rules.toml"] = files["rules.toml"].replace(f'version = "{PACK.version}"', f'version = "{version}"')
    trial = Activation(PACK.partnership, files, TwoOfficers("Winifred Stave", SECOND), None)
    occasion = Occasion(house.clock(), Supply(version.encode()))
    await house.parts.store.transact(lambda tx: activate_pack(tx, house.parts, occasion, trial))
    house.parts.partnerships.forget()


async def waiting(house: House) -> str:
    """The asking that waits, about one partnership or about all."""
    now = house.clock()
    rows = await house.parts.store.read(
        lambda tx: proposals.waiting(tx, [PACK.partnership], now, with_all=True)
    )
    (row,) = rows
    assert row.incident is None
    return f"/console/approvals/{row.id}"


async def version_in_force(house: House) -> str:
    row = await house.parts.store.read(lambda tx: pack_rows.current(tx, PACK.partnership))
    assert row is not None
    return row.version


@in_one_house
async def test_rules_come_into_force_in_the_page_once_two_have_looked(house: House) -> None:
    """What can redirect takes two: asked by one who looked, agreed to by another who looked, done once, stated."""
    await another_version(house, "2026.0-before")
    replay, activate = "/console/rules/south-tyneside/replay", "/console/rules/south-tyneside/activate"
    async with signed_in(house) as person, signed_in(house, SECOND) as second:
        shown = await person.get(replay)
        assert f"What version {PACK.version} would change" in shown.words
        asked = {"version": PACK.version, "mark": shown.hidden("mark")}
        assert (await person.send(activate, **asked)).status == 409, "without having looked"
        assert (await person.send(activate, **asked | {"mark": "0" * 12}, looked="yes")).status == 409
        assert (await person.send(activate, **asked, looked="yes")).status == 303
        path = await waiting(house)
        own = await person.get(path)
        assert "another officer must agree" in own.words
        assert (await person.send(f"{path}/agree", looked="yes")).status == 403, "the same person"
        theirs = await second.get(path)
        assert "Put rules in force" in theirs.words
        assert PACK.version in theirs.words
        assert (await second.send(f"{path}/agree")).status == 400, "without having looked"
        assert await version_in_force(house) == "2026.0-before"
        token = {FORM_TOKEN: theirs.hidden(FORM_TOKEN)}
        twice = [await second.post(f"{path}/agree", **token, looked="yes") for _ in range(2)]
        assert [page.status for page in twice] == [303, 303], "the double click finds that it is done"
        assert await version_in_force(house) == PACK.version
        assert "In force before 2026.0-before" in (await person.get("/console/rules/south-tyneside")).words
        assert (await second.get(path)).status == 200
        assert "settled" in (await second.get(path)).words


@in_one_house
async def test_c_12_why_a_date_stays_told_by_the_rules_that_set_it_when_others_are_in_force(
    house: House,
) -> None:
    referral = await refer(house, "NP-why")
    path = f"/console/incidents/{referral['incident']}"
    async with signed_in(house) as person:
        told = re.findall(r"\(clock K1[12]\)", (await person.get(path)).words)
        assert told
        await another_version(house, "2026.0-later")
        assert re.findall(r"\(clock K1[12]\)", (await person.get(path)).words) == told


@in_one_house
async def test_going_back_to_rules_that_were_in_force_is_the_same_and_may_be_taken_back(house: House) -> None:
    await another_version(house, "2026.0-old")
    await another_version(house, "2026.0-new")
    async with signed_in(house) as person:
        shown = await person.get("/console/rules/south-tyneside/replay?version=2026.0-old")
        assert "What version 2026.0-old would change" in shown.words
        for version in ("2026.0-new", "never-was"):
            assert (await person.get(f"/console/rules/south-tyneside/replay?version={version}")).status == 404
        await person.get("/console/rules/south-tyneside/replay?version=2026.0-old")
        fields = {"version": "2026.0-old", "mark": shown.hidden("mark"), "looked": "yes"}
        assert (await person.send("/console/rules/south-tyneside/activate", **fields)).status == 303
        path = await waiting(house)
        await person.get(path)
        assert (await person.send(f"{path}/refuse")).status == 303
        assert "settled" in (await person.get(path)).words
    assert await version_in_force(house) == "2026.0-new"


@in_one_house
async def test_c_12_a_list_of_holidays_is_shown_then_put_in_force_by_two(house: House) -> None:
    await refer(house, "NP-holidays")
    extra = house.clock().date() + timedelta(days=1)
    while extra.weekday() > 4 or extra in PACK.calendar.closed:
        extra += timedelta(days=1)
    chosen = json.dumps(government_list({extra: "Invented Day"}), indent=1).encode()
    async with signed_in(house) as person, signed_in(house, SECOND) as second:
        assert "See what would change" in (await person.get("/console/rules")).words
        assert (await person.send_file("/console/bank-holidays", "file", b"\xff\xfe")).status == 400
        assert (await person.send_file("/console/bank-holidays", "file", b"{}")).status == 400
        assert (await person.send_file("/console/bank-holidays", "file", b" " * 1_300_000)).status == 413
        shown = await person.send_file("/console/bank-holidays", "file", b"\xef\xbb\xbf" + chosen)
        assert "Invented Day" in shown.words
        assert "K12" in shown.words, "what the list would move"
        assert await house.parts.store.read(holidays.current_version) is None, "shown is not done"
        one_line = unescape(shown.hidden("list"))
        assert (await person.send("/console/bank-holidays/asked", list="{}")).status == 400
        await person.send_file("/console/bank-holidays", "file", chosen)
        assert (await person.send("/console/bank-holidays/asked", list=one_line)).status == 303
        path = await waiting(house)
        assert "Every partnership" in (await second.get("/console/approvals")).words
        assert "Invented Day" in (await second.get(path)).words
        assert (await second.send(f"{path}/agree", looked="yes")).status == 303
        row = (await house.parts.store.read(holidays.every))[0]
        assert (row.uploaded_by, row.seconded_by, row.current) == ("Winifred Stave", SECOND, True)


@in_one_house
async def test_who_sees_one_partnership_of_several_changes_no_list_for_all(house: House) -> None:
    chosen = json.dumps(government_list({})).encode()
    async with signed_in(house, "Else Where", [OfficerRole.OFFICER]) as person:
        await person.get("/console/account")
        token = {FORM_TOKEN: person.last.hidden(FORM_TOKEN)} if person.last else {}
        await house.parts.store.transact(
            lambda tx: officers.change(tx, "Else Where", partnerships=["elsewhere"])
        )
        assert "See what would change" not in (await person.get("/console/rules")).words
        page = await person.post("/console/bank-holidays/asked", **token, list=chosen.decode())
        assert page.status == 403
        assert "every partnership" in page.words
        found = await person.post("/console/rules/south-tyneside/activate", **token, version="x", mark="x")
        assert found.status == 404

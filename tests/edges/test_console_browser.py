"""The console in a real browser: no barrier that axe finds, by keyboard alone, without JavaScript, small and doubled, on paper.

One deployment and one browser for the whole module: nothing here needs a deployment of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from gateway.actions.record_breach import Breach, BreachKind, record_breach
from gateway.console.routes import GET, ROUTES
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.ledger import verify
from tests.actions.test_calendar_change import government_list
from tests.edges.browser import DOUBLED, PHONE, Person, chromium, person
from tests.edges.test_console import COUNCIL, ICB, POLICE, decide, refer, the_hold
from tests.edges.test_console_journeys import work_paths
from tests.edges.test_console_rules import another_version
from tests.gateway_house import House, gateway_house

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="module")]

SURNAMES = ("Quillfeather", "Brambleton", "Oxtongue", "Merrivale", "Thistlewick", "Dunnock", "Larkspur")
MOST_BYTES = 250_000  # of a page with all that it loads


@dataclass(frozen=True)
class Stage:
    house: House
    browser: Browser
    incident: str
    hold: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Every page that is opened by an address."""
        return (
            "/",
            "/incidents",
            "/incidents?due=overdue&owed_by=northshire-police",
            "/incidents?label=none-of-ours",
            f"/incidents/{self.incident}",
            "/awaiting-triage",
            "/duties/overdue",
            "/held",
            "/held?kind=replies",
            f"/held/{self.hold}",
            "/deliveries",
            "/deliveries/delivered",
            "/partners/failing",
            "/search",
            "/account",
            "/access",
            f"/incidents/{self.incident}/access",
            "/audit",
            "/reports",
            "/rules",
            "/rules/south-tyneside?clock=K12&on=2026-12-23&at=16:30",
            "/reports/annual?period=2026",
            "/reports/alerts",
            "/officers",
            "/retention",
            "/rules/south-tyneside/forms",
            "/rules/south-tyneside/forms/referral",
            "/breaches",
            "/guests?all=yes",
            "/same-child",
            f"/incidents/{self.incident}/guests",
            f"/incidents/{self.incident}/breach",
            "/nothing-here",
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with gateway_house(tmp_path_factory.mktemp("browser")) as house, chromium() as browser:
        incident, hold = await seeded(house)
        yield Stage(house, browser, incident, hold)


async def seeded(house: House) -> tuple[str, str]:
    """A few days' work: incidents at several stages, one decided, with a letter that waits. Returns it and what is held."""
    first = await refer(house, "NP-1")
    house.clock.move_by(hours=6)
    for number, surname in enumerate(SURNAMES[:4], 2):
        child = house.example("referral")["body"]["children"][0]
        born_on = f"20{number + 6:02}-0{number}-1{number}"
        child |= {
            "family_name": surname,
            "given_names": "Ivo",
            "other_names": [],
            "date_of_birth": born_on,
            "nhs_number": None,
            "nhs_number_absence": "not-available",
        }
        await refer(house, f"NP-{number}", children=[child])
        house.clock.move_by(hours=9)
    for agency, seat in ((POLICE, "dsp-police"), (COUNCIL, "dsp-la"), (ICB, "dsp-icb")):
        await decide(house, first, agency, seat)
    hold = await the_hold(house, "delivery")
    house.clock.move_by(days=1)
    return first["incident"], hold.id


async def test_no_page_has_a_barrier_or_a_complaint_and_none_scrolls_sideways(stage: Stage) -> None:
    """S4-22 is no use to who cannot read it: WCAG 2.2 AA by axe, 320 pixels wide, 200 % zoom, nothing against our own policy."""
    async with person(stage.browser, stage.house) as someone:
        for path in stage.paths:
            await someone.open(path)
            assert await someone.barriers() == [], path
            for window in (DOUBLED, PHONE):
                await someone.page.set_viewport_size(window)
                assert await someone.goes_beyond() == [], (path, window)
            await someone.page.set_viewport_size({"width": 1280, "height": 900})
        missing = [said for said in someone.complaints if "404" not in said]  # the page that is not there
        assert missing == []


async def an_agency_writes(house: House) -> None:
    raw = b"From: o.hartfield@northshire-hospitals.example\r\nSubject: A worry\r\n\r\nWe are worried\r\n"
    await intake.keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())


ELSEWHERE = {  # opened in a test of their own, with axe or without a page to look at
    "/sign-in": "test_console_passkeys",
    "/sign-in/oidc": "leads away",
    "/sign-in/callback": "leads on",
    "/sign-in/passkey": "test_console_passkeys",
    "/invitation": "test_console_passkeys",
    "/static/{name}": "no page",
    "/events": "no page",
    "/policy.json": "no page",
    "/approvals/{proposal}": "below, for both kinds",
    "/rules/{partnership}/replay": "below",
    "/officers/{officer}": "below",
    "/breaches/{breach}": "below",
    "/held/{hold}/message": "below",
}


async def test_every_page_of_the_table_is_looked_at_by_one_of_these_tests() -> None:
    """A page that is added to the routes and shown to no judge is found here."""
    stage = Stage(None, None, "SI-7K3M-9QPX-2D", "hld-x")  # type: ignore[arg-type]
    looked_at = [
        path.partition("?")[0] for path in (*stage.paths, *work_paths("SI-7K3M-9QPX-2D", "dty-x", "dlv-x"))
    ]
    unseen = [
        route.path
        for route in ROUTES
        if route.methods == GET
        and route.path not in ELSEWHERE
        and not any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", route.path), path) for path in looked_at)
    ]
    assert unseen == []
    assert {*ELSEWHERE} <= {route.path for route in ROUTES}


async def test_the_pages_behind_a_button_have_no_barrier_either(stage: Stage) -> None:
    async with person(stage.browser, stage.house) as someone:
        await someone.open(f"/incidents/{stage.incident}")
        await _press(someone, "Open what it says")
        assert await someone.barriers() == []
        await someone.open(f"/incidents/{stage.incident}")
        await _press(someone, "Check the evidence")
        assert await someone.page.get_by_text("The evidence holds").count() == 1
        assert await someone.barriers() == []
        await someone.open("/search")
        await _press(someone, "Search for this child")
        assert await someone.page.get_by_role("alert").get_by_role("link").count() == 2
        assert await someone.barriers() == []
        assert [said for said in someone.complaints if "422" not in said] == []
        await someone.open(f"/incidents/{stage.incident}/letters")
        await _press(someone, "Open whom it may be about")
        assert await someone.page.get_by_label("About which child").count() == 1
        assert await someone.barriers() == []
        await an_agency_writes(stage.house)
        await someone.open(f"/held/{(await the_hold(stage.house, 'mail')).id}")
        await _press(someone, "Open what it says")
        assert await someone.barriers() == []
        await someone.page.get_by_label("What it is").select_option("referral")
        await _press(someone, "Begin the message")
        begun = await someone.page.locator("textarea").all_text_contents()
        assert "We are worried" in [text.strip() for text in begun]
        assert await someone.barriers() == []
        assert await someone.goes_beyond() == []
        await someone.open("/officers")
        await someone.page.get_by_role("link", name="Winifred Stave").last.click()
        await someone.page.get_by_role("heading", name="Winifred Stave", level=1).wait_for()
        assert await someone.barriers() == []
        asked = Breach(
            IncidentId(stage.incident), stage.house.clock(), BreachKind.NEAR_MISS, "Winifred Stave"
        )
        made = await stage.house.parts.perform(record_breach, asked, SOUTH_TYNESIDE, asked.incident)
        await someone.open(f"/breaches/{made.breach}")
        assert await someone.barriers() == []


async def test_rules_and_holidays_are_asked_for_and_looked_at_without_a_barrier(
    stage: Stage, tmp_path: Path
) -> None:
    """C-12: gov.uk's file is chosen by hand, shown, asked for; the other officer's page is as clear."""
    await another_version(stage.house, "2026.0-before")
    extra = stage.house.clock().date() + timedelta(days=7)
    while extra.weekday() > 4:
        extra += timedelta(days=1)
    file = tmp_path / "bank-holidays.json"
    file.write_text(json.dumps(government_list({extra: "Invented Day"})))
    async with person(stage.browser, stage.house, javascript=False) as someone:
        page = someone.page
        await someone.open("/rules")
        await page.get_by_label("The list as it was downloaded").set_input_files(file)
        await page.get_by_role("button", name="See what would change").click()
        await page.get_by_text("Invented Day").wait_for()
        await page.get_by_role("button", name="Ask a second officer").click()
        await someone.open("/rules/south-tyneside/replay")
        await page.get_by_label("I have looked at what would change").check()
        await page.get_by_role("button", name="Ask a second officer").click()
        await page.get_by_role("link", name="Put rules in force").wait_for()
    async with person(stage.browser, stage.house, name="Cuthbert Reed") as second:
        for what in ("Put a list of bank holidays in force", "Put rules in force"):
            await second.open("/approvals")
            await second.page.get_by_role("link", name=what).click()
            assert await second.barriers() == [], what
            await second.page.set_viewport_size(PHONE)
            assert await second.goes_beyond() == [], what
        await second.open("/rules")
        await second.page.get_by_label("The list as it was downloaded").set_input_files(file)
        await second.page.get_by_role("button", name="See what would change").click()
        await second.page.get_by_text("Invented Day").first.wait_for()
        assert await second.barriers() == []
        await second.open("/rules/south-tyneside/replay")
        assert await second.barriers() == []
        assert second.complaints == []


async def test_an_officer_gets_from_today_to_a_released_letter_by_keyboard_alone(stage: Stage) -> None:
    async with person(stage.browser, stage.house) as someone:
        page = someone.page
        await page.keyboard.press("Tab")
        assert await _focused(someone) == "Skip to main content"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
        await _tab_to(someone, "to release")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Held", level=1).wait_for()
        await _tab_to(someone, "A letter or message ready to go")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="A letter or message ready to go, held").wait_for()
        await _tab_to(someone, "Open what it says")
        await page.keyboard.press("Enter")
        await page.get_by_text("Private and confidential").first.wait_for()
        assert await page.evaluate("getComputedStyle(document.body).fontFamily.startsWith('arial')"), (
            "the fonts of GOV.UK are not ours"
        )


async def test_without_javascript_everything_is_there(stage: Stage) -> None:
    async with person(stage.browser, stage.house, javascript=False) as someone:
        page = someone.page
        await someone.open("/incidents")
        await page.get_by_text("Filter this list").click()
        await page.get_by_label("Waits for").select_option("Awaiting triage")
        await page.get_by_role("button", name="Apply").click()
        await page.get_by_role("link", name="Remove filter: Awaiting triage").wait_for()
        await page.get_by_text("Save these filters as a view of your own").click()
        await page.get_by_label("Name of the view").fill("My mornings")
        await page.get_by_role("button", name="Save this view").click()
        await page.get_by_role("link", name="My mornings").wait_for()
        await page.get_by_role("button", name="Remove the view “My mornings”").click()
        await someone.open(f"/incidents/{stage.incident}")
        await page.get_by_text("Why this date").first.click()
        await page.get_by_text("that day itself is not counted").first.wait_for()


@pytest.mark.parametrize("javascript", [True, False])
async def test_an_inspector_asks_for_evidence_and_what_leaves_is_checked_by_a_stranger(
    stage: Stage, tmp_path: Path, javascript: bool
) -> None:
    """Found by its reference, checked in the page, taken away; bundle and policy verify with the verifier alone."""
    async with person(stage.browser, stage.house, javascript=javascript) as someone:
        page = someone.page
        await page.get_by_role("link", name="Search").click()
        await page.get_by_label("Reference").fill(stage.incident)
        await page.get_by_label("Reference").press("Enter")
        await page.get_by_role("heading", name=f"Incident {stage.incident}").wait_for()
        await _press(someone, "Check the evidence")
        await page.get_by_text("The evidence holds").first.wait_for()
        await page.get_by_role("link", name="Back to incident").click()
        await _take(someone, tmp_path / "evidence.zip", "button", "Take it away with content")
        await _take(someone, tmp_path / "policy.json", "link", "the policy")
    policy = verify.load_policy((tmp_path / "policy.json").read_bytes())
    finding = verify.verify_bundle((tmp_path / "evidence.zip").read_bytes(), policy)
    assert finding.verdict == "VALID", finding
    assert finding.content == "matches"


async def test_an_inspector_s_evidence_is_reached_by_keyboard_alone(stage: Stage, tmp_path: Path) -> None:
    async with person(stage.browser, stage.house) as someone:
        await someone.open(f"/incidents/{stage.incident}")
        await _tab_to(someone, "Take it away with content")
        async with someone.page.expect_download() as taken:
            await someone.page.keyboard.press("Enter")
        await (await taken.value).save_as(tmp_path / "evidence.zip")
        assert (tmp_path / "evidence.zip").read_bytes().startswith(b"PK")


async def test_today_tells_of_what_is_new_while_it_is_open_and_moves_no_focus(stage: Stage) -> None:
    async with person(stage.browser, stage.house) as someone:
        page = someone.page
        before = await page.locator("[data-figure=awaiting_triage]").inner_text()
        await page.get_by_role("link", name="overdue").focus()
        child = stage.house.example("referral")["body"]["children"][0] | {"family_name": SURNAMES[6]}
        child |= {"date_of_birth": "2019-01-02", "nhs_number": None, "nhs_number_absence": "not-available"}
        await page.wait_for_function("performance.getEntriesByType('resource').length > 3")
        await refer(stage.house, "NP-live", children=[child])
        await page.get_by_role("status").get_by_role("link", name="Reload the page").wait_for(timeout=15_000)
        assert await page.locator("[data-figure=awaiting_triage]").inner_text() == str(int(before) + 1)
        assert "overdue" in await _focused(someone)
        assert someone.complaints == []


async def test_paper_has_the_content_and_none_of_the_controls(stage: Stage) -> None:
    async with person(stage.browser, stage.house) as someone:
        await someone.open(f"/incidents/{stage.incident}")
        await someone.page.emulate_media(media="print")
        assert not await someone.page.get_by_role("navigation", name="Main").is_visible()
        assert not await someone.page.get_by_role("button", name="Check the evidence").is_visible()
        assert await someone.page.get_by_role("heading", name="Timeline").is_visible()


async def test_nothing_moves_for_who_asks_for_less_motion(stage: Stage) -> None:
    """WCAG 2.2, 2.3.3: every part of a page, the buttons that move a little when pressed among them."""
    async with person(stage.browser, stage.house) as someone:
        await someone.page.emulate_media(reduced_motion="reduce")
        await someone.open("/search")
        moving = await someone.page.evaluate(
            """() => [...document.querySelectorAll('*')].filter(one => {
                const style = getComputedStyle(one);
                return style.animationName !== 'none' || !['none', 'all 0s ease 0s', 'all', ''].includes(style.transition)
                    && parseFloat(style.transitionDuration) > 0;
            }).map(one => one.tagName)"""
        )
        assert moving == []


async def test_a_page_with_all_that_it_loads_is_light(stage: Stage) -> None:
    async with person(stage.browser, stage.house) as someone:
        sizes: list[int] = []
        someone.page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
        await someone.open("/incidents")
        assert sum(sizes) < MOST_BYTES


async def _take(someone: Person, path: Path, role: Literal["button", "link"], name: str) -> None:
    async with someone.page.expect_download() as taken:
        await someone.page.get_by_role(role, name=name).click()
    await (await taken.value).save_as(path)


async def _press(someone: Person, name: str) -> None:
    async with someone.page.expect_navigation():
        await someone.page.get_by_role("button", name=name).first.click()


async def _focused(someone: Person) -> str:
    return str(await someone.page.evaluate("document.activeElement.textContent.trim()"))


async def _tab_to(someone: Person, words: str) -> None:
    for _ in range(80):
        await someone.page.keyboard.press("Tab")
        is_control = await someone.page.evaluate(
            "document.activeElement.matches('a, button, input, summary')"
        )
        if is_control and words in await _focused(someone):
            assert await someone.page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"the keyboard does not reach {words!r}")

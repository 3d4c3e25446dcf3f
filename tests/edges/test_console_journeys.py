"""What an officer does in a day, in real Chromium: by mouse, by the keyboard alone, and with JavaScript off.

One deployment and one browser serve the module; each journey has matters of its own.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator

from gateway.core.deliveries import DeliveryState
from gateway.core.duties import DutyState
from gateway.core.presence import LONDON
from gateway.dispatch import intake
from gateway.store import deliveries, holds
from gateway.store.transaction import Tx
from tests.actions.scene import ICB, deliveries_of, duty_of, letter_to_the_school, refer
from tests.edges.browser import DOUBLED, PHONE, Person, chromium, person
from tests.edges.test_console import the_hold
from tests.edges.test_console_letters import relayed
from tests.gateway_house import House, gateway_house

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="module")]
WAYS = ("mouse", "keyboard", "without-javascript")
MOST_TABS = 120


@dataclass(frozen=True)
class Stage:
    house: House
    browser: Browser


@dataclass(frozen=True)
class Hand:
    """How this person works: with the mouse, or with Tab, Enter, Space and what is typed alone."""

    someone: Person
    way: str

    async def follow(self, words: str) -> None:
        await self._act(self.someone.page.get_by_role("link", name=words).first, "Enter")

    async def follow_to(self, path: str) -> None:
        """Of several links with the same words, the one that leads there: the house may hold what other tests left."""
        await self._act(self.someone.page.locator(f'a[href$="{path}"]').first, "Enter")

    async def press(self, words: str) -> None:
        await self._act(self.someone.page.get_by_role("button", name=words).first, "Enter")

    async def tick(self, words: str) -> None:
        target = self._labelled(words)
        if self.way != "keyboard":
            await target.check()
            return
        if await target.get_attribute("type") == "checkbox":
            await self._reach(target)
            await self.someone.page.keyboard.press("Space")
            assert await target.is_checked()
            return
        group = await target.get_attribute("name")
        for _ in range(MOST_TABS):  # Tab goes to a group of radio buttons, the arrows within it
            in_group = await self.someone.page.evaluate(
                "group => document.activeElement.name === group", group
            )
            if in_group and await target.is_checked():
                return
            await self.someone.page.keyboard.press("ArrowUp" if in_group else "Tab")
        raise AssertionError(f"the keyboard does not reach {words!r}")

    async def write(self, label: str, text: str, group: str = "") -> None:
        target = self._labelled(label, group)
        if self.way == "keyboard":
            await self._reach(target)
            await self.someone.page.keyboard.press("ControlOrMeta+a")
            await self.someone.page.keyboard.type(text)
        else:
            await target.fill(text)

    async def write_time(self, label: str, at: datetime) -> None:
        """A day and a time in the browser's own field, whose parts the keyboard fills one after the other."""
        target = self._labelled(label)
        if self.way == "keyboard":
            await self._reach(target)
            for typed in (f"{at:%m%d%Y}", "ArrowRight", f"{at:%I%M%p}"):
                press = self.someone.page.keyboard
                await (press.press(typed) if typed == "ArrowRight" else press.type(typed))
        else:
            await target.fill(f"{at:%Y-%m-%dT%H:%M}")
        assert await target.input_value() == f"{at:%Y-%m-%dT%H:%M}"

    async def choose(self, label: str, words: str, group: str = "") -> None:
        target = self._labelled(label, group)
        if self.way == "keyboard":
            await self._reach(target)
            await self.someone.page.keyboard.type(words)
        else:
            await target.select_option(words)

    async def sees(self, words: str) -> None:
        await self.someone.page.get_by_text(words).first.wait_for()

    def _labelled(self, label: str, group: str = "") -> Locator:
        """The field of that label; of several alike the one in the group whose legend begins so."""
        page = self.someone.page
        within = page.get_by_role("group", name=re.compile(f"^{re.escape(group)}")) if group else page
        return within.get_by_label(label).first

    async def _act(self, target: Locator, key: str) -> None:
        await target.wait_for()
        if self.way == "keyboard":
            await self._reach(target)
            async with self.someone.page.expect_navigation():
                await self.someone.page.keyboard.press(key)
        else:
            await target.click()
            await self.someone.page.wait_for_load_state("load")

    async def _reach(self, target: Locator) -> None:
        """By Tab alone, from wherever the focus is; it must be seen where it is."""
        for _ in range(MOST_TABS):
            if await target.evaluate("it => it === document.activeElement"):
                assert await target.evaluate("it => it.matches(':focus-visible')")
                return
            await self.someone.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {target}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with gateway_house(tmp_path_factory.mktemp("journeys")) as house, chromium() as browser:
        yield Stage(house, browser)


@pytest_asyncio.fixture(params=WAYS, loop_scope="module")
async def hand(stage: Stage, request: pytest.FixtureRequest) -> AsyncIterator[Hand]:
    """An officer on today's page."""
    javascript = request.param != "without-javascript"
    async with person(stage.browser, stage.house, javascript=javascript) as someone:
        yield Hand(someone, request.param)


async def test_a_reply_needs_confirming(stage: Stage, hand: Hand) -> None:
    """S2-22: from today's figure to the e-mail's words, and the answer as the officer read it."""
    await a_reply_waits(stage.house)
    await hand.someone.page.reload()
    await hand.follow("replies to read")
    await hand.follow("An e-mail that came")
    await hand.press("Open what it says")
    await hand.sees("He joined in September.")
    await hand.sees("Nothing shows that it is from its sender")
    await hand.write("On roll from", "2025-09")
    await hand.write("On roll until", "present")
    await hand.write("Previous school", "not_applicable")
    await hand.tick("Yes")
    await hand.press("Record this answer")
    await hand.sees("The answer is recorded.")
    assert [
        one for one in await stage.house.parts.store.read(holds.open_holds) if one.subject_kind == "mail"
    ] == []


async def test_a_partner_is_failing(stage: Stage, hand: Hand) -> None:
    """S4-22: from today's figure to the delivery, its error in plain words, whom to ring, and tried again."""
    referral = await refer(stage.house)
    row = next(one for one in await deliveries_of(stage.house, referral["id"]) if one.agency == ICB)
    await stage.house.parts.store.transact(lambda tx: fail(tx, row.id))
    await hand.someone.page.reload()
    await hand.follow("failed deliveries")
    await hand.sees("was not found on the network")
    await hand.follow_to(f"/delivery/{row.id}")
    await hand.sees("Telephone them")
    await hand.press("Try it again now")
    await hand.sees("It is tried again now, under the same id.")
    after = await stage.house.parts.store.read(lambda tx: deliveries.find(tx, row.id))
    assert after is not None
    assert after.state is not DeliveryState.FAILED_PARTNER


async def test_a_duty_is_about_to_be_missed(stage: Stage, hand: Hand) -> None:
    """S4-06, X-29: from today to the duty, whom to ring, and the decision that they tell, read back and recorded."""
    referral = await refer(stage.house)
    duty = await duty_of(stage.house, referral, "dsp-icb", "triage-decision")
    await hand.someone.open(f"/incidents/{referral['incident']}")
    await hand.follow("Triage decision of the delegated safeguarding partners owed by NHS Northshire")
    await hand.sees("Telephone them")
    await hand.choose("Are the criteria for notification met?", "No")
    await hand.choose("What is to be done", "No further action")
    await hand.write("Reasons, as they told them", "Told by telephone.")
    await hand.write("Who decided", "Q. Placeholder")
    await hand.write("In what post", "Director of Nursing")
    await hand.press("Record the decision")
    await hand.sees("Recorded, as the agency's own word taken down by you.")
    after = await duty_of(stage.house, referral, "dsp-icb", "triage-decision")
    assert after.id == duty.id
    assert after.state in (DutyState.MET, DutyState.MET_LATE)


async def test_a_letter_brought_no_answer(stage: Stage, hand: Hand) -> None:
    """S2-22: from the incident to its letters, held once more, read as it will be sent, and let go again."""
    referral, letter = await letter_to_the_school(stage.house)
    await relayed(stage.house, letter.message)
    await hand.someone.open(f"/incidents/{referral['incident']}")
    await hand.follow("Letters to schools")
    await hand.press("Send it again")
    await hand.sees("it is to be sent again")
    await hand.press("Open what it says")
    await hand.sees("Private and confidential")
    await hand.press("Release: send it")
    await hand.sees("Released. It goes on its way now.")
    assert len(await deliveries_of(stage.house, letter.message)) == 2


@pytest.mark.parametrize("hand", ["keyboard"], indirect=True)
async def test_the_three_decide_in_a_meeting(stage: Stage, hand: Hand) -> None:
    """X-29, S4-06: notice, a record that comes back for what it lacks and keeps what was typed, and then answers for all three.

    One of the longest forms, by the keyboard alone on a screen of 320 pixels; its posts without a browser are tested beside it.
    """
    await hand.someone.page.set_viewport_size(PHONE)
    referral = await refer(stage.house)
    await hand.someone.open(f"/incidents/{referral['incident']}")
    await hand.follow("Exceptional meeting")
    begins = stage.house.clock().astimezone(LONDON).replace(second=0, microsecond=0)
    await hand.write_time("When it begins", begins + timedelta(hours=2))
    await hand.choose("How it is held", "Virtual")
    await hand.press("Send the notice")
    await hand.sees("The notice is on its way to those you invited.")
    await hand.write_time("When it began", begins - timedelta(hours=1))
    await hand.write_time("When the three had decided", begins - timedelta(minutes=20))
    await hand.choose("How it was held", "Virtual")
    await hand.tick("Philippa Marlowe, council decision-maker")
    for seat in ("Council", "Police"):
        await decides(hand, f"{seat} decision-maker")
    await hand.press("Record the meeting")
    await hand.sees("There is a problem")
    await hand.follow_to("#record.dsp-icb.decided_by.name")
    await decides(hand, "ICB decision-maker")
    await hand.press("Record the meeting")
    await hand.sees("The meeting is recorded")
    for role in ("dsp-la", "dsp-police", "dsp-icb"):
        duty = await duty_of(stage.house, referral, role, "triage-decision")
        assert duty.state in (DutyState.MET, DutyState.MET_LATE)


async def decides(hand: Hand, seat: str) -> None:
    await hand.write("Who decided", "Q. Placeholder", seat)
    await hand.write("In what post", "Director", seat)
    await hand.choose("Are the criteria met", "No", seat)
    await hand.choose("What is to be done", "No further action", seat)
    await hand.write("Why", "As was said in the meeting.", seat)


def work_paths(incident: str, duty: str, delivery: str) -> tuple[str, ...]:
    """Every page of the daily work that is opened by an address."""
    return (
        "/calls",
        "/calls/hld-call",
        "/deliveries",
        f"/deliveries?agency={ICB}",
        f"/delivery/{delivery}",
        "/partners",
        f"/partners/south-tyneside/{ICB}",
        "/referral?entries=2",
        f"/incidents/{incident}/change",
        f"/incidents/{incident}/duties/{duty}",
        f"/incidents/{incident}/duties/{duty}/answer",
        f"/incidents/{incident}/meeting",
        f"/incidents/{incident}/letters",
        "/approvals",
    )


async def test_the_pages_for_work_have_no_barrier_and_none_scrolls_sideways(stage: Stage) -> None:
    """S4-22 is no use to who cannot read it: WCAG 2.2 AA by axe, 320 pixels wide, 200 % zoom."""
    referral = await refer(stage.house)
    incident = referral["incident"]
    duty = await duty_of(stage.house, referral, "dsp-icb", "triage-decision")
    row = (await deliveries_of(stage.house, referral["id"]))[0]
    await stage.house.parts.store.transact(lambda tx: fail(tx, row.id))
    await stage.house.parts.store.transact(
        lambda tx: holds.place(tx, call_about(stage.house, incident, row.id))
    )
    paths = work_paths(incident, duty.id, row.id)
    async with person(stage.browser, stage.house) as someone:
        for path in paths:
            await someone.open(path)
            assert "Sorry" not in await someone.page.get_by_role("heading", level=1).inner_text(), path
            assert await someone.barriers() == [], path
            for window in (DOUBLED, PHONE):
                await someone.page.set_viewport_size(window)
                assert await someone.goes_beyond() == [], (path, window)
            await someone.page.set_viewport_size({"width": 1280, "height": 900})
        assert someone.complaints == []
        await someone.open(f"/incidents/{incident}/meeting")
        await someone.page.get_by_text("Record the meeting").first.click()
        await someone.page.get_by_role("button", name="Record the meeting").click()
        await someone.page.get_by_role("alert").wait_for()
        assert await someone.barriers() == [], "a form that comes back"


def fail(tx: Tx, delivery: Any) -> None:
    deliveries.change(tx, delivery, state=DeliveryState.FAILED_PARTNER.value, next_at=None, last_reason="dns")


def call_about(house: House, incident: str, delivery: str) -> dict[str, Any]:
    """A call to make, as the last rung of the ladder asks for it."""
    return {
        "id": "hld-call",
        "partnership": "south-tyneside",
        "incident": incident,
        "subject_kind": "delivery",
        "subject": delivery,
        "reasons": ["telephone-them", "not-taken-up"],
        "held_at": house.clock(),
    }


async def a_reply_waits(house: House) -> None:
    """A letter was released and the school's answer needs a person."""
    _, letter = await letter_to_the_school(house)
    raw = (
        f"From: dsl@harbour-view.example\r\nTo: letters@council.example\r\nSubject: Re: {letter.reference}\r\n\r\n"
        "He joined in September.\r\n\r\nOn Monday the council wrote:\r\n> When was he on roll?\r\n"
    ).encode()
    to = f"letters+{letter.token}@council.example"
    await intake.keep(house.parts, "mailbox", raw, envelope_to=to, arrived_at=house.clock())
    await the_hold(house, "mail")

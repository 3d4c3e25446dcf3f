"""Officers' own passkeys, in a real browser with a virtual authenticator: made by an invitation, used to sign in, taken away."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, CDPSession, Page, async_playwright

from gateway.actions.change_officer import (
    Invitation,
    NewOfficer,
    Suspension,
    add_officer,
    invite_officer,
    suspend_officer,
)
from gateway.actions.settle import settle
from gateway.console.door import digest
from gateway.core.errors import Refused
from gateway.core.permissions import OfficerRole
from gateway.serving import console_server
from gateway.store import officers
from tests.gateway_house import House, RealTime, gateway_house

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.needs("chromium")]

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass
class Person:
    """A browser of one's own with an authenticator in it."""

    house: House
    page: Page
    devices: CDPSession
    device: str
    said: list[str]

    async def go(self, path: str) -> None:
        await self.page.goto(self.house.parts.settings.console_address + path)

    async def make_passkey(self, url: str) -> None:
        await self.page.goto(url)
        await self.page.get_by_role("button", name="Make my passkey").click()
        await self.page.wait_for_url("**/sign-in/passkey")

    async def sign_in(self) -> str:
        """Press the button; what the page then says."""
        await self.go("/console/sign-in/passkey")
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name="Use my passkey").click()
        return str(await self.page.inner_text("body"))

    async def credentials(self) -> list[dict[str, Any]]:
        told = await self.devices.send("WebAuthn.getCredentials", {"authenticatorId": self.device})
        found: list[dict[str, Any]] = told["credentials"]
        return found


@dataclass
class World:
    house: House
    browser: Browser

    async def person(self) -> Person:
        context = await self.browser.new_context()
        page = await context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        devices = await context.new_cdp_session(page)
        await devices.send("WebAuthn.enable")
        made = await devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        return Person(self.house, page, devices, made["authenticatorId"], said)

    async def invited(self, name: str, second: str = "", replace: bool = False) -> str:
        """The address of an invitation."""
        secret = secrets.token_urlsafe(32)
        asked = Invitation(name, digest(secret), "Clara Reed", second, replace)
        await settle(self.house.parts, invite_officer, asked)
        return f"{self.house.parts.settings.console_address}/console/invitation?token={secret}"

    async def add(self, name: str) -> None:
        asked = NewOfficer(name, frozenset({OfficerRole.OFFICER}), "Clara Reed")
        await settle(self.house.parts, add_officer, asked)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The console on localhost without TLS, as development serves it: browsers allow passkeys there."""
    listener = socket.create_server(("127.0.0.1", 0))
    listen = f"127.0.0.1:{listener.getsockname()[1]}"
    async with (
        gateway_house(tmp_path_factory.mktemp("keys"), clock=RealTime(), console_listen=listen) as house,
        async_playwright() as playwright,
    ):
        server = console_server(house.parts)
        serving = asyncio.create_task(server.serve([listener]))
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield World(house, browser)
        await browser.close()
        server.should_exit = True
        await serving
        listener.close()


async def test_an_invitation_makes_a_passkey_that_signs_in_and_works_once(world: World) -> None:
    await world.add("Petra Asskey")
    person, url = await world.person(), await world.invited("Petra Asskey")
    await person.make_passkey(url)
    assert "Petra Asskey" in await person.sign_in()
    (key,) = await person.credentials()
    assert key["isResidentCredential"]
    row = (await world.house.parts.store.read(lambda tx: officers.passkeys_of(tx, "petra asskey")))[0]
    assert row.sign_count == key["signCount"] > 0
    await person.go("/console/account")
    assert "Passkey" in await person.page.inner_text("body")
    other = await world.person()
    await other.page.goto(url)
    assert "This invitation cannot be used" in await other.page.inner_text("body")
    assert not [one for one in person.said if "403" not in one]


async def test_a_stranger_s_passkey_an_unverified_person_and_a_counter_that_went_back_stay_out(
    world: World,
) -> None:
    await world.add("Vera Ified")
    person = await world.person()
    await person.make_passkey(await world.invited("Vera Ified"))
    await world.house.parts.store.transact(
        lambda tx: officers.passkey_used(
            tx, officers.passkeys_of(tx, "vera ified")[0].id, 1000, world.house.clock()
        )
    )
    assert "could not be checked" in await person.sign_in(), "a copy of the key was used meanwhile"
    unverified = {"authenticatorId": person.device, "isUserVerified": False}
    await person.devices.send("WebAuthn.setUserVerified", unverified)
    await person.go("/console/sign-in/passkey")
    await person.page.get_by_role("button", name="Use my passkey").click()
    await person.page.get_by_text("That did not work.").wait_for()
    await person.go("/console/")
    assert urlsplit(person.page.url).path == "/console/sign-in"


async def test_a_lost_passkey_is_void_and_takes_two_officers_and_a_new_invitation(world: World) -> None:
    await world.add("Lois T. Key")
    person = await world.person()
    await person.make_passkey(await world.invited("Lois T. Key"))
    assert "Lois T. Key" in await person.sign_in()
    for replace in (True, False):
        with pytest.raises(Refused, match="not-permitted"):
            await world.invited("Lois T. Key", replace=replace)
    url = await world.invited("Lois T. Key", "Desmond Quill", replace=True)
    await person.go("/console/")
    assert urlsplit(person.page.url).path == "/console/sign-in", "signed out everywhere"
    assert "is not known here" in await person.sign_in()
    new = await world.person()
    await new.make_passkey(url)
    assert "Lois T. Key" in await new.sign_in()
    await settle(world.house.parts, suspend_officer, Suspension("lois t. KEY", "Clara Reed"))
    assert "does not let you in" in await new.sign_in()

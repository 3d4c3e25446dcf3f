"""A person at the console with a real browser: Chromium by Playwright, watched for every complaint, and axe to judge pages.

    async with chromium() as program, person(program, house) as someone:
        await someone.open("/incidents")
        assert await someone.barriers() == []

One browser and one deployment serve a whole module of tests: starting them costs seconds, a page costs little. Pages run
under the console's own content security policy: axe is handed to the page by the debugger, not by a script tag.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from gateway.console.sign_in import create_sign_in_link
from tests.edges.console_person import OFFICER
from tests.gateway_house import House

AXE = Path(__file__).resolve().parents[1] / "npm" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 320, "height": 640}
DOUBLED: ViewportSize = {"width": 640, "height": 450}  # a desk's window at 200 % zoom


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser that Debian brings."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own sandbox does not run as root
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Person:
    """Somebody signed in. `complaints` is what the browser's console said: a breach of our policy, a file that is missing."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(self.base + path, wait_until="load")

    async def barriers(self) -> list[str]:
        """What axe finds against the page, by rule and place."""
        if not await self.page.evaluate("typeof axe === 'object'"):
            await self.page.evaluate(AXE.read_text())
        asked = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
        found: Any = await self.page.evaluate("asked => axe.run(document, asked)", asked)
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]

    async def goes_beyond(self) -> list[str]:
        """What reaches beyond the window's width and makes the page scroll sideways."""
        found: list[str] = await self.page.evaluate(
            """() => document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]
            .filter(one => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.scroll table'))
            .map(one => one.outerHTML.slice(0, 120))"""
        )
        return found


@asynccontextmanager
async def person(
    browser: Browser,
    house: House,
    *,
    javascript: bool = True,
    window: ViewportSize = DESK,
    name: str = OFFICER,
) -> AsyncIterator[Person]:
    """Signed in by a one-time link, on today's page."""
    link = await create_sign_in_link(house.parts, name)
    context = await browser.new_context(
        ignore_https_errors=True, java_script_enabled=javascript, viewport=window
    )
    context.set_default_timeout(10_000)
    page = await context.new_page()
    someone = Person(page, house.base_url + "/console")
    page.on("console", lambda said: someone.complaints.append(said.text))
    page.on("pageerror", lambda fault: someone.complaints.append(str(fault)))
    try:
        await page.goto(link)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Today", level=1).wait_for()
        yield someone
    finally:
        await context.close()

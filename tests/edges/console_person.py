"""A person at the console with a browser that has no JavaScript: cookies, and redirects followed by hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from io import BytesIO

from aiohttp import ClientSession, CookieJar, FormData, TCPConnector

from gateway.console.door import FORM_TOKEN
from gateway.console.sign_in import EVERYTHING, create_sign_in_link
from gateway.core.permissions import OfficerRole
from tests.gateway_house import House

OFFICER = "Winifred Stave"


@dataclass(frozen=True)
class Page:
    """What came back."""

    status: int
    path: str
    text: str
    headers: Mapping[str, str]

    @property
    def words(self) -> str:
        """The page without its markup, spaces made one."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.text)).split())

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]+)"', self.text)
        assert found is not None, f"the page has no field {name}"
        return found[1]

    def fields(self, action: str) -> dict[str, str]:
        """What the form with this end of its action would send as it stands."""
        found = re.search(rf'<form[^>]*action="[^"]*{re.escape(action)}".*?</form>', self.text, re.DOTALL)
        assert found is not None, f"the page has no form for {action}"
        reader = _FormReader()
        reader.feed(found[0])
        return reader.fields


class _FormReader(HTMLParser):
    """What a browser would send of one form."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._open = ""  # the textarea or select that is being read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "input" and (found.get("type") not in ("checkbox", "radio") or "checked" in found):
            self.fields[found["name"]] = found.get("value", "")
        elif tag in ("textarea", "select"):
            self._open = found["name"]
            self.fields[self._open] = ""
        elif tag == "option" and "selected" in found:
            self.fields[self._open] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("textarea", "select"):
            self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open and self.lasttag == "textarea":
            self.fields[self._open] += data


@dataclass
class Browser:
    """One person's browser."""

    session: ClientSession
    base: str
    last: Page | None = field(default=None)

    async def get(self, path: str) -> Page:
        return await self._ask("GET", path, None)

    async def post(self, path: str, **fields: str) -> Page:
        return await self._ask("POST", path, fields)

    async def send(self, path: str, **fields: str) -> Page:
        """Post a form of the page last seen, with its token."""
        assert self.last is not None
        return await self.post(path, **{FORM_TOKEN: self.last.hidden(FORM_TOKEN)}, **fields)

    async def send_file(self, path: str, name: str, content: bytes, **fields: str) -> Page:
        """Send a form of the page last seen that brings a file, as browsers do (RFC 7578)."""
        assert self.last is not None
        form = FormData({FORM_TOKEN: self.last.hidden(FORM_TOKEN), **fields}, default_to_multipart=True)
        form.add_field(name, BytesIO(content), filename="chosen.json", content_type="application/json")
        return await self._ask("POST", path, form)

    async def sign_in(self, link: str) -> Page:
        page = await self.get(link.removeprefix(self.base))
        return await self.post("/console/sign-in", token=page.hidden("token"))

    async def _ask(self, method: str, path: str, fields: Mapping[str, str] | FormData | None) -> Page:
        answer = await self.session.request(method, self.base + path, data=fields, allow_redirects=False)
        async with answer:
            has_an_end = answer.content_type != "text/event-stream"
            page = Page(answer.status, path, await answer.text() if has_an_end else "", answer.headers)
        if page.status == 200 and FORM_TOKEN in page.text:
            self.last = page
        return page


@asynccontextmanager
async def browser(house: House) -> AsyncIterator[Browser]:
    connector = TCPConnector(ssl=house.trusting())
    async with ClientSession(connector=connector, cookie_jar=CookieJar(unsafe=True)) as session:
        yield Browser(session, house.base_url)


@asynccontextmanager
async def signed_in(
    house: House, name: str = OFFICER, roles: Sequence[OfficerRole] = EVERYTHING
) -> AsyncIterator[Browser]:
    """The browser of an officer who has signed in."""
    async with browser(house) as person:
        link = await create_sign_in_link(house.parts, name, roles)
        assert (await person.sign_in(link)).status == 303
        yield person

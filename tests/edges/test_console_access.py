"""Who gets which page: the table of routes against the table of permissions, asked of the running console, and sessions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from gateway.console.door import FORM_TOKEN, Console
from gateway.console.routes import GET, POST, ROUTES, Route
from gateway.console.sign_in import create_sign_in_link
from gateway.console.words import at_time
from gateway.core.permissions import WHO_MAY, Needs, OfficerRole, may
from gateway.store import officers, sessions
from tests.edges.console_person import OFFICER, Browser, Page, browser, signed_in
from tests.gateway_house import House, gateway_house

REFUSED = "Your role does not let you do this."
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000",
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One for all: each test has officers of its own, and moves the clock only forward."""
    async with gateway_house(tmp_path_factory.mktemp("access")) as running:
        yield running


def address(route: Route) -> str:
    return "/console" + re.sub(r"{\w+}", "x", route.path)


async def ask(person: Browser, route: Route) -> Page:
    """Ask for a page, or send its form without the token."""
    return await (person.get if route.methods == GET else person.post)(address(route))


def has_our_headers(page: Page) -> bool:
    policy = page.headers["content-security-policy"]
    strict = "default-src 'none'" in policy and "require-trusted-types-for 'script'" in policy
    kept = "no-store" in page.headers["cache-control"] or "/static/" in page.path
    return strict and kept and all(page.headers[name] == value for name, value in HEADERS.items())


async def test_every_page_is_given_to_whom_the_table_names_and_to_nobody_else(house: House) -> None:
    """Every route: a stranger is sent to sign in; each role gets what the table says; no form is taken without its token."""
    async with browser(house) as stranger:
        for route in ROUTES:
            page = await ask(stranger, route)
            is_open = page.headers.get("location") != "/console/sign-in"
            assert is_open is (route.needs is Needs.NOTHING), route
            assert has_our_headers(page), route
    for role in OfficerRole:
        async with signed_in(house, f"The {role.value}", [role]) as person:
            for route in ROUTES:
                if route.needs is Needs.NOTHING:
                    continue
                page = await ask(person, route)
                assert (REFUSED in page.words) is not may([role], route.needs), (role, route)
                assert has_our_headers(page), (role, route)
                if route.methods == POST:
                    assert page.status == 403, (role, route)
                else:
                    assert page.status != 303, (role, route)
        assert (
            has_our_headers(await person.get("/console/nothing-here")) if not person.session.closed else True
        )


async def test_every_page_has_one_method_and_a_need_that_the_table_knows() -> None:
    assert not [route for route in ROUTES if route.methods not in (GET, POST)]
    assert not [route for route in ROUTES if route.needs not in {*WHO_MAY, Needs.NOTHING}]
    public = {route.path for route in ROUTES if route.needs is Needs.NOTHING}
    assert all(path.startswith(("/sign-in", "/static/", "/invitation")) for path in public), public


async def test_an_auditor_changes_nothing_and_opens_no_content_and_an_administrator_opens_no_incident() -> (
    None
):
    """Domain section 8: minimisation, need to know."""
    changing = {Needs.DECIDE, Needs.EXPORT, Needs.RESTRICT, Needs.CHANGE_OFFICERS, Needs.AGREE}
    assert not [
        needs for needs in {*changing, Needs.OPEN_CONTENT, Needs.SEARCH} if may([OfficerRole.AUDITOR], needs)
    ]
    assert not [
        needs
        for needs in (Needs.OPEN_INCIDENTS, Needs.OPEN_CONTENT, Needs.OPEN_HELD, Needs.SEARCH)
        if may([OfficerRole.ADMINISTRATOR], needs)
    ]
    assert not [needs for needs in Needs if needs is not Needs.NOTHING and may([], needs)]


async def test_signing_in_again_ends_the_session_that_the_browser_had(house: House) -> None:
    async with signed_in(house) as person:
        before = {cookie.key: cookie.value for cookie in person.session.cookie_jar}
        await person.sign_in(await create_sign_in_link(house.parts, OFFICER))
        after = {cookie.key: cookie.value for cookie in person.session.cookie_jar}
        assert before.keys() == after.keys()
        assert before != after
        person.session.cookie_jar.clear()
        person.session.cookie_jar.update_cookies(before)
        assert (await person.get("/console/")).status == 303


async def test_an_officer_sees_their_sessions_and_signs_out_everywhere(house: House) -> None:
    async with (
        signed_in(house, "Eve Rywhere") as here,
        signed_in(house, "Eve Rywhere") as there,
        signed_in(house, "Desmond Quill") as other,
    ):
        page = await here.get("/console/account")
        assert page.text.count('<th scope="row">') == 2
        assert "(here)" in page.words
        assert (await here.send("/console/account/sign-out-everywhere")).status == 303
        assert [(await each.get("/console/")).status for each in (here, there, other)] == [303, 303, 200]


async def test_a_suspended_officer_is_out_at_once(house: House) -> None:
    async with signed_in(house, "Sus Pended") as person:
        await house.parts.store.transact(lambda tx: officers.change(tx, "Sus Pended", state="suspended"))
        assert (await person.get("/console/")).status == 303
        assert (await person.sign_in(await create_sign_in_link(house.parts, "sus  pended"))).status == 403


async def test_an_officer_without_a_role_that_we_know_is_out(house: House) -> None:
    async with signed_in(house, "Rex Rolle") as person:
        await house.parts.store.transact(lambda tx: officers.change(tx, "Rex Rolle", roles=["king"]))
        assert (await person.get("/console/")).status == 303


async def test_an_officer_of_no_partnership_sees_no_incident(house: House) -> None:
    async with signed_in(house, "Else Where") as person:
        await house.parts.store.transact(
            lambda tx: officers.change(tx, "Else Where", partnerships=["elsewhere"])
        )
        page = await person.get("/console/account")
        assert "Partnerships None" in page.words


async def test_a_page_says_until_when_one_stays_signed_in_and_warns_before_the_end(house: House) -> None:
    """WCAG 2.2, 2.2.1: said without a script and without a page that loads itself anew."""
    async with signed_in(house) as person:
        ends_at = house.clock() + timedelta(hours=8)
        leaves_at = at_time(house.clock() + timedelta(minutes=15))
        assert f"before {leaves_at} to stay signed in" in (await person.get("/console/")).words
        while house.clock() < ends_at - timedelta(minutes=20):
            assert "You will be signed out" not in (await person.get("/console/")).words
            house.clock.move_by(minutes=14)
        assert f"You will be signed out at {at_time(ends_at)}." in (await person.get("/console/")).words


async def test_a_session_that_only_development_gives_is_none_in_production(house: House) -> None:
    settings = house.parts.settings.model_copy(update={"mode": "production"})
    console = Console(replace(house.parts, settings=settings))
    async with signed_in(house, "Devel Oper"):
        row = await house.parts.store.read(lambda tx: officers.find(tx, "Devel Oper"))
        now, idle = house.clock(), timedelta(minutes=15)
        (session,) = await house.parts.store.read(lambda tx: sessions.of_officer(tx, "devel oper", now, idle))
        assert row is not None
        assert not console._is_good(session, row)
        assert not console._is_good(replace(session, way=sessions.BY_OIDC), row)
        assert console._is_good(replace(session, way=sessions.BY_OIDC), replace(row, source=officers.LIST))


@pytest.mark.parametrize(
    ("header", "value", "is_taken"),
    [
        ("Origin", "https://elsewhere.example", False),
        ("Origin", "null", False),
        ("Sec-Fetch-Site", "same-site", False),
        ("Sec-Fetch-Site", "cross-site", False),
        ("Sec-Fetch-Site", "same-origin", True),
    ],
)
async def test_a_form_says_where_it_comes_from(house: House, header: str, value: str, is_taken: bool) -> None:
    async with signed_in(house) as person:
        await person.get("/console/")
        person.session.headers[header] = value
        assert ((await person.send("/console/sign-out")).status == 303) is is_taken
        person.session.headers["Origin"] = house.base_url
        if not is_taken:
            del person.session.headers[header]
            assert (await person.send("/console/sign-out")).status == 303


async def test_a_token_of_another_session_or_of_no_session_is_refused(house: House) -> None:
    async with signed_in(house) as person, signed_in(house, "Desmond Quill") as other:
        theirs = (await other.get("/console/")).hidden(FORM_TOKEN)
        ours = (await person.get("/console/")).hidden(FORM_TOKEN)
        forged = [theirs, "", ".", ours[:-1], "x" + ours, ours.partition(".")[2]]
        for token in forged:
            page = await person.post("/console/account/sign-out-everywhere", **{FORM_TOKEN: token})
            assert page.status == 403, token
        assert (await person.get("/console/")).status == 200

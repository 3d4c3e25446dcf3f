"""The page of officers: who may work here, set up by an administrator, with a second one wherever it gives power; who is on call."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from gateway.actions.change_officer import NewRoles, change_roles
from gateway.actions.prove import Occasion
from gateway.core.errors import Refused
from gateway.core.permissions import OfficerRole
from gateway.parts import Supply
from gateway.store import officers
from gateway.store.officers import OfficerRow
from gateway.store.transaction import Tx
from tests.edges.console_person import Browser, Page, browser, signed_in
from tests.gateway_house import House, gateway_house

pytestmark = pytest.mark.asyncio(loop_scope="module")
ADMINISTRATOR, SECOND = "Ada Minton", "Barnaby Orr"
ADMIN = [OfficerRole.ADMINISTRATOR]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with gateway_house(tmp_path_factory.mktemp("officers")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def admin(house: House) -> AsyncIterator[Browser]:
    async with signed_in(house, ADMINISTRATOR, ADMIN) as person:
        yield person


async def row_of(house: House, name: str) -> OfficerRow | None:
    return await house.parts.store.read(lambda tx: officers.find(tx, name))


async def path_of(person: Browser, name: str) -> str:
    """Where an officer's own page is, as the list has it: an address that names nobody."""
    page = await person.get("/console/officers")
    (path,) = re.findall(rf'href="(/console/officers/officer-\w+)">{name}<', page.text)
    return str(path)


async def agreed_by_second(house: House, asked: Page, asker: Browser) -> Page:
    """Who asked cannot agree; another administrator can."""
    assert "asked" in asked.headers.get("location", "") or "/approvals" in asked.text
    listed = await asker.get("/console/approvals")
    path = re.findall(r'href="(/console/approvals/ask-[^"]+)"', listed.text)[-1]
    assert "You asked for it" in (await asker.get(path)).words
    assert (await asker.send(f"{path}/agree", looked="yes")).status == 403
    async with signed_in(house, SECOND, ADMIN) as other:
        page = await other.get(path)
        assert "Agree: do it" in page.words
        return await other.send(f"{path}/agree", looked="yes")


async def test_an_administrator_adds_officers_and_another_must_agree_to_an_administrator(
    house: House, admin: Browser
) -> None:
    await admin.get("/console/officers")
    for wrong in ({"name": "", "role-officer": "yes"}, {"name": "No Role"}, {"name": "X Y", "email": "none"}):
        assert (await admin.send("/console/officers/added", **wrong)).status == 400
    done = await admin.send(
        "/console/officers/added",
        **{"name": "Nell Newcomb", "role-officer": "yes", "email": "nell@council.example"},
    )
    assert done.headers["location"] == "/console/officers?done=added"
    row = await row_of(house, "nell newcomb")
    assert row is not None
    assert (row.roles, row.email, row.added_by) == (
        frozenset({OfficerRole.OFFICER}),
        "nell@council.example",
        ADMINISTRATOR,
    )
    await admin.get("/console/officers")
    asked = await admin.send(
        "/console/officers/added", **{"name": "Cora Keys", "role-administrator": "yes", "email": ""}
    )
    assert await row_of(house, "Cora Keys") is None
    assert (await agreed_by_second(house, asked, admin)).status == 303
    made = await row_of(house, "Cora Keys")
    assert made is not None
    assert (made.roles, made.added_by, made.seconded_by) == (frozenset(ADMIN), ADMINISTRATOR, SECOND)


async def test_a_suspended_officer_is_out_at_once_and_an_administrator_comes_back_by_two(
    house: House, admin: Browser
) -> None:
    async with signed_in(house, "Sidney Pond", ADMIN) as person:
        path = await path_of(admin, "Sidney Pond")
        assert "Pond" not in path
        await admin.get(path)
        told = await admin.send(f"{path}/suspended")
        assert told.headers["location"].endswith("done=suspended")
        assert (await person.get("/console/")).status == 303
    await admin.get(path)
    asked = await admin.send(f"{path}/lifted")
    row = await row_of(house, "Sidney Pond")
    assert row is not None
    assert not row.is_active
    assert (await agreed_by_second(house, asked, admin)).status == 303
    row = await row_of(house, "Sidney Pond")
    assert row is not None
    assert row.is_active
    own = await path_of(admin, ADMINISTRATOR)
    assert "Suspend them" not in (await admin.get(own)).words
    assert (await admin.send(f"{own}/suspended")).status == 403


async def test_roles_change_from_the_next_page_and_power_waits_for_a_second_officer(
    house: House, admin: Browser
) -> None:
    async with signed_in(house, "Rollo Change", [OfficerRole.OFFICER]) as person:
        path = await path_of(admin, "Rollo Change")
        await admin.get(path)
        assert (await admin.send(f"{path}/roles")).status == 400
        assert (await admin.send(f"{path}/roles", **{"role-auditor": "yes"})).status == 303
        assert (await person.get("/console/audit")).status == 200
        assert (await person.get("/console/search")).status == 403
        await admin.get(path)
        asked = await admin.send(f"{path}/roles", **{"role-administrator": "yes"})
        assert (await person.get("/console/audit")).status == 200
        await agreed_by_second(house, asked, admin)
        assert (await person.get("/console/audit")).status == 403


async def test_nobody_lets_themselves_in_and_somebody_always_sets_officers_up(house: House) -> None:
    """An administrator opens no incident: their own roles change only when another agrees, and the last one stays one."""
    async with signed_in(house, "Selma Grant", ADMIN) as person:
        path = await path_of(person, "Selma Grant")
        await person.get(path)
        asked = await person.send(f"{path}/roles", **{"role-manager": "yes"})
        assert await roles_of(house, "Selma Grant") == frozenset(ADMIN)
        assert (await person.get("/console/search")).status == 403
        assert (await agreed_by_second(house, asked, person)).status == 303
        assert (await person.get("/console/search")).status == 200

    def last(tx: Tx) -> None:
        for row in officers.every(tx):
            if OfficerRole.ADMINISTRATOR in row.roles and row.name != SECOND:
                officers.change(tx, row.name, state=officers.SUSPENDED)
        asked = NewRoles(SECOND, frozenset({OfficerRole.AUDITOR}), "Clara Reed")
        with pytest.raises(Refused, match=r"conflicting-state|administrator"):
            change_roles(tx, house.parts, Occasion(house.clock(), Supply(bytes(32))), asked)
        raise _Undone

    with pytest.raises(_Undone):
        await house.parts.store.transact(last)


async def test_what_somebody_asked_for_is_not_done_once_they_are_suspended(
    house: House, admin: Browser
) -> None:
    async with signed_in(house, "Percy Gone", ADMIN) as person:
        await person.get("/console/officers")
        new = {"name": "Minnie Made", "role-administrator": "yes", "email": ""}
        asked = await person.send("/console/officers/added", **new)
        assert asked.status == 303
    path = await path_of(admin, "Percy Gone")
    await admin.get(path)
    await admin.send(f"{path}/suspended")
    listed = await admin.get("/console/approvals")
    ask = re.findall(r'href="(/console/approvals/ask-[^"]+)"', listed.text)[-1]
    await admin.get(ask)
    assert (await admin.send(f"{ask}/agree", looked="yes")).status == 409
    assert await row_of(house, "Minnie Made") is None
    await admin.get(ask)
    assert (await admin.send(f"{ask}/refuse")).status == 303


class _Undone(Exception):
    """Rolls back what a test changed for its question."""


async def roles_of(house: House, name: str) -> frozenset[OfficerRole]:
    row = await row_of(house, name)
    assert row is not None
    return row.roles


async def test_an_invitation_is_shown_once_and_for_an_administrator_works_when_another_agreed(
    house: House, admin: Browser
) -> None:
    await admin.get("/console/officers")
    await admin.send("/console/officers/added", **{"name": "Ivy Gate", "role-officer": "yes"})
    opened = [await invited(house, admin, "Ivy Gate"), await invited(house, admin, "Ivy Gate")]
    async with browser(house) as stranger:
        assert "This invitation is for Ivy Gate" not in (await stranger.get(opened[0])).words, "void by now"
        assert "This invitation is for Ivy Gate" in (await stranger.get(opened[1])).words
        async with signed_in(house, "Otto Power", ADMIN):
            link = await invited(house, admin, "Otto Power")
        assert "cannot be used" in (await stranger.get(link)).words
        assert (await agreed_by_second(house, await admin.get("/console/approvals"), admin)).status == 303
        assert "This invitation is for Otto Power" in (await stranger.get(link)).words


async def invited(house: House, admin: Browser, name: str) -> str:
    path = await path_of(admin, name)
    await admin.get(path)
    page = await admin.send(f"{path}/invited")
    assert page.status == 200
    found = re.search(r"<code>[^<]*(/console/invitation\?token=[^<]+)</code>", page.text)
    assert found is not None
    assert found[1] not in (await admin.get(path)).text
    return found[1]


async def test_alerts_go_to_another_address_only_when_another_administrator_agrees(
    house: House, admin: Browser
) -> None:
    """The first address is one's word; what redirects or ends alerts takes two."""
    async with signed_in(house, "Adrian Post", [OfficerRole.MANAGER]):
        path = await path_of(admin, "Adrian Post")
    await admin.get(path)
    for wrong in ("", "nowhere", "a@b, c@d"):
        assert (await admin.send(f"{path}/address", email=wrong)).status == 400
    assert (await admin.send(f"{path}/address", email="a.post@council.example")).status == 303
    for email, after in (("elsewhere@council.example", "elsewhere@council.example"), ("", None)):
        await admin.get(path)
        before = await row_of(house, "Adrian Post")
        asked = await admin.send(f"{path}/address", email=email)
        assert await row_of(house, "Adrian Post") == before
        await agreed_by_second(house, asked, admin)
        row = await row_of(house, "Adrian Post")
        assert row is not None
        assert row.email == after


async def test_who_is_on_call_is_set_for_days_and_hours_of_london_and_taken_back(
    house: House, admin: Browser
) -> None:
    await admin.get("/console/officers")
    await admin.send(
        "/console/officers/added",
        **{"name": "Wanda Call", "role-manager": "yes", "email": "wanda@council.example"},
    )
    wanda = (await path_of(admin, "Wanda Call")).rpartition("/")[2]
    day = house.clock().date()
    when = {"from_on": day.isoformat(), "from_at": "00:00", "until_at": "08:00"}
    until = (day + timedelta(days=3)).isoformat()
    page = await admin.get("/console/officers")
    assert "Nobody is on call" in page.words
    for wrong in ({"officer": ""}, {"until_on": "soon"}, {"until_on": (day - timedelta(days=2)).isoformat()}):
        said = {"officer": wanda, "until_on": until} | when | wrong
        assert (await admin.send("/console/officers/on-call", **said)).status == 400
    done = await admin.send("/console/officers/on-call", officer=wanda, until_on=until, **when)
    assert done.headers["location"].endswith("done=on-call")
    page = await admin.get("/console/officers")
    assert "Wanda Call Now" in page.words
    assert "8am on" in page.words
    (turn,) = re.findall(r'action="(/console/officers/on-call/turn-\w+/ended)"', page.text)
    assert (await admin.send(turn)).headers["location"].endswith("done=off-call")
    await admin.get("/console/officers")
    assert (await admin.send(turn)).status == 404
    assert "Nobody is on call" in (await admin.get("/console/officers")).words


async def test_quiet_hours_of_one_s_own_leave_enough_of_the_day(house: House) -> None:
    async with signed_in(house, "Quentin Hush", [OfficerRole.OFFICER]) as person:
        assert "No address for alerts" in (await person.get("/console/account")).words
        await house.parts.store.transact(
            lambda tx: officers.change(tx, "Quentin Hush", email="q@council.example")
        )
        await person.get("/console/account")
        for hours in (("later", "07:00"), ("09:00", "21:00")):
            said = {"quiet_from": hours[0], "quiet_until": hours[1]}
            assert (await person.send("/console/account/quiet-hours", **said)).status == 400
        await person.send("/console/account/quiet-hours", quiet_from="20:00", quiet_until="07:30")
        page = await person.get("/console/account?done=quiet")
        assert "Your own quiet hours: from 8pm until 7:30am" in page.words
        await person.send(
            "/console/account/quiet-hours", quiet_from="20:00", quiet_until="07:30", **{"as": "unit"}
        )
        assert "As the unit: not from 6pm until 8am" in (await person.get("/console/account")).words


async def test_who_does_not_set_officers_up_sees_them_at_most(house: House) -> None:
    async with (
        signed_in(house, "Audrey Tor", [OfficerRole.AUDITOR]) as auditor,
        signed_in(house, "Fay Day", [OfficerRole.OFFICER]) as officer,
    ):
        page = await auditor.get("/console/officers")
        assert "Audrey Tor" in page.words
        assert "Last signed in" in page.words
        assert not {"Make them an officer", "Put them on call"} & set(
            re.findall(r"<button[^>]*>([^<]+)<", page.text)
        )
        assert (await officer.get("/console/officers")).status == 403
        assert ">Officers<" not in (await officer.get("/console/")).text


async def test_before_the_first_incident_today_says_what_is_to_be_set_up(
    house: House, admin: Browser
) -> None:
    page = await admin.get("/console/")
    assert "Getting started" in page.words
    assert re.search(r"A partnership's rules are in force Done", page.words)
    assert re.search(r"Replies are read GATEWAY_IMAP_URL To do", page.words)

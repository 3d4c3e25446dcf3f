"""A test sent to a seat by the way it is reached: about nobody, recorded, and what came of it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
import trustme

from gateway.core.deliveries import WAY_TEST, WEBHOOK_PING, DeliveryState
from gateway.core.messages import AgencyId, DeliveryId, RoleId, Seat
from gateway.core.permissions import OfficerRole
from gateway.core.receipts import Event
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.store import deliveries, directory, log
from gateway.store.directory import WayRow
from tests.actions.scene import ICB, POLICE
from tests.command_line import attempt
from tests.edges.console_person import signed_in
from tests.edges.mail_catcher import Catcher, mail_catcher, text_of
from tests.gateway_house import House, RealTime, gateway_house
from tests.partner_agency import Manners, WebhookServer, webhook_server

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHAIN = f"directory-{SOUTH_TYNESIDE}"


@dataclass
class Street:
    """A gateway, the police's web server and everybody's mail server."""

    house: House
    mail: Catcher
    hook: WebhookServer

    async def tries(self) -> list[str]:
        rows = await self.house.parts.store.read(lambda tx: log.entries_of_chain(tx, SOUTH_TYNESIDE, CHAIN))
        return [row.event for row in rows if row.event == Event.WAY_TRIED.text]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    folder, authority = tmp_path_factory.mktemp("street"), trustme.CA()
    async with (
        mail_catcher(folder, authority) as mail,
        webhook_server(authority) as hook,
        gateway_house(
            folder, authority=authority, hooks={AgencyId(POLICE): hook}, clock=RealTime(), **mail.settings
        ) as house,
    ):
        way = WayRow(AgencyId(ICB), RoleId("*"), "mail", None, None)
        await house.parts.store.transact(lambda tx: directory.set_way(tx, SOUTH_TYNESIDE, way))
        house.parts.partnerships.forget()
        yield Street(house, mail, hook)


async def test_a_test_by_mail_goes_to_the_enrolled_address_once_a_minute_and_names_nobody(
    street: Street,
) -> None:
    house, path = street.house, f"/console/partners/{SOUTH_TYNESIDE}/{ICB}"
    before = len(await street.tries())
    async with signed_in(house) as officer:
        assert "Send a test" in (await officer.get(path)).words
        token = {"form_token": (officer.last.hidden("form_token") if officer.last else "")}
        twice = [await officer.post(f"{path}/tested", **token, role="dsp-icb") for _ in range(2)]
        assert [page.status for page in twice] == [303, 303], "the double click leads to the same delivery"
        assert twice[0].headers["location"] == twice[1].headers["location"]
        letter = await street.mail.next("This is a test")
        known = (await house.parts.partnerships.snapshot(SOUTH_TYNESIDE)).directory
        seat = Seat(AgencyId(ICB), RoleId("dsp-icb"))
        assert letter["To"] == known.mail_address(seat, house.clock())
        assert not [one.name for one in known.seats[seat] if one.name in text_of(letter)]
        page = await officer.get(twice[0].headers["location"])
        assert "The test is on its way" in page.words
        told = await officer.send(twice[0].headers["location"].partition("?")[0] + "/told", name="H. Sorley")
        assert told.status == 303, told.words
        await officer.get(path)
        assert (await officer.send(f"{path}/tested", role="dsp-icb")).status == 409, "not twice in a minute"
        delivery = DeliveryId(twice[0].headers["location"].partition("/delivery/")[2].partition("?")[0])
    row = await house.parts.store.read(lambda tx: deliveries.find(tx, delivery))
    assert row is not None
    assert (row.message_type, row.incident) == (WAY_TEST, None)
    assert row.state in (DeliveryState.PENDING, DeliveryState.RELAYED)
    assert len(await street.tries()) == before + 1


async def test_an_endpoint_that_takes_the_test_is_told_of_nothing_and_one_that_does_not_is_told_why(
    street: Street,
) -> None:
    house, path = street.house, f"/console/partners/{SOUTH_TYNESIDE}/{POLICE}"
    async with signed_in(house) as officer:
        await officer.get(path)
        done = await officer.send(f"{path}/tested", role="dsp-police")
        assert "Their endpoint took the test" in (await officer.get(done.headers["location"])).words
        told = (await street.hook.next_notice()).document
        assert told["type"] == WEBHOOK_PING
        assert "incident" not in told
        street.hook.manners = Manners.BUSY
        done = await officer.send(f"{path}/tested", role="dsp-police")
        assert "The test was not taken" in (await officer.get(done.headers["location"])).words
        street.hook.manners = Manners.PROPER
        spoofed = await officer.get(f"{path}?done=not-taken&why=ring+0900+now")
        assert "0900" not in spoofed.words


async def test_who_collects_for_themselves_is_sent_nothing_and_an_auditor_sends_none(street: Street) -> None:
    house, path = street.house, f"/console/partners/{SOUTH_TYNESIDE}/northshire-hospitals"
    before = len(await street.tries())
    async with signed_in(house) as officer:
        page = await officer.get(path)
        assert "Send a test" not in page.words
        assert (await officer.send(f"{path}/tested", role="agency-responder")).status == 409
        await officer.get(f"/console/partners/{SOUTH_TYNESIDE}/{ICB}")
        words = await officer.send(
            f"/console/partners/{SOUTH_TYNESIDE}/{ICB}/tested", role="ring 0900 at once"
        )
        assert words.status == 404, "no words of an officer's leave in a test"
    async with signed_in(house, "Ada Tally", [OfficerRole.AUDITOR]) as auditor:
        assert "Send a test" not in (await auditor.get(f"/console/partners/{SOUTH_TYNESIDE}/{POLICE}")).words
    assert len(await street.tries()) == before


async def test_the_command_line_does_the_same(street: Street) -> None:
    status, out, _ = await attempt(street.house, "directory", "test", POLICE, "dsp-police", "--json")
    assert (status, json.loads(out)["way"], json.loads(out)["taken"]) == (0, "webhook", True)
    status, _, err = await attempt(
        street.house, "directory", "test", "northshire-hospitals", "agency-responder"
    )
    assert (status, "nothing to send" in err) == (1, True)

"""`/v1/webhooks` and `gateway webhooks`: an agency registers its own endpoint; what would redirect takes two officers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.actions.tell_old_address import DIRECTORY_CHANGE
from gateway.core.messages import AgencyId, RoleId, Seat
from gateway.core.webhooks import OVERLAP, WAITS
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.timetable import end_waiting_webhooks
from gateway.store import deliveries, directory, log, messages, proposals
from gateway.store.directory import WayRow
from tests.actions.scene import COUNCIL, HOSPITALS, ICB, POLICE, UNIT, refer
from tests.command_line import attempt, gateway
from tests.edges.at_the_door import Raw, Said
from tests.edges.console_person import Browser, signed_in
from tests.edges.office import OFFICERS
from tests.edges.test_sandbox import Ahead
from tests.gateway_house import House, gateway_house
from tests.partner_agency import Manners, WebhookServer, webhook_server


class Town:
    """A gateway whose dispatch stands still, and two web servers that partners may register."""

    def __init__(self, house: House, first: WebhookServer, second: WebhookServer, clock: Ahead) -> None:
        self.house, self.first, self.second, self.clock = house, first, second, clock

    async def ask(self, agency: str, method: str, path: str = "", said: Any = None) -> Said:
        async with Raw(self.house, agency) as client:
            body = None if said is None else json.dumps(said)
            return await client.call(method, f"/v1/webhooks{path}", body)

    async def register(self, agency: str, url: str, **more: Any) -> Said:
        return await self.ask(agency, "POST", "", {"partnership": SOUTH_TYNESIDE, "url": url, **more})

    async def told(self, agency: str, server: WebhookServer) -> dict[str, Any]:
        """A referral is sent and carried; the notice of it that the server took, whose signature held."""
        before = server.notices.qsize()
        await self.carried()
        assert server.notices.qsize() == before + 1
        notice = await server.next_notice()
        async with self.house.client(agency) as client:
            assert notice.delivery in {item["id"] for item in await client.inbox()}
        return notice.document

    async def carried(self) -> None:
        await refer(self.house)
        while await carry_due(self.house.parts):
            pass

    async def later(self, than: timedelta) -> int:
        """How many askings and secrets end a little later than that from now; the commands' clock stays where it is."""
        self.clock.ahead = than + timedelta(minutes=1)
        try:
            return await end_waiting_webhooks(self.house.parts)
        finally:
            self.clock.ahead = timedelta(0)

    async def changes(self) -> list[tuple[str, str | None]]:
        """What the ledger says of the directory: events and their coarse reasons, oldest first."""
        chain = f"directory-{SOUTH_TYNESIDE}"
        found = await self.house.parts.store.read(lambda tx: log.entries_of_chain(tx, SOUTH_TYNESIDE, chain))
        return [(entry.event, _reason(entry.jws)) for entry in found]


def _reason(jws: str) -> str | None:
    payload = jws.split(".")[1]
    reason: str | None = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get(
        "reason"
    )
    return reason


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """One for each test: clocks go on, endpoints stay."""
    folder, authority = tmp_path, trustme.CA()
    authority.cert_pem.write_to_path(folder / "partners.pem")
    async with webhook_server(authority) as first, webhook_server(authority) as second:
        clock = Ahead()
        first.clock = second.clock = clock
        hosts = (first.host, second.host)
        async with gateway_house(
            folder,
            clock=clock,
            fetch_ca_file=folder / "partners.pem",
            fetch_development_hosts=hosts,
        ) as house:
            await house.gateway.dispatch.stop()
            yield Town(house, first, second, clock)


async def test_an_endpoint_in_place_of_the_inbox_is_in_force_at_once_and_one_in_its_place_takes_two_officers(
    town: Town,
) -> None:
    first = (await town.register(ICB, town.first.url)).document
    assert first["state"] == "in-force"
    town.first.secret = first["secret"]
    pinged = (await town.ask(ICB, "POST", f"/{first['id']}/ping")).document
    assert pinged == {"webhook": first["id"], "taken": True, "reason": None, "status": 204}
    assert (await town.first.next_notice()).document["type"] == "webhook.ping"
    assert (await town.told(ICB, town.first))["type"] == "delivery.waiting"

    asked = await town.register(ICB, town.second.url)
    second = asked.document
    assert (asked.status, second["state"], second["secret"]) == (201, "waiting", None)
    assert (await town.ask(ICB, "POST", f"/{second['id']}/secret")).code == "conflicting-state"
    await town.told(ICB, town.first)  # nothing is redirected before two have agreed

    alone = ("--officer", "Winifred Stave", "--second-officer", "winifred  STAVE")
    assert (await attempt(town.house, "webhooks", "agree", second["id"], *alone))[0] == 1
    agreed = await gateway(town.house, "webhooks", "agree", second["id"], *OFFICERS)
    assert (agreed["state"], agreed["settled_by"]) == ("agreed", "Winifred Stave; Desmond Quill")
    await town.told(ICB, town.first)  # nor before the agency has the secret

    town.second.secret = (await town.ask(ICB, "POST", f"/{second['id']}/secret")).document["secret"]
    await town.told(ICB, town.second)
    listed = (await town.ask(ICB, "GET")).document["webhooks"]
    assert [(one["id"], one["state"]) for one in listed] == [(second["id"], "in-force")]
    assert (await town.ask(ICB, "GET", f"/{first['id']}")).document["state"] == "replaced"

    await refer(town.house)  # this one is still to be told when the endpoint is removed
    before = town.second.attempts
    for _ in range(2):  # a repeat changes nothing
        removed = await town.ask(ICB, "DELETE", f"/{second['id']}")
        assert (removed.status, removed.document["state"]) == (200, "removed")
    async with town.house.client(ICB) as client:
        waiting = len(await client.inbox())
        await town.carried()
        assert (town.second.attempts, len(await client.inbox())) == (before, waiting + 1)
    said = [("DirectoryChanged", "webhook"), ("AgreementAsked", "webhook")]
    said += [("DirectoryChanged", f"webhook{word}") for word in ("-agreed", "", "-removed")]
    assert [one for one in await town.changes() if one in said][-5:] == said


async def test_a_secret_is_told_once_and_changed_with_two_that_hold_for_a_day(town: Town) -> None:
    made = (await town.register(UNIT, town.first.url)).document
    town.first.secret = made["secret"]
    shown = [await town.ask(UNIT, "GET"), await town.ask(UNIT, "GET", f"/{made['id']}")]
    assert all(b"whsec_" not in one.body for one in shown)
    assert "whsec_" not in json.dumps(await gateway(town.house, "webhooks", "list"))

    renewed = (await town.ask(UNIT, "POST", f"/{made['id']}/secret")).document
    assert renewed["secret"] not in (None, made["secret"])
    await town.told(UNIT, town.first)  # the server has the old secret still
    town.first.secret = renewed["secret"]
    await town.told(UNIT, town.first)

    assert await town.later(OVERLAP) == 1
    await town.told(UNIT, town.first)
    town.first.secret, forged = made["secret"], town.first.forged
    ping = (await town.ask(UNIT, "POST", f"/{made['id']}/ping")).document
    assert (ping["taken"], ping["status"], town.first.forged) == (False, 401, forged + 1)
    assert (await town.ask(UNIT, "GET", f"/{made['id']}")).document["previous_secret_until"] is None
    taken = await gateway(town.house, "webhooks", "remove", made["id"], *OFFICERS)
    assert taken["state"] == "removed"


async def test_an_endpoint_that_answers_410_is_never_called_again(town: Town) -> None:
    made = (await town.register(COUNCIL, town.first.url)).document
    town.first.secret, town.first.manners = made["secret"], Manners.GONE
    await town.carried()
    assert (await town.ask(COUNCIL, "GET", f"/{made['id']}")).document["state"] == "gone"
    before = town.first.attempts
    async with town.house.client(COUNCIL) as client:
        waiting = len(await client.inbox())
        town.house.parts.partnerships.forget()
        await town.carried()
        assert len(await client.inbox()) > waiting
    assert town.first.attempts == before
    assert ("DirectoryChanged", "webhook-gone") in await town.changes()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://hooks.northshire-icb.example/", "not-https"),
        ("https://user:word@hooks.northshire-icb.example/", "not-https"),
        ("https://127.0.0.1/hooks", "address-refused"),
        ("https://169.254.169.254/latest/meta-data", "address-refused"),
        ("https://[::ffff:10.0.0.1]/hooks", "address-refused"),
        ("https://localhost/hooks", "address-refused"),
        ("https://hooks.invalid/", "dns"),
    ],
)
async def test_an_address_that_leads_inside_is_refused_and_nothing_is_kept(
    town: Town, url: str, fault: str
) -> None:
    said = await town.register(HOSPITALS, url)
    assert (said.status, said.document["errors"]) == (422, [{"pointer": "/url", "code": fault}])
    assert url.encode() not in said.body
    assert (await town.ask(HOSPITALS, "GET")).document == {"webhooks": []}


async def test_a_client_of_one_partnership_need_not_name_it(town: Town) -> None:
    where = {"url": town.first.url, "role": "agency-responder"}
    said = await town.ask(ICB, "POST", "", where)
    assert (said.status, said.document["partnership"]) == (201, SOUTH_TYNESIDE)


async def test_nobody_sees_or_changes_an_endpoint_of_another_agency(town: Town) -> None:
    made = (await town.register(POLICE, town.first.url)).document
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/secret"), ("POST", "/ping")):
        assert (await town.ask(HOSPITALS, method, f"/{made['id']}{path}")).code == "not-found"
    elsewhere = {"partnership": "derby", "url": town.first.url}
    assert (await town.ask(POLICE, "POST", "", elsewhere)).document["errors"] == [
        {"pointer": "/partnership", "code": "unknown"}
    ]
    foreign = await town.register(POLICE, town.first.url, role="dsp-icb")
    assert foreign.document["errors"] == [{"pointer": "/role", "code": "unknown"}]
    await town.ask(POLICE, "DELETE", f"/{made['id']}")


async def test_a_double_click_registers_once(town: Town) -> None:
    both = await asyncio.gather(*(town.register(HOSPITALS, town.first.url) for _ in range(2)))
    assert sorted(one.status for one in both) == [201, 409]
    listed = (await town.ask(HOSPITALS, "GET")).document["webhooks"]
    assert len(listed) == 1
    await town.ask(HOSPITALS, "DELETE", f"/{listed[0]['id']}")


async def test_removing_an_endpoint_first_redirects_no_less(town: Town) -> None:
    """What a stolen client key could do: another address waits for two officers, the same one does not, and none begins again
    that officers ended."""
    first = (await town.register(HOSPITALS, town.first.url)).document
    await town.ask(HOSPITALS, "DELETE", f"/{first['id']}")
    for more in ({}, {"role": "agency-safeguarding-lead"}):
        other = (await town.register(HOSPITALS, town.second.url, **more)).document
        assert (other["state"], other["secret"]) == ("waiting", None)
        await town.ask(HOSPITALS, "DELETE", f"/{other['id']}")
    again = (await town.register(HOSPITALS, town.first.url)).document
    assert again["state"] == "in-force", "it is where notices went before"
    await gateway(town.house, "webhooks", "remove", again["id"], *OFFICERS)
    back = (await town.register(HOSPITALS, town.first.url)).document
    assert back["state"] == "waiting"
    await town.ask(HOSPITALS, "DELETE", f"/{back['id']}")


async def test_an_endpoint_for_every_role_does_not_wait_behind_that_of_one(town: Town) -> None:
    """Once the one of a role is removed, notices for that role go to the other: so it takes two officers from the beginning."""
    one = (await town.register(COUNCIL, town.first.url, role="dsp-la")).document
    rest = (await town.register(COUNCIL, town.second.url)).document
    assert (one["state"], rest["state"]) == ("in-force", "waiting")
    for made in (one, rest):
        await town.ask(COUNCIL, "DELETE", f"/{made['id']}")


async def test_officers_agree_refuse_and_end_in_the_page_two_for_what_redirects_or_silences(
    town: Town,
) -> None:
    """Architecture section 9: the second officer sees where it leads; a double click asks once; refusing takes one."""
    house, agency = town.house, POLICE
    page = f"/console/partners/{SOUTH_TYNESIDE}/{agency}"
    first = (await town.register(agency, town.first.url)).document

    async def agreed(second: Browser) -> None:
        now = house.clock()
        rows = await house.parts.store.read(lambda tx: proposals.waiting(tx, [SOUTH_TYNESIDE], now))
        (row,) = [one for one in rows if one.arrangement and "webhook" in one.arrangement]
        shown = await second.get(f"/console/approvals/{row.id}")
        assert "https://" in shown.words
        done = await second.send(f"/console/approvals/{row.id}/agree", looked="yes")
        assert done.status == 303, done.words

    async def state(of: str) -> str:
        return str((await town.ask(agency, "GET", f"/{of}")).document["state"])

    async with signed_in(house) as officer, signed_in(house, "Cuthbert Reed") as second:
        refused = (await town.register(agency, town.second.url)).document["id"]
        assert "Waits for two officers" in (await officer.get(page)).words
        assert "to see to" in (await officer.get("/console/partners")).words
        await officer.get(page)
        elsewhere = page.replace(agency, ICB)
        assert (await officer.send(f"{elsewhere}/{refused}/refuse")).status == 404
        assert (await officer.send(f"{page}/{refused}/refuse")).status == 303
        assert await state(refused) == "refused"

        wanted = (await town.register(agency, town.second.url)).document["id"]
        shown = await officer.get(page)
        token = {"form_token": shown.hidden("form_token")}
        twice = [await officer.post(f"{page}/{wanted}/agree", **token) for _ in range(2)]
        assert [one.status for one in twice] == [303, 303]
        assert await state(wanted) == "waiting", "one officer alone changes nothing"
        await agreed(second)
        assert await state(wanted) == "agreed"

        await officer.get(page)
        assert (await officer.send(f"{page}/{first['id']}/end")).status == 303
        assert await state(first["id"]) == "in-force"
        await agreed(second)
        assert await state(first["id"]) == "removed"
    await town.ask(agency, "DELETE", f"/{wanted}")


async def test_the_address_whose_place_it_takes_is_told(town: Town) -> None:
    parts, team = town.house.parts, "team@northshire-police.example"
    way = WayRow(AgencyId(POLICE), RoleId("*"), "mail", team, None)
    await parts.store.transact(lambda tx: directory.set_way(tx, SOUTH_TYNESIDE, way))
    made = (await town.register(POLICE, town.first.url)).document
    await gateway(town.house, "webhooks", "agree", made["id"], *OFFICERS)
    assert (await town.ask(POLICE, "POST", f"/{made['id']}/secret")).document["state"] == "in-force"
    owed = await parts.store.read(lambda tx: deliveries.every(tx, SOUTH_TYNESIDE, agency=POLICE, most=50))
    (notice,) = [row for row in owed if row.message_type == DIRECTORY_CHANGE]
    message = await parts.store.read(lambda tx: messages.find(tx, [SOUTH_TYNESIDE], notice.message))
    assert message is not None
    assert message.sealed is not None
    key = await parts.key_by_id(message.data_key)
    assert key is not None
    told = json.loads(key.open(f"message:{message.id}", message.sealed))
    assert told["body"]["to"] == team
    await town.ask(POLICE, "DELETE", f"/{made['id']}")
    await parts.store.transact(
        lambda tx: deliveries.change(tx, notice.id, state="cancelled", next_at=None)
    )  # this house has no e-mail


async def test_an_asking_that_officers_refuse_or_let_lie_changes_nothing(town: Town) -> None:
    way = WayRow(AgencyId(HOSPITALS), RoleId("*"), "mail", None, None)
    parts = town.house.parts
    await parts.store.transact(lambda tx: directory.set_way(tx, SOUTH_TYNESIDE, way))
    parts.partnerships.forget()
    first = (await town.register(HOSPITALS, town.first.url)).document
    assert first["state"] == "waiting"  # it would take the place of e-mail
    refused = await gateway(town.house, "webhooks", "refuse", first["id"], "--officer", "Winifred Stave")
    assert refused["state"] == "refused"
    assert (await attempt(town.house, "webhooks", "agree", first["id"], *OFFICERS))[0] == 1

    second = (await town.register(HOSPITALS, town.first.url)).document
    assert await town.later(WAITS) == 1
    assert (await town.ask(HOSPITALS, "GET", f"/{second['id']}")).document["state"] == "lapsed"
    assert (await town.ask(HOSPITALS, "POST", f"/{second['id']}/secret")).code == "conflicting-state"
    found = await parts.store.read(lambda tx: directory.load(tx, SOUTH_TYNESIDE))
    assert {way.adapter for seat, way in found.ways.items() if seat.agency == HOSPITALS} == {"mail"}
    seat = Seat(AgencyId(HOSPITALS), RoleId("*"))
    await parts.store.transact(lambda tx: directory.end_way(tx, SOUTH_TYNESIDE, seat))
    parts.partnerships.forget()

"""Nothing that was answered is lost and nothing is done twice, whenever the gateway is killed (architecture: the store, dispatch).

A real `gateway serve` takes submissions, writes letters, reads replies from a real Dovecot mailbox and tells a partner by
webhook, and is killed with SIGKILL at seeded moments meanwhile. Senders repeat under the same reference until they have an
answer; everything else is the gateway's own affair.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme
from aiohttp import web

from adapters.mail.mailbox import Mailbox, account_from_url
from gateway.actions.draft_letters import AWAITS_RELEASE
from gateway.actions.export import Export, export, own_policy, read_bundle
from gateway.actions.release import Release, release
from gateway.agency.client import AgencyClient, Unreachable
from gateway.app import build_parts, close, system_clock
from gateway.core.messages import AgencyId, IncidentId, RoleId
from gateway.demo import invented
from gateway.demo.partnership import (
    AGENCIES,
    BUSINESS_UNIT,
    COUNCIL,
    HOSPITALS,
    ICB,
    POLICE,
    SCHOOL,
    SECONDARY,
    SOUTH_TYNESIDE,
    Enrolment,
    enrol,
)
from gateway.ledger import verify
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import holds, log
from gateway.store.directory import WayRow
from keys.signing import FileSigner
from tests.journeys.deployment import client_tls, eventually, number_of, rows, server_tls, set_up
from tests.journeys.loopback_mail import MAILBOX, OWN_MAIL_SERVER, Leads, Letters, schools_mail_server
from tests.journeys.mortal_gateway import MortalGateway, command, moments
from tests.mail_servers import MailHouse, mail_house
from tests.partner_agency import WebhookServer

LEASE_SECONDS = 3.0
AT_ONCE = 8
SEATS = {COUNCIL: "dsp-la", POLICE: "dsp-police", ICB: "dsp-icb"}
PER_STORY = 10  # submissions


@dataclass(frozen=True)
class Storm:
    """How much happens, and when the gateway dies: of each kind of event (kills, among the first so many)."""

    stories: int
    with_letters: int
    kills: dict[str, tuple[int, int]]
    seed: int

    @property
    def submissions(self) -> int:
        return self.stories * PER_STORY

    @property
    def deaths(self) -> int:
        return sum(count for count, _ in self.kills.values())


ORDINARY = Storm(
    20,
    6,
    {"sent": (3, 180), "answered": (2, 180), "told": (2, 100), "letter": (1, 12), "reply": (1, 12)},
    2026,
)
LARGE = Storm(
    200,
    40,
    {"sent": (20, 1900), "answered": (15, 1900), "told": (15, 1500), "letter": (8, 80), "reply": (8, 80)},
    1122,
)


@dataclass
class World:
    """Everything around the gateway, which stays up."""

    gateway: MortalGateway
    settings: Settings
    settings_file: Path
    clients: dict[AgencyId, AgencyClient]
    webhook: WebhookServer
    letters: Letters
    leads: Leads
    mailbox: MailHouse
    answers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    opened: dict[IncidentId, str] = field(default_factory=dict)  # incident: its referral's message

    async def submit(self, agency: AgencyId, document: dict[str, Any]) -> dict[str, Any]:
        """Send until there is an answer, under the same reference; the client checks the receipt."""
        self.gateway.happened("sent")
        answer = await eventually(lambda: _try(self.clients[agency], document), document["reference"])
        assert (agency, document["reference"]) not in self.answers
        self.answers[agency, document["reference"]] = answer
        self.gateway.happened("answered")
        return answer

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Parts]:
        """The deployment's parts, opened beside the serving process as a command does."""
        parts = build_parts(self.settings)
        try:
            yield parts
        finally:
            await close(parts)


async def _try(client: AgencyClient, document: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return await client.submit(document)
    except Unreachable:
        return None


# --- the storm --------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
@pytest.mark.needs("postfix", "dovecot")
async def test_whatever_was_answered_is_kept_once_and_delivered_however_often_it_is_killed(
    tmp_path: Path,
) -> None:
    await weather(ORDINARY, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.needs("postfix", "dovecot")
async def test_a_long_storm_loses_nothing_either(tmp_path: Path) -> None:
    await weather(LARGE, tmp_path)


async def weather(storm: Storm, folder: Path) -> None:
    async with world(storm, folder) as around:
        await play(storm, around)
        await settle(around)
        assert around.gateway.kills == storm.deaths
        assert len(around.answers) == storm.submissions
        async with around.beside() as parts:
            await every_answer_stands_once(around, parts)
            await every_delivery_arrived(around, parts)
            await every_mail_was_read_once(storm, around, parts)
            await evidence_verifies(around, parts)
        await repeats_get_the_same_receipt(around)
        await nothing_is_unexplained(around)


async def play(storm: Storm, around: World) -> None:
    """All stories, a few at a time, while schools answer their letters."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            await story(around, number, with_letters=number < storm.with_letters)

    leads = asyncio.create_task(around.leads.answer_for_ever())
    life = asyncio.create_task(_all(one(number) for number in range(storm.stories)))
    wanted = 2 * storm.with_letters

    async def answered() -> bool | None:
        if leads.done():
            await leads
        return True if len(around.leads.answered) == wanted else None

    try:
        await life
        await eventually(answered, f"{wanted} letters answered")
    finally:
        leads.cancel()
        life.cancel()


async def story(around: World, number: int, with_letters: bool) -> None:
    """Ten submissions: an incident is opened, perhaps decided on by the three, and information is returned."""
    opener = (POLICE, HOSPITALS)[number % 2]
    document = invented.referral(system_clock(), f"referral-{number}")
    if opener is HOSPITALS:
        document["lawful_basis"] = "public-task-health"
    answer = await around.submit(opener, document)
    incident, referral = IncidentId(answer["incident"]), answer["id"]
    around.opened[incident] = referral
    seats = SEATS if with_letters else {}
    await _all(decision(around, number, incident, referral, agency) for agency in seats)
    if with_letters:
        await release_letters(around, incident)
    for turn in range(PER_STORY - 1 - len(seats)):
        made = invented.message(
            "information-return", system_clock(), f"return-{number}-{turn}", incident, in_reply_to=referral
        )
        await around.submit((HOSPITALS, POLICE)[turn % 2], made)


async def decision(around: World, number: int, incident: str, referral: str, agency: AgencyId) -> None:
    seat, person = SEATS[agency], ("Philippa Marlowe", "Director of Children's Services")
    made = invented.decision(system_clock(), f"decision-{number}-{seat}", incident, referral, seat, person)
    await around.submit(agency, made)


async def release_letters(around: World, incident: str) -> None:
    """An officer reads the two letters and lets them go."""
    async with around.beside() as parts:
        waiting = await parts.store.read(holds.open_holds)
        letters = [hold for hold in waiting if hold.incident == incident and AWAITS_RELEASE in hold.reasons]
        assert len(letters) == 2
        for hold in letters:
            await parts.perform(release, Release(hold.id, "Winifred Stave"), hold.partnership, hold.incident)


async def settle(around: World) -> None:
    """The deaths that are still owed, one after another; then until nothing waits any more."""

    async def one_more() -> bool | None:
        if around.gateway.owed and around.gateway.is_up:
            around.gateway.kill()
        return True if around.gateway.owed == 0 and around.gateway.is_up else None

    await eventually(one_more, "the gateway's last life")

    async with around.beside() as parts:
        await nothing_waits(around, parts)


async def nothing_waits(around: World, parts: Parts) -> None:
    """Until everything is delivered, read and sealed."""
    found: dict[str, int] = {}

    async def still() -> bool | None:
        found["deliveries"] = await number_of(parts, "delivery WHERE state = 'pending'")
        found["mails"] = await number_of(parts, "raw_mail WHERE state = 'stored'")
        found["unsealed"] = await number_of(parts, "entry WHERE leaf_index IS NULL")
        found["unfetched"] = len(around.leads.answered) - await number_of(parts, "raw_mail")
        return None if any(found.values()) else True

    await eventually(still, found)


# --- what must hold afterwards ----------------------------------------------------------------------------------------


async def every_answer_stands_once(around: World, parts: Parts) -> None:
    """By reference: one message, the one that was answered, with the receipt that was answered."""
    stored = await rows(
        parts, "SELECT agency, reference, id, receipt, incident FROM message WHERE client IS NOT NULL"
    )
    assert Counter((row.agency, row.reference) for row in stored) == Counter(dict.fromkeys(around.answers, 1))
    for row in stored:
        answer = around.answers[row.agency, row.reference]
        assert (answer["id"], answer["incident"]) == (row.id, row.incident)
        assert answer["receipt"]["id"] == row.receipt
    jws = {row.id: row.jws for row in await rows(parts, "SELECT id, jws FROM entry")}
    for answer in around.answers.values():
        assert jws[answer["receipt"]["id"]] == answer["receipt"]["jws"]
    accepted = await rows(
        parts, "SELECT chain, count(*) AS n FROM entry WHERE event = 'SubmissionAcceptance' GROUP BY chain"
    )
    assert {row.n for row in accepted} == {1}
    assert await number_of(parts, "incident") == len(around.opened)


async def every_delivery_arrived(around: World, parts: Parts) -> None:
    found = await rows(parts, "SELECT id, agency, adapter, state, message, opened_at FROM delivery")
    by_way = {way: [row for row in found if row.adapter == way] for way in ("inbox", "webhook", "mail")}
    assert {row.state for row in by_way["inbox"]} == {row.state for row in by_way["webhook"]} == {"delivered"}
    assert {row.state for row in by_way["mail"]} <= {"relayed"}
    assert {row.id for row in by_way["webhook"]} == around.webhook.known
    assert around.webhook.forged == 0
    finals = "('ConsignmentNotification', 'RelayToNonERDS', 'ContentConsignment')"
    stated = await rows(parts, f"SELECT chain, event FROM entry WHERE event IN {finals}")
    assert len(stated) == len(found), "each delivery is stated to have arrived exactly once"
    letters = {row.reference for row in await rows(parts, "SELECT reference FROM letter")}
    assert letters == set(around.letters.first)
    assert all(len(set(ids)) == 1 for ids in around.letters.message_ids.values()), (
        "one letter, one Message-ID"
    )
    for agency in (COUNCIL, BUSINESS_UNIT):
        await inbox_is_readable(around, agency, {row.id for row in found if row.agency == agency})


async def inbox_is_readable(around: World, agency: AgencyId, owed: set[str]) -> None:
    client = around.clients[agency]
    waiting = await client.inbox()
    assert {item["id"] for item in waiting} == owed
    assert len(waiting) == len(owed)
    for item in waiting[:10]:
        got = await client.fetch(item["id"])
        assert got["content"]["type"] == item["type"]


async def every_mail_was_read_once(storm: Storm, around: World, parts: Parts) -> None:
    """Each reply is one stored mail, one statement that it came, and one confirmation of its letter."""
    wanted = 2 * storm.with_letters
    mails = await rows(parts, "SELECT id, state, message, letter FROM raw_mail")
    assert len(mails) == wanted
    assert {row.state for row in mails} == {"settled"}
    assert {row.letter for row in mails} == set(around.letters.first)
    came = await rows(parts, "SELECT chain FROM entry WHERE event = 'ReceivedFromNonERDS'")
    assert sorted(row.chain for row in came) == sorted(row.id for row in mails)
    confirmations = await rows(parts, "SELECT id, in_reply_to FROM message WHERE type = 'dsl-confirmation'")
    assert len(confirmations) == wanted
    assert len({row.in_reply_to for row in confirmations}) == wanted
    assert {row.id for row in confirmations} == {row.message for row in mails}
    assert await asyncio.to_thread(left_in_mailbox, around.mailbox) == 0


def left_in_mailbox(house: MailHouse) -> int:
    with Mailbox(account_from_url(house.imap_url(MAILBOX), str(house.ca_file))) as mailbox:
        return len(list(mailbox.fetch()))


async def evidence_verifies(around: World, parts: Parts) -> None:
    """A few incidents, the first and the last of them: everything in the log, every content as committed to."""
    incidents = list(around.opened)
    for name in dict.fromkeys([*incidents[:3], *incidents[-2:]]):
        asked = Export(name, "Winifred Stave")
        await parts.perform(export, asked, SOUTH_TYNESIDE, name)

        async def sealed() -> bool | None:
            return None if await parts.store.read(log.count_unsealed) else True

        await eventually(sealed, "the serving process to seal")
        bundle = await bundle_of(parts, name)
        found = verify.verify_bundle(bundle, verify.load_policy(json.dumps(own_policy(parts)).encode()))
        assert (found.verdict, found.content) == ("VALID", "matches"), found


async def bundle_of(parts: Parts, incident: IncidentId) -> bytes:
    key = await parts.key_of(incident)
    return await parts.store.read(lambda tx: read_bundle(tx, parts, SOUTH_TYNESIDE, incident, key))


async def repeats_get_the_same_receipt(around: World) -> None:
    """Also after everything: the same reference again is the same answer, and nothing more is recorded."""
    incident, referral = next(iter(around.opened.items()))
    made = invented.message("information-return", system_clock(), "repeat-1", incident, in_reply_to=referral)
    first = await around.submit(HOSPITALS, made)
    again = await around.clients[HOSPITALS].submit(made)
    assert again == first
    async with around.beside() as parts:
        assert await number_of(parts, "message WHERE reference = 'repeat-1'") == 1
        await nothing_waits(around, parts)


async def nothing_is_unexplained(around: World) -> None:
    status, out, err = await command(around.settings_file, "reconcile", "--json")
    assert status == 0, (out, err)
    figures = json.loads(out)
    assert figures["unexplained"] == 0, figures
    assert figures["pending"] == figures["failed"] == 0, figures


# --- the world --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def world(storm: Storm, folder: Path) -> AsyncIterator[World]:
    """Mail servers, a partner's web server, a furnished deployment and its gateway, which may be killed from now on."""
    authority = trustme.CA()
    async with AsyncExitStack() as stack:
        house = stack.enter_context(mail_house(("reply.council.example",)))
        gateway = MortalGateway(folder / "gateway.toml", moments(storm.seed, storm.kills))
        webhook = await stack.enter_async_context(partners_web_server(authority, gateway))
        letters = Letters(gateway.happened)
        smtp_port = await stack.enter_async_context(schools_mail_server(letters, server_tls(authority)))
        settings = furnish(folder, authority, house, smtp_port, webhook)
        keys = {agency.id: FileSigner.generate(f"{agency.id}-1", "ES256") for agency in AGENCIES}
        await inhabit(settings, keys, webhook)
        life = asyncio.create_task(gateway.live())
        stack.push_async_callback(_ended, life)
        clients = {}
        for agency in (POLICE, HOSPITALS, COUNCIL, ICB, BUSINESS_UNIT):
            client = AgencyClient(
                settings.public_url,
                agency,
                keys[agency],
                clock=system_clock,
                tls=client_tls(authority),
                pauses_seconds=(0.1,),
            )
            clients[agency] = await stack.enter_async_context(client)
        leads = Leads(letters, house, system_clock)
        yield World(gateway, settings, gateway.settings_file, clients, webhook, letters, leads, house)


def furnish(
    folder: Path, authority: trustme.CA, house: MailHouse, smtp_port: int, webhook: WebhookServer
) -> Settings:
    """The deployment that writes letters and reads replies."""
    password = folder / "imap.password"
    password.touch(mode=0o600)
    password.write_text(house.password)
    return set_up(
        folder,
        authority,
        smtp_url=f"smtp://localhost:{smtp_port}",
        smtp_ca_file=str(folder / "authority.pem"),
        mail_from="South Tyneside Council <safeguarding@council.example>",
        mail_domain="reply.council.example",
        mail_authserv_id=OWN_MAIL_SERVER,
        imap_url=f"imap://{quote(MAILBOX)}@localhost:{house.imap_port}",
        imap_password_file=str(password),
        imap_ca_file=str(house.ca_file),
        imap_interval_seconds=0.3,
        fetch_development_hosts=[webhook.host],
        lease_seconds=LEASE_SECONDS,
        sweep_interval_seconds=0.2,
        seal_interval_seconds=0.1,
    )


async def inhabit(settings: Settings, keys: dict[AgencyId, FileSigner], webhook: WebhookServer) -> None:
    """Enrol everybody: the ICB and the business unit are told by webhook, the schools are written to."""
    parts = build_parts(settings)
    try:
        sealed = {
            agency: parts.keys.seal_secret(f"way:{SOUTH_TYNESIDE}:{agency}", webhook.secret.encode())
            for agency in (ICB, BUSINESS_UNIT)
        }
        ways = (
            *(
                WayRow(agency, RoleId("*"), "webhook", webhook.url, secret)
                for agency, secret in sealed.items()
            ),
            WayRow(SCHOOL, RoleId("dsl"), "mail", None, None),
            WayRow(SECONDARY, RoleId("dsl"), "mail", None, None),
        )
        await enrol(parts, Enrolment(keys, ways))
    finally:
        await close(parts)


@asynccontextmanager
async def partners_web_server(authority: trustme.CA, gateway: MortalGateway) -> AsyncIterator[WebhookServer]:
    """As `tests.partner_agency.webhook_server`; the gateway may die after a notice was taken and before the answer is out."""
    server = WebhookServer("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())

    async def take(request: web.Request) -> web.StreamResponse:
        answer = await server.take(request)
        gateway.happened("told")
        return answer

    app = web.Application()
    app.router.add_post("/hooks", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls(authority, "127.0.0.1")).start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


async def _all(coming: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them; the first fault ends the others."""
    async with asyncio.TaskGroup() as group:
        for one in coming:
            group.create_task(one)


async def _ended(life: asyncio.Task[None]) -> None:
    life.cancel()
    with suppress(asyncio.CancelledError):
        await life

"""The sandbox: fake peers answer by themselves, a partner's contract test holds, and nothing mixes with anything real."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.agency.client import AgencyClient, AgencyProblem
from gateway.agency.conformance import PEERS as EXAMPLE_PEERS
from gateway.core.sandbox import SANDBOX, Manner
from gateway.dispatch.sandbox import end_sandbox_matters
from gateway.store import holds, incidents
from keys.signing import FileSigner
from tests.command_line import attempt, gateway
from tests.edges.office import OFFICERS
from tests.edges.test_guides import GUIDES, free_port
from tests.edges.test_submit_command import run
from tests.gateway_house import LOOPBACK, House, RealTime, gateway_house

PARTNER = "sandbox-northumbrian-police"
SECRET = "whsec_" + "A" * 43 + "="


@dataclass
class Ahead(RealTime):
    """The time as it is, or as it will be."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return super().__call__() + self.ahead


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "house").mkdir()
    async with gateway_house(tmp_path / "house", clock=RealTime()) as house:
        await activated(house)
        yield house


async def activated(house: House) -> None:
    status, _, err = await attempt(house, "rules", "activate", "sandbox", *OFFICERS)
    assert status == 0, err
    house.parts.partnerships.forget()


async def enrolled(house: House, *more: str, kind: str = "police") -> AgencyClient:
    """A partner's test client, let in by two officers."""
    key = FileSigner.generate("test-1", "ES256")
    file = house.folder / "test.jwk"
    file.write_text(json.dumps(key.private_jwk()))
    words = ("northumbrian-police", "--kind", kind, "--key", str(file), *OFFICERS, *more)
    told = await gateway(house, "sandbox", "enrol", *words)
    assert (told["client"], told["agency"], told["status"]) == (PARTNER, PARTNER, "active")
    house.parts.partnerships.forget()
    return house.client(PARTNER, key=key)


def message(house: House, slug: str, reference: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
    document = house.example(slug, body, partnership=SANDBOX, reference=reference, **more)
    text = json.dumps(document)
    for name, peer in EXAMPLE_PEERS.items():
        text = text.replace(f'"{name}"', f'"{peer}"')
    return json.loads(text)


async def coming(
    client: AgencyClient, is_it: Callable[[dict[str, Any]], bool], count: int = 1
) -> list[dict[str, Any]]:
    """The first so many deliveries that fit; the test's own time limit bounds the wait."""
    while True:
        found = [item for item in await client.inbox(1) if is_it(item)]
        if len(found) >= count:
            return [await client.fetch(item["id"]) for item in found]
        await asyncio.sleep(0.05)


def of(slug: str) -> Callable[[dict[str, Any]], bool]:
    return lambda item: bool(item["type"] == slug)


async def state(
    client: AgencyClient, sent: str, is_so: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """The deliveries of a sent message, once they are so."""
    while True:
        deliveries: list[dict[str, Any]] = (await client.message(sent))["deliveries"]
        if is_so(deliveries):
            return deliveries
        await asyncio.sleep(0.05)


def all_say(by: str) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda rows: all(row["acknowledged_by"] == by for row in rows)


async def test_the_three_partners_decide_and_people_acknowledge_by_themselves(house: House) -> None:
    async with await enrolled(house) as partner:
        sent = await partner.submit(message(house, "referral", "TRY-1"))
        assert {duty["clock"] for duty in sent["duties"]} == {"X01", "K12"}
        decisions = await coming(partner, of("triage-decision"), 3)
        assert {one["content"]["body"]["seat"] for one in decisions} == {"dsp-la", "dsp-icb", "dsp-police"}
        assert {one["content"]["body"]["outcome"] for one in decisions} == {"sin-and-rapid-review"}
        await state(partner, sent["id"], all_say("person"))


async def test_a_coded_word_makes_the_police_dissent(house: House) -> None:
    async with await enrolled(house) as partner:
        await partner.submit(message(house, "referral", "DISSENT-1"))
        decisions = await coming(partner, of("triage-decision"), 3)
        said = {one["content"]["body"]["seat"]: one["content"]["body"]["outcome"] for one in decisions}
        assert said["dsp-police"] == "no-further-action" != said["dsp-la"]


async def test_coded_words_make_peers_decline_stay_silent_or_take_it_by_system_only(house: House) -> None:
    async with await enrolled(house) as partner:
        silent, declined, system = [
            (await partner.submit(message(house, "referral", reference)))["id"]
            for reference in ("SILENT-1", "DECLINE-1", "SYSTEM-1")
        ]
        await state(partner, declined, all_say("declined"))
        await state(partner, system, all_say("system"))
        assert all(row["acknowledged_by"] is None for row in (await partner.message(silent))["deliveries"])
        assert await partner.inbox() == [], "nobody has answered anything"
    held = await house.parts.store.read(lambda tx: holds.open_holds(tx, SANDBOX))
    assert [hold for hold in held if hold.subject_kind == "delivery"] == [], "no officer is asked"


async def test_the_business_unit_asks_when_the_reference_says_so_and_the_return_meets_the_duty(
    house: House,
) -> None:
    async with await enrolled(house) as partner:
        await partner.submit(message(house, "referral", "ASK-1"))
        (asked,) = await coming(partner, of("information-request"))
        (owed,) = (await partner.duties())["owed_by_me"]
        assert (owed["expects"], owed["clock"]) == ("information-return", "X02")
        about = {"incident": asked["incident"], "in_reply_to": asked["message"]}
        await partner.submit(message(house, "information-return", "TRY-2", **about))
        assert [duty for duty in (await partner.duties())["owed_by_me"] if duty["state"] == "open"] == []


@pytest.mark.parametrize(
    ("word", "kind"),
    [("TRY", "full"), ("NIL", "nil"), ("PARTIAL", "partial"), ("LATER", "extension-request")],
)
async def test_a_request_for_information_is_answered_as_the_reference_says(
    house: House, word: str, kind: str
) -> None:
    async with await enrolled(house) as partner:
        opened = await partner.submit(message(house, "referral", "SILENT-2"))
        request = message(
            house,
            "information-request",
            f"{word}-3",
            {"agencies": ["sandbox-hospitals"]},
            incident=opened["incident"],
        )
        await partner.submit(request)
        (returned,) = await coming(partner, of("information-return"))
        assert returned["content"]["body"]["kind"] == kind


async def test_the_contract_test_holds_and_checks_the_webhook_too(tmp_path: Path) -> None:
    secret, authority, port = tmp_path / "secret", trustme.CA(), free_port()
    secret.write_text(SECRET)
    authority.cert_pem.write_to_path(tmp_path / "partners.pem")
    async with partners_server(authority, port) as host:
        allowed = {"fetch_ca_file": tmp_path / "partners.pem", "fetch_development_hosts": (host,)}
        async with gateway_house(tmp_path, authority=authority, clock=RealTime(), **allowed) as house:
            await activated(house)
            await enrolled(house, "--webhook", f"https://{host}/hook", "--webhook-secret", str(secret))
            told = await contract_test(
                house, "--webhook-listen", f"{LOOPBACK}:{port}", "--webhook-secret", str(secret)
            )
    findings = json.loads(told.out)
    assert [one for one in findings if not one["ok"]] == []
    assert told.status == 0
    names = {one["check"] for one in findings}
    assert {"a person acknowledges", "send imr", "a webhook notice is signed with your secret"} <= names
    assert [one["advice"] for one in findings if one["advice"].startswith("held")] == []
    assert set(findings[0]) == {"check", "ok", "advice"}


async def test_the_contract_test_says_what_to_mend(house: House) -> None:
    await enrolled(house)
    (house.folder / "test.jwk").write_text(json.dumps(FileSigner.generate("test-1", "ES256").private_jwk()))
    told = await contract_test(house)
    assert told.status == 1
    failed = {one["check"]: one["advice"] for one in json.loads(told.out) if not one["ok"]}
    assert failed["a token, bound to a key of yours"].startswith("invalid_client")
    assert failed["send referral"] == "not tried: it needs a token"
    away = await run(
        house.folder, "conformance", "--to", "https://127.0.0.1:9", "--client", PARTNER, "--key", "test.jwk"
    )
    assert away.status == 2
    assert away.err.count("\n") == 1


async def contract_test(house: House, *more: str) -> Any:
    words = (
        "--to",
        house.base_url,
        "--client",
        PARTNER,
        "--key",
        "test.jwk",
        "--ca",
        str(house.ca_file),
        "--json",
    )
    return await run(house.folder, "conformance", *words, *more)


@asynccontextmanager
async def partners_server(authority: trustme.CA, port: int) -> AsyncIterator[str]:
    """The partner's own web server: ends TLS and passes everything on to a port; its address."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(LOOPBACK).configure_cert(tls)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
            await asyncio.gather(_pour(reader, inner_writer), _pour(inner_reader, writer))

    server = await asyncio.start_server(pass_on, LOOPBACK, 0, ssl=tls)
    async with server:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65_536):
            into.write(piece)
            await into.drain()
    into.close()


# --- apart from everything real -------------------------------------------------------------------------------------


async def test_what_was_tried_is_erased_after_three_days(tmp_path: Path) -> None:
    clock = Ahead()
    async with gateway_house(tmp_path, clock=clock) as house:
        await activated(house)
        async with await enrolled(house) as partner, house.client("northshire-police") as police:
            tried = (await partner.submit(message(house, "referral", "SILENT-1")))["incident"]
            real = (await police.submit(house.example("referral", reference="NP-1")))["incident"]
        clock.ahead = timedelta(days=2)
        assert await end_sandbox_matters(house.parts) == 0
        clock.ahead = timedelta(days=3, minutes=1)
        await end_sandbox_matters(house.parts)
        states = await house.parts.store.read(
            lambda tx: [(one.id, one.state) for one in incidents.every(tx, [SANDBOX, "south-tyneside"])]
        )
        assert sorted(states) == sorted([(tried, "erased"), (real, "open")])


async def test_a_test_client_reaches_no_real_partnership_and_a_real_one_not_the_sandbox(house: House) -> None:
    async with await enrolled(house) as partner, house.client("northshire-police") as police:
        for client, document in (
            (partner, house.example("referral", reference="NP-1")),
            (police, message(house, "referral", "TRY-1")),
        ):
            with pytest.raises(AgencyProblem) as refused:
                await client.submit(document)
            assert [dict(one)["pointer"] for one in refused.value.errors] == ["/partnership"]


async def test_no_file_takes_an_agency_into_or_out_of_the_sandbox(house: House) -> None:
    await enrolled(house)
    file = house.folder / "agencies.csv"
    file.write_text(f"id,kind,name,code\n{PARTNER},police,Elsewhere,\n")
    for partnership in ("south-tyneside", SANDBOX):
        status, out, _ = await attempt(
            house, "directory", "import", str(file), "--partnership", partnership, "--json", *OFFICERS
        )
        assert status == 1
        assert "sandbox" in json.dumps(json.loads(out)["errors"])


async def test_a_command_that_means_the_only_partnership_does_not_mean_the_sandbox(house: House) -> None:
    listed = await gateway(house, "directory", "list")
    assert listed["partnership"] == "south-tyneside"


async def test_nobody_is_enrolled_where_the_sandbox_is_not_in_force(tmp_path: Path) -> None:
    async with gateway_house(tmp_path, clock=RealTime()) as house:
        words = ("sandbox", "enrol", "northumbrian-police", "--kind", "police", *OFFICERS)
        status, _, err = await attempt(house, *words, "--key", str(house.key_file("northshire-police")))
        assert status == 1
        assert "not in force" in err


def test_the_guide_says_what_every_coded_word_does() -> None:
    rows = dict(
        re.findall(
            r"^\| `([A-Z]+)-…` \| (.+) \|$", (GUIDES / "partner-developer.md").read_text("utf-8"), re.M
        )
    )
    assert rows == {manner.name: manner.value for manner in Manner if manner is not Manner.USUAL}

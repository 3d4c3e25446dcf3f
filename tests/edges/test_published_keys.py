"""A client that publishes its keys itself: looked at in the background, guarded, and never at the price of good keys."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.actions.client_concerns import concerns
from gateway.agency.client import AgencyProblem
from gateway.core.published_keys import LARGEST_BYTES, may_publish_at
from gateway.core.receipts import Event
from gateway.dispatch.celery_worker import HOUSEKEEP, JOBS
from gateway.dispatch.loop import housekeep
from gateway.dispatch.published_keys import fetch_published_keys, look
from gateway.oauth.registry import CLIENT_REMEMBERED_SECONDS
from gateway.store import clients, tables
from gateway.store.clients import ClientRow
from keys.signing import FileSigner
from tests.adapters.far_end import FarEnd, authority_in, far_end
from tests.command_line import attempt
from tests.edges.at_the_door import Raw
from tests.gateway_house import House, MovableClock, gateway_house

CLIENT = "np-publishing"
ADD = ("clients", "add", CLIENT, "--agency", "northshire-police")
OFFICER, SECOND = ("--officer", "Winifred Stave"), ("--second-officer", "Desmond Quill")
JSON = {"Content-Type": "application/jwk-set+json"}


@dataclass
class Publisher:
    """The agency's server and the house that looks at it."""

    house: House
    end: FarEnd
    keys: dict[str, FileSigner] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.end.port}/keys.jwks"

    def key(self, kid: str) -> FileSigner:
        return self.keys.setdefault(kid, FileSigner.generate(kid, "ES256"))

    def publishes(self, *kids: str) -> None:
        document = {"keys": [self.key(kid).public_jwk() for kid in kids]}
        self.end.says(200, JSON, json.dumps(document).encode())

    async def row(self) -> ClientRow:
        row = await self.house.parts.store.read(lambda tx: clients.find(tx, CLIENT))
        assert row is not None
        return row

    async def look(self) -> str | None:
        return await look(self.house.parts, await self.row())

    async def works(self, kid: str) -> bool:
        """Does the door open to this key, once what was remembered is forgotten?"""
        self.house.clock.move_by(seconds=CLIENT_REMEMBERED_SECONDS + 1)
        async with Raw(self.house, CLIENT, self.key(kid)) as raw:
            with suppress(AgencyProblem):
                return bool(await raw.client.token())
            return False

    async def let_in(self, *kids: str) -> None:
        """Registered, looked at, proved by the first key, approved."""
        told = await self.command(*ADD, "--jwks-uri", self.address, *OFFICER)
        self.publishes(*kids)
        assert (await self.command("clients", "fetch", CLIENT))["kids"] == list(kids)
        Path("np.json").write_text(json.dumps(told["challenge"]))
        Path("np.jwk").write_text(json.dumps(self.key(kids[0]).private_jwk()))
        await self.command("clients", "prove", "np.json", "--key", "np.jwk", "--out", "np.proof")
        await self.command("clients", "approve", CLIENT, "--proof", "np.proof", *SECOND)

    async def command(self, *words: str) -> Any:
        status, out, err = await attempt(self.house, *words, "--json")
        assert status == 0, (err, out)
        return json.loads(out)

    async def events(self) -> list[str]:
        query = tables.entry.select().where(tables.entry.c.chain == f"client-{CLIENT}")
        rows = await self.house.parts.store.read(
            lambda tx: tx.execute(query.order_by(tables.entry.c.seq)).all()
        )
        return [row.event for row in rows]


@asynccontextmanager
async def publishing(folder: Path, **settings: Any) -> AsyncIterator[Publisher]:
    async with far_end("127.0.0.1") as end:
        host = f"127.0.0.1:{end.port}"
        usual: dict[str, Any] = {
            "fetch_ca_file": authority_in(folder / "partner.pem"),
            "fetch_development_hosts": (host,),
            "client_key_hosts": (host,),
        }
        clock = MovableClock(datetime.now(UTC))  # commands have the real time
        async with gateway_house(folder, clock=clock, **(usual | settings)) as house:
            await house.gateway.dispatch.stop()  # housekeeping would take a test's answer
            yield Publisher(house, end)


@pytest.fixture
async def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Publisher]:
    monkeypatch.chdir(tmp_path)
    async with publishing(tmp_path) as publisher:
        yield publisher


async def test_its_keys_wait_with_it_and_one_proof_lets_it_in(publisher: Publisher) -> None:
    await publisher.let_in("first", "second")
    assert (await publisher.row()).status == clients.ACTIVE
    assert await publisher.works("first")
    assert await publisher.works("second")


async def test_before_approval_no_published_key_opens_anything(publisher: Publisher) -> None:
    await publisher.command(*ADD, "--jwks-uri", publisher.address, *OFFICER)
    publisher.publishes("first")
    await publisher.look()
    assert not await publisher.works("first")


async def test_a_new_key_at_the_known_address_is_in_use_with_an_entry_and_one_withdrawn_is_over(
    publisher: Publisher,
) -> None:
    await publisher.let_in("old")
    before = await publisher.events()
    publisher.publishes("old", "new")
    assert await publisher.look() is None
    assert await publisher.works("old")
    assert await publisher.works("new")
    publisher.publishes("new")
    assert await publisher.look() is None
    assert not await publisher.works("old")
    assert await publisher.works("new")
    assert (await publisher.events())[len(before) :] == [Event.KEY_INTRODUCED.text, Event.KEY_RETIRED.text]


async def test_housekeeping_looks_every_quarter_of_an_hour_in_process_and_in_workers(
    publisher: Publisher,
) -> None:
    await publisher.let_in("first")
    parts, asked = publisher.house.parts, len(publisher.end.received)
    assert await fetch_published_keys(parts) == 0
    publisher.house.clock.move_by(minutes=20)
    publisher.publishes("first", "later")
    await housekeep(parts)
    assert JOBS[HOUSEKEEP] is housekeep
    assert len(publisher.end.received) == asked + 1
    assert await publisher.works("later")


@pytest.mark.parametrize(
    ("status", "headers", "body", "fault"),
    [
        pytest.param(500, JSON, b"{}", "status-500", id="broken"),
        pytest.param(302, {"Location": "https://127.0.0.1/"}, b"", "redirect-refused", id="redirect"),
        pytest.param(200, {"Content-Type": "text/html"}, b'{"keys": []}', "not-json", id="a page"),
        pytest.param(200, JSON, b"{", "not-json", id="half"),
        pytest.param(200, JSON, b'{"keys": [], "keys": []}', "not-json", id="repeated member"),
        pytest.param(200, JSON, b'{"keys": []}', "policy-not-a-set", id="empty"),
        pytest.param(200, JSON, b'{"keys": [{"kty": "oct", "k": "AAAA"}]}', "policy-private", id="secret"),
        pytest.param(200, JSON, b" " * (LARGEST_BYTES + 1), "too-large", id="65 KiB"),
        pytest.param(
            200,
            JSON,
            json.dumps({"keys": [{"kty": "EC"}] * 11}).encode(),
            "policy-too-many",
            id="eleven keys",
        ),
    ],
)
async def test_what_cannot_be_taken_leaves_the_last_good_keys_and_says_why(
    publisher: Publisher, status: int, headers: dict[str, str], body: bytes, fault: str
) -> None:
    await publisher.let_in("good")
    publisher.end.says(status, headers, body)
    with capture_logs() as logs:
        assert await publisher.look() == fault
    assert [(one["client"], one["reason"]) for one in logs if one["event"] == "client.keys_not_fetched"] == [
        (CLIENT, fault)
    ]
    assert await publisher.works("good")
    publisher.house.clock.move_by(days=2)
    (noted,) = concerns(await publisher.row(), publisher.house.clock())
    assert noted.concern.value == "keys-not-fetched"
    publisher.publishes("good")
    assert await publisher.look() is None
    assert (await publisher.row()).keys_fault is None


async def test_a_host_that_is_down_leaves_the_last_good_keys(publisher: Publisher) -> None:
    await publisher.let_in("good")
    await publisher.end.goes_away()
    assert await publisher.look() == "refused-connection"
    assert await publisher.works("good")


async def test_a_published_key_of_another_client_or_one_revoked_here_is_not_taken(
    publisher: Publisher,
) -> None:
    await publisher.let_in("first", "second")
    await publisher.command("clients", "revoke", CLIENT, "second", *OFFICER, *SECOND)
    publisher.publishes("first", "second")
    assert await publisher.look() == "conflicting-state"
    publisher.keys["foreign"] = publisher.house.keys[next(iter(publisher.house.keys))]
    publisher.publishes("first", "foreign")
    assert await publisher.look() == "conflicting-state"
    assert await publisher.works("first")
    assert not await publisher.works("second")


async def test_an_inside_address_is_refused_though_its_host_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSRF: the list of hosts does not open the building's inside."""
    monkeypatch.chdir(tmp_path)
    async with publishing(tmp_path, fetch_development_hosts=()) as publisher:
        await publisher.command(*ADD, "--jwks-uri", publisher.address, *OFFICER)
        assert await publisher.look() == "address-refused"
        assert publisher.end.connections == 0


async def test_a_host_taken_off_the_list_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with publishing(tmp_path, client_key_hosts=("keys.agency.example",)) as publisher:
        status, _, err = await attempt(publisher.house, *ADD, "--jwks-uri", publisher.address, *OFFICER)
        assert (status, "GATEWAY_CLIENT_KEY_HOSTS" in err) == (2, True)
        await publisher.command(*ADD, "--jwks-uri", "https://keys.agency.example/jwks", *OFFICER)
        moved = tables.client.update().where(tables.client.c.id == CLIENT).values(jwks_uri=publisher.address)
        await publisher.house.parts.store.transact(lambda tx: tx.execute(moved) and None)
        assert await publisher.look() == "host-not-allowed"
        assert publisher.end.connections == 0


async def test_such_a_client_changes_keys_at_its_own_address_only(publisher: Publisher) -> None:
    await publisher.let_in("first")
    Path("new.jwk").write_text(json.dumps(FileSigner.generate("new", "ES256").private_jwk()))
    status, _, err = await attempt(publisher.house, "clients", "rotate", CLIENT, "--key", "new.jwk", *OFFICER)
    assert (status, "itself" in err) == (1, True)
    both = (*ADD[:2], "x-1", *ADD[3:], "--jwks-uri", publisher.address, "--key", "new.jwk", *OFFICER)
    assert (await attempt(publisher.house, *both))[0] == 2


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("https://keys.example/jwks", True),
        ("https://KEYS.example:443/jwks", True),
        ("https://other.example:8443/k", True),
        ("https://keys.example:8443/jwks", False),
        ("http://keys.example/jwks", False),
        ("https://keys.example.evil.example/jwks", False),
        ("https://keys.example@evil.example/jwks", False),
        ("https://user@keys.example/jwks", False),
        ("https://keys.example/jwks?x=1", False),
        ("https://keys.example/jwks#", False),
        ("https://[::1/", False),
        ("https://keys.example:99999/", False),
        ("https://keys.example/\n", False),
        ("", False),
    ],
)
def test_where_a_client_may_publish(address: str, may: bool) -> None:
    assert may_publish_at(address, ("keys.example", "other.example:8443")) is may

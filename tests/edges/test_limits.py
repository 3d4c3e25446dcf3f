"""Who asks too fast is told when to come again, before anything of the request is read; nobody else waits for it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import structlog

from gateway.agency.client import AgencyProblem
from gateway.api.limits import PEER_HEADER, REMEMBERED, Limits, limits_of, network_of
from gateway.api.shared_limits import SharedBuckets
from gateway.core.rates import Rate
from gateway.settings import Settings
from tests.actions.scene import rows
from tests.edges.at_the_door import MARKER, Raw
from tests.gateway_house import gateway_house
from tests.servers import ValkeyServer, valkey_server

POLICE, ICB = "northshire-police", "northshire-icb"
SLOW = Rate(
    0.001, 3
)  # three at once, then one in a quarter of an hour: what a test asks for is never given back meanwhile


def limits(**changes: Any) -> Limits:
    given: dict[str, Any] = {"by_address": SLOW, "by_client": SLOW, "is_behind_proxy": False}
    return Limits(**given | changes)


# --- at the door -----------------------------------------------------------------------------------------------------


async def test_a_client_beyond_its_pace_is_refused_with_a_time_and_another_is_not(tmp_path: Path) -> None:
    async with (
        gateway_house(tmp_path, client_requests_per_second=0.5, client_burst_requests=4) as house,
        Raw(house, POLICE) as police,
        Raw(house, ICB) as icb,
    ):
        said = [await police.call("GET", "/v1/duties", headers=()) for _ in range(6)]  # the token was one
        assert [one.status for one in said] == [200] * 3 + [429] * 3
        refused = said[-1]
        assert refused.code == "too-many-requests"
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert 1 <= int(refused.headers["Retry-After"]) <= 2
        assert (await icb.call("GET", "/v1/duties", headers=())).status == 200


async def test_nothing_of_a_message_that_came_too_fast_is_kept_and_who_waits_as_told_is_served(
    tmp_path: Path,
) -> None:
    async with (
        gateway_house(tmp_path, client_requests_per_second=0.3, client_burst_requests=2) as house,
        Raw(house, POLICE) as police,
    ):
        await police.client.token()
        await house.gateway.dispatch.stop()  # what it still does with the first must not be counted
        await police.client.submit(house.example("referral", reference="NP-1"))
        before = await rows(house)
        late = house.example("referral", reference="NP-2")
        refused = await police.post(json.dumps(late).encode())
        assert (refused.status, refused.code) == (429, "too-many-requests")
        assert await rows(house) == before
        answer = await police.client.submit(late)  # it waits as Retry-After says, then repeats
        assert answer["decision"] == "forward"


async def test_tokens_are_counted_too_once_the_client_has_proved_itself(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(
            gateway_house(tmp_path, client_requests_per_second=0.01, client_burst_requests=1)
        )
        first = await stack.enter_async_context(house.client(POLICE))
        second = await stack.enter_async_context(house.client(POLICE, pauses_seconds=()))
        await first.token()
        with pytest.raises(AgencyProblem) as refused:
            await second.token()
        assert (refused.value.status, refused.value.code) == (429, "temporarily_unavailable")


async def test_who_cannot_prove_a_clients_key_cannot_empty_its_bucket(tmp_path: Path) -> None:
    async with (
        gateway_house(tmp_path, client_requests_per_second=0.001, client_burst_requests=3) as house,
        Raw(house, POLICE) as police,
    ):
        token = await police.client.token()
        for _ in range(10):
            said = await police.call(
                "GET",
                "/v1/duties",
                headers=(),
                credentials={"Authorization": f"DPoP {token}", "DPoP": "x.y.z"},
            )
            assert said.status == 401
        assert (await police.call("GET", "/v1/duties", headers=())).status == 200


@pytest.mark.parametrize("path", ["/v1/messages", "/oauth2/token", "/openapi.json", "/nothing", "/console/"])
async def test_an_address_beyond_its_pace_is_refused_everywhere_before_it_is_known_who_asks(
    tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        gateway_house(tmp_path, address_requests_per_second=0.001, address_burst_requests=2) as house,
        Raw(house, POLICE) as anybody,
    ):
        for _ in range(2):
            assert (await anybody.call("POST", path, b"{}", credentials={})).status != 429
        for _ in range(3):
            refused = await anybody.call("POST", path, MARKER.encode(), credentials={})
            assert (refused.status, refused.code) == (429, "too-many-requests")
            assert int(refused.headers["Retry-After"]) > 0
            assert MARKER.encode() not in refused.body
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "limits." in line]
    assert [(line["event"], line["by"]) for line in lines] == [("limits.reached", "address")]
    assert "127.0.0.1" not in str(lines)


# --- whose bucket ----------------------------------------------------------------------------------------------------


def asked(*headers: tuple[bytes, bytes], client: tuple[str, int] | None = ("192.0.2.1", 5)) -> dict[str, Any]:
    return {"type": "http", "headers": list(headers), "client": client}


async def test_behind_the_proxy_the_address_is_what_the_proxy_says() -> None:
    behind = limits(is_behind_proxy=True)
    one, other = (asked((PEER_HEADER, name), client=None) for name in (b"192.0.2.1", b"192.0.2.2"))
    for _ in range(3):
        assert behind.address_wait(one) == 0
    assert behind.address_wait(one) > 0
    assert behind.address_wait(other) == 0


async def test_without_a_proxy_nobody_chooses_an_address_by_a_header() -> None:
    direct = limits()
    waits = [direct.address_wait(asked((PEER_HEADER, f"192.0.2.{n}".encode()))) for n in range(5)]
    assert [wait > 0 for wait in waits] == [False] * 3 + [True] * 2


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((PEER_HEADER, b"192.0.2.1"), (PEER_HEADER, b"192.0.2.2")),
        ((PEER_HEADER, b"unix:"),),
        ((PEER_HEADER, b"\xff"),),
    ],
    ids=["none", "two", "no address", "no text"],
)
async def test_where_the_proxy_names_no_one_address_nobody_shares_a_bucket_with_everybody(
    headers: Any,
) -> None:
    behind = limits(is_behind_proxy=True)
    assert not any(behind.address_wait(asked(*headers, client=None)) for _ in range(10))


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        (b"192.0.2.7", "192.0.2.7"),
        (b"::ffff:192.0.2.7", "192.0.2.7"),
        (b"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (b"2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        (b"fe80::1%eth0", "fe80::/64"),
        (b"192.0.2.7, 192.0.2.8", None),
        (b"", None),
    ],
)
def test_of_ipv6_one_customers_network_is_one_address(address: bytes, bucket: str | None) -> None:
    assert network_of([address]) == bucket


async def test_a_million_addresses_take_no_more_memory_than_the_bound() -> None:
    direct = limits()
    for number in range(REMEMBERED + 500):
        direct.address_wait(asked(client=(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1)))
    assert len(direct._addresses) == REMEMBERED


def test_the_defaults_let_a_whole_area_s_day_through_in_an_hour() -> None:
    """A region of fifteen partnerships sends some thousands of messages a day; a backlog of an outage comes at once."""
    in_force = limits_of(Settings(mode="development"))
    for rate in (in_force.by_address, in_force.by_client):
        assert rate.burst >= 500
        assert rate.burst + 3600 * rate.per_second >= 100_000


# --- shared by several processes ---------------------------------------------------------------------------------------


@asynccontextmanager
async def several(url: str, count: int) -> AsyncIterator[list[Limits]]:
    made = [limits(shared=SharedBuckets(url)) for _ in range(count)]
    yield made
    for one in made:
        await one.aclose()


async def test_processes_on_a_broker_share_a_clients_bucket(valkey: ValkeyServer) -> None:
    async with several(valkey.url, 3) as processes:
        waits = await asyncio.gather(*(processes[n % 3].client_wait("shared-1") for n in range(9)))
        assert sorted(wait > 0 for wait in waits) == [False] * 3 + [True] * 6
        assert max(waits) <= 1000.1
        assert await processes[0].client_wait("shared-2") == 0


async def test_a_shared_bucket_fills_again_and_is_forgotten_when_it_is_full(valkey: ValkeyServer) -> None:
    shared, rate = SharedBuckets(valkey.url), Rate(100, 2)
    try:
        assert [await shared.take("filling", rate) for _ in range(2)] == [0, 0]
        wait_seconds = await shared.take("filling", rate)
        assert 0 <= wait_seconds <= 0.01
        with redis.Redis.from_url(valkey.url) as link:
            for name in link.scan_iter("gateway:rate:*"):
                assert 0 < link.pttl(name) <= 3_000_000
                assert b"filling" not in name
    finally:
        await shared.aclose()


@contextmanager
def _gone() -> Iterator[str]:
    with valkey_server() as server:
        url = server.url
    yield url


@contextmanager
def _frozen() -> Iterator[str]:
    """Takes the connection and never answers, as a stopped Valkey does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.mark.parametrize("broker", [_gone, _frozen])
async def test_without_the_broker_each_process_counts_for_itself_and_says_so_once(
    broker: Callable[[], AbstractContextManager[str]],
) -> None:
    time = [0.0]
    with broker() as url, structlog.testing.capture_logs() as lines:
        alone = limits(shared=SharedBuckets(url), now=lambda: time[0])
        waits = [await alone.client_wait("a") for _ in range(5)]
        time[0] += 30
        assert await alone.client_wait("b") == 0
        await alone.aclose()
    assert [wait > 0 for wait in waits] == [False] * 3 + [True] * 2
    assert [line["event"] for line in lines] == ["limits.apart", "limits.reached"]


async def test_a_limit_reached_is_said_once_a_minute_for_each_client() -> None:
    time = [0.0]
    own = limits(now=lambda: time[0])
    with structlog.testing.capture_logs() as lines:
        for client in ("a", "b"):
            for _ in range(20):
                await own.client_wait(client)
        time[0] += 61
        await own.client_wait("a")
    assert [(line["by"], line["client"]) for line in lines] == [
        ("client", "a"),
        ("client", "b"),
        ("client", "a"),
    ]

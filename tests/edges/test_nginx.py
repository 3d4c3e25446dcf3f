"""The shipped proxy holds off what is slow, large, many or two requests in one, and names nobody that it does not know.

Its limits are those of `deploy/nginx.conf`; where a test would wait for one, it is made shorter and nothing else.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.api.problems import TYPES
from gateway.core.errors import ErrorCode
from tests.edges.behind_nginx import Edge, behind_nginx, exchange, identity
from tests.edges.oauth_caller import Answer
from tests.nginx import API_NAME, MTLS_NAME, nginx
from tests.servers import free_port

pytestmark = [pytest.mark.needs("nginx"), pytest.mark.asyncio(loop_scope="module")]

SLOW = 20
SHORT = {
    "client_header_timeout       5s": "client_header_timeout 1s",
    "client_body_timeout         5s": "client_body_timeout 1s",
}
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
HOST = b"Host: gateway.council.test\r\n"


@pytest.fixture
def away() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """One for every test that spends nothing of its limits."""
    with tempfile.TemporaryDirectory(prefix="gw-") as away:
        async with behind_nginx(tmp_path_factory.mktemp("edge"), Path(away)) as edge:
            yield edge


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(tmp_path: Path, away: Path) -> AsyncIterator[Edge]:
    """One whose limits may be spent."""
    async with behind_nginx(tmp_path, away) as edge:
        yield edge


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hasty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """The same with waits of one second."""
    with tempfile.TemporaryDirectory(prefix="gw-") as away:
        async with behind_nginx(tmp_path_factory.mktemp("hasty"), Path(away), SHORT) as edge:
            yield edge


@pytest.mark.parametrize(
    ("opening", "last_words"),
    [
        (b"GET /oauth2/jwks HTTP/1.1\r\nHost: gateway.council.test\r\nX-Slow: ", (b"", b"HTTP/1.1 408")),
        (
            b"POST /v1/messages HTTP/1.1\r\nHost: gateway.council.test\r\nContent-Length: 500\r\n\r\n{",
            (b"", b"HTTP/1.1 408"),
        ),
    ],
    ids=["headers", "body"],
)
async def test_slow_callers_hold_nobody_up_and_are_cut_off(
    hasty: Edge, opening: bytes, last_words: tuple[bytes, ...]
) -> None:
    def crowd() -> tuple[int, list[bytes]]:
        with ExitStack() as held:
            slow = [held.enter_context(hasty.tls(None, API_NAME)) for _ in range(SLOW)]
            for one in slow:
                one.sendall(opening)
            with hasty.tls(None, API_NAME) as channel:
                status = exchange(channel, "GET", "/oauth2/jwks", API_NAME, (), None).status
            return status, [until_closed(one)[:12] for one in slow]

    status, ends = await asyncio.to_thread(crowd)
    assert status == 200, "the others are answered meanwhile"
    assert set(ends) <= set(last_words), "each was closed by the proxy"
    assert len(ends) == SLOW


async def test_one_address_holds_sixty_four_connections_at_most(fresh: Edge) -> None:
    def crowd() -> Answer:
        opening = b"POST /v1/messages HTTP/1.1\r\nHost: gateway.council.test\r\nContent-Length: 500\r\n\r\n{"
        with ExitStack() as held:
            for _ in range(64):
                held.enter_context(fresh.tls(None, API_NAME)).sendall(opening)
            with fresh.tls(None, API_NAME) as channel:
                return exchange(channel, "GET", "/v1/receipts/jwks", API_NAME, (), None)

    refused = await asyncio.to_thread(crowd)
    assert (refused.status, problem_of(refused)) == (429, "too-many-requests")
    assert refused.headers["Retry-After"] == "1"


async def test_tokens_are_asked_for_at_a_bounded_rate(fresh: Edge) -> None:
    said = [await fresh.token("nobody", None) for _ in range(30)]
    assert said[0].status == 401
    slowed = next(one for one in said if one.status == 429)
    assert slowed.json["error"] == "temporarily_unavailable"
    assert slowed.headers["Content-Type"] == "application/json"
    assert slowed.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/oauth2/token", 16 * 1024 + 1, 413),
        ("/v1/inbox/x/decline", 256 * 1024 + 1, 413),
        ("/v1/messages", 256 * 1024 + 1, 401),
        ("/v1/messages", 1024 * 1024 + 1, 413),
        ("/v1/attachments", 1024 * 1024 + 1, 401),
        ("/v1/attachments", 25 * 1024 * 1024 + 1, 413),
    ],
)
async def test_bodies_are_bounded_by_where_they_go(edge: Edge, path: str, size: int, status: int) -> None:
    """What is let through is refused by the gateway for want of a token: 401."""

    def declare() -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {API_NAME}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
        )
        with edge.tls(None, API_NAME) as channel:
            channel.sendall(head.encode())
            if status == 401:
                channel.sendall(b"x" * size)
            return channel.recv(12)

    assert f"HTTP/1.1 {status}".encode() in await asyncio.to_thread(declare)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_1_2_and_1_3_are_spoken(edge: Edge, version: ssl.TLSVersion) -> None:
    def versions() -> str | None:
        context = edge.proxy.trusting()
        context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", edge.proxy.port)) as plain,
            context.wrap_socket(plain, server_hostname=API_NAME) as channel,
        ):
            return channel.version()

    assert await asyncio.to_thread(versions) == version.name.replace("_", ".")


async def test_a_name_that_is_not_ours_gets_no_handshake(edge: Edge) -> None:
    with pytest.raises(ssl.SSLError):
        await edge.ask("GET", "/oauth2/jwks", host="elsewhere.council.test")


async def test_a_host_header_other_than_the_handshakes_name_goes_nowhere(edge: Edge) -> None:
    """No certificate shown to one name counts under the other, and what the gateway hears is the name in the configuration."""
    shown = identity()
    await edge.pin("icb-1", shown)
    token = (await edge.token("icb-1", shown)).json["access_token"]
    credentials = [("Authorization", f"Bearer {token}")]
    crossed = await edge.ask(
        "GET", "/v1/inbox", credentials, shown=shown, host=MTLS_NAME, server_name=API_NAME
    )
    assert crossed.status == 421
    with pytest.raises(http.client.RemoteDisconnected):
        await edge.ask("GET", "/oauth2/jwks", host="evil.example", server_name=API_NAME)
    console = await edge.ask("GET", "/console/", shown=shown)
    assert console.status == 404, "officers have no business on the host for certificates"


SMUGGLED = b"GET /v1/receipts/jwks HTTP/1.1\r\nHost: gateway.council.test\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="CL and TE"),
        pytest.param(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", id="TE and CL"),
        pytest.param(b"Content-Length: 0\r\nContent-Length: 61\r\n\r\n", id="two lengths"),
        pytest.param(b"Content-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(b"Content-Length: +0\r\n\r\n", id="signed length"),
        pytest.param(b"Content-Length: 0, 61\r\n\r\n", id="list of lengths"),
        pytest.param(b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="unknown coding"),
        pytest.param(b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", id="two codings"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", id="coding twice"
        ),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n", id="huge chunk"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n", id="hexadecimal prefix"),
        pytest.param(b"Host: evil.example\r\n\r\n", id="two hosts"),
        pytest.param(b"X-Nul: a\x00b\r\n\r\n", id="NUL in a header"),
    ],
)
async def test_no_second_request_rides_in_a_first(edge: Edge, head: bytes) -> None:
    """Whatever the two could read differently is refused by the first, which then closes."""

    def send() -> bytes:
        with edge.tls(None, API_NAME) as channel:
            channel.sendall(b"POST /oauth2/token HTTP/1.1\r\n" + HOST + head + SMUGGLED)
            return until_closed(channel)

    said = await asyncio.to_thread(send)
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert said.count(b"HTTP/1.1 ") == 1
    assert b'"keys"' not in said


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length : 0\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer_Encoding: chunked\r\n",
        b" X: y\r\n",
    ],
    ids=["space before the colon", "TE with a space", "TE with an underscore", "folded"],
)
async def test_malformed_headers_are_dropped_before_the_gateway_reads_them(edge: Edge, head: bytes) -> None:
    def send() -> bytes:
        with edge.tls(None, API_NAME) as channel:
            first = b"GET /oauth2/jwks HTTP/1.1\r\n" + HOST + head + b"Connection: close\r\n\r\n"
            channel.sendall(first + SMUGGLED)
            return until_closed(channel)

    said = await asyncio.to_thread(send)
    assert said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    assert said.count(b"HTTP/1.1 ") == 1


async def test_requests_are_counted_by_the_address_that_the_proxy_saw_whatever_a_client_wrote(
    tmp_path: Path, away: Path
) -> None:
    slow = {"address_requests_per_second": 0.001, "address_burst_requests": 3}
    async with behind_nginx(tmp_path, away, **slow) as edge:
        said = [
            await edge.ask("GET", "/v1/receipts/jwks", [("X-Client-Address", f"192.0.2.{n}")], host=API_NAME)
            for n in range(5)
        ]
    assert [one.status for one in said] == [200] * 3 + [429] * 2
    assert b"too-many-requests" in said[-1].body
    assert int(said[-1].headers["Retry-After"]) > 0


def problem_of(answer: Answer) -> str:
    """The code of an answer that is a whole problem document, as the gateway's own are."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json
    code = {one.slug: one for one in ErrorCode}[told["code"]]
    assert told == {
        "type": TYPES + code.slug,
        "title": code.title,
        "status": answer.status,
        "code": code.slug,
        "instance": told["instance"],
    }
    assert uuid.UUID(told["instance"].removeprefix("urn:uuid:")).version == 4
    return code.slug


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "malformed-request", id="hosts"),
        pytest.param(b"nonsense\r\n\r\n", 400, "malformed-request", id="no request"),
        pytest.param(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 414, "malformed-request", id="long"),
        pytest.param(
            b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431, "malformed-request", id="header"
        ),
        pytest.param(b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405, "method-not-allowed", id="TRACE"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: mtls.gateway.council.test\r\n\r\n", 421, "misdirected", id="other host"
        ),
        pytest.param(
            b"POST /v1/inbox HTTP/1.1\r\n" + HOST + b"Content-Length: 300000\r\n\r\n",
            413,
            "too-large",
            id="413",
        ),
    ],
)
async def test_what_the_proxy_refuses_is_a_problem_document_like_the_gateways(
    edge: Edge, said: bytes, status: int, code: str
) -> None:
    """RFC 9457; what was sent is not in it."""

    def send() -> Answer:
        with edge.tls(None, API_NAME) as channel:
            channel.sendall(said)
            response = http.client.HTTPResponse(channel)
            response.begin()
            return Answer(response.status, response.headers, response.read())

    answer = await asyncio.to_thread(send)
    assert (answer.status, problem_of(answer)) == (status, code)
    assert b"xxx" not in answer.body


async def test_while_the_gateway_is_away_the_proxy_says_when_to_come_again(
    tmp_path: Path, away: Path
) -> None:
    """What nginx says while the gateway restarts: 502, a repeat is safe."""
    with nginx(away, free_port()) as proxy:
        context = proxy.trusting()

        def ask(method: str, path: str) -> Answer:
            with (
                socket.create_connection(("127.0.0.1", proxy.port)) as plain,
                context.wrap_socket(plain, server_hostname=API_NAME) as channel,
            ):
                return exchange(channel, method, path, API_NAME, (), b"{}" if method == "POST" else None)

        message = await asyncio.to_thread(ask, "POST", "/v1/messages")
        token = await asyncio.to_thread(ask, "POST", "/oauth2/token")
        officer = await asyncio.to_thread(ask, "GET", "/console/")
    assert (message.status, problem_of(message)) == (502, "unavailable")
    assert message.headers["Retry-After"] == token.headers["Retry-After"] == "5"
    assert (token.status, token.json["error"]) == (502, "temporarily_unavailable")
    assert (officer.status, officer.headers.get_content_type()) == (502, "text/html")
    assert b"try again" in officer.body


def until_closed(channel: socket.socket) -> bytes:
    """Everything until the other side closes; the socket's own time limit is an error."""
    said = b""
    try:
        while piece := channel.recv(65_536):
            said += piece
    except (ConnectionResetError, ssl.SSLEOFError):
        return said
    return said

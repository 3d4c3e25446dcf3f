"""Groups 70, 71 and 73: bytes that are hardly HTTP, on the gateway's own listener, without a proxy before it.

Behind the shipped proxy most of these never reach the gateway; here they do. Whatever comes, nobody else waits for it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.actions.scene import rows
from tests.edges.at_the_door import MARKER, Raw
from tests.gateway_house import House, gateway_house

POLICE = "northshire-police"
M = MARKER.encode()
SECOND = b"GET /v1/receipts/jwks HTTP/1.1\r\nHost: second\r\n\r\n"
START = b"POST /v1/messages HTTP/1.1\r\nHost: gateway\r\n"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, request_timeout_seconds=1) as running:
        await running.gateway.dispatch.stop()
        yield running


def connect(house: House) -> ssl.SSLSocket:
    host, _, port = house.base_url.removeprefix("https://").rpartition(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    return house.trusting().wrap_socket(plain, server_hostname=host)


def until_closed(channel: ssl.SSLSocket) -> bytes:
    """Everything that is answered until the other side closes."""
    answer = b""
    try:
        while piece := channel.recv(65_536):
            answer += piece
    except (ConnectionError, ssl.SSLEOFError):
        pass
    return answer


def say(house: House, sent: bytes) -> bytes:
    with closing(connect(house)) as channel:
        channel.sendall(sent)
        return until_closed(channel)


async def answers_others(house: House) -> bool:
    async with Raw(house, POLICE) as police:
        return (await police.call("GET", "/v1/duties", headers=())).status == 200


NO_REQUEST = {
    "70 length and chunks": START
    + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SECOND,
    "70 two lengths": START + b"Content-Length: 0\r\nContent-Length: 90\r\n\r\n" + SECOND,
    "70 a list of lengths": START + b"Content-Length: 0, 90\r\n\r\n" + SECOND,
    "70 a negative length": START + b"Content-Length: -1\r\n\r\n" + SECOND,
    "70 a length in hexadecimal": START + b"Content-Length: 0x5\r\n\r\n" + SECOND,
    "70 a length with a sign": START + b"Content-Length: +5\r\n\r\n" + SECOND,
    "70 a length of many digits": START + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n" + SECOND,
    "70 chunks twice": START + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "70 another coding": START + b"Transfer-Encoding: " + M + b"\r\n\r\n" + SECOND,
    "70 a folded line": START + b"X-A: a\r\n  folded: " + M + b"\r\n\r\n",
    "70 a space before the colon": START + b"Content-Length : 5\r\n\r\n" + M,
    "70 a NUL in a header": START + b"X-A: " + M + b"\x00\r\n\r\n",
    "70 bare line feeds": START.replace(b"\r\n", b"\n") + b"X-A: " + M + b"\n\n",
    "70 no version": b"GET /" + M + b"\r\n\r\n",
    "70 no HTTP at all": b"\x16\x03\x01" + M + b"\r\n\r\n",
    "70 HTTP/2 without being asked": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "70 a chunk without a length": START + b"Transfer-Encoding: chunked\r\n\r\n" + M + b"\r\n",
    "70 a chunk of hexadecimal overflow": START
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"f" * 30
    + b"\r\n"
    + M,
}


@pytest.mark.parametrize("sent", NO_REQUEST.values(), ids=NO_REQUEST)
async def test_what_can_be_read_in_two_ways_gets_one_refusal_and_no_second_answer(
    house: House, sent: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await rows(house)
    answer = await asyncio.to_thread(say, house, sent)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 404"), answer[:200]
    assert b"keys" not in answer, "what came after it was not taken for a request"
    assert M not in answer
    logged = capsys.readouterr()
    assert MARKER not in logged.out + logged.err
    assert await rows(house) == before
    assert await answers_others(house)


LARGE = {
    "70 a header of 100 kB": START + b"X-A: " + b"a" * 100_000 + b"\r\nConnection: close\r\n\r\n",
    "70 5000 headers": START
    + b"".join(b"X-%d: a\r\n" % n for n in range(5000))
    + b"Connection: close\r\n\r\n",
    "70 an address of 100 kB": b"GET /"
    + b"a" * 100_000
    + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
}
HOSTS = {
    "70 no Host": b"POST /v1/messages HTTP/1.1\r\nConnection: close\r\n\r\n",
    "70 two Hosts": START + b"Host: other\r\nConnection: close\r\n\r\n",
    "two in the older version": b"GET /oauth2/jwks HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("sent", LARGE.values(), ids=LARGE)
async def test_what_is_large_is_nobody_either(house: House, sent: bytes) -> None:
    """Without credentials nothing is read."""
    answer = await asyncio.to_thread(say, house, sent)
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 404", b"HTTP/1.1 431"), answer[:100]
    assert await answers_others(house)


@pytest.mark.parametrize("sent", HOSTS.values(), ids=HOSTS)
async def test_a_request_names_its_host_once(house: House, sent: bytes) -> None:
    """RFC 9112 section 3.2. HTTP/1.0 knew no Host."""
    answer = await asyncio.to_thread(say, house, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed-request"' in answer
    older = await asyncio.to_thread(say, house, b"GET /oauth2/jwks HTTP/1.0\r\n\r\n")
    assert older.startswith(b"HTTP/1.1 200 ")


async def test_who_asks_first_hears_that_it_is_too_large_before_sending_it(house: House) -> None:
    """RFC 9110 section 10.1.1: the answer comes in place of 100 (Continue)."""
    async with Raw(house, POLICE) as police:
        told = (await police.credentials("POST", "/v1/messages")).items()
    head = START + "".join(f"{name}: {value}\r\n" for name, value in told).encode()
    length = house.parts.settings.body_limit_bytes + 1
    asked = f"Content-Type: application/json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"

    def first_line() -> bytes:
        with closing(connect(house)) as channel:
            channel.sendall(head + asked.encode())
            return channel.recv(12)

    assert await asyncio.to_thread(first_line) == b"HTTP/1.1 413"


async def test_71_a_body_that_does_not_end_is_given_up_and_nobody_waits_for_it(house: House) -> None:
    """Twenty authenticated senders that stop in the middle of a body; the deadline is one second here."""
    async with Raw(house, POLICE) as police:
        openings = []
        for _ in range(20):
            proof = await police.credentials("POST", "/v1/messages")
            head = "".join(f"{name}: {value}\r\n" for name, value in proof.items())
            openings.append(
                START + head.encode() + b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
            )

    def crowd() -> list[ssl.SSLSocket]:
        slow = [held.enter_context(closing(connect(house))) for _ in openings]
        for channel, opening in zip(slow, openings, strict=True):
            channel.sendall(opening)
        return slow

    with ExitStack() as held:
        slow = await asyncio.to_thread(crowd)
        assert await answers_others(house)
        ends = await asyncio.gather(*(asyncio.to_thread(channel.recv, 12) for channel in slow))
    assert set(ends) == {b"HTTP/1.1 400"}


async def test_71_whoever_does_not_read_its_answer_holds_nobody_up(house: House) -> None:
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 50

    def deaf() -> None:
        channel = held.enter_context(closing(connect(house)))
        channel.settimeout(0.5)
        with suppress(TimeoutError):
            channel.sendall(asked)

    with ExitStack() as held:
        await asyncio.to_thread(deaf)
        assert await answers_others(house)


async def test_71_whoever_hangs_up_in_the_middle_leaves_nothing(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await rows(house)
    async with Raw(house, POLICE) as police:
        proof = await police.credentials("POST", "/v1/messages")
    head = "".join(f"{name}: {value}\r\n" for name, value in proof.items()).encode()

    def hang_up() -> None:
        with closing(connect(house)) as channel:
            channel.sendall(
                START + head + b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{" + M
            )

    await asyncio.to_thread(hang_up)
    assert await answers_others(house)
    assert await rows(house) == before
    assert MARKER not in capsys.readouterr().err


# --- 73: methods -------------------------------------------------------------------------------------------------------

OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


@pytest.mark.parametrize("name", OVERRIDES)
async def test_73_a_header_or_parameter_never_changes_the_method(house: House, name: str) -> None:
    """A proof is made out to the method; the one in the request line counts."""
    async with Raw(house, POLICE) as police:
        before = await rows(house)
        body = b'{"_method": "GET"}'
        headers = ((name, "GET"), ("Content-Type", "application/json"))
        said = await police.call("POST", "/v1/messages", body, headers, query="?_method=GET")
        assert (said.status, said.code) == (422, "invalid-message"), (
            "read as the message that it was posted as"
        )
        said = await police.call("GET", "/v1/duties", headers=((name, "DELETE"),), query="?_method=DELETE")
        assert said.status == 200
        assert await rows(house) == before


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("OPTIONS", "/v1/messages", 405, {"POST"}),
        ("TRACE", "/v1/messages", 405, {"POST"}),
        ("HEAD", "/v1/messages", 405, {"POST"}),
        ("PUT", "/v1/inbox", 405, {"GET", "HEAD"}),
        ("PATCH", "/v1/duties", 405, {"GET", "HEAD"}),
        ("DELETE", "/v1/messages/msg-aaaa", 405, {"GET", "HEAD"}),
        ("POST", "/v1/receipts/jwks", 405, {"GET", "HEAD"}),
        ("OPTIONS", "/oauth2/token", 405, {"POST"}),
        ("TRACE", "/oauth2/jwks", 405, {"GET", "HEAD"}),
        ("CONNECT", "/v1/messages", 405, {"POST"}),
        ("GET", "/v1/messages", 405, {"POST"}),
    ],
)
async def test_73_every_address_has_its_methods_and_says_which(
    house: House, method: str, path: str, status: int, allowed: set[str]
) -> None:
    """RFC 9110 section 15.5.6. There is no cross-origin sharing: OPTIONS is answered as any other method that is not there."""
    request = f"{method} {path} HTTP/1.1\r\nHost: a\r\nX-Marker: {MARKER}\r\nConnection: close\r\n\r\n"
    answer = (await asyncio.to_thread(say, house, request.encode())).decode("latin-1")
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}"), head
    named = {line.partition(":")[2] for line in head.splitlines() if line.lower().startswith("allow:")}
    assert {one.strip() for line in named for one in line.split(",")} == allowed
    assert "access-control" not in head.lower()
    assert MARKER not in answer
    assert method != "HEAD" or body == ""


async def test_73_head_answers_as_get_does_without_the_body_and_needs_a_proof_of_its_own(
    house: House,
) -> None:
    async with Raw(house, POLICE) as police:
        got = await police.call("GET", "/v1/duties", headers=())
        headed = await police.call("HEAD", "/v1/duties", headers=())
        assert (headed.status, headed.body) == (got.status, b"")
        assert headed.headers["Content-Length"] == got.headers["Content-Length"]
        for_get = await police.credentials("GET", "/v1/duties")
        assert (await police.call("HEAD", "/v1/duties", headers=(), credentials=for_get)).status == 401

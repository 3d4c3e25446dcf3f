"""The guarded connection reaches public hosts over TLS and nothing inside the house."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import aclosing

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from adapters.fetch import Answer, Fetcher, FetchFailed, is_public
from tests.adapters.far_end import HOST, FarEnd, far_end, loopback, trusting

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.7", "198.18.0.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:7f00:1::",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "51.140.1.1", "2a00:1450:4009::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_in_ipv6_never_makes_it_public(address: object) -> None:
    assert is_public(f"::ffff:{address}") == is_public(str(address))


async def nowhere(host: str, port: int) -> list[str]:
    """A resolver that must not be asked."""
    raise AssertionError("this host should have been refused before it was looked up")


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/",
        "ftp://partner.example/",
        "file:///etc/passwd",
        "gopher://partner.example/",
        "https://user@partner.example/",
        "https://user:word@partner.example/",
        "https:///path",
        "https://partner.example:99999/",
        "https://[::1/",
        "partner.example",
        "",
    ],
)
async def test_only_plain_https_addresses_are_taken(url: str) -> None:
    assert await refusal(Fetcher(resolve=nowhere), url) == "url-refused"


@pytest.mark.parametrize("address", [a for a in INSIDE if "%" not in a])
async def test_a_number_inside_as_host_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert await refusal(Fetcher(resolve=nowhere), f"https://{host}/") == "address-refused"


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "１２７.0.0.1", "[fe80::1%25eth0]"],
)
async def test_a_number_inside_in_an_odd_spelling_is_refused(host: str) -> None:
    """With the machine's own resolver, which reads old spellings as addresses."""
    assert await refusal(Fetcher(), f"https://{host}/") in {"address-refused", "url-refused", "dns"}


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return [address]

    assert await refusal(Fetcher(resolve=resolve), "https://partner.example/") == "address-refused"


async def test_a_name_that_leads_inside_and_outside_is_refused_whole() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "127.0.0.1"]

    assert await refusal(Fetcher(resolve=resolve), "https://partner.example/") == "address-refused"


async def test_the_real_resolver_finds_localhost_inside() -> None:
    assert await refusal(Fetcher(), "https://localhost/") == "address-refused"


async def test_a_refused_host_is_never_connected_to() -> None:
    async with far_end() as end:
        assert await refusal(Fetcher(tls=trusting(), resolve=loopback), end.url) == "address-refused"
        assert end.connections == 0


async def test_a_development_host_is_excepted_at_its_port_only() -> None:
    async with far_end() as end, far_end() as other, aclosing(reach(end)) as fetcher:
        assert (await fetcher.request("GET", end.url)).status == 204
        with pytest.raises(FetchFailed, match="address-refused"):
            await fetcher.request("GET", other.url)


async def test_the_host_is_resolved_once_for_each_connection_and_connections_are_kept() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with far_end() as end:
        fetcher = Fetcher(tls=trusting(), resolve=resolve, development_hosts=[HOST])
        for _ in range(3):
            await fetcher.request("POST", end.url, body=b"{}")
        await fetcher.aclose()
        assert (asked, end.connections, len(end.received)) == ([HOST], 1, 3)


async def test_the_answer_says_who_answered_over_which_tls() -> None:
    async with far_end() as end:
        end.says(202, {"X-Word": "yes"}, b"taken")
        answer = await ask(reach(end), end)
    assert (answer.status, answer.body, answer.complete) == (202, b"taken", True)
    assert answer.headers["x-word"] == "yes"
    assert answer.evidence["tls"] == "TLSv1.3"
    assert len(answer.evidence["certificate_sha256"]) == 64


async def test_a_certificate_for_another_host_is_refused() -> None:
    async with far_end(certificate_for="other.example") as end:
        assert await refusal(reach(end), end.url) == "tls"


async def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    async with far_end() as end:
        fetcher = Fetcher(tls=ssl.create_default_context(), resolve=loopback, development_hosts=[HOST])
        assert await refusal(fetcher, end.url) == "tls"


async def test_redirects_are_answers_and_not_followed() -> None:
    async with far_end() as end, far_end() as elsewhere:
        end.says(307, {"Location": elsewhere.url})
        fetcher = Fetcher(tls=trusting(), resolve=loopback, development_hosts=[HOST])
        assert (await ask(fetcher, end)).status == 307
        assert elsewhere.connections == 0


async def test_no_more_of_a_body_is_read_than_the_limit() -> None:
    async with far_end() as end:
        end.says(200, body=b"x" * 100_000)
        answer = await ask(reach(end), end)
    assert (len(answer.body), answer.complete) == (4096, False)


@pytest.mark.parametrize("length", [0, 1, 4095, 4096])
async def test_a_body_up_to_the_limit_is_whole(length: int) -> None:
    async with far_end() as end:
        end.says(200, body=b"x" * length)
        answer = await ask(reach(end), end)
    assert (len(answer.body), answer.complete) == (length, True)


async def test_a_body_without_end_does_not_hold_us() -> None:
    """The time limit ends it; the status line has been said and counts."""
    released = asyncio.Event()

    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"...")
        await released.wait()
        return response

    async with far_end() as end:
        end.replies.append(drip)
        answer = await ask(reach(end, total_seconds=0.5), end)
        released.set()
    assert (answer.status, answer.body, answer.complete) == (200, b"...", False)


async def test_a_far_end_that_never_answers_is_a_time_out() -> None:
    released = asyncio.Event()

    async def silence(_: web.BaseRequest) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    async with far_end() as end:
        end.replies.append(silence)
        assert await refusal(reach(end, total_seconds=0.5), end.url) == "time-out"
        released.set()


async def test_a_far_end_that_is_gone_refuses_the_connection() -> None:
    async with far_end() as end:
        await end.goes_away()
        assert await refusal(reach(end), end.url) == "refused-connection"


async def test_a_far_end_that_hangs_up_is_a_lost_connection() -> None:
    async def hang_up(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with far_end() as end:
        end.replies.append(hang_up)
        assert await refusal(reach(end), end.url) == "connection-lost"


async def test_a_far_end_that_speaks_no_http_is_told_apart() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    fetcher = Fetcher(resolve=loopback, development_hosts=[HOST])
    assert await refusal(fetcher, f"http://{HOST}:{port}/") == "not-http"
    server.close()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(socket.gaierror(socket.EAI_AGAIN, "later"), "dns"), (TimeoutError(), "time-out"), (None, "dns")],
)
async def test_a_name_that_cannot_be_resolved_is_a_dns_failure(fault: OSError | None, reason: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if fault:
            raise fault
        return []

    assert await refusal(Fetcher(resolve=resolve), "https://partner.example/") == reason


async def test_an_error_never_holds_the_address() -> None:
    fetcher = Fetcher(resolve=nowhere)
    with pytest.raises(FetchFailed) as caught:
        await fetcher.request("GET", "https://10.0.0.1/secret-path")
    assert "10.0.0.1" not in str(caught.value)
    assert "secret-path" not in str(caught.value)


def reach(end: FarEnd, total_seconds: float = 10.0) -> Fetcher:
    return Fetcher(
        tls=trusting(), resolve=loopback, development_hosts=[end.host], total_seconds=total_seconds
    )


async def ask(fetcher: Fetcher, end: FarEnd) -> Answer:
    """The answer to one request; the fetcher is closed."""
    async with aclosing(fetcher):
        return await fetcher.request("POST", end.url, body=b"{}", body_limit_bytes=4096)


async def refusal(fetcher: Fetcher, url: str) -> str:
    """The reason why no answer came; the fetcher is closed."""
    async with aclosing(fetcher):
        with pytest.raises(FetchFailed) as caught:
            await fetcher.request("POST", url, body=b"{}")
    return caught.value.reason

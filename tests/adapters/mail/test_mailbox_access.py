"""A mailbox that wants a token: fetched by client credentials from a real endpoint, used with a real Dovecot (XOAUTH2)."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from adapters.fetch import Fetcher
from adapters.mail.access import AccessTokens, ClientCredentials, NoToken
from adapters.mail.mailbox import Mailbox, account_from_url, trouble_code, watch
from gateway.app import system_clock
from tests.mail_servers import MailHouse


@dataclass
class TokenServer:
    """An authorization server: what it was asked, and what it says."""

    answer: dict[str, object]
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append({key: str(value) for key, value in (await request.post()).items()})
        return web.json_response(self.answer, status=self.status)

    def tokens(self, secret: str = "geheim") -> AccessTokens:
        host = self.url.split("/")[2]
        return AccessTokens(
            lambda: ClientCredentials(self.url, "gateway", secret, "https://mail.example/.default"),
            lambda: Fetcher(tls=self.tls, development_hosts=(host,), total_seconds=10),
        )


@asynccontextmanager
async def token_server(**answer: object) -> AsyncIterator[TokenServer]:
    authority = trustme.CA()
    server = TokenServer(answer)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server.tls = ssl.create_default_context()
    authority.configure_trust(server.tls)
    app = web.Application()
    app.router.add_post("/token", server.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        server.url = f"https://127.0.0.1:{runner.addresses[0][1]}/token"
        yield server
    finally:
        await runner.cleanup()


def token_for(address: str, key: ec.EllipticCurvePrivateKey) -> str:
    now = int(system_clock().timestamp())
    claims = {"sub": address, "iat": now, "nbf": now - 5, "exp": now + 600}
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, ECKey.import_key(pem))


async def test_a_token_is_fetched_once_and_opens_the_mailbox(house: MailHouse) -> None:
    address = "tokened@council.example"
    known = account_from_url(house.imap_url(address), str(house.ca_file))
    async with token_server(
        access_token=token_for(address, house.token_key), token_type="Bearer", expires_in=3600
    ) as server:
        account = replace(known, password="", access_token=server.tokens())

        def twice() -> list[int]:
            found = []
            for _ in range(2):
                with Mailbox(account) as mailbox:
                    found.append(len(list(mailbox.fetch())))
            return found

        assert await asyncio.to_thread(twice) == [0, 0]
    assert server.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "gateway",
            "client_secret": "geheim",
            "scope": "https://mail.example/.default",
        }
    ]
    assert "geheim" not in repr(account)


async def test_a_token_in_its_last_moments_is_fetched_anew() -> None:
    async with token_server(access_token="abc", token_type="bearer", expires_in=60) as server:
        tokens = server.tokens()
        assert [await asyncio.to_thread(tokens) for _ in range(2)] == ["abc", "abc"]
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, {"error": "invalid_client"}),
        (200, {"access_token": "abc"}),
        (200, {"access_token": "a\x01auth=x", "token_type": "Bearer"}),
        (200, {"access_token": "abc", "token_type": "mac"}),
        (200, {"token_type": "Bearer"}),
    ],
    ids=["refused", "no type", "would end the SASL string", "other type", "no token"],
)
async def test_an_answer_that_is_no_token_is_reported_as_that(status: int, answer: dict[str, object]) -> None:
    async with token_server(**answer) as server:
        server.status = status
        with pytest.raises(NoToken) as raised:
            await asyncio.to_thread(server.tokens())
    assert trouble_code(raised.value) == "token"
    assert "abc" not in str(raised.value)


async def test_a_token_that_the_mail_server_does_not_take_is_a_failed_login(house: MailHouse) -> None:
    address, stranger = "tokened@council.example", ec.generate_private_key(ec.SECP256R1())
    known = account_from_url(house.imap_url(address), str(house.ca_file))
    stop, troubles = threading.Event(), list[str]()

    def trouble(code: str) -> None:
        troubles.append(code)
        stop.set()

    wrong = replace(known, access_token=lambda: token_for(address, stranger))
    await asyncio.to_thread(
        lambda: watch(lambda: wrong, lambda mail: None, stop, clock=system_clock, trouble=trouble)
    )
    assert troubles == ["login"]

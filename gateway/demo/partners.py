"""The other side, played for real: a school's mail server that signs its replies, a webhook receiver that checks signatures."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib
import dkim
from aiohttp import web

from keys.development import make_dkim_key

SELECTOR = b"demo"


class School:
    """A school's mail server and the person who answers: takes letters over STARTTLS, replies with a DKIM signature."""

    def __init__(self, domain: str, clock: Callable[[], datetime]) -> None:
        self.domain = domain
        self._clock = clock
        self._key_pem, self.published_key = (
            make_dkim_key()
        )  # the second is what the school's DNS would answer
        self._letters: asyncio.Queue[EmailMessage] = asyncio.Queue()

    async def next_letter(self) -> EmailMessage:
        """The next letter to arrive; the caller bounds the wait."""
        return await self._letters.get()

    def reply(self, letter: EmailMessage, writer: str, words: str) -> bytes:
        """A reply as a busy person writes it: the answer on top, the letter quoted beneath, signed by the school's server."""
        quoted = _text_of(letter)
        answer = EmailMessage(policy=email.policy.SMTP)
        answer["From"] = writer
        answer["To"] = str(letter["Reply-To"])
        answer["Subject"] = f"Re: {letter['Subject']}"
        answer["In-Reply-To"] = str(letter["Message-ID"])
        answer["References"] = str(letter["Message-ID"])
        answer["Message-ID"] = f"<{hashlib.sha256(words.encode()).hexdigest()[:24]}@{self.domain}>"
        answer["Date"] = format_datetime(self._clock())
        said = "\n".join(f"> {line}" for line in quoted.splitlines())
        introduction = f"On {letter['Date']}, {letter['From']} wrote:"
        answer.set_content(f"{words}\n\n{introduction}\n{said}\n")
        raw = answer.as_bytes()
        headers = [b"from", b"to", b"subject", b"message-id", b"date", b"in-reply-to", b"references"]
        signature: bytes = dkim.sign(
            raw, SELECTOR, self.domain.encode(), self._key_pem, include_headers=headers
        )
        return signature + raw

    async def take(self, raw: bytes) -> None:
        """A mail arrives; one that asks nothing, such as the receipt for a reply, is left unread."""
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        if "confirmation needed" in str(mail["Subject"]):
            await self._letters.put(mail)


class OwnMailServer:
    """The council's own mail server in little: checks DKIM, stamps its verdict, hands the mail to the gateway.

    In a real deployment this is the mail server in front of the mailbox (see the operator's guide).
    """

    def __init__(self, name: str, schools: dict[str, School]) -> None:
        self._name = name
        self._schools = schools

    def stamped(self, raw: bytes) -> bytes:
        """The mail with our Authentication-Results on top (RFC 8601); what anyone else stamped before is left beneath."""
        domain = str(email.message_from_bytes(raw)["From"]).rpartition("@")[2].rstrip(">").lower()
        school = self._schools.get(domain)
        passed = school is not None and bool(
            dkim.verify(raw, dnsfunc=lambda name, timeout=5: school.published_key)  # type: ignore[no-untyped-call]
        )
        verdict = "pass" if passed else "fail"
        stamp = (
            f"Authentication-Results: {self._name};\r\n dkim={verdict} header.d={domain};\r\n"
            f" dmarc={verdict} header.from={domain}\r\n"
        )
        return stamp.encode() + raw


async def post_mail(raw: bytes, sender: str, recipient: str, port: int, tls: ssl.SSLContext) -> None:
    """Send one mail over STARTTLS, which is required."""
    await aiosmtplib.send(
        raw,
        sender=sender,
        recipients=[recipient],
        hostname="localhost",
        port=port,
        start_tls=True,
        tls_context=tls,
    )


class WebhookReceiver:
    """A partner's endpoint: checks the Standard Webhooks signature and remembers which deliveries it was told of."""

    def __init__(self, tls: ssl.SSLContext, secret: str) -> None:
        self._tls = tls
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Listen on a loopback port."""
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self._tls)
        await site.start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        if expected not in request.headers["webhook-signature"].split(" "):
            return web.Response(status=400)
        await self.told.put(str(json.loads(body)["delivery"]))
        return web.Response(status=204)


def letter_reference(letter: EmailMessage) -> str:
    found = re.search(r"SG-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}", str(letter["Subject"]))
    return found[0] if found else ""


def _text_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    return str(part.get_content()) if part is not None else ""

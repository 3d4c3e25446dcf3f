"""A mail relay on loopback that keeps what it takes, for deployments that write to people."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import trustme

from adapters.mail.receiver import Receiver


@dataclass
class Catcher:
    """What came, in order. `settings` make a deployment send here."""

    settings: dict[str, Any]
    letters: asyncio.Queue[EmailMessage] = field(default_factory=asyncio.Queue)

    async def next(self, words: str = "") -> EmailMessage:
        """The next letter that says this; others are put aside."""
        async with asyncio.timeout(20):
            while words not in text_of(letter := await self.letters.get()):
                pass
        return letter

    def waiting(self, words: str) -> int:
        """How many of those that came and were not looked at say this."""
        found = [self.letters.get_nowait() for _ in range(self.letters.qsize())]
        return sum(words in text_of(letter) for letter in found)


def text_of(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


@asynccontextmanager
async def mail_catcher(folder: Path, authority: trustme.CA) -> AsyncIterator[Catcher]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    authority.cert_pem.write_to_path(folder / "mail-authority.pem")
    catcher = Catcher({})

    async def take(raw: bytes, *_: object) -> None:
        await catcher.letters.put(
            email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[arg-type]
        )

    relay = Receiver(take, tls)
    port = await relay.start()
    catcher.settings |= {
        "smtp_url": f"smtp://localhost:{port}",
        "smtp_ca_file": folder / "mail-authority.pem",
        "mail_from": "South Tyneside Council <safeguarding@council.example>",
        "mail_domain": "reply.council.example",
    }
    try:
        yield catcher
    finally:
        await relay.stop()

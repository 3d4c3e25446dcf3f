"""Schools on the loopback: their mail server takes the letters, a person answers each letter once, and the answer goes into
our own mailbox as our own mail server would put it there (checked, stamped, handed over by LMTP).

A school's mail server stays up whatever the gateway does: what it took twice it knows by the reference in the subject.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from ssl import SSLContext

from adapters.mail.receiver import Receiver
from gateway.demo.partners import OwnMailServer, School, letter_reference
from tests.mail_servers import MailHouse

OWN_MAIL_SERVER = "mail.council.example"
MAILBOX = "replies@reply.council.example"
LEADS = {"harbour-view.example": "dsl@harbour-view.example", "cliffside.example": "dsl@cliffside.example"}


@dataclass
class Letters:
    """Every letter that the schools' mail server took, by reference: the first copy, and all Message-IDs it came under."""

    happened: Callable[[str], None]
    first: dict[str, EmailMessage] = field(default_factory=dict)
    message_ids: dict[str, list[str]] = field(default_factory=dict)
    unanswered: asyncio.Queue[EmailMessage] = field(default_factory=asyncio.Queue)

    async def take(self, raw: bytes, envelope_to: str, envelope_from: str) -> None:
        letter = email.message_from_bytes(raw, policy=email.policy.default)
        if letter["Auto-Submitted"] == "auto-replied":
            return  # the receipt for a reply
        reference = letter_reference(letter)
        assert reference, "a letter has its reference in the subject"
        self.message_ids.setdefault(reference, []).append(str(letter["Message-ID"]))
        if reference not in self.first:
            self.first[reference] = letter
            self.unanswered.put_nowait(letter)
        self.happened("letter")


@asynccontextmanager
async def schools_mail_server(letters: Letters, tls: SSLContext) -> AsyncIterator[int]:
    """The port where letters are taken over STARTTLS."""
    receiver = Receiver(letters.take, tls)
    port = await receiver.start()
    try:
        yield port
    finally:
        await receiver.stop()


@dataclass
class Leads:
    """The designated safeguarding leads: each answers every letter once, clearly, by e-mail."""

    letters: Letters
    house: MailHouse
    clock: Callable[[], datetime]
    answered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.schools = {domain: School(domain, self.clock) for domain in LEADS}
        self.own = OwnMailServer(OWN_MAIL_SERVER, self.schools)

    async def answer_for_ever(self) -> None:
        while True:
            letter = await self.letters.unanswered.get()
            raw = await asyncio.to_thread(self._reply, letter, len(self.answered))
            await asyncio.to_thread(self._hand_over, raw)
            self.answered.append(letter_reference(letter))
            self.letters.happened("reply")

    def _reply(self, letter: EmailMessage, number: int) -> bytes:
        domain = str(letter["To"]).strip("<>").rpartition("@")[2]
        words = (
            f"a. Dates on roll (from and to): {number % 28 + 1:02}/09/2025 - present\n"
            "b. Previous school (if applicable): not applicable\n"
            "c. Do you hold any records that indicate child welfare or child protection concerns relating to this "
            "child? Yes\n"
        )
        return self.own.stamped(self.schools[domain].reply(letter, LEADS[domain], words))

    def _hand_over(self, raw: bytes) -> None:
        with smtplib.LMTP("127.0.0.1", self.house.lmtp_port) as lmtp:
            lmtp.sendmail("postmaster@council.example", [MAILBOX], raw)

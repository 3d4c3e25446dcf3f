"""E-mails as agencies and schools send them, stamped by our own server, and their way into a house."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from gateway.dispatch import intake
from tests.actions.scene import waiting
from tests.gateway_house import House

SERVER = "mx.council.example"
HOSPITAL, LEAD = "o.hartfield@northshire-hospitals.example", "dsl@harbour-view.example"
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def written(
    sender: str,
    subject: str,
    text: str,
    *files: tuple[str, str, bytes],
    to: str = "x@council.example",
    **more: str,
) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = sender, to, subject
    for name, value in more.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    for name, kind, content in files:
        main, _, sub = kind.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()


def stamped(raw: bytes, verdict: str = "pass") -> bytes:
    domain = raw.partition(b"From: ")[2].partition(b"\r\n")[0].partition(b"@")[2].decode()
    stamp = (
        f"Authentication-Results: {SERVER}; dkim={verdict} header.d={domain};"
        f" dmarc={verdict} header.from={domain}\r\n"
    )
    return stamp.encode() + raw


async def take_in(house: House, raw: bytes) -> None:
    await intake.keep(house.parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    assert await intake.read_kept(house.parts) == 1


async def mail_held(house: House) -> list[Any]:
    return [held for held in await waiting(house) if held.subject_kind == "mail"]

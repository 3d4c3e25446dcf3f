"""A mail is kept once and read once: killed between keeping and marking, listed anew under another UIDVALIDITY, or clear in itself."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from adapters.mail.mailbox import Mailbox
from gateway.app.ways_in import own_account, read_mailbox_once
from gateway.core.replies import MailExpected, MailReading
from gateway.dispatch.intake import read_kept
from gateway.settings import Settings
from gateway.store import mail
from tests.actions.scene import letter_to_the_school, waiting
from tests.gateway_house import House, gateway_house
from tests.mail_servers import MailHouse, mailbox_server

ADDRESS = "replies@council.example"
pytestmark = [pytest.mark.needs("dovecot"), pytest.mark.timeout(90)]

# What `gateway serve` runs for each mail, with SIGKILL between the durable keeping and the marking.
KILLED = """
import asyncio, json, os, signal, sys
from adapters.mail.mailbox import Mailbox
from gateway import app
from gateway.app import ways_in
from gateway.settings import Settings

async def main():
    parts = app.build_parts(Settings(**json.loads(sys.argv[1])))
    Mailbox.mark = lambda self, uid: os.kill(os.getpid(), signal.SIGKILL)
    await ways_in.read_mailbox_once(parts, ways_in.own_account(parts.settings))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def mail_servers() -> Iterator[MailHouse]:
    with mailbox_server() as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The mailbox is set only where a test reads it, so that nothing else takes its mails."""
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


def reading_from(house: House, servers: MailHouse) -> Settings:
    password = house.folder / "imap.password"
    password.touch(mode=0o600)
    password.write_text(servers.password)
    changes: dict[str, Any] = {
        "imap_url": f"imap://{quote(ADDRESS)}@localhost:{servers.imap_port}",
        "imap_password_file": password,
        "imap_ca_file": servers.ca_file,
    }
    return house.parts.settings.model_copy(update=changes)


def put(servers: MailHouse, raw: bytes) -> None:
    with smtplib.LMTP("127.0.0.1", servers.lmtp_port) as lmtp:
        lmtp.sendmail("dsl@hillside.example", [ADDRESS], raw)


def lying(settings: Settings, folder: str) -> list[bytes]:
    with Mailbox(replace(own_account(settings), folder=folder)) as box:
        return [found.raw for found in box.fetch()]


async def kept(house: House) -> int:
    return len(await house.parts.store.read(lambda tx: mail.unread(tx, 100)))


async def test_a_mail_that_was_kept_when_the_gateway_was_killed_comes_again_and_is_known(
    house: House, mail_servers: MailHouse
) -> None:
    """Then moved and never deleted; and under another UIDVALIDITY the same bytes are known as well."""
    settings = reading_from(house, mail_servers)
    put(mail_servers, b"From: a@hillside.example\r\nSubject: once\r\n\r\nx\r\n")
    told = json.dumps(settings.model_dump(mode="json", exclude_defaults=True))
    died = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, told], capture_output=True, timeout=60, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    assert (await kept(house), len(lying(settings, "INBOX"))) == (1, 1)

    assert await read_mailbox_once(house.parts, own_account(settings)) == 1
    assert (await kept(house), lying(settings, "INBOX"), len(lying(settings, "Processed"))) == (1, [], 1)

    before = uidvalidity(settings)
    with Mailbox(replace(own_account(settings), folder="Processed", processed_folder="INBOX")) as box:
        box.mark(next(iter(box.fetch())).uid)
    for known in (mail_servers.folder / "mail" / ADDRESS).glob("dovecot*"):
        shutil.rmtree(known) if known.is_dir() else known.unlink()
    assert uidvalidity(settings) != before
    assert await read_mailbox_once(house.parts, own_account(settings)) == 1
    assert (await kept(house), lying(settings, "INBOX"), len(lying(settings, "Processed"))) == (1, [], 1)


def uidvalidity(settings: Settings) -> int:
    with Mailbox(own_account(settings)) as box:
        return box.uidvalidity


@pytest.mark.parametrize("named_in", ["address", "subject", "text"])
async def test_a_reply_is_read_once_wherever_it_names_its_letter(house: House, named_in: str) -> None:
    """In the house every mail from the mailbox comes without an envelope."""
    from gateway.dispatch import intake

    referral, row = await letter_to_the_school(house)
    to = f"reply+{row.token}@council.example" if named_in == "address" else "replies@council.example"
    subject = f"Re: {row.reference}" if named_in == "subject" else "Re: your letter"
    words = f"Reference {row.reference}" if named_in == "text" else "We shall look."
    raw = f"From: dsl@harbour-view.example\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{words}\r\n".encode()
    readings: list[MailExpected] = []

    def counting(content: bytes, expected: MailExpected) -> MailReading:
        readings.append(expected)
        return house.parts.read_mail(content, expected)

    parts = replace(house.parts, read_mail=counting)
    await intake.keep(parts, "mailbox", raw, envelope_to=None, arrived_at=house.clock())
    assert await read_kept(parts) == 1
    assert len(readings) == 1
    assert readings[0].enrolled
    (held,) = await waiting(house)
    assert (held.subject_kind, held.incident) == ("mail", referral["incident"])

"""What comes in by itself: the mailbox of replies and our MESH mailbox, read once or watched.

What came is durable before it is marked or acknowledged where it lay.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import structlog

from adapters.mail.access import AccessTokens, ClientCredentials
from adapters.mail.mailbox import Account, Mailbox, RawMail, account_from_url, hand_over, watch
from gateway.app.correspondence import with_password
from gateway.app.ways_out import fetcher_of
from gateway.core.deliveries import Posted
from gateway.core.errors import Unavailable, place_of
from gateway.dispatch import intake, mesh_intake
from gateway.parts import Parts
from gateway.settings import Settings
from gateway.store import mail as mail_rows

if TYPE_CHECKING:
    from adapters.mesh import MeshAdapter

MAILBOX, MESH = "mailbox", "mesh"
TOKEN_SECONDS = 15.0  # longest time for one token of the mailbox's authorization server

_log = structlog.get_logger()


def ways_in_of(settings: Settings) -> frozenset[str]:
    """What must be read past a due instant before a silence is stated."""
    ways = {MAILBOX: settings.imap_url, MESH: settings.mesh_url}
    return frozenset(way for way, url in ways.items() if url)


def own_account(settings: Settings) -> Account:
    """The mailbox that replies come to; its password stands in a file of its own, read anew at each sign-in."""
    url = with_password(settings.imap_url or "", settings.imap_password_file)
    account = account_from_url(url, str(settings.imap_ca_file) if settings.imap_ca_file else None)
    return replace(account, access_token=_access_tokens(settings)) if settings.imap_token_url else account


@cache
def _access_tokens(settings: Settings) -> AccessTokens:
    """One for each process, so that a token is fetched again only when it ends."""

    def credentials() -> ClientCredentials:
        file = settings.imap_client_secret_file
        return ClientCredentials(
            settings.imap_token_url or "",
            settings.imap_client_id or "",
            file.read_text("utf-8").strip() if file else "",
            settings.imap_scope or "",
        )

    return AccessTokens(credentials, lambda: fetcher_of(settings, TOKEN_SECONDS))


async def read_mailbox_once(parts: Parts, account: Account) -> int:
    """Take everything that lies in the mailbox: store each mail, then mark it; how many came."""
    read_from = parts.clock()
    loop = asyncio.get_running_loop()

    def take_all() -> int:
        with Mailbox(account) as mailbox:
            return hand_over(mailbox, lambda found: _keep(parts, loop, found))

    taken = await asyncio.to_thread(take_all)
    await parts.store.transact(lambda tx: mail_rows.set_watermark(tx, MAILBOX, read_from))
    return taken


async def watch_mailbox(parts: Parts, stop: threading.Event) -> None:
    """Take what comes to the mailbox until `stop` is set: IDLE and a poll, on one connection, in a thread of its own."""
    settings, loop = parts.settings, asyncio.get_running_loop()

    def caught_up(read_until: datetime) -> None:
        moving = parts.store.transact(lambda tx: mail_rows.set_watermark(tx, MAILBOX, read_until))
        asyncio.run_coroutine_threadsafe(moving, loop).result()

    def trouble(reason: str) -> None:  # the mailbox is down: alarm, and no silence is stated meanwhile
        _log.error("mailbox.trouble", reason=reason)

    await asyncio.to_thread(
        watch,
        lambda: own_account(settings),
        lambda found: _keep(parts, loop, found),
        stop,
        clock=parts.clock,
        caught_up=caught_up,
        trouble=trouble,
        poll_seconds=settings.imap_interval_seconds,
        retry_seconds=settings.imap_interval_seconds,
    )


def _keep(parts: Parts, loop: asyncio.AbstractEventLoop, found: RawMail) -> None:
    """Make one mail durable, from the mailbox's thread; returns when it is."""
    coming = intake.keep(
        parts,
        MAILBOX,
        found.raw,
        envelope_to=None,
        arrived_at=found.arrived_at,
        uidvalidity=found.uidvalidity,
        uid=found.uid,
    )
    asyncio.run_coroutine_threadsafe(coming, loop).result()


async def read_mesh_once(parts: Parts) -> int:
    """Take what lies in our MESH mailbox; each is acknowledged only once the gateway has it durably. How many there were."""
    from adapters.mesh import MeshAdapter, MeshFailed

    adapter, read_from = parts.adapter(MESH), parts.clock()
    assert isinstance(adapter, MeshAdapter)
    try:
        found = await adapter.arrived()
        for posted in found:
            await _take_one(parts, adapter, posted)
        await mesh_intake.note_collected(parts, adapter.is_collected)
    except MeshFailed as failed:
        _log.error("mesh.trouble", reason=failed.reason)
        return 0
    if not found:
        await parts.store.transact(lambda tx: mail_rows.set_watermark(tx, MESH, read_from))
    return len(found)


async def watch_mesh(parts: Parts) -> None:
    """Read our MESH mailbox again and again until cancelled; at once while something lay there."""
    while True:
        try:
            found = await read_mesh_once(parts)
        except (
            Exception
        ) as fault:  # one message that cannot be taken stays at MESH; the rest goes on next time
            _log.error("mesh.fault", fault=type(fault).__name__, where=place_of(fault))
            found = 0
        if not found:
            await asyncio.sleep(parts.settings.mesh_interval_seconds)


async def _take_one(parts: Parts, adapter: MeshAdapter, posted: Posted) -> None:
    """One item: durable, answered, then acknowledged. A fault of ours leaves it at MESH and stops none behind it."""
    try:
        answer = await mesh_intake.take_posted(parts, posted)
    except Unavailable:
        raise
    except Exception as fault:
        _log.error("mesh.fault", item=posted.id, fault=type(fault).__name__, where=place_of(fault))
        return
    if answer is None or await adapter.answer(posted.sender, answer, f"answer-{posted.id}"):
        await adapter.acknowledge(posted.id)

"""`/readyz` tells the truth: it refuses when a message could not be taken, and names what else is not as it should be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from gateway.api.operator import operator_app
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.timetable import seal_waiting
from gateway.parts import Parts
from gateway.store import mail, tables
from gateway.store.transaction import Store
from tests.actions.scene import refer
from tests.gateway_house import LOOPBACK, House, gateway_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running:
        await running.gateway.dispatch.stop()
        yield running


async def asked(parts: Parts) -> tuple[int, Any]:
    transport = httpx2.ASGITransport(app=operator_app(parts))
    async with httpx2.AsyncClient(transport=transport, base_url="http://operator") as operator:
        answer = await operator.get("/readyz")
    return answer.status_code, answer.json()


async def troubles(parts: Parts) -> set[str]:
    status, said = await asked(parts)
    assert (status, said["ready"]) == (200, True)
    return set(said["troubles"]) - {"disk-low"}  # of the machine that this runs on


async def test_work_that_nobody_does_is_told_and_over_once_it_is_done(house: House) -> None:
    await refer(house)
    assert await troubles(house.parts) == set()
    house.clock.move_by(minutes=2)
    assert await troubles(house.parts) == {"sealing"}
    house.clock.move_by(minutes=4)
    assert await troubles(house.parts) == {"sealing", "carrying"}
    while await carry_due(house.parts):
        pass
    await seal_waiting(house.parts)
    assert await troubles(house.parts) == set()


async def test_nothing_is_ready_whose_databases_do_not_do_their_work(house: House) -> None:
    """Each is broken for itself: the book, custody, remembered proofs."""
    parts, settings = house.parts, house.parts.settings
    closed = Store.open(settings.book_url, tables.book)
    await closed.aclose()
    assert await asked(replace(parts, store=closed)) == (503, {"ready": False, "reason": "database"})
    assert await asked(replace(parts, custody=closed)) == (503, {"ready": False, "reason": "custody"})
    engine = sa.create_engine(settings.book_url)
    with engine.begin() as book:  # a book that can be read, and not written where it must be
        book.execute(sa.text("ALTER TABLE replay RENAME TO elsewhere"))
    engine.dispose()
    assert await asked(parts) == (503, {"ready": False, "reason": "replay"})


async def test_keys_that_cannot_be_read_any_more_and_far_ends_that_are_down_are_troubles(
    tmp_path: Path,
) -> None:
    greeter = await asyncio.start_server(_greet, LOOPBACK, 0)
    port = greeter.sockets[0].getsockname()[1]
    settings = {
        "scanner_url": f"tcp://{LOOPBACK}:1",
        "smtp_url": f"smtp://{LOOPBACK}:{port}",
        "mail_from": "safeguarding@council.example",
        "mail_domain": "replies.council.example",
        "imap_url": f"imaps://user@{LOOPBACK}:1",
    }
    async with greeter, gateway_house(tmp_path, **settings) as house:
        parts = house.parts
        await house.gateway.dispatch.stop()
        assert await troubles(parts) == {"scanner", "mailbox"}
        await parts.store.transact(lambda tx: mail.set_watermark(tx, "mailbox", parts.clock()))
        greeter.close()
        await greeter.wait_closed()
        assert await troubles(parts) == {"scanner", "mail"}
        (parts.settings.keys_dir / "master.key").rename(tmp_path / "away.key")
        parts.ring.look()
        assert await troubles(parts) == {"scanner", "mail", "keys-unreadable"}


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 relay.council.example ESMTP\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

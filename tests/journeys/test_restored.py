"""What was erased stays erased when older databases are restored: before the gateway serves, and in every byte of their files."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from gateway.actions.erase import Erasure, begin_erasure
from gateway.actions.reconcile import reconcile
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch import intake
from gateway.dispatch.erasing import complete_erasure
from gateway.parts import Parts
from gateway.serving import build, running
from gateway.settings import Settings
from gateway.store import custody, erased, incidents
from gateway.store import tables as t
from keys import erasures
from tests.actions.scene import refer
from tests.gateway_house import START, House, gateway_house

ORDER = ("Winifred Stave", "Caspian Reed", "retention-ended")
RAW = b"From: a@b.example\r\nTo: letters@council.example\r\nSubject: The child\r\n\r\nWords that came early.\r\n"
STORES = ("gateway.sqlite3", "gateway-custody.sqlite3")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path) as running_house:
        await running_house.gateway.dispatch.stop()
        yield running_house


def back_up(folder: Path, into: Path) -> None:
    """As `sqlite3 FILE ".backup …"` does it, while the gateway goes on."""
    into.mkdir()
    for name in STORES:
        with sqlite3.connect(folder / "var" / name) as source, sqlite3.connect(into / name) as copy:
            source.backup(copy)
        source.close()
        copy.close()


def restore(back_up: Path, folder: Path, *names: str) -> None:
    for name in names:
        for stale in (folder / "var").glob(f"{name}*"):
            stale.unlink()
        (folder / "var" / name).write_bytes((back_up / name).read_bytes())


async def erase(house: House, incident: IncidentId) -> None:
    await house.parts.perform(begin_erasure, Erasure(incident, *ORDER), SOUTH_TYNESIDE, None)
    await complete_erasure(house.parts, SOUTH_TYNESIDE, incident)


async def still_opened(parts: Parts, incident: IncidentId) -> list[str]:
    """The states of its row, and what could still be opened."""
    found = await parts.store.read(lambda tx: incidents.find(tx, SOUTH_TYNESIDE, incident))
    keys = await parts.custody.read(lambda tx: custody.of_incident(tx, incident))
    sealed = sa.select(t.message.c.id).where(
        t.message.c.incident == incident, t.message.c.sealed.is_not(None)
    )
    left = await parts.store.read(lambda tx: list(tx.execute(sealed).scalars()))
    return [found.state if found else "gone", *(["a key"] if keys else []), *left]


@pytest.mark.parametrize("names", [STORES, STORES[:1], STORES[1:]], ids=["both", "the book", "the key store"])
async def test_an_older_back_up_has_nothing_back_that_was_erased(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    """Also where the incident was then under a legal hold, and mail that was matched since had not been."""
    async with gateway_house(tmp_path) as house:
        await house.gateway.dispatch.stop()
        incident = IncidentId((await refer(house))["incident"])
        other = IncidentId((await refer(house))["incident"])
        await intake.keep(house.parts, "mailbox", RAW, envelope_to=None, arrived_at=house.clock())
        (key,) = await house.parts.store.read(
            lambda tx: list(tx.execute(sa.select(t.raw_mail.c.data_key)).scalars())
        )
        await house.parts.store.transact(
            lambda tx: incidents.change(tx, SOUTH_TYNESIDE, incident, legal_hold=True)
        )
        back_up(tmp_path, tmp_path / "older")
        released = {"legal_hold": False}
        await house.parts.store.transact(
            lambda tx: incidents.change(tx, SOUTH_TYNESIDE, incident, **released)
        )
        await house.parts.custody.transact(lambda tx: custody.attach(tx, key, incident))
        await erase(house, incident)
        settings: Settings = house.parts.settings
        clock = house.clock
    restore(tmp_path / "older", tmp_path, *names)
    with capture_logs() as said:
        async with running(build(settings, clock)) as again:
            assert await still_opened(again.parts, incident) == ["erased"]
            assert await again.parts.key_by_id(key) is None
            assert (await still_opened(again.parts, other))[:2] == ["open", "a key"], "and nothing else"
            figures = await reconcile(again.parts)
            assert figures.findings == ()
    assert [one["incident"] for one in said if one["event"] == "erasure.reapplied"] == [incident]
    wrapped = sealed_pieces(tmp_path / "older", incident, key)
    assert len(wrapped) >= 3
    for name in STORES:
        content = b"".join(path.read_bytes() for path in (tmp_path / "var").glob(f"{name}*"))
        assert not [piece for piece in wrapped if piece in content], name
    with capture_logs() as said:
        async with running(build(settings, clock)):
            pass
    assert not [one for one in said if one["event"] == "erasure.reapplied"], "once is enough"


def sealed_pieces(folder: Path, incident: str, key: str) -> list[bytes]:
    """Pieces of what the back-up still seals of the incident: wrapped keys, messages, the mail."""
    with sqlite3.connect(folder / STORES[1]) as keys:
        rows = keys.execute("SELECT wrapped FROM data_key WHERE incident = ? OR id = ?", (incident, key))
        found = [row[0] for row in rows]
    keys.close()
    with sqlite3.connect(folder / STORES[0]) as book:
        found += [
            row[0] for row in book.execute("SELECT sealed FROM message WHERE incident = ?", (incident,))
        ]
        found += [row[0] for row in book.execute("SELECT sealed FROM raw_mail")]
    book.close()
    return [bytes(one)[at : at + 32] for one in found for at in range(0, max(1, len(one) - 31), 32)]


async def test_the_record_beside_the_keys_outlives_both_databases(house: House) -> None:
    incident = IncidentId((await refer(house))["incident"])
    (key,) = await house.parts.custody.read(lambda tx: custody.keys_of(tx, incident))
    await erase(house, incident)
    (filed,) = erasures.recorded(house.parts.settings.keys_dir).values()
    (kept,) = (await house.parts.custody.read(erased.recorded)).values()
    assert filed == kept
    assert (filed.incident, filed.partnership, filed.keys) == (incident, SOUTH_TYNESIDE, {key})
    file = house.parts.settings.keys_dir / erasures.FILE
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_crash_tore_says_nothing_and_hides_no_other(tmp_path: Path) -> None:
    folder = tmp_path
    one = erasures.Erased("SI-7K3M-9QPX-2D", "south-tyneside", frozenset({"key-1"}), START)
    other = erasures.Erased("SI-4RTV-8HNC-6W", "south-tyneside", frozenset({"key-2"}), START)
    erasures.record(folder, [one])
    with (folder / erasures.FILE).open("a") as file:
        file.write('{"incident": "SI-9')
    erasures.record(folder, [other])
    more = erasures.Erased(one.incident, one.partnership, frozenset({"key-3"}), START)
    erasures.record(folder, [more])
    found = erasures.recorded(folder)
    assert found.keys() == {one.incident, other.incident}
    assert found[one.incident].keys == {"key-1", "key-3"}

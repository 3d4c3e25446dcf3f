"""Keys are changed while the gateway serves: nothing restarts, nothing is refused, and what was signed or sealed before still holds."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.rewrapping import rewrap_all
from gateway.dispatch.timetable import seal_waiting
from gateway.settings.checks import refusals
from gateway.store import custody, log
from gateway.store import tables as t
from keys.custody import forget_former_masters, next_master_id, rotate_master
from keys.sealing import CannotOpen, DataKey
from tests.actions.scene import entries_named, refer
from tests.command_line import attempt, gateway
from tests.gateway_house import House, MovableClock, gateway_house

OFFICERS = ("--officer", "Winifred Stave", "--second-officer", "Desmond Quill")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=MovableClock(datetime.now(UTC))) as house:
        await house.gateway.dispatch.stop()
        yield house


async def kid_of(house: House, receipt: Any) -> str:
    query = sa.select(t.entry.c.kid).where(t.entry.c.id == receipt["id"])
    return str(await house.parts.store.read(lambda tx: tx.execute(query).scalar_one()))


async def verified(house: House, incident: str) -> str:
    """The verdict on the incident's evidence under the policy of today."""
    bundle, policy = str(house.folder / "evidence.zip"), str(house.folder / "policy.json")
    await gateway(house, "evidence", "policy", "--out", policy)
    await gateway(house, "evidence", "export", incident, "--out", bundle)
    told = await gateway(house, "evidence", "verify", bundle, "--policy", policy)
    return f"{told['verdict']} {told['content']}"


async def test_receipts_and_log_are_signed_with_the_new_keys_within_two_minutes_and_old_ones_verify(
    house: House,
) -> None:
    before = await refer(house)
    old = house.parts.keys.receipts.kid
    assert await kid_of(house, before["receipt"]) == old
    await seal_waiting(house.parts)
    told = await gateway(house, "keys", "rotate", "receipts", *OFFICERS)
    log_told = await gateway(house, "keys", "rotate", "log", *OFFICERS)
    status, _, err = await attempt(house, "keys", "rotate", "log", *OFFICERS)
    assert (status, "published already" in err) == (1, True)
    assert await kid_of(house, (await refer(house))["receipt"]) == old, "published before it signs"
    house.clock.move_by(seconds=100)
    after = await refer(house, incident=None)
    assert await kid_of(house, after["receipt"]) == told["kid"]
    assert house.parts.keys.log.kid == log_told["kid"]
    await seal_waiting(house.parts)
    newest = await house.parts.store.read(log.latest_checkpoint)
    assert newest is not None
    assert await verified(house, before["incident"]) == "VALID matches"
    assert await verified(house, after["incident"]) == "VALID matches"
    introduced = await entries_named(house, "KeyIntroduced")
    assert {entry.kid for entry in introduced} == {old}, "each is stated under the key before it"


async def masters(house: House) -> list[str]:
    return await house.parts.custody.read(custody.masters)


async def open_content(house: House, incident: str) -> None:
    key = await house.parts.key_of(IncidentId(incident))
    assert isinstance(key, DataKey)
    row = sa.select(t.message.c.id, t.message.c.sealed).where(t.message.c.incident == incident)
    (found,) = await house.parts.store.read(lambda tx: tx.execute(row).all())
    assert key.open(f"message:{found.id}", found.sealed).startswith(b"{")


async def test_a_new_master_key_wraps_every_data_key_anew_beside_a_gateway_that_serves(house: House) -> None:
    before = await refer(house, reference="NP-before")
    (old,) = await masters(house)
    told = await gateway(house, "keys", "rotate", "master", *OFFICERS)
    assert await masters(house) == [told["kid"]] != [old]
    assert told["rewrapped"] >= 1
    await open_content(house, before["incident"])
    again = await refer(house, reference="NP-before")
    assert again["receipt"]["id"] == before["receipt"]["id"], "what was sent before is known again"
    after = await refer(house)
    await open_content(house, after["incident"])
    assert await masters(house) == [told["kid"]]
    rows = [row for row in await gateway(house, "keys", "list") if row["purpose"] == "master"]
    assert [(row["kid"], row["status"]) for row in rows] == [(old, "retired"), (told["kid"], "current")]
    assert await verified(house, before["incident"]) == "VALID matches"
    status, _, err = await attempt(house, "keys", "rotate", "master", "--forget-former", *OFFICERS)
    assert (status, "back-up" in err) == (1, True), "a back-up of the custody store may need it"
    assert forget_former_masters(house.parts.settings.keys_dir, house.clock() + timedelta(days=1)) == [old]
    house.parts.ring.look()
    await open_content(house, before["incident"])


async def test_what_a_crash_left_wrapped_under_the_key_before_opens_and_is_taken_up_again(
    house: House,
) -> None:
    first, second = await refer(house), await refer(house)
    label = f"way:{SOUTH_TYNESIDE}:northshire-police"
    secret = house.parts.keys.seal_secret(label, b"whsec_invented")
    way = sa.insert(t.way).values(
        partnership=SOUTH_TYNESIDE, agency="northshire-police", role="dsl", adapter="webhook", secret=secret
    )
    await house.parts.store.transact(lambda tx: tx.execute(way).rowcount)
    folder = house.parts.settings.keys_dir
    rotate_master(folder, next_master_id(folder), house.clock())
    ring = house.parts.ring.look()
    one = (await house.parts.custody.read(lambda tx: custody.wrapped_otherwise(tx, ring.master_id, 1)))[0]
    assert await house.parts.custody.transact(lambda tx: custody.exchange(tx, ring.rewrap(one), one.master))
    assert len(await masters(house)) == 2
    for each in (first, second):
        await open_content(house, each["incident"])
    assert ring.open_secret(label, secret) == b"whsec_invented"
    assert await rewrap_all(house.parts) >= 2
    assert await masters(house) == [ring.master_id]
    assert await rewrap_all(house.parts) == 0
    forget_former_masters(folder, house.clock() + timedelta(days=1))
    stored = sa.select(t.way.c.secret).where(t.way.c.role == "dsl", t.way.c.agency == "northshire-police")
    fresh = await house.parts.store.read(lambda tx: tx.execute(stored).scalar_one())
    assert house.parts.ring.look().open_secret(label, fresh) == b"whsec_invented"
    with pytest.raises(CannotOpen):
        house.parts.keys.open_secret(label, secret)


async def test_a_destroyed_key_is_not_brought_back_by_wrapping_anew(house: House) -> None:
    incident = (await refer(house))["incident"]
    folder = house.parts.settings.keys_dir
    (one,) = await house.parts.custody.read(lambda tx: custody.wrapped_otherwise(tx, "none", 9))
    rotate_master(folder, next_master_id(folder), house.clock())
    fresh = house.parts.ring.look().rewrap(one)
    await house.parts.custody.transact(lambda tx: custody.destroy(tx, incident, [], house.clock()))
    assert not await house.parts.custody.transact(lambda tx: custody.exchange(tx, fresh, one.master))
    assert await masters(house) == []


async def test_a_key_that_others_can_read_is_found_and_nothing_starts(house: House) -> None:
    settings = house.parts.settings
    assert not [one for one in refusals(settings) if one.check == "every key is private to its owner"]
    (file,) = (settings.keys_dir / "log").glob("*.pem")
    os.chmod(file, 0o640)
    (found,) = [one for one in refusals(settings) if one.check == "every key is private to its owner"]
    assert file.name in found.advice


async def test_a_directory_that_cannot_be_read_leaves_the_keys_that_were_read_last(house: House) -> None:
    master = house.parts.settings.keys_dir / "master.key"
    kept = master.read_bytes()
    before = house.parts.keys
    master.write_bytes(b"{")
    house.clock.move_by(minutes=1)
    assert house.parts.keys is before
    master.write_bytes(kept)
    house.clock.move_by(minutes=1)
    assert house.parts.keys is not before

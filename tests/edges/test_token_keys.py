"""The keys for access tokens are changed while the gateway serves: published before they sign, kept until nothing needs them."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.core.receipts import Event
from gateway.oauth.token_keys import LOOK_EVERY, SigningKeys
from gateway.store import tables
from keys import custody
from keys.custody import load_token_keys, put_in_use_from, stage_key
from tests.command_line import attempt, gateway
from tests.edges.at_the_door import Raw
from tests.gateway_house import House, MovableClock, gateway_house

POLICE = "northshire-police"
OFFICERS = ("--officer", "Winifred Stave", "--second-officer", "Desmond Quill")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with gateway_house(tmp_path, clock=MovableClock(datetime.now(UTC))) as house:
        yield house


async def published(house: House) -> list[str]:
    def get() -> Any:
        context = ssl.create_default_context(cafile=str(house.ca_file))
        with urllib.request.urlopen(f"{house.base_url}/oauth2/jwks", context=context) as answer:
            return json.loads(answer.read())

    return [key["kid"] for key in (await asyncio.to_thread(get))["keys"]]


async def call(house: House, token: str, raw: Raw) -> int:
    proof = raw.client.proof_of_key("GET", "/v1/duties", token)
    said = await raw.call("GET", "/v1/duties", credentials={"Authorization": f"DPoP {token}", "DPoP": proof})
    return said.status


async def signed_by(house: House) -> str:
    """The kid in a token that is given out now."""
    async with house.client(POLICE) as client:
        header = (await client.token()).split(".")[0]
    return str(json.loads(urlsafe_b64decode(header + "=="))["kid"])


async def test_a_rotation_refuses_nobody_and_restarts_nothing(house: House) -> None:
    (old,) = await published(house)
    told = await gateway(house, "keys", "rotate", "oauth", *OFFICERS)
    new = told["kid"]
    assert told["restart_needed"] is False
    house.clock.move_by(seconds=LOOK_EVERY.total_seconds() + 1)
    assert await published(house) == [old, new], "seen by every cache before it signs"
    assert await signed_by(house) == old
    house.clock.move_by(hours=23, minutes=58, seconds=30)  # half a minute before it signs
    async with Raw(house, POLICE) as raw:
        token = await raw.client.token()
        assert await call(house, token, raw) == 200
        house.clock.move_by(seconds=60)
        assert await signed_by(house) == new
        assert await published(house) == [new, old]
        assert await call(house, token, raw) == 200, "what the key before signed lives on"
    house.clock.move_by(minutes=10)
    assert await published(house) == [new], "the last token of the key before is over, and so are caches"


async def test_one_next_key_at_a_time_and_its_coming_is_stated(house: House) -> None:
    await gateway(house, "keys", "rotate", "tokens", *OFFICERS)
    status, _, err = await attempt(house, "keys", "rotate", "oauth", *OFFICERS)
    assert (status, "published already" in err) == (1, True)
    rows = [row for row in await gateway(house, "keys", "list") if row["purpose"] == "tokens"]
    assert [row["status"] for row in rows] == ["current", "next"]
    assert rows[1]["signs_from_at"] is not None
    query = tables.entry.select().where(tables.entry.c.chain == "keys-tokens")
    (entry,) = await house.parts.store.read(lambda tx: tx.execute(query).all())
    assert entry.event == Event.KEY_INTRODUCED.text


async def test_a_key_that_was_lost_opens_nothing_any_more(house: House) -> None:
    async with Raw(house, POLICE) as raw:
        token = await raw.client.token()
        assert await call(house, token, raw) == 200
        told = await gateway(house, "keys", "rotate", "oauth", "--compromised", *OFFICERS)
        house.clock.move_by(seconds=LOOK_EVERY.total_seconds() + 1)
        assert await published(house) == [told["kid"]]
        assert await call(house, token, raw) == 401
    assert await signed_by(house) == told["kid"]
    status, _, _ = await attempt(house, "keys", "rotate", "receipts", "--compromised", *OFFICERS)
    assert status == 2


def keys_in(folder: Path) -> Path:
    custody.create(folder / "keys", "test-")
    return folder / "keys"


def test_a_directory_that_cannot_be_read_leaves_the_keys_that_were_read_last(tmp_path: Path) -> None:
    folder, clock = keys_in(tmp_path), MovableClock()
    keys = SigningKeys(lambda: load_token_keys(folder), clock)
    (folder / "tokens" / "test-tokens-2.pem").write_text("half a ke")
    clock.move_by(seconds=61)
    with capture_logs() as logs:
        assert keys.now().signer.kid == "test-tokens-1"
        assert keys.now().signer.kid == "test-tokens-1"
    assert [one["event"] for one in logs] == ["oauth.token_keys_unreadable"], "said once a minute"
    (folder / "tokens" / "test-tokens-2.pem").unlink()
    clock.move_by(seconds=61)
    assert set(keys.now().verifying) == {"test-tokens-1"}


def test_keys_of_a_time_before_schedules_sign_as_they_did(tmp_path: Path) -> None:
    """The highest number signs, and what came before it is long over."""
    folder, clock = keys_in(tmp_path), MovableClock()
    _, staged = stage_key(folder, "tokens")
    staged.rename(staged.with_suffix(".pem"))
    now = SigningKeys(lambda: load_token_keys(folder), clock).now()
    assert (now.signer.kid, now.others) == ("test-tokens-2", ())


def test_a_crash_between_schedule_and_key_is_mended_by_the_next_rotation(tmp_path: Path) -> None:
    folder, clock = keys_in(tmp_path), MovableClock()
    begins_at = clock() + timedelta(hours=24)
    (folder / "tokens" / custody.SCHEDULE).write_text(json.dumps({"test-tokens-2": clock().isoformat()}))
    assert load_token_keys(folder).current(clock()).kid == "test-tokens-1"
    _, staged = stage_key(folder, "tokens")
    put_in_use_from(staged, begins_at)
    found = load_token_keys(folder)
    assert [(signer.kid, at) for signer, at in found.following(clock())] == [("test-tokens-2", begins_at)]

"""A hardware module as the master key's home (PKCS#11; SoftHSM stands for one): asked for keys, never for a message."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.core.messages import IncidentId
from keys import custody
from keys.hardware import HardwareHome, ModuleTrouble
from tests.actions.scene import refer
from tests.edges.office import OFFICERS, Office, office_in
from tests.gateway_house import MovableClock, gateway_house

pytestmark = pytest.mark.needs("softhsm")

PLACES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
TOKEN, PIN = "gateway-test", "271828"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HardwareHome]:
    """One token; the library reads where tokens lie once in a process."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    pin = folder / "pin"
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(conf))
        made = ("--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", PIN)
        subprocess.run(["softhsm2-util", *made], check=True, stdout=subprocess.DEVNULL)
        module = next(Path(place) for place in PLACES if Path(place).exists())
        yield HardwareHome(module, TOKEN, pin)


@pytest.fixture
def office(
    home: HardwareHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    made = office_in(tmp_path, monkeypatch, capsys)
    for name, value in (("MODULE", home.module), ("TOKEN", home.token), ("PIN_FILE", home.pin_file)):
        monkeypatch.setenv(f"GATEWAY_PKCS11_{name}", str(value))
    return made


def master(office: Office) -> dict[str, Any]:
    return dict(json.loads((office.folder / "var/keys/master.key").read_bytes()))


def test_a_deployment_begins_with_its_master_key_in_the_module_and_shares_bring_it_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("init", "migrate"):
        assert office(command).status == 0
    assert master(office).keys() == {"id", "sealed"}
    assert (
        office("keys", "escrow", "--shares", "3", "--needed", "2", "--out", "shares", *OFFICERS).status == 0
    )
    two = ("shares/share-1.txt", "shares/share-3.txt")
    assert office("keys", "recover", "--check", *two).status == 0
    assert office("keys", "rotate", "master", *OFFICERS).status == 0
    assert master(office).keys() == {"id", "sealed"}
    (office.folder / "var/keys/master.key").unlink()
    for name in ("MODULE", "TOKEN", "PIN_FILE"):
        monkeypatch.delenv(f"GATEWAY_PKCS11_{name}")
    assert office("keys", "recover", *two).status == 0
    assert master(office)["key"], "the module is lost: the shares alone bring back what they were made of"


def test_a_master_key_moves_from_its_file_into_the_module_by_a_rotation(
    office: Office, home: HardwareHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        for name in ("MODULE", "TOKEN", "PIN_FILE"):
            without.delenv(f"GATEWAY_PKCS11_{name}")
        for command in ("init", "migrate"):
            assert office(command).status == 0
        before = master(office)
    sealed = office.look(_seal)
    assert office("keys", "rotate", "master", *OFFICERS).status == 0
    assert before["key"] not in (office.folder / "var/keys/master.key").read_text()
    assert office.look(lambda parts: _open(parts, sealed)) == b"sealed before"
    monkeypatch.delenv("GATEWAY_PKCS11_TOKEN")
    told = office("keys", "list")
    assert (told.status, "named whole" in told.err) == (2, True)
    assert home.make_key() is False


async def _seal(parts: Any) -> bytes:
    return bytes(parts.keys.seal_secret("drill", b"sealed before"))


async def _open(parts: Any, sealed: bytes) -> bytes:
    return bytes(parts.keys.open_secret("drill", sealed))


async def test_messages_are_taken_and_opened_while_the_module_is_silent(
    home: HardwareHome, tmp_path: Path
) -> None:
    """It is asked at the start and at a rotation: never in a transaction."""
    custody.create(tmp_path / "keys", "development-", home)
    named = {"pkcs11_module": home.module, "pkcs11_token": home.token, "pkcs11_pin_file": home.pin_file}
    async with gateway_house(tmp_path, clock=MovableClock(datetime.now(UTC)), **named) as house:
        away = home.pin_file.rename(home.pin_file.with_suffix(".away"))
        try:
            house.clock.move_by(minutes=2)
            referral = await refer(house)
            house.clock.move_by(minutes=2)
            assert await house.parts.key_of(IncidentId(referral["incident"])) is not None
            with pytest.raises(ModuleTrouble):
                home.seal(b"")
        finally:
            os.rename(away, home.pin_file)


def test_what_the_module_did_not_seal_or_a_wrong_pin_tells_nothing(
    home: HardwareHome, tmp_path: Path
) -> None:
    home.make_key()
    sealed = home.seal(b"content")
    assert home.open(sealed) == b"content"
    with pytest.raises(ModuleTrouble):
        home.open(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    wrong = tmp_path / "pin"
    wrong.write_text("000000")
    with pytest.raises(ModuleTrouble, match="PinIncorrect") as refused:
        HardwareHome(home.module, home.token, wrong).seal(b"content")
    assert "000000" not in str(refused.value)

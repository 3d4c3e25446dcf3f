"""A hardware module as the master key's home (PKCS#11; SoftHSM stands for one): asked for keys, never for a message."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gateway import app
from gateway.actions.export import own_policy, read_bundle
from gateway.core.errors import Unavailable
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.timetable import beat_when_due, seal_waiting
from gateway.ledger import verify
from gateway.store import log
from keys import custody
from keys.hardware import HardwareHome, HardwareSigner, ModuleTrouble
from keys.signing import Algorithm
from tests.actions.scene import entries_of, refer
from tests.edges.office import OFFICERS, Office, office_in
from tests.gateway_house import House, MovableClock, gateway_house

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


# --- keys that sign ------------------------------------------------------------------------------------------------------

ALL = ("receipts", "log", "tokens")


class Watched(HardwareHome):
    """The module, noting in which threads it is asked to sign."""

    asked_in: ClassVar[list[str]] = []

    def sign(self, label: str, algorithm: Algorithm, data: bytes) -> bytes:
        self.asked_in.append(threading.current_thread().name)
        return super().sign(label, algorithm, data)


@pytest.fixture
def signing_home(home: HardwareHome) -> Iterator[Watched]:
    Watched.asked_in.clear()
    yield Watched(home.module, home.token, home.pin_file, frozenset(ALL))
    home.leave()


def test_the_module_signs_what_anybody_can_check_and_its_file_says_nothing_secret(
    signing_home: Watched, tmp_path: Path
) -> None:
    custody.create(tmp_path / "keys", "development-", signing_home)
    ring = custody.load(tmp_path / "keys", home=signing_home)
    for signer in (ring.receipts, ring.log, ring.tokens.keys[0][0]):
        assert isinstance(signer, HardwareSigner)
        made = signer.sign(b"said")
        assert len(made) == 64
        jwk = signer.public_jwk()
        shown = {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}
        assert verify.jwk_ok(shown, signer.algorithm, made, b"said")
        assert not verify.jwk_ok(shown, signer.algorithm, made, b"unsaid")
        assert (jwk["kid"], jwk["alg"], "d" in jwk) == (signer.kid, signer.algorithm, False)
    assert not list((tmp_path / "keys").rglob("*.pem")), "no private key lies here"
    with pytest.raises(ValueError, match="GATEWAY_PKCS11_MODULE"):
        custody.load(tmp_path / "keys")
    lost = tmp_path / "keys/log/development-log-1.module"
    lost.rename(lost.with_suffix(".lost"))
    custody.create(tmp_path / "keys", "development-", signing_home)
    assert custody.load(tmp_path / "keys", home=signing_home).log.kid == "development-log-2"


async def test_receipts_checkpoints_and_tokens_are_signed_in_the_module_and_never_in_a_transaction(
    signing_home: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token, a message, its deliveries, seals and evidence; then the module is away, and comes back."""
    custody.create(tmp_path / "keys", "development-", signing_home)
    monkeypatch.setattr(app, "HardwareHome", Watched)  # the same, and it notes where it is asked
    named = {
        "pkcs11_module": signing_home.module,
        "pkcs11_token": signing_home.token,
        "pkcs11_pin_file": signing_home.pin_file,
        "pkcs11_signs": ALL,
    }
    async with gateway_house(tmp_path, clock=MovableClock(datetime.now(UTC)), **named) as house:
        referral = await refer(house)
        kept = await entries_of(house, referral["id"])
        assert referral["receipt"]["jws"] in {one.jws for one in kept}, "what was answered is what is kept"
        await house.gateway.dispatch.stop()
        await seal_waiting(house.parts)
        assert await verdict(house, referral["incident"]) == "VALID"
        await beat(house)
        assert len(Watched.asked_in) > 3
        assert not [name for name in Watched.asked_in if name.startswith("store-")]

        away = signing_home.pin_file.rename(signing_home.pin_file.with_suffix(".away"))
        signing_home.leave()  # as when it was unplugged
        try:
            with pytest.raises(Unavailable, match="does not sign"):
                await beat(house)
            assert await house.parts.store.read(log.count_unsealed) == 1, "nothing is kept that is not signed"
            with pytest.raises(ModuleTrouble):
                await seal_waiting(house.parts)
        finally:
            away.rename(signing_home.pin_file)
        await beat(house)
        assert await seal_waiting(house.parts) > 0
        assert await house.parts.store.read(log.count_unsealed) == 0


async def beat(house: House) -> None:
    house.clock.move_by(hours=2)
    await beat_when_due(house.parts)


async def verdict(house: House, incident: str) -> str:
    named = IncidentId(incident)
    key = await house.parts.key_of(named)
    bundle = await house.parts.store.read(lambda tx: read_bundle(tx, house.parts, SOUTH_TYNESIDE, named, key))
    policy = verify.load_policy(json.dumps(own_policy(house.parts)).encode())
    return verify.verify_bundle(bundle, policy).verdict


class Hanging(HardwareHome):
    """A module that answers nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__(Path("none"), "none", Path("none"), seconds=0.05)
        self.let_go = threading.Event()

    def sign(self, label: str, algorithm: Algorithm, data: bytes) -> bytes:
        assert self.let_go.wait(20)
        return data


def test_a_module_that_hangs_holds_nobody_who_waits_and_signs_again_once_it_answers() -> None:
    """The next is not asked in its place either; what nobody waits for any more is not signed later."""
    home = Hanging()
    signer = HardwareSigner("receipts-1", "label", {"kty": "EC"}, home)
    for data in (b"first", b"second"):
        with pytest.raises(ModuleTrouble, match="does not answer"):
            signer.sign_now(data)
    home.let_go.set()
    home.seconds = 20.0
    assert signer.sign_now(b"third") == b"third"


def test_keys_move_from_files_into_the_module_by_a_rotation(
    office: Office, signing_home: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the file's key signed stays good; the next one is in the module, and signs."""
    for command in ("init", "migrate"):
        assert office(command).status == 0
    monkeypatch.setenv("GATEWAY_PKCS11_SIGNS", "receipts,log")
    for purpose in ("receipts", "log"):
        assert office("keys", "rotate", purpose, *OFFICERS).status == 0
    folder = office.folder / "var/keys"
    assert len(list(folder.glob("*/*.pem"))) == 3
    assert len(list(folder.glob("*/*.module"))) == 2
    monkeypatch.setenv("GATEWAY_PKCS11_SIGNS", "everything")
    assert office("keys", "list").status == 2

"""The log is confirmed by others: a real witness process, a real `openssl ts`, killed, absent, lied to and rolled back."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.actions.anchor import anchor
from gateway.actions.export import own_policy, read_bundle
from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.api.operator import operator_app
from gateway.app import build_parts, close, system_clock
from gateway.cli.witness import witnessing
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.dispatch.anchoring import (
    RolledBack,
    anchor_newest,
    compare_with_witnesses,
    must_not_be_rolled_back,
)
from gateway.dispatch.timetable import beat_when_due, seal_waiting
from gateway.ledger import verify
from gateway.ledger.checkpoint import log_key, origin_at, sign_checkpoint, witness_key
from gateway.parts import Parts, Supply
from gateway.serving import build, running
from gateway.settings import Settings
from gateway.store import log, migrations
from keys import custody
from keys.signing import DEVELOPMENT_PREFIX, FileSigner
from tests.actions.scene import refer
from tests.command_line import attempt, gateway
from tests.gateway_house import House, RealTime, gateway_house
from tests.notaries import (
    POLICY,
    StampAuthority,
    WitnessHere,
    WitnessProcess,
    lying_witness,
    make_witness,
    stamp_authority,
)

ORIGIN = origin_at("gateway.example", system_clock(), None)  # houses here run on real time


@dataclass
class Notaries:
    """One witness and one authority for this file; each test's log has an origin (issuer) of its own."""

    folder: Path
    authority: StampAuthority

    def witness(self, folder: Path, kind: type[WitnessProcess] = WitnessHere) -> WitnessProcess:
        """A witness of the log whose keys lie in `folder`; they are made here."""
        custody.create(folder / "keys", DEVELOPMENT_PREFIX)
        vkey = str(log_key(ORIGIN, custody.load(folder / "keys").log))
        return make_witness(folder / "witness", "witness.police.example", [vkey], kind)

    def settings(self, *witnesses: WitnessProcess, stamped: bool = True, growth: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = {
            "witnesses": tuple(one.setting for one in witnesses),
            "log_leaves_per_anchoring": growth,
        }
        if stamped:
            found |= {
                "timestamp_urls": (self.authority.url,),
                "timestamp_roots_file": self.authority.root,
                "timestamp_policies": (POLICY,),
            }
        return found


@pytest.fixture(scope="module")
def notaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notaries]:
    folder = tmp_path_factory.mktemp("notaries")
    with stamp_authority(folder / "tsa") as authority:
        yield Notaries(folder, authority)


@pytest.fixture
def witness(notaries: Notaries, tmp_path: Path) -> Iterator[WitnessProcess]:
    notaries.authority.is_down = False
    made = notaries.witness(tmp_path)
    made.start()
    yield made
    made.kill()


@asynccontextmanager
async def quiet_house(folder: Path, **settings: Any) -> AsyncIterator[House]:
    """A house on real time whose dispatch stands still: the test does each step."""
    async with gateway_house(folder, clock=RealTime(), **settings) as house:
        await house.gateway.dispatch.stop()
        yield house


async def bundle_of(parts: Parts, incident: str) -> bytes:
    partnership, named = PartnershipId("south-tyneside"), IncidentId(incident)
    key = await parts.key_of(named)
    return await parts.store.read(lambda tx: read_bundle(tx, parts, partnership, named, key))


def last_signed_by(witness: WitnessProcess) -> bytes:
    """The checkpoint of the lost log that the witness signed last."""
    last = witnessing(witness.folder, system_clock).memory.last(ORIGIN)
    assert last is not None
    return last.note


async def verdict(house: House, incident: str) -> tuple[str, str]:
    bundle = await bundle_of(house.parts, incident)
    policy = verify.load_policy(json.dumps(own_policy(house.parts)).encode())
    found = verify.verify_bundle(bundle, policy)
    return found.verdict, found.reason


async def grown(parts: Parts) -> int:
    """One more entry, sealed; the size of the log."""
    at, seed = parts.clock(), os.urandom(32)
    occasion, subject = Occasion(at, Supply(seed)), Subject("invented-chain", None, None, None)
    await parts.store.transact(lambda tx: prove(tx, parts, occasion, subject, [Said(Event.CALENDAR_CHANGED)]))
    return await seal_waiting(parts)


async def test_an_incident_between_two_anchored_checkpoints_is_valid_and_its_time_others_confirm(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    async with quiet_house(tmp_path, **notaries.settings(witness)) as house:
        await beat_when_due(house.parts)
        await seal_waiting(house.parts)
        first = await anchor_newest(house.parts)
        assert first is not None
        assert len(first.tokens) == 1
        answer = await refer(house)
        await seal_waiting(house.parts)
        notaries.authority.is_down = True
        assert await anchor_newest(house.parts) is None
        pending = await verdict(house, answer["incident"])
        notaries.authority.is_down = False
        second = await anchor_newest(house.parts)
        assert second is not None
        assert second.size == witness.size(ORIGIN)
        assert await anchor_newest(house.parts) is None, "what is anchored is not asked about again"
        whole = await verdict(house, answer["incident"])
    assert pending[0] == "PROVISIONAL"
    words = (
        "every receipt is in the log, which at least 1 witnesses saw; its time lies between two time-stamps"
    )
    assert whole == ("VALID", words)


@asynccontextmanager
async def set_back_one_entry(
    notaries: Notaries, witness: WitnessProcess, folder: Path
) -> AsyncIterator[Settings]:
    """A log of three entries that the witness signed, and its book set back to two: an older copy in its place."""
    async with quiet_house(folder, **notaries.settings(witness, stamped=False)) as house:
        for _ in range(2):
            await grown(house.parts)
        assert await anchor_newest(house.parts)
        copy_book(folder, folder / "older.sqlite3")
        await grown(house.parts)
        assert await anchor_newest(house.parts)
    set_back(folder, folder / "older.sqlite3")
    yield house.parts.settings


def set_back(folder: Path, copied: Path) -> None:
    """Put an older copy of the book in the place of the newer one."""
    for name in (folder / "var").glob("gateway.sqlite3*"):
        name.unlink()
    shutil.copy(copied, folder / "var" / "gateway.sqlite3")


def copy_book(folder: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(folder / "var" / "gateway.sqlite3")) as book,
        closing(sqlite3.connect(to)) as copy,
    ):
        book.backup(copy)


async def refused_to_start(settings: Settings) -> str:
    with pytest.raises(RolledBack) as refused:
        async with running(build(settings)):
            pytest.fail("the gateway runs")
    return str(refused.value)


async def test_a_book_restored_to_an_older_state_does_not_start(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with set_back_one_entry(notaries, witness, tmp_path) as settings:
        said = await refused_to_start(settings)
        assert f"witness.police.example (saw-more: {witness.size(ORIGIN)} entries)" in said
        assert '"event": "log.contradicted"' in capfd.readouterr().err


@pytest.mark.parametrize("more", [1, 3])
async def test_an_older_book_that_grew_again_by_other_entries_does_not_start(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path, more: int
) -> None:
    """A fork: as large as what the witness signed, or larger."""
    async with set_back_one_entry(notaries, witness, tmp_path) as settings:
        parts = build_parts(settings)
        for _ in range(more):
            await grown(parts)
        with pytest.raises(RolledBack, match="saw-other"):
            await anchor_newest(parts)
        await close(parts)
        assert "saw-other" in await refused_to_start(settings)


async def test_an_emptied_book_does_not_start(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    settings = notaries.settings(witness, stamped=False)
    async with quiet_house(tmp_path, **settings) as house:
        await grown(house.parts)
        assert await anchor_newest(house.parts)
    for name in (tmp_path / "var").glob("gateway.sqlite3*"):
        name.unlink()
    migrations.migrate(house.parts.settings.book_url, "book")
    assert "saw-more" in await refused_to_start(house.parts.settings)


async def test_without_any_witness_the_gateway_starts_and_says_so_and_stops_once_one_contradicts_it(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with set_back_one_entry(notaries, witness, tmp_path) as settings:
        witness.kill()
        often = settings.model_copy(update={"anchor_interval_seconds": 0.2})
        house = build(often)
        async with running(house):
            assert '"event": "log.unwitnessed"' in capfd.readouterr().err
            stopped: asyncio.Future[RolledBack] = asyncio.get_running_loop().create_future()
            house.dispatch.on_contradiction = stopped.set_result  # type: ignore[union-attr]
            witness.start()
            assert "saw-" in str(await asyncio.wait_for(stopped, 20))


LIAR = FileSigner.generate("liar", "Ed25519")


@pytest.mark.parametrize("told", [(409, b"999999\n"), (422, b"not a continuation\n"), (409, b"1\n")])
async def test_a_witness_that_contradicts_without_proof_stops_nothing(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path, told: tuple[int, bytes]
) -> None:
    """Its word counts only when it shows another state of the log that our own key signed."""
    with lying_witness() as liar:
        listed = f"{witness_key('liar.example', LIAR)} {liar.url}"
        settings = notaries.settings(witness, stamped=False) | {"witness_quorum": 1}
        settings["witnesses"] += (listed,)
        async with quiet_house(tmp_path, **settings) as house:
            await grown(house.parts)
            before = await house.parts.store.read(log.latest_checkpoint)
            await grown(house.parts)
            assert before is not None
            foreign = sign_checkpoint(LIAR, ORIGIN, 999_999, bytes(32))
            liar.posted = told
            for shown in (b"", b"no note", foreign.encode(), before.note.encode()):
                liar.shown = (200 if shown else 404, shown)
                seen = {one.witness: one.trouble for one in await compare_with_witnesses(house.parts)}
                assert seen == {"witness.police.example": None, "liar.example": "unproven"}
            confirmed = await anchor_newest(house.parts)
            assert confirmed is not None
            assert "liar.example" not in confirmed.note
            assert await must_not_be_rolled_back(house.parts)
            own = house.parts.keys.log
            for size, trouble in ((999, "saw-more"), (1, "saw-other")):
                liar.shown = (200, sign_checkpoint(own, ORIGIN, size, b"x" * 32).encode())
                with pytest.raises(RolledBack, match=trouble):
                    await must_not_be_rolled_back(house.parts)


async def test_of_two_witnesses_one_may_be_away_if_one_is_enough(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    vkey = str(log_key(ORIGIN, custody.load(tmp_path / "keys").log))
    other = make_witness(tmp_path / "other", "witness.council.example", [vkey], WitnessHere)
    settings = notaries.settings(witness, other, stamped=False) | {"witness_quorum": 1}
    async with quiet_house(tmp_path, **settings) as house:
        await grown(house.parts)
        confirmed = await anchor_newest(house.parts)
        assert confirmed is not None
        assert confirmed.note.count("\n— witness.") == 1
        both = replace(house.parts, notaries=replace(house.parts.notaries, quorum=2))
        await grown(both)
        assert await anchor_newest(both) is None, "two must sign, and one is away"
        other.start()
        confirmed = await anchor_newest(both)
        other.kill()
        assert confirmed is not None
        assert confirmed.note.count("\n— witness.") == 2
        assert other.size(ORIGIN) == witness.size(ORIGIN) == confirmed.size


async def test_the_log_that_witnesses_see_grows_by_the_same_whatever_happens(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    """A quiet interval and one with a whole incident look alike; afterwards everything is proved as ever."""
    settings = notaries.settings(witness, growth=4) | {"anchor_interval_seconds": 0.001}
    async with quiet_house(tmp_path, **settings) as house:
        await beat_when_due(house.parts)
        await seal_waiting(house.parts)
        sizes = [await shown_next(house)]
        answer = await refer(house)
        incident = answer["incident"]
        for _ in range(10):
            await grown(house.parts)
        newest = await house.parts.store.read(log.latest_checkpoint)
        assert newest is not None
        assert newest.size > 8, "more happened than one step shows"
        assert (await verdict(house, incident))[0] == "PROVISIONAL"
        while sizes[-1] < newest.size:
            sizes.append(await shown_next(house))
        assert sizes == [4 * (step + 1) for step in range(len(sizes))]
        assert witness.size(ORIGIN) == sizes[-1]
        assert (await verdict(house, incident))[0] == "VALID"
        (told,) = await compare_with_witnesses(house.parts)
        assert told.line is not None, "asking shows no other size than the last one shown"
        assert witness.size(ORIGIN) == sizes[-1]
        exported = await gateway(
            house,
            "evidence",
            "log",
            "--out",
            str(tmp_path / "log"),
            "--officer",
            "A One",
            "--second-officer",
            "B Two",
        )
        policy = tmp_path / "policy.json"
        policy.write_text(json.dumps(own_policy(house.parts)))
        asked = ("--ref", answer["id"], "--before", "2099-01-01T00:00:00Z", "--policy", str(policy))
        for event, status in (("ConsignmentAcceptance", 0), ("SubmissionAcceptance", 1)):
            found = await attempt(
                house, "evidence", "absence", str(tmp_path / "log"), "--event", event, *asked
            )
            assert found[0] == status, found
        assert exported["leaves"] > sizes[-1]


async def test_nobody_learns_the_size_by_naming_one(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    """A witness that says that it signed so many leaves is not told whether there are so many."""
    with lying_witness() as liar:
        settings = notaries.settings(witness, stamped=False, growth=4) | {"witness_quorum": 1}
        settings["witnesses"] += (f"{witness_key('liar.example', LIAR)} {liar.url}",)
        async with quiet_house(tmp_path, **settings) as house:
            for _ in range(30):
                size = await grown(house.parts)
            liar.posted = (409, f"{size}\n".encode())
            assert await shown_next(house) == 4
            seen = {one.witness: one.trouble for one in await compare_with_witnesses(house.parts)}
        assert seen == {"witness.police.example": None, "liar.example": "unproven"}
        assert len(liar.heard) == 3, "at the start, at the anchoring and at the comparison"
        assert not [body for body in liar.heard if f"\n{size}\n".encode() in body]


async def shown_next(house: House) -> int:
    confirmed = await anchor_newest(house.parts)
    assert confirmed is not None
    return confirmed.size


async def test_a_step_is_shown_once_in_an_interval_whoever_anchors(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    settings = notaries.settings(witness, stamped=False, growth=4) | {"anchor_interval_seconds": 3600}
    async with quiet_house(tmp_path, **settings) as house:
        await grown(house.parts)
        assert await shown_next(house) == 4
        await grown(house.parts)
        assert await anchor_newest(house.parts) is None


async def test_two_officers_begin_the_log_anew_when_entries_are_lost_for_good(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    """Joined to the old log at its last confirmed state; what was sealed after that is confirmed in the new one."""
    settings = notaries.settings(witness, stamped=False, growth=4) | {"anchor_interval_seconds": 0.001}
    words = ("log", "restart", "--officer", "Winifred Stave", "--reason", "The disk is lost.")
    async with quiet_house(tmp_path, **settings) as house:
        await beat_when_due(house.parts)
        await seal_waiting(house.parts)
        await shown_next(house)
        incident = (await refer(house))["incident"]
        for _ in range(4):
            await grown(house.parts)
        status, _, err = await attempt(house, *words, "--second-officer", "Desmond Quill")
        assert (status, "goes on" in err) == (1, True), "nothing contradicts it"
        copy_book(tmp_path, tmp_path / "older.sqlite3")
        for _ in range(8):
            await shown_next(house)
        lost = witness.size(ORIGIN)
    set_back(tmp_path, tmp_path / "older.sqlite3")
    parts = house.parts
    assert "saw-more" in await refused_to_start(parts.settings)
    assert (await attempt(house, *words, "--second-officer", "Winifred Stave"))[0] == 1
    told = await gateway(house, *words, "--second-officer", "Desmond Quill")
    assert (told["ended"], told["size"], told["log"]) == (ORIGIN, 4, f"{ORIGIN}b")
    assert told["again"] > 4

    old = str(log_key(ORIGIN, custody.load(tmp_path / "keys").log))
    witness.kill()
    make_witness(witness.folder, "witness.police.example", [old, *told["keys"]], WitnessHere)
    witness.start()
    parts = build_parts(parts.settings)
    try:
        assert await must_not_be_rolled_back(parts)
        while (confirmed := await anchor_newest(parts)) is not None and confirmed.size < 40:
            pass
        assert confirmed is not None
        assert confirmed.log == f"{ORIGIN}b"
        bundle = await bundle_of(parts, incident)
        policy = json.dumps(own_policy(parts, origins=await parts.store.read(log.origins))).encode()
        found = verify.verify_bundle(bundle, verify.load_policy(policy))
        assert found.verdict == "VALID", found
        pinned = verify.with_pinned(verify.load_policy(policy), [last_signed_by(witness)])
        found = verify.verify_bundle(bundle, pinned)
        assert "shorter than a checkpoint" in found.reason, "who kept the lost state can show the loss"
        assert witness.size(ORIGIN) == lost
    finally:
        await close(parts)


async def test_a_witness_killed_at_any_point_goes_on_where_it_was(notaries: Notaries, tmp_path: Path) -> None:
    """A process of its own, ended by SIGKILL."""
    witness = notaries.witness(tmp_path, WitnessProcess)
    witness.start()
    async with quiet_house(tmp_path, **notaries.settings(witness, stamped=False)) as house:
        size = await grown(house.parts)
        assert await anchor_newest(house.parts)
        witness.kill()
        await grown(house.parts)
        assert await anchor_newest(house.parts) is None, "pending while it is away"
        witness.start()
        assert witness.size(ORIGIN) == size, "what it signed it remembers"
        assert await anchor_newest(house.parts)
        witness.kill()


async def test_a_witness_that_signed_what_we_did_not_keep_is_asked_again(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    """As after a crash between its signature and our commit: it has seen more than the newest anchored checkpoint."""
    async with quiet_house(tmp_path, **notaries.settings(witness, stamped=False)) as house:
        await grown(house.parts)
        assert (await compare_with_witnesses(house.parts))[0].line is not None  # signed, and not kept
        await grown(house.parts)
        confirmed = await anchor_newest(house.parts)
        assert confirmed is not None
        assert confirmed.size == witness.size(ORIGIN)


async def test_what_is_anchored_never_changes(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    async with quiet_house(tmp_path, **notaries.settings(witness)) as house:
        size = await grown(house.parts)
        confirmed = await anchor_newest(house.parts)
        assert confirmed is not None
        changed = dataclasses.replace(confirmed, note=confirmed.note + "— other.example AAAAAAAA\n")
        assert not await house.parts.store.transact(lambda tx: anchor(tx, house.parts, changed))
        assert await house.parts.store.read(lambda tx: log.anchor_of_size(tx, ORIGIN, size)) == confirmed
        foreign = dataclasses.replace(changed, size=size + 1)
        with pytest.raises(ValueError, match="own checkpoints"):
            await house.parts.store.transact(lambda tx: anchor(tx, house.parts, foreign))


async def test_openssl_takes_the_stamp_over_the_file_in_the_bundle(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    async with quiet_house(tmp_path, **notaries.settings(witness)) as house:
        await grown(house.parts)
        confirmed = await anchor_newest(house.parts)
    assert confirmed is not None
    note, token = tmp_path / "1.note", tmp_path / "1.tsr"
    note.write_text(confirmed.note)
    token.write_bytes(confirmed.tokens[0])
    command = ["openssl", "ts", "-verify", "-in", token, "-data", note, "-CAfile", notaries.authority.root]
    assert subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 0
    note.write_text(confirmed.note + "\n")
    assert subprocess.run(command, check=False, capture_output=True, timeout=20).returncode != 0


async def test_an_operator_sees_which_witness_contradicts_and_how_much_is_missing(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    settings = notaries.settings(witness, stamped=False)
    async with quiet_house(tmp_path, **settings) as house:
        await grown(house.parts)
        await anchor_newest(house.parts)
        assert (await gateway(house, "log", "compare"))["contradicted"] is False
        copy_book(tmp_path, tmp_path / "older.sqlite3")
        for _ in range(2):
            await grown(house.parts)
        await anchor_newest(house.parts)
    set_back(tmp_path, tmp_path / "older.sqlite3")
    status, out, _ = await attempt(house, "log", "compare")
    assert status == 1
    assert "2 entries missing here" in out


async def test_metrics_and_readiness_say_for_how_long_the_log_waits(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    async with quiet_house(tmp_path, **notaries.settings(witness)) as house:
        await grown(house.parts)
        notaries.authority.is_down = True
        await anchor_newest(house.parts)
        transport = httpx2.ASGITransport(app=operator_app(house.parts))
        async with httpx2.AsyncClient(transport=transport, base_url="http://operator") as operator:
            before = (await operator.get("/metrics")).text
            assert (await operator.get("/readyz")).json()["ready"] is True
            notaries.authority.is_down = False
            await anchor_newest(house.parts)
            after = (await operator.get("/metrics")).text
            assert (await operator.get("/readyz")).json()["log_pending_seconds"] == 0
    assert "gateway_log_anchored_size 0.0" in before
    assert "gateway_log_pending_seconds 0.0" in after


KILLED = """
import asyncio, dataclasses, json, os, signal, sys
from gateway.app import build_parts
from gateway.dispatch import anchoring
from gateway.settings import Settings

async def main(settings, answers):
    parts = build_parts(Settings(**settings))
    left = [answers]

    async def ask(*question):
        told = await parts.ask_notary(*question)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return told

    await anchoring.anchor_newest(dataclasses.replace(parts, ask_notary=ask))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(json.loads(sys.argv[1]), int(sys.argv[2])))
"""


async def test_a_kill_between_any_two_steps_of_anchoring_takes_no_checkpoint_back(
    notaries: Notaries, witness: WitnessProcess, tmp_path: Path
) -> None:
    """After the witness's signature, after the stamp, and after both are kept: whoever comes next goes on from there."""
    async with quiet_house(tmp_path, **notaries.settings(witness)) as house:
        given = house.parts.settings.model_dump_json(exclude_unset=True)
        kept: list[int] = []
        for answers in (1, 2, 0):
            size = await grown(house.parts)
            command = [sys.executable, "-c", KILLED, given, str(answers)]
            done = await asyncio.to_thread(
                subprocess.run, command, check=False, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == -signal.SIGKILL, done.stderr
            assert witness.size(ORIGIN) == size, "what the witness signed it remembers"
            newest = await house.parts.store.read(log.newest_anchor)
            kept.append(newest[0] if newest else 0)
        assert kept == [0, 0, size]
        await grown(house.parts)
        confirmed = await anchor_newest(house.parts)
        assert confirmed is not None
        assert confirmed.size == size + 1 == witness.size(ORIGIN)

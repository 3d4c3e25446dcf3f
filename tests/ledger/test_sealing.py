"""Sealing: one history whoever seals, pauses or dies; what is served is what was committed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import DBAPIError

from gateway.core.errors import Unavailable
from gateway.ledger import sealing, tree
from gateway.ledger.checkpoint import log_key, open_checkpoint, parse_proof
from gateway.ledger.sealing import LedgerDamaged
from gateway.ledger.verify import verify_consistency, verify_inclusion
from gateway.store import log, tables
from gateway.store.log import CheckpointRow, Overtaken
from gateway.store.transaction import Store, Tx
from tests.ledger.conftest import NORTH, NOW, Begin, log_one, seal_now
from tests.ledger.scene import LOG, NEXT_YEAR, ORIGIN

KEYS = [log_key(origin, LOG) for origin in (ORIGIN, NEXT_YEAR)]


def fill(tx: Tx, count: int, chain: str = "chain") -> None:
    for number in range(count):
        log_one(tx, f"{chain}-{number % 7}", number)


def check_all(begin: Begin, origin: str = ORIGIN) -> CheckpointRow:
    """Every sealed entry is proved under the newest checkpoint; every checkpoint is of one history with it."""
    with begin() as tx:
        newest = log.latest_checkpoint(tx, origin)
        assert newest is not None
        opened = open_checkpoint(newest.note.encode(), KEYS, [], 0)
        assert (opened.size, opened.root) == (newest.size, newest.root)
        statements = log.statements(tx, origin, 0, newest.size)
        assert len(statements) == newest.size
        for index, statement in enumerate(statements):
            found, path, _ = parse_proof(sealing.prove(tx, index, newest).encode())
            assert verify_inclusion(tree.leaf_hash(statement), found, newest.size, path, newest.root)
        for size in range(1, newest.size):
            older = log.checkpoint_of_size(tx, origin, size)
            if older is not None:
                path = sealing.prove_consistency(tx, origin, size, newest.size)
                assert verify_consistency(size, newest.size, older.root, newest.root, path)
    return newest


def test_nothing_is_sealed_when_nothing_waits(begin: Begin) -> None:
    with begin() as tx:
        assert seal_now(tx) is None
        log_one(tx, "one")
        assert seal_now(tx) is not None
        assert seal_now(tx) is None


def test_batches_of_any_size_give_one_history_with_proofs_for_all(begin: Begin) -> None:
    """Across the edges of tiles: 255, 256, 257 and beyond."""
    for count in (1, 1, 253, 1, 1, 30):
        with begin() as tx:
            fill(tx, count)
        with begin() as tx:
            assert seal_now(tx) is not None
    newest = check_all(begin)
    assert (newest.size, newest.sealed_at) == (287, NOW)


def test_a_batch_takes_no_more_than_its_limit_and_no_entry_before_its_forerunner(begin: Begin) -> None:
    with begin() as tx:
        for number in range(10):
            log_one(tx, "one", -number)  # each claims an earlier time than the one before it
        log_one(tx, "two")
    sizes = []
    for _ in range(3):
        with begin() as tx:
            made = seal_now(tx, limit=4)
            sizes.append(made and made.size)
    assert sizes == [4, 8, 11]
    with begin() as tx:
        indices = [row.leaf_index for row in log.entries_of_chain(tx, NORTH, "one")]
    assert indices == sorted(index for index in indices if index is not None)


def test_two_runs_on_the_same_entries_order_them_alike(begin: Begin) -> None:
    with begin() as tx:
        fill(tx, 20)
    roots = []
    for _ in range(2):
        with begin(keep=False) as tx:
            made = seal_now(tx)
            roots.append(made and made.root)
    assert roots[0] == roots[1]


@pytest.mark.parametrize("step", ["before reading", "after reading entries", "after reading the checkpoint"])
def test_a_sequencer_that_paused_is_overtaken_and_changes_nothing(
    begin: Begin, engine: Engine, step: str
) -> None:
    """It read, slept while another sealed, and wakes: it must fail whatever it had read, and the log stays whole."""
    with begin() as tx:
        fill(tx, 5)
    reads = {"before reading": 0, "after reading entries": 1, "after reading the checkpoint": 2}[step]
    if reads == 0:
        with begin() as tx:
            assert seal_now(tx) is not None
        with begin() as tx:
            assert seal_now(tx) is None
    else:
        with pytest.raises((Overtaken, LedgerDamaged, DBAPIError)), begin() as paused:
            seal_now(_PausingTx(paused, after=reads, then=lambda: _seal_beside(begin)))  # type: ignore[arg-type]
    assert check_all(begin).size == (5 if reads == 0 else 6)


def _seal_beside(begin: Begin) -> None:
    with begin() as other:
        log_one(other, "late")
        assert seal_now(other) is not None


class _PausingTx:
    """A real transaction that lets another one run to its end after so many statements."""

    def __init__(self, tx: Tx, after: int, then: object) -> None:
        self._tx, self._left, self._then = tx, after, then

    def execute(self, *call: object) -> object:
        result = self._tx.execute(*call)  # type: ignore[arg-type]
        self._left -= 1
        if self._left == 0:
            self._then()  # type: ignore[operator]
        return result


def test_a_leaf_index_is_given_once(begin: Begin) -> None:
    with begin() as tx:
        fill(tx, 2)
        ids = [entry for entry, _ in log.unsealed(tx, 10)]
        log.number_leaves(tx, ORIGIN, 0, ids[:1])
    with pytest.raises(Overtaken), begin() as tx:
        log.number_leaves(tx, ORIGIN, 0, ids[1:])
    with pytest.raises(Overtaken), begin() as tx:
        log.number_leaves(tx, ORIGIN, 1, ids)


def test_a_checkpoint_is_added_only_on_top_of_the_one_that_was_read(begin: Begin) -> None:
    def row(number: int, size: int, origin: str = ORIGIN) -> CheckpointRow:
        return CheckpointRow(number, origin, size, bytes(32), "note", NOW)

    with begin() as tx:
        log.add_checkpoint(tx, row(1, 5))
    for number, size in [(0, 7), (1, 7), (3, 7), (2, 5)]:
        with pytest.raises(Overtaken), begin() as tx:
            log.add_checkpoint(tx, row(number, size))
    with begin() as tx:
        log.add_checkpoint(tx, row(2, 7))
        assert log.latest_checkpoint(tx) == row(2, 7)
    with pytest.raises(Overtaken), begin() as tx:
        log.add_checkpoint(tx, row(2, 1, NEXT_YEAR))
    with begin() as tx:
        log.add_checkpoint(tx, row(3, 1, NEXT_YEAR))
        assert log.latest_checkpoint(tx) == row(3, 1, NEXT_YEAR)
        assert log.latest_checkpoint(tx, ORIGIN) == row(2, 7)


def test_who_goes_on_in_the_old_log_and_who_begins_a_new_one_meet(begin: Begin) -> None:
    """The same base for both, as when two clocks differ at New Year: the second one changes nothing."""
    with begin() as tx:
        fill(tx, 3)
        assert seal_now(tx) is not None
    with begin() as tx:
        waits = log_one(tx, "link")
        assert seal_now(tx, origin=NEXT_YEAR, link=(waits.id, waits.statement)) is not None
        log_one(tx, "one")
    with pytest.raises(Overtaken), begin() as tx:
        seal_now(tx)
    with (
        pytest.raises(Overtaken),
        begin() as paused,
    ):  # it read the old log as the newest, and then the other one committed
        log.add_checkpoint(paused, CheckpointRow(2, ORIGIN, 4, bytes(32), "note", NOW))
    assert check_all(begin, NEXT_YEAR).size == 1
    assert check_all(begin, ORIGIN).size == 3


@pytest.mark.parametrize("hashes", [b"\x00" * 96, b"", None])
def test_nothing_is_signed_on_top_of_tiles_that_were_changed(begin: Begin, hashes: bytes | None) -> None:
    with begin() as tx:
        fill(tx, 3)
        seal_now(tx)
        if hashes is None:
            tx.execute(tables.tile.delete())
        else:
            tx.execute(update(tables.tile).values(hashes=hashes))
        log_one(tx, "one")
    with pytest.raises(LedgerDamaged), begin() as tx:
        seal_now(tx)


def test_tiles_are_served_only_as_far_as_the_newest_checkpoint(begin: Begin) -> None:
    with begin() as tx:
        fill(tx, 300)
        assert sealing.served_tile(tx, ORIGIN, 0, 0, 256) is None
        seal_now(tx)
        fill(tx, 5, "unsealed")
    with begin() as tx:
        tile = sealing.served_tile(tx, ORIGIN, 0, 1, 44)
        assert tile is not None
        assert len(tile) == 44 * 32
        assert len(sealing.served_tile(tx, ORIGIN, 0, 0, 256) or b"") == 8192
        assert len(sealing.served_tile(tx, ORIGIN, 1, 0, 1) or b"") == 32
        refused = [
            (0, 1, 45),
            (0, 1, 256),
            (0, 2, 1),
            (1, 0, 2),
            (2, 0, 1),
            (0, 0, 0),
            (0, 0, 257),
            (63, 0, 1),
        ]
        assert [sealing.served_tile(tx, ORIGIN, *place) for place in refused] == [None] * len(refused)


def test_an_older_checkpoint_still_proves_its_leaves(begin: Begin) -> None:
    with begin() as tx:
        fill(tx, 10)
        first = seal_now(tx)
        fill(tx, 600)
        seal_now(tx)
        assert first is not None
        index, path, note = parse_proof(sealing.prove(tx, 4, first).encode())
        leaf = tree.leaf_hash(log.statements(tx, ORIGIN, 4, 1)[0])
    assert note.decode() == first.note
    assert verify_inclusion(leaf, index, 10, path, first.root)


async def test_sealing_runs_in_the_store_beside_appends(database_url: str) -> None:
    store = Store.open(database_url, tables.book)
    store.create_tables()
    try:
        for _ in range(3):
            await store.transact(lambda tx: fill(tx, 50))
            made = await store.transact(seal_now)
        newest = await store.read(log.latest_checkpoint)
    finally:
        await store.aclose()
    assert made == newest
    assert newest is not None
    assert newest.size == 150


MORTAL = """
import os, signal, sys
from gateway.store.engines import open_engine
from gateway.store.transaction import Tx
from gateway.ledger.sealing import plan, seal
from keys.signing import FileSigner
from pathlib import Path
from datetime import datetime, timezone

class Dying:
    def __init__(self, tx, steps):
        self.tx, self.left = tx, steps
    def execute(self, *call):
        if self.left == 0:
            self.tx.send()
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return self.tx.execute(*call)

def run(url, key, steps):
    connection = open_engine(url).connect()
    connection.exec_driver_sql("BEGIN")
    tx = Dying(Tx(connection, "sqlite" if url.startswith("sqlite") else "postgresql"), steps)
    planned = plan(tx, "gateway.example/ledger/2026", fill_to=265, seed=bytes(32))
    seal(tx, planned, planned.signed(FileSigner.load(key)), datetime(2026, 11, 22, 10, 0, tzinfo=timezone.utc))
    tx.tx.send()
    if tx.left > 0:
        os.write(1, str(steps - tx.left).encode())
        os.kill(os.getpid(), signal.SIGKILL)  # everything written, nothing committed
    connection.exec_driver_sql("COMMIT")
    os.kill(os.getpid(), signal.SIGKILL)

for line in sys.stdin:  # each in a process of its own, which dies; what is loaded is loaded once
    child = os.fork()
    if child == 0:
        run(sys.argv[1], Path(sys.argv[2]), int(line))
    ended = os.WTERMSIG(os.waitpid(child, 0)[1])
    os.write(1, f" {ended}\\n".encode())
"""


class Mortals:
    """Processes that seal, each killed after so many statements."""

    def __init__(self, url: str, key: Path) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, "-c", MORTAL, url, str(key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def __enter__(self) -> Mortals:
        return self

    def __exit__(self, *_: object) -> None:
        self._mother.communicate(timeout=20)

    def kill_at(self, steps: int) -> str:
        """What it said: how many statements a seal has, if it came so far without the commit."""
        assert self._mother.stdin
        assert self._mother.stdout
        self._mother.stdin.write(f"{steps}\n")
        self._mother.stdin.flush()
        said, signal_number = self._mother.stdout.readline().rstrip("\n").split(" ")
        assert int(signal_number) == signal.SIGKILL
        return said


def test_a_kill_between_any_two_steps_of_a_seal_leaves_one_history(
    begin: Begin, database_url: str, tmp_path: Path
) -> None:
    """Before the commit nothing was sealed; after it, all was. Whoever comes next goes on from there."""
    key = tmp_path / "log.pem"
    LOG.save(key)
    with begin() as tx:
        fill(tx, 254)
        seal_now(tx)
        fill(tx, 5)
    with Mortals(database_url, key) as mortals:
        steps = int(mortals.kill_at(99))
        assert steps >= 8
        for step in range(steps):
            assert mortals.kill_at(step) == ""
            with begin() as tx:
                assert log.count_unsealed(tx) == 5
        assert check_all(begin).size == 254
        mortals.kill_at(steps)  # the last one dies right after its commit
    assert check_all(begin).size == 265  # five entries, and what fills the log up
    with begin() as tx:
        assert seal_now(tx) is None


def test_the_time_of_sealing_is_the_clock_that_was_passed_in(begin: Begin) -> None:
    with begin() as tx:
        log_one(tx, "one")
        made = seal_now(tx, NOW + timedelta(minutes=3))
    assert made is not None
    assert made.sealed_at == NOW + timedelta(minutes=3)


async def test_many_sequencers_at_once_still_make_one_history(database_url: str, begin: Begin) -> None:
    """Some are overtaken and say so; none of them can make a second history."""
    store = Store.open(database_url, tables.book)
    try:
        answers: list[object] = []
        for turn in range(8):
            await store.transact(lambda tx, turn=turn: fill(tx, 9, f"turn-{turn}"))  # type: ignore[misc]
            sealers = [store.transact(lambda tx: seal_now(tx, limit=4)) for _ in range(4)]
            answers += await asyncio.gather(*sealers, return_exceptions=True)
        while await store.transact(seal_now):
            pass
    finally:
        await store.aclose()
    assert {type(answer) for answer in answers} <= {CheckpointRow, type(None), Overtaken, Unavailable}
    assert any(isinstance(answer, CheckpointRow) for answer in answers)
    assert check_all(begin).size == 72

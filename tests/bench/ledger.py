"""What the evidence costs: entries a second beside the disk's own flushes, proofs from large logs, checking a bundle, bytes.

Appending is measured through the store as it stands (SQLite, every commit flushed): one transaction signs and appends a batch
and seals it with a signed checkpoint. The disk is asked in turn with it, an append of as many bytes and a flush at a time. A
proof is made uncached, each in a transaction of its own that reads its tiles anew; logs are filled with tiles straight away,
made once and kept under `var/bench`.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from gateway.core.receipts import Event
from gateway.ledger import sealing, tiles, tree, verify
from gateway.ledger.appending import Issuer, append_all
from gateway.ledger.checkpoint import sign_checkpoint
from gateway.ledger.statement import Draft, draft
from gateway.store import log, tables
from gateway.store.log import CheckpointRow
from gateway.store.transaction import Store, Tx
from keys.signing import FileSigner
from tests.bench.stored import kept_file

BATCHES = (1, 16, 256)
ENTRY_BYTES = 512
PROOFS = 2_000
SECONDS = 1.5
ORIGIN = "gateway.example/ledger/2026"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
LOG, RECEIPTS = FileSigner.generate("log-1", "Ed25519"), FileSigner.generate("receipts-1", "ES256")
ISSUER = Issuer("gateway.example", RECEIPTS)


def measured(leaves: Sequence[int]) -> dict[str, Any]:
    """Figures by name; `leaves` are the sizes of the logs that proofs are made from."""
    found: dict[str, Any] = {f"appends a second, {n} at once": [] for n in BATCHES}
    found["flushes a second"] = []
    with tempfile.TemporaryDirectory(prefix="bench-ledger-") as folder:
        for number in range(3):
            found["flushes a second"].append(_flushes(Path(folder)))
            for batch in BATCHES:
                book = Path(folder) / f"{number}-{batch}.sqlite3"
                found[f"appends a second, {batch} at once"].append(asyncio.run(_appends(book, batch)))
    told = {name: round(statistics.median(values)) for name, values in found.items()}
    told |= {f"proof from {count} leaves, ms": _proofs(count) for count in leaves}
    return told | _bundle()


def _flushes(folder: Path) -> float:
    """How many entries the disk itself keeps, one flush each."""
    with (folder / "flushed").open("ab", buffering=0) as file:
        began_at, count = time.perf_counter(), 0
        while time.perf_counter() - began_at < SECONDS / 2:
            file.write(b"x" * ENTRY_BYTES)
            os.fdatasync(file.fileno())
            count += 1
    return count / (time.perf_counter() - began_at)


async def _appends(book: Path, batch: int) -> float:
    store = Store.open(f"sqlite:///{book}", tables.book, readers=1)
    store.create_tables()
    count, began_at = 0, time.perf_counter()
    try:
        while time.perf_counter() - began_at < SECONDS:
            made = [draft(Event.ROUTED, f"msg-{count}", NOW, {}) for _ in range(batch)]
            await store.transact(lambda tx, made=made: _append_and_seal(tx, made))  # type: ignore[misc]
            count += batch
        return count / (time.perf_counter() - began_at)
    finally:
        await store.aclose()


def _append_and_seal(tx: Tx, made: Sequence[Draft]) -> None:
    append_all(tx, ISSUER, made, partnership=None, incident=None, seal=None, data_key=None)
    planned = sealing.plan(tx, ORIGIN)
    assert planned is not None
    sealing.seal(tx, planned, planned.signed(LOG), NOW)


# --- proofs from large logs --------------------------------------------------------------------------------------------


def _proofs(count: int) -> dict[str, float]:
    return asyncio.run(_proofs_from(_log_of(count), count))


async def _proofs_from(file: Path, count: int) -> dict[str, float]:
    store, pick, took = Store.open(f"sqlite:///{file}", tables.book, readers=1), random.Random(count), []
    try:
        newest = await store.read(log.latest_checkpoint)
        assert newest is not None
        for _ in range(PROOFS):
            index = pick.randrange(count)
            began_at = time.perf_counter_ns()
            await store.read(lambda tx, index=index: sealing.prove(tx, index, newest))  # type: ignore[misc]
            took.append((time.perf_counter_ns() - began_at) / 1e6)
    finally:
        await store.aclose()
    took.sort()
    return {"p50": round(took[PROOFS // 2], 2), "p99": round(took[PROOFS * 99 // 100], 2)}


def _log_of(count: int) -> Path:
    """A log's tiles and its checkpoint, made unless they stand there already; about 34 bytes a leaf."""
    dialect = sa.create_mock_engine("sqlite://", lambda *_: None).dialect
    made_with = "".join(
        str(CreateTable(one).compile(dialect=dialect)) for one in (tables.tile, tables.checkpoint)
    )
    return kept_file(f"log-{count}", made_with + inspect.getsource(_fill), lambda begun: _fill(begun, count))


def _fill(file: Path, count: int) -> None:
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        tables.book.create_all(connection)

        def read(level: int, number: int) -> bytes:
            place = (tables.tile.c.level == level) & (tables.tile.c.number == number)
            return connection.execute(sa.select(tables.tile.c.hashes).where(place)).scalar() or b""

        for first in range(0, count, 65_536):
            leaves = [tree.leaf_hash(b"%d" % n) for n in range(first, min(first + 65_536, count))]
            connection.execute(
                sa.insert(tables.tile).prefix_with("OR REPLACE"),
                [
                    {"log": ORIGIN, "level": level, "number": number, "hashes": row}
                    for (level, number), row in tiles.grow(read, first, leaves).items()
                ],
            )
        root = tree.root_hash(read, count)
        row = CheckpointRow(1, ORIGIN, count, root, sign_checkpoint(LOG, ORIGIN, count, root), NOW)
        connection.execute(
            sa.insert(tables.checkpoint),
            asdict(row),
        )
    engine.dispose()


# --- what an inspector waits for ---------------------------------------------------------------------------------------


def _bundle() -> dict[str, Any]:
    from tests.ledger.scene import Scene

    scene = Scene()
    packed, policy = scene.zip(), verify.load_policy(verify.canonical(scene.policy))
    took = []
    for _ in range(30):
        began_at = time.perf_counter_ns()
        finding = verify.verify_bundle(packed, policy)
        took.append((time.perf_counter_ns() - began_at) / 1e6)
    assert finding.verdict == "VALID", finding
    return {
        "bundle verified, ms": round(statistics.median(took), 1),
        "receipts in it": finding.receipts,
        "its bytes": len(packed),
    }


# --- under load --------------------------------------------------------------------------------------------------------


def promised_to_proved(book: Path, since: datetime) -> dict[str, float]:
    """Milliseconds from each entry's instant to the checkpoint that first covers it; of entries since the load began.

    Waits for the last of them: the gateway must still be there.
    """
    stored = tables.Instant().process_bind_param(since, sa.create_mock_engine("sqlite://", print).dialect)
    with closing(sqlite3.connect(book)) as opened:
        while opened.execute("SELECT 1 FROM entry WHERE leaf_index IS NULL LIMIT 1").fetchone():
            time.sleep(0.1)
        heads = opened.execute("SELECT size, sealed_at FROM checkpoint ORDER BY size").fetchall()
        entries = opened.execute(
            "SELECT leaf_index, at FROM entry WHERE at > ? ORDER BY leaf_index", [stored]
        )
        took = sorted(_waits(heads, entries))
    return {"p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100], "entries": len(took)}


def _waits(heads: Sequence[tuple[int, Any]], entries: Iterable[tuple[int, Any]]) -> Iterator[float]:
    covering = iter(heads)
    size, sealed_at = next(covering)
    for index, at in entries:
        while size <= index:
            size, sealed_at = next(covering)
        yield (_instant(sealed_at) - _instant(at)) / timedelta(milliseconds=1)


def _instant(stored: Any) -> datetime:
    found = tables.Instant().process_result_value(stored, None)
    assert found is not None
    return found

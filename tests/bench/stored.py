"""What must not grow with what is stored: deciding on a message, and finding the duties that are due.

Deciding is measured with every pack of this release loaded, each message type's example under each pack. Due duties are
looked for in books that hold a thousand duties, and many times that, of which the same few are due; in each nine in ten are
met and the others open. Such a book is made once and kept under `var/bench`, by the digest of what it was made with.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from gateway.core.duties import DutyState
from gateway.core.messages import AgencyId, IncidentId, Message, MessageId, PartnershipId
from gateway.core.rules import Pack, decide
from gateway.partnerships import packs
from gateway.store import duties, tables
from gateway.store.transaction import Store, Tx
from schemas import TYPES, example_path, facts, read_message

KEPT = Path("var/bench")
PACKS = Path(packs.__file__).parent
DUE_NOW = 20
DUTIES_OF_AN_INCIDENT = 5
MOST = 1000  # as many as the timetable looks for at once
ROUNDS = 300
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def decided() -> dict[str, Any]:
    """Microseconds for one decision, over every message type under every pack, from each kind of agency that may send it."""
    loaded = {
        folder.name: packs.parse(PartnershipId(folder.name), packs.read_files(folder))
        for folder in sorted(PACKS.iterdir())
        if (folder / "rules.toml").exists()
    }
    asked = [(message, pack) for pack in loaded.values() for message in _messages(pack)]
    took = sorted(_nanoseconds(lambda m=m, p=p: decide(m, p)) for _ in range(20) for m, p in asked)  # type: ignore[misc]
    return {
        "packs": len(loaded),
        "decided": len(took),
        "median_us": round(statistics.median(took) / 1000, 2),
        "p99_us": round(took[len(took) * 99 // 100] / 1000, 2),
    }


def _messages(pack: Pack) -> Iterator[Message]:
    for slug in sorted(TYPES):
        read = read_message(example_path(slug).read_bytes())
        for kind in {kind for route in pack.routes if route.message == slug for kind in route.senders}:
            yield Message(
                MessageId("msg-1"),
                slug,
                read.version,
                pack.partnership,
                AgencyId("anybody"),
                kind,
                read.reference,
                IncidentId("SI-7K3M-9QPX-2D"),
                None,
                NOW,
                facts(read),
            )


def _nanoseconds(run: Callable[[], object]) -> int:
    began_at = time.perf_counter_ns()
    run()
    return time.perf_counter_ns() - began_at


# --- duties that are due ---------------------------------------------------------------------------------------------


def due_found(counts: Sequence[int]) -> dict[int, float]:
    """Milliseconds until the duties that are due are found, by how many are stored."""
    return asyncio.run(_due(counts))


async def _due(counts: Sequence[int]) -> dict[int, float]:
    """Milliseconds for one look of the timetable (stages reached, due instants past) by what is stored; books in turn."""
    stores = {count: Store.open(f"sqlite:///{_book(count)}", tables.book, readers=1) for count in counts}
    took: dict[int, list[int]] = {count: [] for count in counts}
    try:
        for _ in range(ROUNDS):
            for count, store in stores.items():
                began_at = time.perf_counter_ns()
                found = await store.read(_look)
                took[count].append(time.perf_counter_ns() - began_at)
                assert found == (DUE_NOW, DUE_NOW), found
    finally:
        for store in stores.values():
            await store.aclose()
    return {count: round(statistics.median(one) / 1e6, 3) for count, one in took.items()}


def _look(tx: Tx) -> tuple[int, int]:
    return len(duties.to_chase(tx, NOW, MOST)), len(duties.lapsed(tx, NOW, MOST))


def _book(count: int) -> Path:
    """A book with so many duties, made unless it stands there already."""
    dialect = sa.create_mock_engine("sqlite://", lambda *_: None).dialect
    parts = [
        CreateTable(tables.duty),
        *map(CreateIndex, sorted(tables.duty.indexes, key=lambda one: one.name or "")),
    ]
    made_with = "".join(str(part.compile(dialect=dialect)) for part in (*parts, CreateTable(tables.incident)))
    made_with += "".join(map(inspect.getsource, (_fill, _duty, _incident)))
    return kept_file(f"duties-{count}", made_with, lambda begun: _fill(begun, count))


def kept_file(name: str, made_with: str, fill: Callable[[Path], None]) -> Path:
    """A database that takes long to fill, kept until what it is made with changes; older ones of its name go."""
    file = KEPT / f"{name}-{hashlib.sha256(made_with.encode()).hexdigest()[:12]}.sqlite3"
    if not file.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        for older in KEPT.glob(f"{name}-*"):
            older.unlink()
        begun = file.with_suffix(".begun")
        begun.unlink(missing_ok=True)
        fill(begun)
        os.replace(begun, file)
    return file


def _fill(file: Path, count: int) -> None:
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        tables.book.create_all(connection)
        for first in range(0, count, 10_000):
            rows = [_duty(number) for number in range(first, min(first + 10_000, count))]
            connection.execute(sa.insert(tables.duty), rows)
            connection.execute(
                sa.insert(tables.incident), [_incident(one) for one in rows[::DUTIES_OF_AN_INCIDENT]]
            )
    engine.dispose()


def _duty(number: int) -> dict[str, Any]:
    """The first few are due, every tenth after them is open until some later day, and the others were met."""
    is_due, is_open = number < DUE_NOW, number % 10 == 0
    due_at = NOW + timedelta(minutes=-1 if is_due else (number if is_open else -number))
    return {
        "id": f"dty-{hashlib.sha256(str(number).encode()).hexdigest()[:26]}",
        "partnership": "south-tyneside",
        "incident": f"SI-{number // DUTIES_OF_AN_INCIDENT}",
        "message": f"msg-{number}",
        "agency": f"agency-{number % 40}",
        "role": "sbu",
        "expects": "information-return",
        "clock": "K14",
        "rule": "information-request",
        "pack_version": "1",
        "start_at": NOW - timedelta(days=10),
        "due_at": due_at,
        "due_inclusive": True,
        "state": (DutyState.OPEN if is_due or is_open else DutyState.MET).value,
        "next_chase_at": due_at if is_due or is_open else None,
    }


def _incident(duty: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": duty["incident"],
        "partnership": duty["partnership"],
        "chain": f"inc-{duty['incident']}",
        "pack_version": "1",
        "state": "open",
        "outcomes": [],
        "opened_at": duty["start_at"],
    }

"""What accepting costs with little and with much stored: processor time of one accept, books in turn.

The books are those of `console.py`, copied, so that what is accepted here stays out of them. In each a few incidents are opened first,
and then their returns come one by one, each with its own flushed commit; every round goes to each book, so that what else the machine
does falls on both.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.app import build_parts, close
from gateway.parts import Parts
from tests.bench import console
from tests.bench.house import HOSPITALS, accepted, document, open_incident

RATIO = "an accept: most stored to fewest"
INCIDENTS, ROUNDS, EACH = 10, 20, 20


def measured(stored: Sequence[int]) -> dict[str, Any]:
    """Milliseconds of processor time for one accept, by what is stored, and the median of the rounds' ratios."""
    return asyncio.run(_measured(stored))


async def _measured(stored: Sequence[int]) -> dict[str, Any]:
    console.KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-growth-", dir=console.KEPT) as name:
        houses = {count: await _opened(Path(name) / str(count), count) for count in stored}
        took: dict[int, list[float]] = {count: [] for count in stored}
        try:
            for turn in range(ROUNDS):
                for count, (parts, opened) in houses.items():
                    took[count].append(await _milliseconds(parts, opened, turn))
        finally:
            for parts, _ in houses.values():
                await close(parts)
    ratios = [most / few for most, few in zip(took[max(stored)], took[min(stored)], strict=True)]
    told = {f"CPU ms with {count} stored": round(statistics.median(one), 3) for count, one in took.items()}
    return told | {RATIO: round(statistics.median(ratios), 3)}


async def _opened(folder: Path, count: int) -> tuple[Parts, list[dict[str, Any]]]:
    kept = await asyncio.to_thread(console.kept_settings, count)
    folder.mkdir()
    shutil.copytree(kept.var_dir, folder / "var")
    parts = build_parts(kept.model_copy(update={"var_dir": folder / "var"}))
    return parts, [await open_incident(parts, number) for number in range(INCIDENTS)]


async def _milliseconds(parts: Parts, opened: list[dict[str, Any]], turn: int) -> float:
    """Of all threads, for each of so many accepts."""
    made = []
    for number in range(EACH):
        one = opened[number % len(opened)]
        raw = json.loads(document("information-return", f"grown-{turn}-{number}", one["incident"]))
        made.append(json.dumps(raw | {"in_reply_to": one["message"]}).encode())
    began_at = time.process_time()
    for raw in made:
        await accepted(parts, HOSPITALS, raw)
    return (time.process_time() - began_at) * 1000 / EACH

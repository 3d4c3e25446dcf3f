"""Nothing that was answered is lost, done twice or contradicted while processes, servers, lines, disk and clocks fail at random
(architecture: the store, dispatch, the ledger).

The long run (`LONG=1`, twenty minutes) is the proof; the short one keeps it true. Counts are printed: `-s`, in one process (`WORKERS=0`), shows them.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.faults.judge import judged, settled
from tests.journeys.faults.plan import Scale
from tests.journeys.faults.town import Town, machine, town

SHORT = Scale(
    seconds=20,
    gap_seconds=0.7,
    submitters=8,
    pause_seconds=0.3,
    apis=2,
    workers=2,
    clock_step_seconds=20,
    disk_mib=256,
    settle_seconds=90,
    rounds=1,
)
LARGE = Scale(
    seconds=1230,
    gap_seconds=5,
    submitters=16,
    pause_seconds=1.5,
    apis=4,
    workers=4,
    clock_step_seconds=90,
    disk_mib=2048,
    settle_seconds=420,
    rounds=6,
)


@pytest.mark.timeout(300)
async def test_promises_are_kept_whatever_fails(tmp_path: Path) -> None:
    await weathered(SHORT, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(2400)
@pytest.mark.needs("faketime")
async def test_promises_are_kept_through_twenty_minutes_of_faults(tmp_path: Path) -> None:
    await weathered(LARGE, tmp_path)


async def weathered(scale: Scale, folder: Path) -> None:
    async with town(scale, folder) as here:
        here.children.start()
        try:
            await asyncio.wait_for(_submitting_while_it_fails(here), scale.seconds + 600)
            took = await settled(here)
        except BaseException:
            for child in here.children.every:
                print(f"--- {child.name}, {child.starts} starts\n{child.log[-3000:]}")
            raise
        await here.children.stop()
        assert set(here.befell) == here.possible
        found = await judged(here)
        print("\n" + json.dumps(published(here, found, took), indent=1))


async def _submitting_while_it_fails(here: Town) -> None:
    """Faults begin when the first submission was answered; a submitter's own fault ends everything."""
    submitters = [
        asyncio.create_task(here.submit_for_ever(number)) for number in range(here.scale.submitters)
    ]

    async def suffered() -> None:
        while not here.answers:
            await asyncio.sleep(0.1)
        await here.suffer()

    trouble = asyncio.create_task(suffered())
    try:
        await asyncio.wait([trouble, *submitters], return_when=asyncio.FIRST_COMPLETED)
        for task in (trouble, *submitters):
            if task.done():
                task.result()
        here.calm()
        await asyncio.wait_for(asyncio.gather(*submitters), here.scale.settle_seconds)
    finally:
        for task in (trouble, *submitters):
            task.cancel()
        await asyncio.gather(trouble, *submitters, return_exceptions=True)


def published(here: Town, found: dict[str, Any], settled_seconds: float) -> dict[str, Any]:
    """The counts."""
    children = here.children.every
    return {
        "machine": machine(),
        "faults": {
            fault.name.lower(): count for fault, count in sorted(here.befell.items(), key=lambda i: i[0].name)
        },
        "processes killed": sum(child.killed for child in children),
        "processes that ended by themselves": sum(child.ended for child in children),
        "submitters were told": dict(here.refusals),
        "partner": {whim.name.lower(): count for whim, count in here.partner.whims.items()},
        "seconds until nothing was owed": settled_seconds,
        **found,
    }

"""What `/readyz` says: whether a message can be taken at this moment, and what else is not as it should be.

Invariant: `ready` is tried, not assumed: both databases are read and written (a proof of possession is remembered, which is what fails
first on a full disk), and a data key is wrapped and unwrapped. What only delays work is a trouble: the gateway goes on taking messages,
so no balancer may turn partners away for it. Nothing here names anybody or any place.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog

from gateway.core.errors import Unavailable, place_of
from gateway.parts import Parts
from gateway.store import custody, deliveries, log, mail, replay
from gateway.store.transaction import Tx

STEP_SECONDS = 5.0  # longest time for one step: who waits longer for the database cannot take messages either
SEALED_WITHIN, CARRIED_WITHIN = timedelta(minutes=1), timedelta(minutes=5)
CONFIRMED_WITHIN, READ_WITHIN = timedelta(minutes=15), timedelta(minutes=15)
LEAST_FREE_BYTES = 1 << 30
FAR_ENDS_SECONDS = 30.0  # so long an answer about far ends is good: they are not asked at every look

_log = structlog.get_logger()


class Readiness:
    """One per process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._far_asked_at = float("-inf")
        self._far_troubles: list[str] = []

    async def told(self) -> tuple[int, dict[str, Any]]:
        """The status and the document: 503 with the `reason` when nothing can be taken, else 200 with the `troubles`."""
        for reason, step in self._steps():
            if not await _succeeds(reason, step):
                return 503, {"ready": False, "reason": reason}
        try:
            return 200, await self._with_troubles()
        except Unavailable:  # it went away in this moment
            return 503, {"ready": False, "reason": "database"}

    async def troubles(self) -> list[str]:
        """What only delays work, by the names of the operator's guide; Unavailable without the database."""
        at = self._parts.clock()
        found = await self._parts.store.read(lambda tx: list(_of_the_book(tx, self._parts, at)))
        found += self._of_this_machine()
        await self._ask_far_ends()
        return sorted({*found, *self._far_troubles})

    async def _with_troubles(self) -> dict[str, Any]:
        at = self._parts.clock()
        document: dict[str, Any] = {"ready": True, "troubles": await self.troubles()}
        if self._parts.settings.is_anchored:
            waits = await self._parts.store.read(log.oldest_unanchored)
            document["log_pending_seconds"] = 0 if waits is None else int((at - waits).total_seconds())
        return document

    def _steps(self) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
        parts, at = self._parts, self._parts.clock()
        key = f"readyz-{secrets.token_hex(16)}"
        yield "database", lambda: parts.store.read(log.latest_checkpoint)
        yield "log-contradicted", self._is_uncontradicted
        yield (
            "replay",
            lambda: parts.store.transact(lambda tx: replay.burn(tx, key, at + timedelta(minutes=1), at)),
        )
        yield "custody", lambda: parts.custody.transact(lambda tx: custody.find(tx, key))
        yield "keys", self._wrap_and_unwrap

    async def _is_uncontradicted(self) -> bool:
        return not await self._parts.store.read(log.contradictions)

    async def _wrap_and_unwrap(self) -> None:
        made, wrapped = self._parts.keys.new_data_key("readyz")
        self._parts.ring.unwrap(wrapped).open("readyz", made.seal("readyz", b"readyz"))

    def _of_this_machine(self) -> Iterator[str]:
        if not self._parts.ring.is_readable:
            yield "keys-unreadable"
        if shutil.disk_usage(self._parts.settings.var_dir).free < LEAST_FREE_BYTES:
            yield "disk-low"

    async def _ask_far_ends(self) -> None:
        """Those that are set up, all at once, now and then."""
        now = asyncio.get_running_loop().time()
        if now - self._far_asked_at < FAR_ENDS_SECONDS:
            return
        self._far_asked_at = now
        names = list(self._parts.far_ends)
        there = await asyncio.gather(*(_succeeds(one, self._parts.far_ends[one]) for one in names))
        self._far_troubles = [name for name, is_there in zip(names, there, strict=True) if not is_there]


def _of_the_book(tx: Tx, parts: Parts, at: datetime) -> Iterator[str]:
    """Work that nobody does: sealing, carrying, confirming, and reading what comes in."""
    settings = parts.settings
    late = {
        "sealing": (log.unsealed_since(tx), SEALED_WITHIN),
        "carrying": (deliveries.waits_since(tx, at), CARRIED_WITHIN),
        "unconfirmed": (log.oldest_unanchored(tx) if settings.is_anchored else None, CONFIRMED_WITHIN),
    }
    yield from (name for name, (since, within) in late.items() if since is not None and at - since > within)
    marks = mail.watermarks(tx)
    for way, url in (("mailbox", settings.imap_url), ("mesh", settings.mesh_url)):
        if url and (way not in marks or at - marks[way] > READ_WITHIN):
            yield way


async def _succeeds(name: str, step: Callable[[], Awaitable[object]]) -> bool:
    """Whether it ends in time and well; a far end answers False itself. Whatever it raises is told in the log."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            return await step() is not False
    except Exception as fault:
        _log.error("readiness.failed", step=name, fault=type(fault).__name__, where=place_of(fault))
        return False

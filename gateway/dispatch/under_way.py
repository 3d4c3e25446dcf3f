"""What one process is carrying at the moment.

Invariant: of one agency it is never more than its share, in all and not by the claim, so that a far end that hangs fills no process:
whoever else something is owed to finds room beside it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress

from gateway.core.messages import AgencyId
from gateway.dispatch.recording import Recording
from gateway.parts import Parts

AGENCY_SHARE = 4  # of what is carried at once, one agency gets at most this part


class UnderWay:
    """Belongs to one event loop, and to one who claims, whom `woken` tells that there may be something to claim."""

    def __init__(self, parts: Parts) -> None:
        self.woken = asyncio.Event()
        self.recording = Recording(parts)
        self.share = max(1, parts.settings.deliveries_at_once // AGENCY_SHARE)
        self._most = parts.settings.deliveries_at_once
        self._tasks: dict[asyncio.Task[None], AgencyId] = {}

    @property
    def room(self) -> int:
        """How many more may be taken."""
        return self._most - len(self._tasks)

    @property
    def goes_on(self) -> bool:
        """Whether any is under way, or has ended since the last claim, which then found less room than there is."""
        return bool(self._tasks) or self.woken.is_set()

    @property
    def to_each(self) -> Counter[AgencyId]:
        """How many are under way to each agency."""
        return Counter(self._tasks.values())

    def begin(self, agency: AgencyId, carrying: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(carrying)
        self._tasks[task] = agency
        task.add_done_callback(self._end)
        return task

    async def rest(self, seconds: float) -> None:
        """Until woken, no longer than so."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), seconds)

    async def all_end(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Break off what is still carried; what was carried is recorded first."""
        for task in self._tasks:
            task.cancel()
        await self.all_end()

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self.woken.set()  # there is room where there was none

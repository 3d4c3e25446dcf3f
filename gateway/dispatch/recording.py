"""Outcomes of one batch of deliveries, recorded as they come: those that came while others were being written go together.

Invariant: no outcome depends on another's. What cannot be recorded together is recorded alone, in a transaction of its own, and
nobody waits for a far end here: only for the batch's commit that is under way. What was carried is written down although whoever
carried it is cancelled, as at every stop: else it would be carried again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from gateway.actions.deliver import TOGETHER, Attempted, NotTogether, deliver, deliver_each, is_plain
from gateway.core.deliveries import DeliveryState
from gateway.core.errors import Unavailable, place_of
from gateway.parts import Parts

_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Waiting:
    """An outcome that is to be recorded; `state` once it is, `is_alone` once it was tried with others in vain, `fault` where the
    database cannot answer."""

    attempted: Attempted
    state: DeliveryState | None = None
    is_alone: bool = False
    fault: Unavailable | None = None


class Recording:
    """Records one batch's outcomes; belongs to one event loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: list[_Waiting] = []
        self._turn = asyncio.Lock()

    async def record(self, attempted: Attempted) -> DeliveryState | None:
        """See `deliver`: the new state, or None when another worker has the delivery or it is final. Unavailable: the lease runs out."""
        writing = asyncio.ensure_future(self._record(attempted))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})
            raise

    async def _record(self, attempted: Attempted) -> DeliveryState | None:
        if is_plain(attempted):
            mine = _Waiting(attempted)
            self._waiting.append(mine)
            async with self._turn:
                while mine in self._waiting:
                    await self._record_some()
            if mine.fault is not None:
                raise mine.fault
            if not mine.is_alone:
                return mine.state
        row = attempted.delivery
        return await self._parts.perform(deliver, attempted, row.partnership, row.incident)

    async def _record_some(self) -> None:
        """Those that have waited longest and are of one partnership. They wait on until they are recorded, or are to go alone."""
        await asyncio.sleep(0)  # whatever else has come in the same moment comes along
        partnership = self._waiting[0].attempted.delivery.partnership
        some = [one for one in self._waiting if one.attempted.delivery.partnership == partnership][:TOGETHER]
        await self._record_together(some)
        self._waiting = [one for one in self._waiting if one not in some]

    async def _record_together(self, some: list[_Waiting]) -> None:
        asked = [one.attempted for one in some]
        try:
            states = await self._parts.perform(deliver_each, asked, asked[0].delivery.partnership, None)
        except Unavailable as fault:
            for one in some:
                one.fault = fault
        except Exception as fault:  # of one of them: each finds out alone
            if not isinstance(fault, NotTogether):
                ids = [one.delivery.id for one in asked]
                _log.warning(
                    "delivery.apart", deliveries=ids, fault=type(fault).__name__, where=place_of(fault)
                )
            for one in some:
                one.is_alone = True
        else:
            for one, state in zip(some, states, strict=True):
                one.state = state

"""Outcomes of what one process carried, recorded as they come: those that came while others were being written go together.

Invariant: no outcome depends on another's. What cannot be recorded together is recorded alone, in a transaction of its own, and
nobody waits for a far end here: only for the commit that is under way. What was carried is written down although whoever carried it
is cancelled, as at every stop: else it would be carried again.
"""

from __future__ import annotations

import asyncio

import structlog

from gateway.actions.deliver import TOGETHER, Attempted, NotTogether, deliver, deliver_each, is_plain
from gateway.core.deliveries import DeliveryState
from gateway.core.errors import Unavailable, place_of
from gateway.parts import Parts

_log = structlog.get_logger()


class Recording:
    """Belongs to one event loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: dict[asyncio.Future[DeliveryState | None], Attempted] = {}
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
        if is_plain(attempted) and (state := await self._with_others(attempted)) is not None:
            return state
        row = attempted.delivery
        return await self._parts.perform(deliver, attempted, row.partnership, row.incident)

    async def _with_others(self, attempted: Attempted) -> DeliveryState | None:
        """The new state; None when it is to be recorded alone."""
        mine: asyncio.Future[DeliveryState | None] = asyncio.get_running_loop().create_future()
        self._waiting[mine] = attempted
        async with self._turn:
            while not mine.done():
                await self._record_some()
        return mine.result()

    async def _record_some(self) -> None:
        """Those that have waited longest and are of one partnership."""
        await asyncio.sleep(0)  # whatever else has come in the same moment comes along
        partnership = next(iter(self._waiting.values())).delivery.partnership
        alike = [one for one, asked in self._waiting.items() if asked.delivery.partnership == partnership]
        some = {one: self._waiting.pop(one) for one in alike[:TOGETHER]}
        try:
            states = await self._parts.perform(deliver_each, [*some.values()], partnership, None)
        except Unavailable as fault:
            for one in some:
                one.set_exception(fault)
        except Exception as fault:  # of one of them: each finds out alone
            if not isinstance(fault, NotTogether):
                ids = [asked.delivery.id for asked in some.values()]
                told = {"fault": type(fault).__name__, "where": place_of(fault)}
                _log.warning("delivery.apart", deliveries=ids, **told)
            for one in some:
                one.set_result(None)
        else:
            for one, state in zip(some, states, strict=True):
                one.set_result(state)

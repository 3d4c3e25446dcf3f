"""A far end in this process, for tests and the demonstration: it can be told to fail, stall or lie.

Invariant: what it holds is keyed by delivery, as with an honest partner that knows a repeat, so a parcel carried twice
is held once; `attempts` counts how often it was carried.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass

from gateway.core.deliveries import Delivered, Outcome, Parcel, TryLater, Undeliverable
from gateway.core.messages import DeliveryId


@dataclass(frozen=True, slots=True)
class Fail:
    """Take nothing and answer with this outcome."""

    outcome: TryLater | Undeliverable


@dataclass(frozen=True, slots=True)
class Stall:
    """Answer only once `until` is set."""

    until: asyncio.Event


@dataclass(frozen=True, slots=True)
class Lose:
    """A lie: say that it was delivered, and hold nothing."""


@dataclass(frozen=True, slots=True)
class Deny:
    """A lie: hold it, and say that it did not arrive (an answer lost on the way)."""


@dataclass(frozen=True, slots=True)
class Break:
    """Raise: a bug of ours in an adapter, which dispatch must survive."""


Order = Fail | Stall | Lose | Deny | Break


class MemoryAdapter:
    """Holds parcels by delivery. Each order given by `tell` is for one attempt, first come first served."""

    name = "memory"

    def __init__(self) -> None:
        self.held: dict[DeliveryId, Parcel] = {}
        self.attempts: Counter[DeliveryId] = Counter()
        self._orders: deque[Order] = deque()

    def tell(self, order: Order, times: int = 1) -> None:
        """What to do with the next `times` parcels in place of taking them."""
        self._orders.extend([order] * times)

    async def deliver(self, parcel: Parcel) -> Outcome:
        self.attempts[parcel.delivery] += 1
        match self._orders.popleft() if self._orders else None:
            case Fail(outcome):
                return outcome
            case Lose():
                return self._delivered()
            case Deny():
                self.held[parcel.delivery] = parcel
                return TryLater("connection-lost")
            case Break():
                raise RuntimeError("the memory adapter was told to break")
            case Stall(until):
                await until.wait()
        self.held[parcel.delivery] = parcel
        return self._delivered()

    async def aclose(self) -> None:
        """Nothing is kept open."""

    @staticmethod
    def _delivered() -> Delivered:
        return Delivered("ContentConsignment", {})

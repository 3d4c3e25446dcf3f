"""How fast somebody may ask: a bucket of so many requests for each, which fills again at a steady pace.

Invariant: within any `t` seconds one key is given at most `burst + t * per_second`; what is refused takes nothing, so that
asking too often does not make the wait longer; and one key's haste never shortens another's share. At most `most` keys are
remembered, and the one longest unused is forgotten first: that gives it a full bucket, which is its due unless there are more
askers than `most` at once.

The generic cell rate algorithm (ATM Forum TM 4.1, section 4.4.2): one number for each key, the instant when its bucket is full.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, `per_second` in the long run."""

    per_second: float
    burst: int


class Buckets:
    """The buckets of one process. Used from one event loop, so it takes no lock."""

    __slots__ = ("_full_at", "_most", "_rate")

    def __init__(self, rate: Rate, most: int) -> None:
        self._rate = rate
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take one from the key's bucket: 0, or the seconds to wait until there is one. `now` in seconds of a steady clock."""
        one = 1 / self._rate.per_second
        full_at = max(self._full_at.get(key, now), now) + one
        wait_seconds = full_at - now - self._rate.burst * one
        if wait_seconds > one * _ROUNDING:
            return wait_seconds
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)


_ROUNDING = 1e-3  # of one request: sums of fractions are not exact

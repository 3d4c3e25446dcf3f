"""A client's keys as they are kept: which may sign now, which wait, which are over. Pure: values in, values out.

A kept key is a public JWK (RFC 7517) with, beside its own members, `status` (`pending`, `active`, `retiring` or `revoked`;
absent: active), `nbf` and `exp` (seconds since 1970: when it may be used) and `revoked` (a coarse code: why it may not).

Invariant: a pending or revoked key signs nothing, whatever its window says; a revoked key is kept for good, so that it can
never be registered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

MOST_KEYS = 5
MOST_PUBLISHED_KEYS = 10  # of a client that publishes its keys itself
EXPIRY_WARNING = timedelta(days=30)

PENDING, ACTIVE, RETIRING, REVOKED, ENDED = "pending", "active", "retiring", "revoked", "ended"

Kept = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when new keys may be used; None leaves that side open."""

    not_before_at: datetime | None = None
    not_after_at: datetime | None = None

    def members(self) -> dict[str, int]:
        """The window as it stands beside a kept key."""
        named = (("nbf", self.not_before_at), ("exp", self.not_after_at))
        return {name: int(at.timestamp()) for name, at in named if at is not None}


ALWAYS = Window()


def status_of(key: Kept, at: datetime) -> str:
    """`pending`, `active`, `retiring`, `revoked`, or `ended` when its window is over."""
    if "revoked" in key or key.get("status") == REVOKED:
        return REVOKED
    if key.get("status") == PENDING:
        return PENDING
    if "exp" in key and key["exp"] <= at.timestamp():
        return ENDED
    return str(key.get("status", ACTIVE))


def works(key: Kept, at: datetime) -> bool:
    """May it sign now?"""
    begun = "nbf" not in key or key["nbf"] <= at.timestamp()
    return begun and status_of(key, at) in (ACTIVE, RETIRING)


def in_hand(keys: Iterable[Kept], at: datetime) -> list[Kept]:
    """Those that work, will work or wait for approval: of these there are at most `MOST_KEYS`."""
    return [key for key in keys if status_of(key, at) in (PENDING, ACTIVE, RETIRING)]


def waiting(keys: Iterable[Kept]) -> list[Kept]:
    """Those that nobody has approved yet."""
    return [key for key in keys if key.get("status") == PENDING and "revoked" not in key]


def approved(key: Kept) -> dict[str, Any]:
    """A pending key, from now on in use within its window."""
    return {**key, "status": ACTIVE}


def retired(key: Kept, ends_at: datetime) -> dict[str, Any]:
    """A key that still works until `ends_at`, or until its own window ends if that is sooner."""
    ends = int(ends_at.timestamp())
    return {**key, "status": RETIRING, "exp": min(ends, key.get("exp", ends))}


def revoked(key: Kept, why: str) -> dict[str, Any]:
    """A key that is never to be trusted again."""
    return {**key, "status": REVOKED, "revoked": why}


def last_end(keys: Iterable[Kept], at: datetime) -> int | None:
    """When the client can sign no more (seconds since 1970): None while some key has no end, `at` when none works."""
    ends = [key.get("exp") for key in keys if status_of(key, at) in (ACTIVE, RETIRING)]
    if not ends:
        return int(at.timestamp())
    return None if None in ends else max(end for end in ends if end is not None)


def run_out_soon(keys: Iterable[Kept], at: datetime) -> bool:
    """Will every key of the client have ended within `EXPIRY_WARNING`?"""
    end = last_end(keys, at)
    return end is not None and end <= (at + EXPIRY_WARNING).timestamp()

"""Signing outside of transactions: what a transaction wants signed is noted, signed after it was rolled back, and it runs again.

Invariant: a signer that takes its time is never asked inside a transaction. A function that the store runs may run again and says
the same then (its ids and salts come from a seed), so the second run finds its signatures made. Where something else came
between, it says something else, and what is new is signed again; after a few such rounds the answer is no.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

T = TypeVar("T")
Run = TypeVar("Run")

ROUNDS = 8
SIGNATURE_BYTES = 64


class SlowSigner(Protocol):
    @property
    def kid(self) -> str: ...

    def sign_now(self, data: bytes) -> bytes: ...


class NeverTheSame(Exception):
    """A transaction said something else at each of its runs: too much happens at once, or it is not repeatable."""


@dataclass(slots=True)
class _Notes:
    signed: dict[tuple[str, bytes], bytes]
    wanted: list[tuple[SlowSigner, bytes]] = field(default_factory=list)


class _Wanted(Exception):
    def __init__(self, wanted: list[tuple[SlowSigner, bytes]]) -> None:
        super().__init__("something waits for its signature")
        self.wanted = wanted


_running = threading.local()


def signature(signer: SlowSigner, data: bytes) -> bytes | None:
    """In a transaction: what was signed before, or zeros, which never become durable. None where no transaction runs."""
    notes: _Notes | None = getattr(_running, "notes", None)
    if notes is None:
        return None
    made = notes.signed.get((signer.kid, data))
    if made is None:
        notes.wanted.append((signer, data))
    return made or bytes(SIGNATURE_BYTES)


async def signing_outside(
    transact: Callable[[Callable[[Run], T]], Awaitable[T]], fn: Callable[[Run], T]
) -> T:
    """Run `fn` through `transact` until all that it wants signed is signed; NeverTheSame when that does not come about."""
    signed: dict[tuple[str, bytes], bytes] = {}
    for _ in range(ROUNDS):
        try:
            return await transact(lambda tx: _noting(fn, tx, signed))
        except _Wanted as missing:
            for signer, data in missing.wanted:
                signed[signer.kid, data] = await asyncio.to_thread(signer.sign_now, data)
    raise NeverTheSame


def _noting(fn: Callable[[Run], T], tx: Run, signed: dict[tuple[str, bytes], bytes]) -> T:
    notes = _running.notes = _Notes(signed)
    try:
        value = fn(tx)
    finally:
        _running.notes = None
    if notes.wanted:
        raise _Wanted(notes.wanted)  # the store rolls back: nothing of this run stays
    return value

"""Run an action on the deployment itself: no incident, no rule pack needed. What `Parts.perform` is to an incident's actions.

Invariant: its randomness is made before, so that an action which the store runs again says the same; and this process reads the
directory and the packs anew afterwards (others do within two seconds).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

from gateway.actions.prove import Occasion
from gateway.parts import Parts, Supply
from gateway.store.transaction import Tx

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


async def settle(
    parts: Parts, action: Callable[[Tx, Parts, Occasion, Asked], Answer], asked: Asked
) -> Answer:
    """One durable transaction; Refused and Unavailable as the action and the store have it."""
    at, seed = parts.clock(), secrets.token_bytes(32)
    done = await parts.store.transact(lambda tx: action(tx, parts, Occasion(at, Supply(seed)), asked))
    parts.partnerships.forget()
    return done

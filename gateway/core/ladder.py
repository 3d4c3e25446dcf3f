"""The ladder under one delivery: what is tried next when a message is not collected or answered, or did not arrive.

Invariant: one delivery goes up one ladder under one id, a rung at a time and never down, and the last rung is always a person's
telephone call; so nothing that was not taken up rests unseen (S3-23, G-02, G-04).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum


class Rung(Enum):
    """After the way that the directory gives: the seat by e-mail, who ranks after its holder, an officer's telephone call."""

    MAIL = "mail"
    DEPUTY = "deputy"
    TELEPHONE = "telephone"


ORDER = tuple(Rung)


class Until(Enum):
    """What ends the ladder: the recipient's system has the content, or a person has acknowledged or answered."""

    COLLECTED = "collected"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class LadderRule:
    """Which rungs messages of these types have (none named: all), and how long each may take, in running hours."""

    messages: frozenset[str]
    rungs: tuple[Rung, ...]
    after_hours: int
    until: Until = Until.COLLECTED

    def next_at(self, began_at: datetime) -> datetime:
        """When the next rung is due, if nothing is heard from the one that began then."""
        return began_at + timedelta(hours=self.after_hours)


def ladder_for(ladders: Sequence[LadderRule], message_type: str) -> LadderRule | None:
    """The ladder that names this type, else the one for all; the pack's check lets each stand once."""
    named = (one for one in ladders if message_type in one.messages)
    return next(named, None) or next((one for one in ladders if not one.messages), None)


def rungs_above(rule: LadderRule, now: Rung | None) -> tuple[Rung, ...]:
    """What is still to be tried, in order. `now` is the rung that was reached; None is the directory's own way."""
    reached = -1 if now is None else ORDER.index(now)
    return tuple(rung for rung in ORDER if rung in rule.rungs and ORDER.index(rung) > reached)

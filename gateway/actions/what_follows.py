"""What follows from a message by one rule, collected before any of it is written.

Deliveries, duties and statements; and gaps: coarse reasons for which an officer must look, because the directory names
nobody for a seat, or nobody who may be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.actions.prove import Said
from gateway.actions.tell_duty import duty_document
from gateway.core.messages import Seat
from gateway.core.routing import Circumstances, resolve
from gateway.core.rules import Recipients
from gateway.core.written_times import written_or_null
from gateway.parts import Work
from gateway.store import deliveries, duties, holds
from gateway.store.transaction import Tx

DO_NOT_CONTACT = "do-not-contact"  # the seat must not be told: an officer finds another recipient (G-08)
EVERYBODY_ABSENT = (
    "everybody-absent"  # it goes to the team's mailbox or inbox, and an officer hears of it (G-04)
)


@dataclass(slots=True)
class Forwarded:
    """What follows from a message by the rule `rule`, which every row names.

    `withheld` are holds on deliveries that a police hold stops. `record` writes all of it; the message is written first.
    """

    rule: str
    deliveries: list[Mapping[str, Any]] = field(default_factory=list)
    duties: list[Mapping[str, Any]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    withheld: list[Mapping[str, Any]] = field(
        default_factory=list
    )  # holds on deliveries that may not leave yet

    @property
    def recipients(self) -> list[str]:
        return [f"{row['role']}@{row['agency']}:{row['adapter']}" for row in self.deliveries]

    @property
    def duties_in_short(self) -> list[str]:
        return [f"{row['clock']}:{row['role']}@{row['agency']}={_limit(row)}" for row in self.duties]

    @property
    def duties_for_sender(self) -> list[dict[str, Any]]:
        """The duties that follow, as the sender is told them."""
        return [duty_document({**row, "rule": self.rule}) for row in self.duties]

    def record(self, tx: Tx) -> None:
        deliveries.owe(tx, [{**row, "rule": self.rule} for row in self.deliveries])
        duties.owe(tx, [{**row, "rule": self.rule} for row in self.duties])
        owed = {row["id"] for row in self.deliveries}
        for row in self.withheld:
            if row["subject"] in owed:
                holds.place(tx, row)


def seats_of(work: Work, to: Recipients, now: Circumstances, result: Forwarded) -> tuple[Seat, ...]:
    found = resolve(to, work.directory, now)
    for each in found.gaps:
        gap(result, each)
    return found.seats


def gap(result: Forwarded, gap: str) -> None:
    if gap not in result.gaps:
        result.gaps.append(gap)


def _limit(row: Mapping[str, Any]) -> str:
    return written_or_null(row["due_at"]) or ("not-counted" if row["due_changes"] else "no-limit")

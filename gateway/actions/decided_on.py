"""Which message a decision is about.

It is the message that the decision answers; if that is itself a decision, the message that one answers, and so on. Where the
chain ends it is the message that opened the incident.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.messages import Message, MessageId
from gateway.core.rules import Pack
from gateway.parts import Work
from gateway.store import messages
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Thread:
    """The messages of one incident. `deciding` are the types that the pack's decisions take."""

    rows: Mapping[MessageId, MessageRow]
    deciding: frozenset[str]

    def about(self, answered: MessageId | None) -> MessageId | None:
        """The message that a decision is about, if the decision answers `answered`; None only where there is no message yet."""
        row = self.rows.get(answered) if answered else None
        while row is not None and row.type in self.deciding:
            row = self.rows.get(row.in_reply_to) if row.in_reply_to else None
        return row.id if row is not None else next(iter(self.rows), None)

    def caused(self, message: Message) -> MessageId | None:
        """The message that duties laid by this one are about: the message itself, or what it decides on if it is a decision."""
        return self.about(message.in_reply_to) if message.type in self.deciding else message.id

    def taken_back(self) -> frozenset[str]:
        """The messages that are withdrawn from everybody; a vote in one of them no longer counts."""
        return frozenset(row.id for row in self.rows.values() if row.taken_back_at is not None)


def thread(tx: Tx, pack: Pack, incident: Incident) -> Thread:
    rows = messages.of_incident(tx, incident.partnership, incident.id)  # oldest first
    return Thread({row.id: row for row in rows}, frozenset(decision.message for decision in pack.decisions))


def message_of(row: MessageRow, work: Work) -> Message:
    """A stored message as the core sees it."""
    return Message(
        row.id,
        row.type,
        row.version,
        row.partnership,
        row.agency,
        work.directory.agencies[row.agency].kind,
        row.reference,
        row.incident,
        row.in_reply_to,
        row.arrived_at,
        messages.facts_of(row.facts),
    )

"""What another pack would have done with the messages of the past: a dry run of what is stored, and where the two differ.

Each incident is gone through from its first message, once under the pack in force and once under the candidate, each with the
moments, recipients and answers that it would itself have known by then. Both see the directory as it is now, so that what
differs is the rules' doing alone. Only facts are read, never content: nothing sealed is opened, nothing is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.actions.decide_jointly import votes_of
from gateway.actions.decided_on import Thread
from gateway.actions.rehearse import Rehearsal, Setting, rehearse
from gateway.actions.tell_rehearsal import told
from gateway.core.duties import Vote
from gateway.core.messages import AgencyId, IncidentId, Message, MessageId, Seat
from gateway.core.routing import Circumstances, Directory
from gateway.core.rules import (
    WRITTEN_HERE,
    Pack,
    answered_message,
    consequence,
    joint_decision,
    moment_values,
)
from gateway.store import incidents, messages
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Replaying:
    """The pack in force, the one that would come in its place, and since when messages are looked at."""

    in_force: Pack
    candidate: Pack
    directory: Directory
    since_at: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """One message that the candidate would have treated otherwise: both answers, as `gateway rules route` gives them."""

    message: MessageId
    incident: IncidentId
    type: str
    arrived_at: datetime
    now: Mapping[str, Any]
    then: Mapping[str, Any]

    @property
    def in_what(self) -> tuple[str, ...]:
        """Which members of the answer differ."""
        names = dict.fromkeys([*self.now, *self.then])
        return tuple(name for name in names if self.now.get(name) != self.then.get(name))


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many messages were looked at, and those that differ, oldest first."""

    looked_at: int
    differences: tuple[Difference, ...]

    @property
    def mark(self) -> str:
        """What stands for the differences that somebody has seen: one more message treated in the same way changes nothing.

        Hex; it tells kinds of difference apart (which message type, by which rules, in what), not single messages.
        """
        kinds = sorted({(d.type, d.now["rule"], d.then["rule"], *d.in_what) for d in self.differences})
        return hashlib.sha256(json.dumps(kinds).encode()).hexdigest()[:12]


def replay(tx: Tx, asked: Replaying) -> Replayed:
    """Every message of the partnership since then that the gateway did not write itself, under both packs."""
    looked_at, differences = 0, []
    for incident in messages.incidents_since(tx, asked.candidate.partnership, asked.since_at):
        for row, now, then in _both(tx, asked, incident):
            if row.arrived_at < asked.since_at:
                continue
            looked_at += 1
            if now != then:
                found = Difference(row.id, incident, row.type, row.arrived_at, now, then)
                differences.append(found)
    return Replayed(looked_at, tuple(sorted(differences, key=lambda d: (d.arrived_at, d.message))))
    # Nothing was written: a crash leaves nothing behind.


def _both(
    tx: Tx, asked: Replaying, incident: IncidentId
) -> Iterable[tuple[MessageRow, Mapping[str, Any], Mapping[str, Any]]]:
    """The messages of one incident, each with its answer under both packs."""
    partnership = asked.candidate.partnership
    rows = [row for row in messages.of_incident(tx, partnership, incident) if row.type not in WRITTEN_HERE]
    taking_part = incidents.taking_part(tx, partnership, incident)
    guests = tuple(agency for agency, is_guest in taking_part.items() if is_guest)
    opener = _opener(asked.in_force, rows)
    courses = [
        _Course(pack, asked.directory, rows, guests, opener) for pack in (asked.in_force, asked.candidate)
    ]
    for row in rows:
        if row.agency in asked.directory.agencies:  # who has left since cannot be routed for
            now, then = (course.step(row) for course in courses)
            yield row, now, then


def _opener(in_force: Pack, rows: list[MessageRow]) -> MessageId | None:
    """The message that opened an incident; None for one that the calendar opened."""
    opening = {route.message for route in in_force.routes if route.opens}
    return rows[0].id if rows and rows[0].type in opening else None


@dataclass(slots=True)
class _Answer:
    decision: str
    about: MessageId | None
    votes: list[Vote]


@dataclass(slots=True)
class _Course:
    """One incident under one pack, message by message: what it would have known by then."""

    pack: Pack
    directory: Directory
    rows: list[MessageRow]
    guests: tuple[AgencyId, ...]
    opener: MessageId | None
    moments: dict[str, datetime] = field(default_factory=dict)
    involved: list[AgencyId] = field(default_factory=list)
    avoided: set[str] = field(default_factory=set)
    seats: dict[MessageId, tuple[Seat, ...]] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    answers: list[_Answer] = field(default_factory=list)
    reached: set[tuple[str, MessageId | None]] = field(default_factory=set)

    def step(self, row: MessageRow) -> Mapping[str, Any]:
        """The answer to one message. What an officer let go on in truth is worked out as let go, and still says that it held."""
        message = self._message(row)
        found = self._try(message)
        answer = told(found)
        if found.decision == "hold" and row.decision == "forward":
            found = self._try(message, released=True)
            answer = told(found) | {"decision": "hold", "held": answer["held"]}
        if found.decision == "forward":
            self._learn(message, found)
        return answer

    def _try(self, message: Message, released: bool = False) -> Rehearsal:
        decision, about = self._decision(message)
        votes = [
            v for one in self.answers if (one.decision, one.about) == (decision, about) for v in one.votes
        ]
        setting = Setting(self._circumstances(message), tuple(votes), (decision, about) in self.reached)
        return rehearse(self.pack, self.directory, message, self.moments, released, setting)

    def _message(self, row: MessageRow) -> Message:
        return Message(
            row.id,
            row.type,
            row.version,
            row.partnership,
            row.agency,
            self.directory.agencies[row.agency].kind,
            row.reference,
            None if row.id == self.opener else row.incident,
            row.in_reply_to,
            row.arrived_at,
            messages.facts_of(row.facts),
        )

    def _decision(self, message: Message) -> tuple[str, MessageId | None]:
        """The decision that a message is an answer in, and on what where it is taken on each message anew."""
        decision = joint_decision(self.pack, message.type, message.facts)
        if decision is None or not decision.each:
            return (decision.id if decision else "", None)
        deciding = frozenset(each.message for each in self.pack.decisions)
        known = Thread({row.id: row for row in self.rows}, deciding)
        return decision.id, known.about(message.in_reply_to)

    def _circumstances(self, message: Message) -> Circumstances:
        senders = {row.id: row.agency for row in self.rows}
        answered = answered_message(message)
        return Circumstances(
            message.agency,
            tuple(self.involved),
            message.facts.agencies,
            message.facts.schools,
            senders.get(message.in_reply_to) if message.in_reply_to else None,
            self.seats.get(answered, ()) if answered else (),
            self.guests,
            frozenset(self.avoided),
            message.facts,
            frozenset(self.types),
            self.pack.deputies,
            message.arrived_at,
        )

    def _learn(self, message: Message, found: Rehearsal) -> None:
        route = next(route for route in self.pack.routes if route.id == found.rule)
        for name, at in moment_values(route, message).items():
            self.moments.setdefault(name, at)
        self.avoided.update(message.facts.codes.get("do_not_contact", ()))
        self.types.add(message.type)
        self.seats[message.id] = tuple(Seat(row["agency"], row["role"]) for row in found.deliveries)
        bound = [row["agency"] for row in (*found.deliveries, *found.duties)]
        for agency in (message.agency, *bound, *message.facts.agencies):
            if agency in self.directory.agencies and agency not in (*self.involved, *self.guests):
                self.involved.append(agency)
        self._answer(message, found)

    def _answer(self, message: Message, found: Rehearsal) -> None:
        decision = joint_decision(self.pack, message.type, message.facts)
        if decision is None:
            return
        key = self._decision(message)
        self.answers.append(_Answer(*key, votes_of(self.pack, decision, message.facts.codes)))
        if found.follows is None:
            return
        self.reached.add(key)
        follows = consequence(self.pack, decision.id, found.follows.outcome)
        for name in follows.moments if follows else ():
            self.moments.setdefault(name, message.arrived_at)

"""What another pack would have done with the messages of the past: a dry run of what is stored, and where the two differ.

Each incident is gone through from its first message, once under the pack in force and once under the candidate, each with the
moments, recipients, answers and duties that it would itself have known by then. Both see the directory as it is now and the
seats that each author held at the door, so that what differs is the rules' doing alone. Only facts are read, never content:
nothing sealed is opened, nothing is written. What a replay does not show it says: `NOT_TRIED`, and `Replayed.beside`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.actions.decide_jointly import must_still_notify, votes_of
from gateway.actions.decided_on import Thread
from gateway.actions.index_children import POSSIBLE_DUPLICATE
from gateway.actions.lay_duties import Same, same_of
from gateway.actions.meet import decided_seats
from gateway.actions.rehearse import Follows, Rehearsal, Setting, rehearse
from gateway.actions.tell_rehearsal import told
from gateway.core.duties import DutyState, Vote
from gateway.core.messages import AgencyId, IncidentId, Message, MessageId, Seat
from gateway.core.routing import Circumstances, Directory
from gateway.core.rules import (
    WRITTEN_HERE,
    JointDecision,
    Pack,
    answered_message,
    answers_in_full,
    answers_task,
    consequence,
    joint_decision,
    moment_values,
)
from gateway.core.statutory import CLOCK
from gateway.store import incidents, likenesses, messages
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

# What happened besides and is not gone through again, whichever pack it is.
NOT_TRIED = (
    "what officers did: waivers, more time, letters let go, police holds, links between incidents",
    "dates moved by a newer list of bank holidays, or because something was known earlier",
    "letters to schools and what their replies said",
    "messages that the gateway wrote itself, such as chases, and matters that the calendar opened",
)
# Parts of a pack that no message of the past shows by itself: that they differ is said, not what they would have done.
_BESIDE = ("calendar", "chases", "ladders", "letters", "periodic", "retention", "disclosure", "statutory")


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
    """How many messages were looked at, and those that differ, oldest first.

    `beside` are parts of the pack that differ and that no past message shows; `left_out` counts messages of agencies that the
    directory has no more.
    """

    looked_at: int
    differences: tuple[Difference, ...]
    beside: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def not_tried(self) -> tuple[str, ...]:
        """What happened besides and was not gone through again."""
        return NOT_TRIED

    @property
    def mark(self) -> str:
        """What stands for the differences that somebody has seen: one more message treated in the same way changes nothing.

        Hex; it tells kinds of difference apart (which message type, by which rules, in what), not single messages.
        """
        kinds = sorted({(d.type, d.now["rule"], d.then["rule"], *d.in_what) for d in self.differences})
        return hashlib.sha256(json.dumps(kinds).encode()).hexdigest()[:12]


def replay(tx: Tx, asked: Replaying) -> Replayed:
    """Every message of the partnership since then that the gateway did not write itself, under both packs."""
    looked_at, left_out, differences = 0, 0, []
    for incident in messages.incidents_since(tx, asked.candidate.partnership, asked.since_at):
        for row, now, then in _both(tx, asked, incident):
            if row.arrived_at < asked.since_at:
                continue
            if now is None or then is None:
                left_out += 1
                continue
            looked_at += 1
            if now != then:
                differences.append(Difference(row.id, incident, row.type, row.arrived_at, now, then))
    differences.sort(key=lambda d: (d.arrived_at, d.message))
    beside = tuple(
        name for name in _BESIDE if getattr(asked.in_force, name) != getattr(asked.candidate, name)
    )
    return Replayed(looked_at, tuple(differences), beside, left_out)
    # Nothing was written: a crash leaves nothing behind.


def _both(
    tx: Tx, asked: Replaying, incident: IncidentId
) -> Iterable[tuple[MessageRow, Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    """The messages of one incident, each with its answer under both packs; with none, whose sender has left since."""
    partnership = asked.candidate.partnership
    rows = [row for row in messages.of_incident(tx, partnership, incident) if row.type not in WRITTEN_HERE]
    taking_part = incidents.taking_part(tx, partnership, incident)
    guests = tuple(agency for agency, is_guest in taking_part.items() if is_guest)
    opener = _opener(asked.in_force, rows)
    alike = frozenset(one.found_at for one in likenesses.of_incident(tx, partnership, incident))
    courses = [
        _Course(pack, asked.directory, rows, guests, opener, alike)
        for pack in (asked.in_force, asked.candidate)
    ]
    for row in rows:
        if row.agency in asked.directory.agencies:  # who has left since cannot be routed for
            now, then = (course.step(row) for course in courses)
            yield row, now, then
        else:
            yield row, None, None


def _opener(in_force: Pack, rows: list[MessageRow]) -> MessageId | None:
    """The message that opened an incident; None for one that the calendar opened."""
    opening = {route.message for route in in_force.routes if route.opens}
    return rows[0].id if rows and rows[0].type in opening else None


@dataclass(slots=True)
class _Answer:
    message: MessageId
    decision: str
    about: MessageId | None
    votes: list[Vote]


@dataclass(slots=True)
class _Owed:
    """A duty that would have been laid, and how it would stand by now."""

    row: Mapping[str, Any]
    state: DutyState = DutyState.OPEN


@dataclass(slots=True)
class _Course:
    """One incident under one pack, message by message: what it would have known by then."""

    pack: Pack
    directory: Directory
    rows: list[MessageRow]
    guests: tuple[AgencyId, ...]
    opener: MessageId | None
    alike: frozenset[datetime]  # when another incident was found to be about the same child (G-05)
    moments: dict[str, datetime] = field(default_factory=dict)
    involved: list[AgencyId] = field(default_factory=list)
    avoided: set[str] = field(default_factory=set)
    seats: dict[MessageId, tuple[Seat, ...]] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    answers: list[_Answer] = field(default_factory=list)
    reached: set[tuple[str, MessageId | None]] = field(default_factory=set)
    rules: dict[MessageId, str] = field(default_factory=dict)
    gone_out: set[str] = field(default_factory=set)
    owed: list[_Owed] = field(default_factory=list)

    def step(self, row: MessageRow) -> Mapping[str, Any]:
        """The answer to one message. What an officer let go on in truth is worked out as let go, and still says that it held."""
        message = self._message(row)
        found = self._try(message)
        answer = told(found)
        if found.decision == "hold" and row.decision == "forward":
            found = self._try(message, released=True)
            answer = told(found) | {"decision": "hold", "held": answer["held"]}
        if row.recorded_at in self.alike and found.decision != "refuse":
            answer["held"] = [*answer["held"], POSSIBLE_DUPLICATE]
        if found.decision == "forward":
            self._learn(message, found)
        return answer

    def _try(self, message: Message, released: bool = False) -> Rehearsal:
        decision, about = self._decision(message)
        gone = self._taken_back(message.arrived_at)
        counted = (one for one in self.answers if one.message not in gone)
        votes = [v for one in counted if (one.decision, one.about) == (decision, about) for v in one.votes]
        setting = Setting(
            self._circumstances(message),
            tuple(votes),
            (decision, about) in self.reached,
            frozenset(self.gone_out),
            self._laid(),
            lambda: self._laid_for(message),
            self._told(about),
        )
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
            messages.author_roles_of(row.facts),
        )

    def _decision(self, message: Message) -> tuple[str, MessageId | None]:
        """The decision that a message is an answer in, and on what where it is taken on each message anew."""
        decision = joint_decision(self.pack, message.type, message.facts)
        if decision is None or not decision.each:
            return (decision.id if decision else "", None)
        return decision.id, self._thread().about(message.in_reply_to)

    def _taken_back(self, at: datetime) -> frozenset[str]:
        return frozenset(row.id for row in self.rows if row.taken_back_at and row.taken_back_at <= at)

    def _thread(self) -> Thread:
        deciding = frozenset(each.message for each in self.pack.decisions)
        return Thread({row.id: row for row in self.rows}, deciding)

    def _told(self, about: MessageId | None) -> Mapping[str, datetime]:
        """The moments of the message decided on, by the rule that took it."""
        row = next((row for row in self.rows if row.id == about), None)
        route = next(
            (route for route in self.pack.routes if about and route.id == self.rules.get(about)), None
        )
        if row is None or route is None or row.agency not in self.directory.agencies:
            return {}
        return moment_values(route, self._message(row))

    def _laid(self) -> dict[Same, frozenset[DutyState]]:
        found: dict[Same, frozenset[DutyState]] = {}
        for one in self.owed:
            same = same_of(one.row)
            found[same] = found.get(same, frozenset()) | {one.state}
        return found

    def _laid_for(self, message: Message) -> set[Same]:
        """The duties laid for the message that this one is about."""
        known = self._thread()
        about = known.caused(message)
        return {same_of(one.row) for one in self.owed if known.about(one.row["message"]) == about}

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
        self.rules[message.id] = route.id
        self.gone_out.add(route.id)
        if answers_in_full(route, message):
            self.types.add(message.type)
            self._meet(message)
        self.owed += [_Owed(row) for row in found.duties]
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
        self.answers.append(_Answer(message.id, *key, votes_of(self.pack, decision, message.facts.codes)))
        if found.follows is None:
            return
        self.reached.add(key)
        follows = consequence(self.pack, decision.id, found.follows.outcome)
        for name in follows.moments if follows else ():
            self.moments.setdefault(name, message.arrived_at)
        self._end(decision, found.follows)
        self.owed += [_Owed(row) for row in found.follows.duties]

    def _meet(self, message: Message) -> None:
        """What this message answers: of several the one laid by what it answers, else the first, by every clock of it."""
        decision = joint_decision(self.pack, message.type, message.facts)
        seats = decided_seats(self.pack, decision, message) if decision else ()
        mine = [
            one
            for one in self.owed
            if one.state is DutyState.OPEN
            and one.row["expects"] == message.type
            and answers_task(one.row["task"], message)
            and (one.row["role"] in seats if decision else one.row["agency"] == message.agency)
        ]
        laid = [one for one in mine if one.row["message"] == message.in_reply_to] or mine
        met = {(one.row["agency"], one.row["role"]) for one in (laid if decision else laid[:1])}
        for one in mine:
            if (one.row["agency"], one.row["role"]) in met:
                one.state = DutyState.MET

    def _end(self, decision: JointDecision, follows: Follows) -> None:
        """What the outcome makes needless is owed no more; what of the law's own stays owed all the same, stays (P-05)."""
        seen = (row for row in self.rows if row.id in self.rules)
        to_notify = must_still_notify(self.pack, decision, seen)
        for one in self.owed:
            clock = one.row["clock"]
            kept = (follows.dissent and self.pack.is_statutory(clock)) or (to_notify and clock == CLOCK)
            if one.row["expects"] in follows.ends and one.state is DutyState.OPEN and not kept:
                one.state = DutyState.WAIVED

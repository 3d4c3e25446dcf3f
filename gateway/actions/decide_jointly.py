"""Seats decide, one or several together: count their answers, and let each outcome follow exactly once (S4-06, S4-07, X-29).

The incident's row is locked by the caller, so two answers arriving together are counted one after the other. Silence or
dissent never stops the council's own duty: its clock to notify (K12) runs from awareness whatever happens here (P-05).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.actions.ask_the_law import found_in
from gateway.actions.circumstances import circumstances
from gateway.actions.decided_on import Thread, message_of, thread
from gateway.actions.draft_letters import draft_letters
from gateway.actions.forward import involve
from gateway.actions.hold import hold
from gateway.actions.lay_duties import add_duties, lay_once
from gateway.actions.meet import decided_seats, seat_of
from gateway.actions.owe_deliveries import add_deliveries
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.what_follows import Forwarded
from gateway.core.duties import UNANSWERED, DutyState, Tally, Vote, tally
from gateway.core.messages import Facts, Message, MessageId, RoleId
from gateway.core.receipts import Event
from gateway.core.routing import Circumstances, standing_in
from gateway.core.rules import (
    Consequence,
    JointDecision,
    Pack,
    consequence,
    joint_decision,
    moment_values,
    told_moments,
)
from gateway.core.statutory import CLOCK, died_in_care
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import deliveries, duties, holds, incidents
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

BUSINESS_UNIT = RoleId("sbu")
REACHES_NOBODY = "reaches-nobody"
UNDECIDED = "nothing-decided"
STILL_OWED = "notification-still-owed"
CRITERIA_MET, YES = "criteria_met", "yes"


def decide_jointly(tx: Tx, parts: Parts, work: Work, message: Message, incident: Incident) -> None:
    """After a decision message is recorded: reach the outcome if enough seats have now answered and none was reached.

    An answer that comes after the outcome is recorded and delivered as any message, and changes nothing.
    """
    decision = joint_decision(work.pack, message.type, message.facts)
    if decision is None:
        return
    known = thread(tx, work.pack, incident)
    about = known.about(message.in_reply_to)
    if reached(incident, decision, about) is not None:
        return
    count = _count(work.pack, decision, known, about)
    if count.outcome is not None:
        _Reached(decision, count.outcome, count.dissent, known, about).follow(
            tx, parts, work, message, incident
        )
    elif not (count.missing or holds.open_of_incident(tx, incident.partnership, incident.id, UNDECIDED)):
        # Every seat has answered and owes nothing more: without an officer the matter would rest here for ever.
        hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), (UNDECIDED,))


def reached(
    incident: Incident, decision: JointDecision, about: MessageId | None = None
) -> Mapping[str, Any] | None:
    """The outcome of a decision on an incident; of one that is taken on each message, that on `about`."""
    found = (one for one in incident.outcomes if one["decision"] == decision.id)
    return next((one for one in found if not decision.each or one["about"] == about), None)


def tally_of(tx: Tx, pack: Pack, decision: JointDecision, incident: Incident) -> Tally:
    """How far a decision on this incident has come; of one taken on each message, that on the latest."""
    known = thread(tx, pack, incident)
    answers = [row for row in known.rows.values() if _is_answer(decision, row)]
    about = known.about(answers[-1].in_reply_to) if answers else None
    return _count(pack, decision, known, about)


def _count(pack: Pack, decision: JointDecision, known: Thread, about: MessageId | None) -> Tally:
    votes: list[Vote] = []
    gone = known.taken_back()
    for row in known.rows.values():
        if row.id in gone:
            continue
        if _is_answer(decision, row) and not (decision.each and known.about(row.in_reply_to) != about):
            votes += votes_of(pack, decision, row.facts["codes"])
    return tally(decision.seats, decision.lead, votes, decision.quorum)


def _is_answer(decision: JointDecision, row: MessageRow) -> bool:
    codes = row.facts["codes"]
    meant = all(allowed.intersection(codes.get(code, ())) for code, allowed in decision.when.items())
    return row.type == decision.message and row.decision == "forward" and meant


def votes_of(pack: Pack, decision: JointDecision, codes: Mapping[str, Any]) -> list[Vote]:
    """The answers in one message: a seat and an outcome for each; without seats it speaks for the only one there is."""
    named = codes.get("seat", decision.seats if len(decision.seats) == 1 else ())
    return [
        Vote(seat, outcome)
        for role, outcome in zip(named, codes.get(decision.code, ()), strict=False)
        if (seat := seat_of(pack, decision, RoleId(role))) is not None
    ]


def must_still_notify(pack: Pack, decision: JointDecision, rows: Iterable[MessageRow]) -> bool:
    """Whether no outcome of this decision ends the duty to notify: an answer in it calls the criteria met, or the messages tell
    of a death in care."""
    told = list(rows)
    says_met = any(
        _is_answer(decision, row) and YES in row.facts["codes"].get(CRITERIA_MET, ()) for row in told
    )
    return says_met or died_in_care(found_in(pack, told))


def not_a_seat_of_the_sender(work: Work, message: Message) -> str | None:
    """The pointer to a seat that the sender does not hold; None when it may speak for every seat it names."""
    decision = joint_decision(work.pack, message.type, message.facts)
    if decision is None:
        return None
    own = {seat.role for seat in work.directory.seats if seat.agency == message.agency}
    seats = decided_seats(work.pack, decision, message)
    named = message.facts.codes.get("seat", seats)
    if BUSINESS_UNIT in own and sorted(seats) == sorted(decision.seats):
        return None  # the record of a meeting of all
    if (
        named
        and len(seats) == len(named)
        and all(
            _may_speak(work, message, own, RoleId(role), seat)
            for role, seat in zip(named, seats, strict=True)
        )
    ):
        return None
    return "/body/seat"


def _may_speak(work: Work, message: Message, own: set[RoleId], role: RoleId, seat: RoleId) -> bool:
    """The holder's agency for its own seat; a deputy's while nobody present holds the seat (S3-07)."""
    if role == seat and seat in own:
        return True
    standing = standing_in(seat, work.directory, work.pack.deputies, message.arrived_at)
    return any(deputy.agency == message.agency and role in (seat, deputy.role) for deputy in standing)


class _Reached:
    """An outcome, once there is one."""

    def __init__(
        self, decision: JointDecision, outcome: str, dissent: bool, known: Thread, about: MessageId | None
    ) -> None:
        self._decision = decision
        self._outcome = outcome
        self._dissent = dissent
        self._known = known
        self._about = known.rows.get(about) if about else None

    def follow(self, tx: Tx, parts: Parts, work: Work, message: Message, incident: Incident) -> None:
        decision, about = self._decision, self._about
        follows = consequence(work.pack, decision.id, self._outcome)
        outcome = {
            "decision": decision.id,
            "outcome": self._outcome,
            "dissent": self._dissent,
            "about": about.id if about else None,
            "reached_at": written(message.arrived_at),
        }
        label = follows.label if follows and follows.label else incident.label
        outcomes = [*incident.outcomes, outcome]
        incidents.change(tx, incident.partnership, incident.id, outcomes=outcomes, label=label)
        for held in holds.open_of_incident(tx, incident.partnership, incident.id, UNDECIDED):
            holds.settle(tx, held.id, work.at, "decision", "overtaken")
        fields = {
            "decision": decision.id,
            "outcome": self._outcome,
            "dissent": "yes" if self._dissent else "no",
            "about": about.id if about else "",
        }
        prove(tx, parts, work, _chain(incident, work), [Said(Event.DECISION_REACHED, fields)])
        if follows is not None:
            self._set_going(tx, parts, work, message, incident, follows)

    def _set_going(
        self, tx: Tx, parts: Parts, work: Work, message: Message, incident: Incident, follows: Consequence
    ) -> None:
        self._end(tx, parts, work, incident, follows)
        own = dict.fromkeys(follows.moments, message.arrived_at)
        moments = incidents.record_moments(tx, incident.partnership, incident.id, message.id, own)
        result = Forwarded(f"{self._decision.id}: {self._outcome}")
        now = self._circumstances(tx, work, message, incident, follows)
        # what is decided on each message anew runs from that message and from each decision
        starts = {**moments, **self._told_at(work), **told_moments(message), **own}
        for rule in follows.duties:
            add_duties(
                work, message.id, incident, rule, starts if self._decision.each else moments, now, result
            )
        lay_once(tx, work, incident, result, message, anew=self._decision.each)
        self._send_on(tx, parts, work, incident, follows, now, result)
        involve(tx, work, message, incident, now, result)
        result.record(tx)
        for gap in result.gaps:
            hold(tx, work, incident.partnership, incident.id, ("message", message.id), (gap,))
        for letter in follows.letters:
            draft_letters(tx, parts, work, incident, letter)

    def _end(self, tx: Tx, parts: Parts, work: Work, incident: Incident, follows: Consequence) -> None:
        """What the outcome makes needless is owed no more, the law's own duties too; each end has a receipt (P-10).

        The law's own stay open, for two officers to waive, where the seats differ: one of two must not undo a duty to notify
        (P-05). The notification itself also stays where somebody who decided calls the criteria met, and after a death in
        care, which no answer about abuse and neglect settles (S2-03). An officer hears that it stays.
        """
        if not follows.ends:
            return
        said, kept = [], False
        rows = [row for row in self._known.rows.values() if row.id not in self._known.taken_back()]
        to_notify = must_still_notify(work.pack, self._decision, rows)
        for duty in duties.of_incident(tx, incident.partnership, incident.id):
            if duty.expects not in follows.ends or duty.state not in UNANSWERED:
                continue
            is_notification = duty.clock == CLOCK
            if (self._dissent and work.pack.is_statutory(duty.clock)) or (is_notification and to_notify):
                kept |= is_notification
                continue
            ended = {"state": DutyState.WAIVED.value, "waived_reason": duties.ENDED_BY_DECISION}
            duties.change(tx, duty.id, **ended, next_chase_at=None)
            owner = f"{duty.role}@{duty.agency}"
            fields = {"duty": duty.id, "owner": owner, "clock": duty.clock, "decision": self._decision.id}
            said.append(Said(Event.DUTY_ENDED, fields, reason=duties.ENDED_BY_DECISION))
        if kept:
            hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), (STILL_OWED,))
        if said:
            prove(tx, parts, work, _chain(incident, work), said)

    def _told_at(self, work: Work) -> Mapping[str, datetime]:
        """The moments of the message decided on."""
        about = self._about
        route = next((route for route in work.pack.routes if about and route.id == about.rule), None)
        if about is None or route is None or about.agency not in work.directory.agencies:
            return {}
        return moment_values(route, message_of(about, work))

    def _circumstances(
        self, tx: Tx, work: Work, message: Message, incident: Incident, follows: Consequence
    ) -> Circumstances:
        """Those of the deciding message; whom it does not name, the message decided on may name."""
        now = circumstances(tx, work, message, incident, follows.deliver, follows.duties)
        if self._about is None or self._about.agency not in work.directory.agencies:
            return now
        told: Facts = message_of(self._about, work).facts
        named, schools = now.named or told.agencies, now.schools or told.schools
        return replace(now, asker=self._about.agency, named=named, schools=schools)

    def _send_on(
        self,
        tx: Tx,
        parts: Parts,
        work: Work,
        incident: Incident,
        follows: Consequence,
        now: Circumstances,
        result: Forwarded,
    ) -> None:
        """The message that was decided on goes to whom the outcome says, once to each (S1-16)."""
        if not follows.deliver or self._about is None:
            return
        if self._about.decision != "forward":
            result.gaps.append(REACHES_NOBODY)  # it is itself still held
            return
        decided_on = message_of(self._about, work)
        have = {(row.agency, row.role) for row in deliveries.of_message(tx, decided_on.id)}
        add_deliveries(work, decided_on, incident, follows.deliver, now, result)
        result.deliveries = [row for row in result.deliveries if (row["agency"], row["role"]) not in have]
        if result.deliveries:
            routed = {"rule": self._decision.id, "recipients": " ".join(result.recipients)}
            subject = Subject(decided_on.id, incident.partnership, incident.id, work.key)
            prove(tx, parts, work, subject, [Said(Event.ROUTED, routed)])


def _chain(incident: Incident, work: Work) -> Subject:
    return Subject(incident.chain, incident.partnership, incident.id, work.key)

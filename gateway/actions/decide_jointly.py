"""Several seats decide together: count their answers, and let the outcome follow exactly once (S4-06, S4-07, X-29).

The incident's row is locked by the caller, so two answers arriving together are counted one after the other. Silence or
dissent never stops the council's own duty: its clock to notify (K12) runs from awareness whatever happens here (P-05).
"""

from __future__ import annotations

from gateway.actions.draft_letters import draft_letters
from gateway.actions.forward import Forwarded, add_duties, circumstances
from gateway.actions.prove import Said, Subject, prove
from gateway.core.duties import Tally, Vote, tally
from gateway.core.messages import Message, RoleId
from gateway.core.receipts import Event
from gateway.core.rules import Consequence, JointDecision, consequence, joint_decision
from gateway.parts import Parts, Work
from gateway.store import incidents, messages
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx


def decide_jointly(tx: Tx, parts: Parts, work: Work, message: Message, incident: Incident) -> None:
    """After a decision message is recorded: reach the outcome if all seats have now answered and none was reached.

    An answer that comes after the outcome is recorded and delivered as any message, and changes nothing.
    """
    decision = joint_decision(work.pack, message.type)
    if decision is None or incident.outcome is not None:
        return
    count = tally_of(tx, decision, incident)
    if count.outcome is None:
        return
    _reach(tx, parts, work, message, incident, decision, count)


def tally_of(tx: Tx, decision: JointDecision, incident: Incident) -> Tally:
    """How far a joint decision on this incident has come."""
    rows = messages.of_incident(tx, incident.partnership, incident.id, decision.message)
    votes = [
        Vote(RoleId(seat), outcome)
        for row in rows
        if row.decision == "forward"
        for seat, outcome in zip(
            row.facts["codes"].get("seat", []), row.facts["codes"].get(decision.code, []), strict=False
        )
    ]
    return tally(decision.seats, decision.lead, votes)


def not_a_seat_of_the_sender(work: Work, message: Message) -> str | None:
    """The pointer to a seat that the sender does not hold; None when it may speak for every seat it names."""
    decision = joint_decision(work.pack, message.type)
    if decision is None:
        return None
    own = {seat.role for seat in work.directory.seats if seat.agency == message.agency}
    seats = message.facts.codes.get("seat", ())
    may_record_meeting = "sbu" in own and sorted(seats) == sorted(decision.seats)
    if may_record_meeting or (seats and all(seat in own and seat in decision.seats for seat in seats)):
        return None
    return "/body/seat"


def _reach(
    tx: Tx,
    parts: Parts,
    work: Work,
    message: Message,
    incident: Incident,
    decision: JointDecision,
    count: Tally,
) -> None:
    assert count.outcome is not None
    follows = consequence(work.pack, decision.id, count.outcome)
    outcome = {"decision": decision.id, "outcome": count.outcome, "dissent": count.dissent}
    label = follows.label if follows else incident.label
    incidents.change(tx, incident.partnership, incident.id, outcome=outcome, label=label)
    fields = {"decision": decision.id, "outcome": count.outcome, "dissent": "yes" if count.dissent else "no"}
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    prove(tx, parts, work, subject, [Said(Event.DECISION_REACHED, fields)])
    if follows is not None:
        _follow(tx, parts, work, message, incident, follows)


def _follow(
    tx: Tx, parts: Parts, work: Work, message: Message, incident: Incident, follows: Consequence
) -> None:
    known = dict.fromkeys(follows.moments, message.arrived_at)
    moments = incidents.record_moments(tx, incident.partnership, incident.id, message.id, known)
    result = Forwarded()
    now = circumstances(tx, message, incident)
    for rule in follows.duties:
        add_duties(work, message.id, incident, rule, moments, now, result)
    result.record(tx)
    for letter in follows.letters:
        draft_letters(tx, parts, work, incident, letter)

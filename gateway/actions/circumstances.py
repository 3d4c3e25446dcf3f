"""What recipients and duties of a message may depend on, read from the incident as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.actions.decided_on import message_of
from gateway.core.messages import AgencyId, Message, Seat
from gateway.core.routing import Circumstances
from gateway.core.rules import DutyRule, Recipients, Whom, answered_message, answers_in_full
from gateway.parts import Work
from gateway.store import deliveries, incidents, messages
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx


def circumstances(
    tx: Tx,
    work: Work,
    message: Message,
    incident: Incident,
    to: Iterable[Recipients] = (),
    laying: Sequence[DutyRule] = (),
) -> Circumstances:
    """What the recipients `to` and the duties `laying` of a message may depend on; what none of them asks is not read."""
    taking_part = incidents.taking_part(tx, incident.partnership, incident.id)
    involved = tuple(agency for agency, is_guest in taking_part.items() if not is_guest)
    guests = tuple(agency for agency, is_guest in taking_part.items() if is_guest)
    asker: AgencyId | None = None
    if message.in_reply_to is not None:
        asker = messages.sender_of(tx, incident.partnership, incident.id, message.in_reply_to)
    facts = message.facts
    avoided = messages.avoided(tx, incident.partnership, incident.id)
    return Circumstances(
        message.agency,
        involved,
        facts.agencies,
        facts.schools,
        asker,
        _recipients_answered(tx, message, incident, [*to, *(rule.owner for rule in laying)]),
        guests,
        avoided,
        facts,
        _types_here(tx, work, incident, laying),
        work.pack.deputies,
        work.at,
    )


def _recipients_answered(
    tx: Tx, message: Message, incident: Incident, to: Iterable[Recipients]
) -> tuple[Seat, ...]:
    answered = answered_message(message)
    if answered is None or not any(one.whom is Whom.RECIPIENTS for one in to):
        return ()
    return deliveries.recipients(tx, incident.partnership, incident.id, answered)


def _types_here(tx: Tx, work: Work, incident: Incident, laying: Iterable[DutyRule]) -> frozenset[str]:
    """Which of the types that `unless_received` names the incident has. A message that answers nothing does not count, such
    as the record of a call that nobody took."""
    wanted = {rule.unless_received for rule in laying if rule.unless_received}
    return frozenset(
        row.type
        for message_type in wanted
        for row in messages.of_incident(tx, incident.partnership, incident.id, message_type)
        if row.decision == "forward" and _counts_as_received(work, row)
    )


def _counts_as_received(work: Work, row: MessageRow) -> bool:
    route = next((route for route in work.pack.routes if route.id == row.rule), None)
    if route is None or row.agency not in work.directory.agencies:
        return True
    return answers_in_full(route, message_of(row, work))

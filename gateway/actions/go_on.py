"""A message takes its route: the one path of what arrives and of what an officer lets go on."""

from __future__ import annotations

from collections.abc import Callable

from gateway.actions.bring_forward import bring_forward
from gateway.actions.decide_jointly import decide_jointly
from gateway.actions.forward import forward
from gateway.actions.hold import hold
from gateway.actions.recall import recall_as_corrected
from gateway.actions.what_follows import Forwarded
from gateway.core.messages import Message
from gateway.core.rules import Route
from gateway.parts import Parts, Work
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx


def go_on(
    tx: Tx,
    parts: Parts,
    work: Work,
    message: Message,
    incident: Incident,
    route: Route,
    record: Callable[[Forwarded], None],
) -> None:
    """Set going what follows from a message of a locked incident. `record` states it and writes the message down before
    deliveries and duties name it; gaps are an officer's question; a decision may be reached."""
    recall_as_corrected(tx, parts, work, message, incident)
    result = forward(tx, work, message, incident, route)
    record(result)
    result.record(tx)
    for gap in result.gaps:
        hold(tx, work, message.partnership, incident.id, ("message", message.id), (gap,))
    bring_forward(tx, parts, work, message, incident, route)
    decide_jointly(tx, parts, work, message, incident)

"""Bring the law's own clock forward when a message says that its start was earlier than first told (K12, C-13).

The invariant: what a message tells can move a clock of the law earlier and never later. Both instants stay on record: the one
first told as the incident's moment, the earlier one with the duty and in the ledger. An officer is told at once.
"""

from __future__ import annotations

from datetime import datetime

from gateway.actions.change_calendar import EARLIER, clock_of, reschedule
from gateway.actions.hold import hold
from gateway.actions.prove import Subject
from gateway.core import clocks
from gateway.core.duties import DutyState
from gateway.core.messages import Message
from gateway.core.rules import OF_ONE_MESSAGE, SET_AHEAD, TOLD_ANEW, Route, moment_values
from gateway.parts import Parts, Work
from gateway.store import duties
from gateway.store.duties import DutyRow
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

CORRECTED = "corrected_"  # before the name of a moment that a correction puts right


def bring_forward(
    tx: Tx, parts: Parts, work: Work, message: Message, incident: Incident, route: Route
) -> None:
    """Count each open duty of the law from what this message tells, where that makes it due earlier."""
    told, corrected = _told(route, message)
    if not told and not corrected:
        return
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    moved = False
    for duty in duties.of_incident(tx, incident.partnership, incident.id):
        if duty.state is not DutyState.OPEN or not work.pack.is_statutory(duty.clock):
            continue
        clock = clock_of(tx, duty, work.pack)
        start_at = told.get(clock.start) or _put_right(work, duty, corrected.get(clock.start), clock.start)
        if start_at is None or start_at >= duty.start_at:
            continue
        due, _ = clocks.due_or_uncounted(clock, start_at, work.pack.calendar)
        if not (duty.is_uncounted or _is_sooner(due.due_at, duty.due_at)):
            continue
        fields = {"message": message.id, "owner": f"{duty.role}@{duty.agency}"}
        reschedule(tx, parts, work, subject, duty, due, EARLIER, fields, start_at)
        moved = True
    if moved:
        hold(tx, work, incident.partnership, incident.id, ("message", message.id), (EARLIER,))


def _is_sooner(at: datetime | None, than: datetime | None) -> bool:
    return at is not None and than is not None and at < than


def _told(route: Route, message: Message) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """The instants that may start a clock of the law, by name: as the rule records them, and as a correction puts them right."""
    found = {
        name: at
        for name, at in moment_values(route, message).items()
        if name not in SET_AHEAD | OF_ONE_MESSAGE | TOLD_ANEW
    }
    right = {name.removeprefix(CORRECTED): at for name, at in found.items() if name.startswith(CORRECTED)}
    return {name: at for name, at in found.items() if not name.startswith(CORRECTED)}, right


def _put_right(work: Work, duty: DutyRow, at: datetime | None, start: str) -> datetime | None:
    """A corrected instant, unless the rule that laid the duty counts from the arrival whatever the sender says."""
    rule = next((route for route in work.pack.routes if route.id == duty.rule), None)
    return None if rule is None or start in rule.moments else at

"""Everything that a message sets going by one rule: moments, deliveries and duties are worked out, and what it answers is met.

What is owed by it stands in `owe_deliveries` and `lay_duties`; `Forwarded.record` writes it once the message itself is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from gateway.actions.circumstances import circumstances
from gateway.actions.lay_duties import add_duties, lay_anew, lay_once
from gateway.actions.meet import meet, met_by
from gateway.actions.owe_deliveries import add_deliveries
from gateway.actions.prove import Said
from gateway.actions.what_follows import Forwarded, gap
from gateway.core.messages import AgencyId, Message
from gateway.core.receipts import Event
from gateway.core.routing import Circumstances
from gateway.core.rules import (
    CORRECTION,
    OF_ONE_MESSAGE,
    TOLD_ANEW,
    DutyRule,
    Pack,
    Route,
    answers_in_full,
    answers_task,
    fits,
    is_each_time,
    joint_decision,
    moment_values,
)
from gateway.core.statutory import NATURE, lives_elsewhere
from gateway.core.written_times import written_or_null
from gateway.parts import Work
from gateway.store import incidents
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

ANOTHER_COUNCIL = "another-council"
EXCLUDES = "excludes-recipients"  # binds at once (G-08); whether it is right, and who else must know, an officer says
MORE_TIME, REQUESTED = "extension-request", "extension-requested"


def forward(tx: Tx, work: Work, message: Message, incident: Incident, route: Route) -> Forwarded:
    """Everything that a rule sets going for one message of an incident whose row is locked; the caller records the result."""
    now = circumstances(tx, work, message, incident, route.deliver, route.duties)
    known = _record_moments(tx, message, incident, route, moment_values(route, message))
    result = work_out(work, message, incident, route, now, known)
    ended = lay_once(tx, work, incident, result, message)
    lay_anew(work, message, incident, route, now, known, ended, result)
    _met_by_itself(work, message, route, result)
    involve(tx, work, message, incident, now, result)
    result.said += meet(tx, work, message, incident, route)
    if (
        NATURE in message.facts.codes
        and not now.guests
        and lives_elsewhere(message.facts.codes, work.pack.places)
    ):
        gap(result, ANOTHER_COUNCIL)  # an officer invites the home council, or tells it (P-09, G-07)
    if MORE_TIME in message.facts.codes.get("kind", ()):
        gap(result, REQUESTED)  # an officer answers with `extend`
    return result


def work_out(
    work: Work,
    message: Message,
    incident: Incident,
    route: Route,
    now: Circumstances,
    known: Mapping[str, datetime],
) -> Forwarded:
    """The deliveries and duties of one message. Reads and writes nothing, so that a dry run can ask the same.

    `known` are the instants that start clocks, those of this message among them.
    """
    result = Forwarded(route.id)
    avoided = message.facts.codes.get("do_not_contact", ())
    if avoided:
        now = replace(now, avoided=now.avoided.union(avoided))
    add_deliveries(work, message, incident, route.deliver, now, result)
    own = moment_values(route, message)
    for rule in route.duties:
        starts = {**known, **{name: own[name] for name in own if _is_own(work.pack, name, rule, message)}}
        add_duties(work, message.id, incident, rule, starts, now, result)
    if not result.deliveries and not result.gaps and any(fits(to, now.told.codes) for to in route.deliver):
        result.gaps.append("reaches-nobody")
    if avoided and "person" not in avoided:  # else an officer has looked before it was forwarded
        gap(result, EXCLUDES)
    return result


def _is_own(pack: Pack, moment: str, rule: DutyRule, message: Message) -> bool:
    """Whether the duty's clock starts at this message's own moment, even if the incident has an earlier one of that name."""
    if moment in OF_ONE_MESSAGE or moment in TOLD_ANEW or is_each_time(pack, rule.expects, rule.task):
        return True
    decision = joint_decision(pack, message.type, message.facts)
    return decision is not None and decision.each  # what is decided anew runs from each decision


def _record_moments(
    tx: Tx, message: Message, incident: Incident, route: Route, values: Mapping[str, datetime]
) -> Mapping[str, datetime]:
    if not values and not route.duties:
        return {}  # nothing to write, and no clock asks
    return incidents.record_moments(tx, incident.partnership, incident.id, message.id, values)


def _met_by_itself(work: Work, message: Message, route: Route, result: Forwarded) -> None:
    """A duty of the sender to send a message of this very type is met by this message, in time or late: for example a form
    that has a limit of its own (K02, K08). Answers in a decision are left to `meet`, since each answers for one seat alone."""
    if not answers_in_full(route, message) or joint_decision(work.pack, message.type, message.facts):
        return
    for number, row in enumerate(result.duties):
        if (row["agency"], row["expects"]) != (message.agency, message.type):
            continue
        if not answers_task(row["task"], message):
            continue
        met = met_by(work.pack, message, row)
        result.duties[number] = {
            **row,
            "state": met.state.value,
            "met_at": message.arrived_at,
            "met_by": message.id,
            "event_at": met.event_at,
            "is_early": met.is_early,
            "next_chase_at": None,
        }
        fields = {
            "duty": row["id"],
            "owner": f"{row['role']}@{row['agency']}",
            "clock": row["clock"],
            "due_at": written_or_null(row["due_at"]) or "no limit",
        }
        result.said.append(Said(Event.DUTY_MET, fields, reason=met.reason))


def involve(
    tx: Tx, work: Work, message: Message, incident: Incident, now: Circumstances, result: Forwarded
) -> None:
    """Make every agency that sends, receives, owes or is named a participant of the incident.

    Except those that the directory does not know, those that only get a notice, and those that a correction names as
    having had a message by mistake.
    """
    told = (row for row in result.deliveries if not row["notice"])
    bound = [AgencyId(row["agency"]) for row in (*told, *result.duties)]
    wrongly = message.facts.agencies if message.type == CORRECTION else ()
    known = [agency for agency in message.facts.agencies if agency in work.directory.agencies]
    joining = (agency for agency in (message.agency, *bound, *known) if agency not in wrongly)
    fresh = [agency for agency in joining if agency not in now.involved]
    if fresh:
        incidents.involve(tx, incident.partnership, incident.id, fresh)

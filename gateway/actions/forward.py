"""What a forwarded message sets going: moments, deliveries, duties owed. Works it out, then records it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.actions.decided_on import message_of, thread
from gateway.actions.meet import earliest, meet
from gateway.actions.prove import Said
from gateway.actions.tell_duty import duty_document
from gateway.core import clocks
from gateway.core.deliveries import DeliveryState
from gateway.core.disclosure import POLICE_HOLD
from gateway.core.duties import UNCOUNTED, DutyState, event_time, next_chase_at, settled_state
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, Message, MessageId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Circumstances, resolve
from gateway.core.rules import (
    ACKNOWLEDGEMENT,
    CORRECTION,
    OF_ONE_MESSAGE,
    TOLD_ANEW,
    DutyRule,
    Pack,
    Recipients,
    Route,
    Whom,
    answered_message,
    answers_in_full,
    answers_task,
    fits,
    flags,
    is_avoided,
    is_each_time,
    joint_decision,
    moment_values,
)
from gateway.core.urgency import is_urgent
from gateway.parts import Work
from gateway.store import deliveries, duties, holds, incidents, messages
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

Same = tuple[Any, ...]  # what makes two duties the same: the values of `duties.SAME`

NOTIFIED, WITHOUT_NOTIFICATION = (
    "sin_submitted_at",
    "without-notification",
)  # what a clock's other start may depend on
IMMEDIATE, URGENT, ORDINARY = 1, 3, 5  # what cannot wait for a desk; incidents; digests
DO_NOT_CONTACT = "do-not-contact"
ENDED_BEFORE = "duty-ended-before"
MORE_TIME, REQUESTED = "extension-request", "extension-requested"
EVERYBODY_ABSENT = (
    "everybody-absent"  # it goes to the team's mailbox or inbox, and an officer hears of it (G-04)
)


@dataclass(slots=True)
class Forwarded:
    """What follows from a message by one rule, which every row names. `record` writes it once the message is written."""

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


def forward(tx: Tx, work: Work, message: Message, incident: Incident, route: Route) -> Forwarded:
    """Everything a rule sets going for one message of an incident whose row is locked."""
    now = circumstances(tx, work, message, incident, route.deliver, route.duties)
    known = _record_moments(tx, message, incident, route, moment_values(route, message))
    result = work_out(work, message, incident, route, now, known)
    ended = lay_once(tx, work, incident, result, message)
    lay_anew(work, message, incident, route, now, known, ended, result)
    _met_by_itself(work, message, route, result)
    involve(tx, work, message, incident, now, result)
    result.said += meet(tx, work, message, incident, route)
    if MORE_TIME in message.facts.codes.get("kind", ()):
        _gap(result, REQUESTED)  # an officer answers with `extend`
    return result


def work_out(
    work: Work,
    message: Message,
    incident: Incident,
    route: Route,
    now: Circumstances,
    known: Mapping[str, datetime],
) -> Forwarded:
    """The deliveries and duties of one message, reading and writing nothing: a dry run asks the same.

    `known` are the instants that start clocks, those of this message among them.
    """
    result = Forwarded(route.id)
    if avoided := message.facts.codes.get("do_not_contact"):
        now = replace(now, avoided=now.avoided.union(avoided))
    add_deliveries(work, message, incident, route.deliver, now, result)
    own = moment_values(route, message)
    for rule in route.duties:
        starts = {**known, **{name: own[name] for name in own if _is_own(work.pack, name, rule, message)}}
        add_duties(work, message.id, incident, rule, starts, now, result)
    if not result.deliveries and not result.gaps and any(fits(to, now.told.codes) for to in route.deliver):
        result.gaps.append("reaches-nobody")
    return result


def _met_by_itself(work: Work, message: Message, route: Route, result: Forwarded) -> None:
    """A duty of the sender's to send just such a message is met by this one, in time or late: a form that has its own limit
    (K02, K08). A decision answers for its own seat alone, which `meet` sees to."""
    if not answers_in_full(route, message) or joint_decision(work.pack, message.type, message.facts):
        return
    for number, row in enumerate(result.duties):
        if (row["agency"], row["expects"]) != (message.agency, message.type):
            continue
        if not answers_task(row["task"], message):
            continue
        told_at = message.facts.moments.get(row["event"])
        begins_at = earliest(work.pack, row["clock"], row["start_at"])
        counts_at = event_time(told_at, message.arrived_at, begins_at)
        state = settled_state(row["due_at"], row["due_inclusive"], counts_at)
        met = {
            "state": state.value,
            "met_at": message.arrived_at,
            "met_by": message.id,
            "event_at": counts_at if told_at else None,
            "next_chase_at": None,
        }
        result.duties[number] = {**row, **met}
        fields = {
            "duty": row["id"],
            "owner": f"{row['role']}@{row['agency']}",
            "clock": row["clock"],
            "due_at": _instant(row["due_at"]) or "no limit",
        }
        result.said.append(Said(Event.DUTY_MET, fields, reason=state.value))


def add_deliveries(
    work: Work,
    message: Message,
    incident: Incident,
    to: Iterable[Recipients],
    now: Circumstances,
    result: Forwarded,
) -> None:
    """A delivery for each seat that these recipients stand for; a seat that must not be told is an officer's question.

    Whoever is to have the whole message and a notice of it has the message. What a police hold stops waits for its end.
    """
    is_notice: dict[Seat, bool] = {}
    for each in to:
        for seat in _seats(work, each, now, result):
            is_notice[seat] = each.notice and is_notice.get(seat, True)
    for seat, notice in is_notice.items():
        if is_avoided(now.avoided, seat.agency, seat.role):
            _gap(result, DO_NOT_CONTACT)  # an officer finds another recipient
        else:
            owe_delivery(work, message, incident, seat, result, notice)
            if work.directory.is_deserted(seat, work.at):
                _gap(result, EVERYBODY_ABSENT)


def owe_delivery(
    work: Work, message: Message, incident: Incident, seat: Seat, result: Forwarded, notice: bool = False
) -> None:
    """One delivery; what a police hold stops waits for an officer (G-11)."""
    stopped = is_stopped(work, incident, message.type, seat.agency)
    row = delivery_row(work, message, incident, seat, held=stopped, notice=notice)
    result.deliveries.append(row)
    if stopped:
        result.withheld.append(_withheld(work, row))


def is_stopped(work: Work, incident: Incident, message_type: str, to: AgencyId) -> bool:
    """Whether such a message to this agency waits because of a police hold on the incident (G-11)."""
    if incident.police_hold is None:
        return False
    agency = work.directory.agencies.get(to)
    return work.pack.disclosure.stops(message_type, agency.kind if agency else None)


def _withheld(work: Work, delivery: Mapping[str, Any]) -> dict[str, Any]:
    """The hold of a delivery that may not leave yet."""
    return {
        "id": f"hld-{work.supply.take(13).hex()}",
        "partnership": delivery["partnership"],
        "incident": delivery["incident"],
        "subject_kind": "delivery",
        "subject": delivery["id"],
        "reasons": [POLICE_HOLD],
        "held_at": work.at,
    }


def _is_own(pack: Pack, moment: str, rule: DutyRule, message: Message) -> bool:
    """Whether a duty runs from the message's own moment, though the incident has had one of that name before."""
    if moment in OF_ONE_MESSAGE or moment in TOLD_ANEW or is_each_time(pack, rule.expects, rule.task):
        return True
    decision = joint_decision(pack, message.type, message.facts)
    return decision is not None and decision.each  # what is decided anew runs from each decision


def lay_once(
    tx: Tx, work: Work, incident: Incident, result: Forwarded, cause: Message, anew: bool = False
) -> frozenset[str]:
    """A second referral or record lays no second duty for what is owed, or was done, by the same clock from the same start.

    A review that each message needs anew is laid once for the message that `cause` is about (S1-15, S1-16). `anew`: what is
    decided on each message lays everything else each time. The clocks of the law that are laid no second time although what
    was laid by them has been ended.
    """
    if not result.duties:
        return frozenset()
    laid = duties.laid(tx, incident.partnership, incident.id)

    def of_it() -> set[Same]:
        known = thread(tx, work.pack, incident)
        about = known.caused(cause)
        return {
            tuple(getattr(duty, name) for name in duties.SAME)
            for duty in duties.of_incident(tx, incident.partnership, incident.id)
            if known.about(duty.message) == about
        }

    return drop_laid(work, result, laid, of_it, anew)


def drop_laid(
    work: Work,
    result: Forwarded,
    laid: Mapping[Same, frozenset[DutyState]],
    of_it: Callable[[], Collection[Same]],
    anew: bool = False,
) -> frozenset[str]:
    """As `lay_once`, of duties known: all that were laid, and those for the message that this is about. A replay asks the same."""
    again = [row for row in result.duties if _is_laid(work, row, laid)]
    reviews = [row for row in again if _is_review(work, row)]
    again = reviews if anew else again
    if reviews:
        had = of_it()
        again = [row for row in again if row not in reviews or same_of(row) in had]
    result.duties = [row for row in result.duties if row not in again]
    return frozenset(row["clock"] for row in again if _was_ended(work, row["clock"], laid))


def same_of(row: Mapping[str, Any]) -> Same:
    """What makes two duties the same, of one that is being laid."""
    return tuple(row[name] for name in duties.SAME)


def _was_ended(work: Work, clock: str, laid: Mapping[Same, frozenset[DutyState]]) -> bool:
    at = duties.SAME.index("clock")
    states = {state for same, found in laid.items() if same[at] == clock for state in found}
    return work.pack.is_statutory(clock) and states == {DutyState.WAIVED}


def lay_anew(
    work: Work,
    message: Message,
    incident: Incident,
    route: Route,
    now: Circumstances,
    known: Mapping[str, datetime],
    ended: Collection[str],
    result: Forwarded,
) -> None:
    """A duty of the law that a decision ended is owed anew when such a matter is told again: from what this message tells.

    Lesser news did not meet the criteria; worse news may (P-05, X-01). An officer hears, for two may end it again.
    """
    for rule in route.duties:
        if rule.clock in ended:
            add_duties(
                work, message.id, incident, rule, {**known, **moment_values(route, message)}, now, result
            )
            _gap(result, ENDED_BEFORE)


def _is_laid(work: Work, row: Mapping[str, Any], laid: Collection[Same]) -> bool:
    if row["expects"] == ACKNOWLEDGEMENT or work.pack.clocks[row["clock"]].start in OF_ONE_MESSAGE:
        return False
    return same_of(row) in laid


def _is_review(work: Work, row: Mapping[str, Any]) -> bool:
    return is_each_time(work.pack, row["expects"], row["task"])


def circumstances(
    tx: Tx,
    work: Work,
    message: Message,
    incident: Incident,
    to: Iterable[Recipients] = (),
    laying: Sequence[DutyRule] = (),
) -> Circumstances:
    """What recipients may depend on, read only where it matters."""
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
    """The types that the incident has, of those asked for; what answers nothing does not count: a call that reached nobody."""
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


def delivery_row(
    work: Work, message: Message, incident: Incident, seat: Seat, held: bool = False, notice: bool = False
) -> dict[str, Any]:
    way = work.directory.way_to(seat)
    return {
        "id": work.supply.id(IdKind.DELIVERY),
        "partnership": incident.partnership,
        "incident": incident.id,
        "message": message.id,
        "agency": seat.agency,
        "role": seat.role,
        "adapter": way.adapter,
        "priority": _priority(message),
        "pack_version": work.pack.version,
        "notice": notice,
        "state": (DeliveryState.HELD if held else DeliveryState.PENDING).value,
        "attempt": 0,
        "created_at": work.at,
        "next_at": None if held else work.at,
    }


def _priority(message: Message) -> int:
    """In which class it is carried: what says that it cannot wait overtakes all else (G-03)."""
    if message.type in ("learning-digest", "dsl-letter", "chase"):
        return ORDINARY
    return IMMEDIATE if is_urgent(message) else URGENT


def add_duties(
    work: Work,
    cause: MessageId | None,
    incident: Incident,
    rule: DutyRule,
    moments: Mapping[str, datetime],
    now: Circumstances,
    result: Forwarded,
) -> None:
    """A duty for each owner, due by its clock; a clock whose start has not happened yet makes none.

    A seat that must not be contacted gets no duty, an officer hears of it instead (G-08); but the law's own clocks run on.
    What the holiday data does not reach is owed without a date, and an officer hears of it: a newer list gives the date.
    """
    clock = work.pack.clocks[rule.clock]
    carried = (*flags(now.told), *(() if NOTIFIED in moments else (WITHOUT_NOTIFICATION,)))
    beginning = clocks.begins(clock, moments, carried)
    if beginning is None or rule.unless_received in now.received:
        return
    for seat, set_at in _owners(work, rule, now, result):
        due, is_uncounted = _due(work, clock, beginning.at, set_at)
        plan = clocks.reminders(due, work.pack.calendar)
        if is_avoided(now.avoided, seat.agency, seat.role):
            _gap(result, DO_NOT_CONTACT)
            if not clock.statutory:
                continue
        if is_uncounted:
            _gap(result, UNCOUNTED)
        result.duties.append(
            _duty_row(work, cause, incident, seat, rule, due)
            | {
                "next_chase_at": next_chase_at(plan, work.at),
                "due_changes": [uncounted(work.at)] if is_uncounted else None,
            }
        )


def _duty_row(
    work: Work,
    cause: MessageId | None,
    incident: Incident,
    seat: Seat,
    rule: DutyRule,
    due: clocks.Due,
) -> dict[str, Any]:
    """An open duty as it is laid; who chases it, and when, is the caller's to say."""
    return {
        "id": work.supply.id(IdKind.DUTY),
        "partnership": incident.partnership,
        "incident": incident.id,
        "message": cause,
        "agency": seat.agency,
        "role": seat.role,
        "expects": rule.expects,
        "clock": rule.clock,
        "pack_version": work.pack.version,
        "start_at": due.start_at,
        "due_on": due.due_on,
        "due_at": due.due_at,
        "due_inclusive": due.inclusive,
        "state": DutyState.OPEN.value,
        "task": rule.task,
        "event": rule.met_at,
        "met_at": None,
        "met_by": None,
        "event_at": None,
    }


def _owners(
    work: Work, rule: DutyRule, now: Circumstances, result: Forwarded
) -> list[tuple[Seat, datetime | None]]:
    """Who owes it, each with the instant that the message sets, if it sets one: for every action its own (K19, S4-24)."""
    if rule.owner.whom is not Whom.ACTING:
        set_at = now.told.moments.get(rule.due) if rule.due else None
        return [(seat, set_at) for seat in _seats(work, rule.owner, now, result)]
    return [
        (seat, action.due_at if rule.due else None)
        for action in now.told.actions
        for seat in _seats(work, rule.owner, replace(now, told=replace(now.told, actions=(action,))), result)
    ]


def uncounted(at: datetime) -> dict[str, str]:
    """What a duty keeps among its changes that the holiday data gave no date."""
    return {"old_due_at": "", "new_due_at": "", "cause": UNCOUNTED, "at": _instant(at) or ""}


def _due(
    work: Work, clock: clocks.Clock, start_at: datetime, set_at: datetime | None
) -> tuple[clocks.Due, bool]:
    """As counted, and whether the holiday data did not reach; for a clock set case by case the instant that the message
    brings, if it brings one (K19)."""
    if set_at is None or clock.unit is not clocks.Unit.AS_SET:
        return clocks.due_or_uncounted(clock, start_at, work.pack.calendar)
    return clocks.due_set_at(clock, start_at, set_at, work.pack.calendar), False


def _seats(work: Work, to: Recipients, now: Circumstances, result: Forwarded) -> tuple[Seat, ...]:
    found = resolve(to, work.directory, now)
    for gap in found.gaps:
        _gap(result, gap)
    return found.seats


def _gap(result: Forwarded, gap: str) -> None:
    if gap not in result.gaps:
        result.gaps.append(gap)


def _record_moments(
    tx: Tx, message: Message, incident: Incident, route: Route, values: Mapping[str, datetime]
) -> Mapping[str, datetime]:
    if not values and not route.duties:
        return {}  # nothing to write, and no clock asks
    return incidents.record_moments(tx, incident.partnership, incident.id, message.id, values)


def involve(
    tx: Tx, work: Work, message: Message, incident: Incident, now: Circumstances, result: Forwarded
) -> None:
    """Whoever sends, receives, owes or is named belongs to the incident from now on.

    But nobody joins by being unknown to the directory, or by being named in a correction as having had a message wrongly.
    """
    told = (row for row in result.deliveries if not row["notice"])  # who has a notice alone takes no part
    bound = [AgencyId(row["agency"]) for row in (*told, *result.duties)]
    wrongly = message.facts.agencies if message.type == CORRECTION else ()
    known = [agency for agency in message.facts.agencies if agency in work.directory.agencies]
    joining = (agency for agency in (message.agency, *bound, *known) if agency not in wrongly)
    fresh = [agency for agency in joining if agency not in now.involved]
    if fresh:
        incidents.involve(tx, incident.partnership, incident.id, fresh)


def _limit(row: Mapping[str, Any]) -> str:
    return _instant(row["due_at"]) or ("not-counted" if row["due_changes"] else "no-limit")


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")

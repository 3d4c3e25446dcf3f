"""What the rules would do with a message, without doing it: the same decision and the same working-out, nothing written.

Where no directory is at hand, one is assumed in which every role that the pack names has one holder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, assert_never

from gateway.actions.decide_jointly import UNDECIDED, not_a_seat_of_the_sender, votes_of
from gateway.actions.doubts import FIRST_FAN_OUT
from gateway.actions.forward import work_out
from gateway.actions.lay_duties import Same, add_duties, drop_laid, lay_anew, same_of
from gateway.actions.meet import decided_seats
from gateway.actions.owe_deliveries import add_deliveries
from gateway.actions.what_follows import Forwarded
from gateway.core.duties import DutyState, Tally, Vote, tally
from gateway.core.errors import ErrorCode
from gateway.core.messages import AgencyId, AgencyKind, IncidentId, Message, MessageId, RoleId, Seat
from gateway.core.routing import Agency, Circumstances, Directory, Holder
from gateway.core.rules import (
    Forward,
    Hold,
    Pack,
    Recipients,
    Refuse,
    Route,
    Whom,
    answered_message,
    consequence,
    decide,
    joint_decision,
    moment_values,
    told_moments,
)
from gateway.parts import Supply, Work
from gateway.store.incidents import Incident
from schemas import Envelope, facts

INCIDENT = IncidentId("SI-7K3M-9QPX-2D")  # the contract's example: stands for an incident that does not exist
REHEARSED = MessageId("msg-rehearsal")
SENDER, ASKER = AgencyId("assumed-sender"), AgencyId("assumed-asker")
GUEST, RECEIVED_AS = AgencyId("assumed-guest"), RoleId("agency-responder")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would happen. `held` are the coarse reasons for which an officer would look, gaps in the directory included."""

    decision: str  # forward, hold, refuse
    rule: str
    deliveries: tuple[Mapping[str, Any], ...] = ()
    duties: tuple[Mapping[str, Any], ...] = ()
    held: tuple[str, ...] = ()
    refused: tuple[ErrorCode, str] | None = None  # the code and the pointer that the sender would get
    follows: Follows | None = None


@dataclass(frozen=True, slots=True)
class Follows:
    """What a decision would set going that this message alone reaches."""

    decision: str
    outcome: str
    label: str | None = None
    deliveries: tuple[Mapping[str, Any], ...] = ()  # of the message decided on
    duties: tuple[Mapping[str, Any], ...] = ()
    ends: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    dissent: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What an incident really was when a message came, in place of what a dry run supposes: a replay knows it."""

    now: Circumstances
    votes: tuple[Vote, ...] = ()  # the answers before this one in the same decision
    is_reached: bool = False  # that decision has its outcome already
    gone_out: frozenset[str] = frozenset()  # rules by which something of the incident has gone out before
    laid: Mapping[Same, frozenset[DutyState]] = field(
        default_factory=dict
    )  # duties of the incident, and how they stand
    of_it: Callable[[], Collection[Same]] = tuple  # those laid for the message that this one is about
    told: Mapping[str, datetime] = field(default_factory=dict)  # the moments of the message decided on


def rehearse(
    pack: Pack,
    directory: Directory,
    message: Message,
    known: Mapping[str, datetime] | None = None,
    released: bool = False,
    setting: Setting | None = None,
) -> Rehearsal:
    """Decide and work out one message that arrives at `message.arrived_at`, and what follows if it decides alone.

    `known` are instants that the incident is supposed to have recorded before. The agencies that the message names, and the
    one whose message it answers, are supposed to be involved in the incident already. `released`: as if an officer had looked.
    """
    decision = decide(message, pack, released)
    work = Work(message.arrived_at, Supply(b"rehearsal"), pack, directory, None)
    if isinstance(decision, Forward) and (pointer := not_a_seat_of_the_sender(work, message)):
        decision = Refuse(decision.route.id, ErrorCode.NOT_PERMITTED, pointer)
    if isinstance(decision, Forward) and not released and _goes_out_first(decision.route, setting):
        decision = Hold(decision.route.id, (FIRST_FAN_OUT,))
    match decision:
        case Refuse(rule, code, pointer):
            return Rehearsal("refuse", rule, refused=(code, pointer))
        case Hold(rule, reasons):
            return Rehearsal("hold", rule, held=reasons)
        case Forward(route):
            moments = {**moment_values(route, message), **(known or {})}
            incident = _incident(pack, message)
            real = setting or Setting(_circumstances(pack, message, directory))
            result = work_out(work, message, incident, route, real.now, moments)
            ended = drop_laid(work, result, real.laid, real.of_it)
            lay_anew(work, message, incident, route, real.now, moments, ended, result)
            return _forwarded(work, message, incident, real, moments, result)
        case _:
            assert_never(decision)


def _goes_out_first(route: Route, setting: Setting | None) -> bool:
    """Whether the rule is guarded and nothing of the incident has gone out by it: in a dry run it is the first."""
    return route.guard_fan_out and (setting is None or route.id not in setting.gone_out)


def rehearsed_message(
    pack: Pack, envelope: Envelope[Any], at: datetime | None, roles: frozenset[RoleId] = frozenset()
) -> Message:
    """The message as it would be on arrival `at` (aware; by default when it says it was written), from an assumed sender.

    It is tried as if it named this partnership; its author holds `roles`.
    """
    read = facts(envelope)
    return Message(
        REHEARSED,
        envelope.type,
        envelope.version,
        pack.partnership,
        SENDER,
        sender_kind(pack, envelope.type, read.codes) or AgencyKind.OTHER,
        envelope.reference,
        IncidentId(envelope.incident) if envelope.incident else None,
        MessageId(envelope.in_reply_to) if envelope.in_reply_to else None,
        (at or envelope.created_at).astimezone(UTC),
        read,
        roles,
    )


def sender_kind(pack: Pack, message_type: str, codes: Mapping[str, tuple[str, ...]]) -> AgencyKind | None:
    """The kind of agency to suppose as the sender: the first that the first fitting route names; None when none fits."""
    for route in pack.routes:
        fits = all(any(v in allowed for v in codes.get(code, ())) for code, allowed in route.when.items())
        if route.message == message_type and fits:
            return next(kind for kind in AgencyKind if kind in route.senders)
    return next(iter(_kinds(pack, message_type)), None)


def assumed_directory(pack: Pack, message: Message) -> Directory:
    """One holder for every role that the pack names, at an agency of its own and at every agency the message names."""
    named = {*message.facts.agencies, ASKER} - {message.agency}
    agencies = [Agency(message.agency, message.agency_kind, "assumed", None)]
    agencies += [Agency(agency, AgencyKind.OTHER, "assumed", None) for agency in sorted(named)]
    schools = [
        Agency(AgencyId(f"school-{urn}"), AgencyKind.SCHOOL, "assumed", urn) for urn in message.facts.schools
    ]
    own = _own_seats(pack, message)
    seats = {Seat(message.agency, RoleId(seat)) for seat in own}
    for to in _recipients(pack):
        match to.whom:
            case Whom.SEAT if to.role not in own:
                agencies.append(Agency(AgencyId(f"assumed-{to.role}"), AgencyKind.OTHER, "assumed", None))
                seats.add(Seat(AgencyId(f"assumed-{to.role}"), to.role))
            case Whom.INVOLVED | Whom.NAMED | Whom.ASKER:
                seats |= {Seat(agency, to.role) for agency in named}
            case Whom.ACTING:
                actions = message.facts.actions
                seats |= {Seat(action.agency, action.role or to.role) for action in actions}
            case Whom.SENDER:
                seats.add(Seat(message.agency, to.role))
            case Whom.SCHOOLS:
                seats |= {Seat(school.id, to.role) for school in schools}
    holders = {seat: (Holder("assumed", None, None, 0),) for seat in seats}
    return Directory.of(pack.partnership, [*agencies, *schools], holders, {})


def _own_seats(pack: Pack, message: Message) -> tuple[str, ...]:
    """The seats for which the sender decides are supposed to be its own; for a meeting of all it is the business unit."""
    decision = joint_decision(pack, message.type, message.facts)
    if decision is None:
        return ()
    seats = decided_seats(pack, decision, message)
    return ("sbu",) if len(seats) == len(decision.seats) > 1 else seats


def _kinds(pack: Pack, message_type: str) -> Iterator[AgencyKind]:
    for route in pack.routes:
        if route.message == message_type:
            yield from (kind for kind in AgencyKind if kind in route.senders)


def _recipients(pack: Pack) -> Iterator[Recipients]:
    for route in pack.routes:
        yield from route.deliver
        yield from (duty.owner for duty in route.duties)
    for follows in pack.consequences:
        yield from follows.deliver
        yield from (duty.owner for duty in follows.duties)
        yield from (letter.to for letter in follows.letters)
        yield from (Recipients(letter.sender_role) for letter in follows.letters)


def _circumstances(pack: Pack, message: Message, directory: Directory) -> Circumstances:
    """In a real directory nobody is supposed to have asked: the message that is answered is not looked up."""
    is_assumed = ASKER in directory.agencies
    asker = ASKER if message.in_reply_to and is_assumed else None
    received = (Seat(ASKER, RECEIVED_AS),) if answered_message(message) and is_assumed else ()
    guests = (GUEST,) if is_assumed else ()
    facts = message.facts
    return Circumstances(
        message.agency,
        facts.agencies,
        facts.agencies,
        facts.schools,
        asker,
        received,
        guests,
        frozenset(facts.codes.get("do_not_contact", ())),
        told=facts,
        deputies=pack.deputies,
        at=message.arrived_at,
    )


def _incident(pack: Pack, message: Message) -> Incident:
    return Incident(
        message.incident or INCIDENT,
        pack.partnership,
        "inc-rehearsal",
        pack.version,
        None,
        "open",
        (),
        message.arrived_at,
        False,
        None,
    )


def _forwarded(
    work: Work,
    message: Message,
    incident: Incident,
    real: Setting,
    known: Mapping[str, datetime],
    result: Forwarded,
) -> Rehearsal:
    follows, count = None, _count(work, message, real)
    if count is not None and count.outcome is not None:
        follows = _follows(work, message, incident, real, known, result, count)
    elif count is not None and not count.missing:
        result.gaps.append(UNDECIDED)
    held = tuple(dict.fromkeys(result.gaps))
    return Rehearsal(
        "forward", result.rule, tuple(result.deliveries), tuple(result.duties), held, follows=follows
    )


def _count(work: Work, message: Message, real: Setting) -> Tally | None:
    """How far the decision has come with this answer; None where there is none, or it has its outcome already.

    One answer decides where one seat does, a quorum of one, or the record of a meeting of all.
    """
    decision = joint_decision(work.pack, message.type, message.facts)
    if decision is None or real.is_reached:
        return None
    votes = [*real.votes, *votes_of(work.pack, decision, message.facts.codes)]
    return tally(decision.seats, decision.lead, votes, decision.quorum)


def _follows(
    work: Work,
    message: Message,
    incident: Incident,
    real: Setting,
    known: Mapping[str, datetime],
    before: Forwarded,
    count: Tally,
) -> Follows:
    """What the outcome sets going; `before` is what the deciding message itself did."""
    decision, outcome = joint_decision(work.pack, message.type, message.facts), count.outcome
    assert decision is not None
    assert outcome is not None
    follows = consequence(work.pack, decision.id, outcome)
    if follows is None:
        return Follows(decision.id, outcome, dissent=count.dissent)
    own = dict.fromkeys(follows.moments, message.arrived_at)
    anew = {**known, **real.told, **told_moments(message), **own}
    result = Forwarded(f"{decision.id}: {outcome}")
    for rule in follows.duties:
        starts = anew if decision.each else {**own, **known}
        add_duties(work, message.id, incident, rule, starts, real.now, result)
    mine = {same_of(row): frozenset({DutyState.OPEN}) for row in before.duties}
    drop_laid(work, result, {**real.laid, **mine}, lambda: {*real.of_it(), *mine}, decision.each)
    add_deliveries(work, message, incident, follows.deliver, real.now, result)
    return Follows(
        decision.id,
        outcome,
        follows.label,
        tuple(result.deliveries),
        tuple(result.duties),
        tuple(sorted(follows.ends)),
        tuple(letter.message for letter in follows.letters),
        tuple(dict.fromkeys(result.gaps)),
        count.dissent,
    )

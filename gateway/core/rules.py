"""A partnership's arrangements as a value, and the one decision taken on every message.

The vocabulary is closed: routes say who may send which message and whom it goes to, duties what is then owed by which
clock, decisions how one or several seats decide, consequences what follows, deputies who stands in for whom, periodic
matters what comes round, chases who hears of lateness. There is no expression language; what does not fit is a new word
here, with a test.

`decide` is pure: the same message, pack and directory give the same decision for ever, so old duties stay explainable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum

from gateway.core.clocks import Clock, Stage
from gateway.core.disclosure import DisclosureHold
from gateway.core.errors import ErrorCode
from gateway.core.ladder import LadderRule
from gateway.core.messages import AgencyId, AgencyKind, Facts, Message, MessageId, PartnershipId, RoleId
from gateway.core.retention import Retention
from gateway.core.statutory import EVERY_CRITERION
from gateway.core.working_days import Calendar

WRITTEN_HERE = frozenset(
    {"chase", "dsl-letter"}
)  # the gateway alone writes these, by its timetable and its decisions
ACKNOWLEDGEMENT, BY_PERSON = "acknowledgement", "person"
CORRECTION = "correction"
WITHDRAW, SUPERSEDE = "withdraw", "supersede"
WITHDRAWING = frozenset({WITHDRAW, "recall-misdirected"})  # corrections that take a message back (G-06)
TASK_RECORD, DONE = "task-record", frozenset({"done", "not-applicable"})
# By which code an answer says which of several like duties it meets: the task done, the review, the meeting.
TASK_CODES = {
    TASK_RECORD: "task",
    "review-decision": "review",
    "case-review": "review",
    "meeting-notice": "meeting",
}
YES = "yes"

Codes = Mapping[str, frozenset[str]]

# Moments of one message and not of the whole incident: a second request, letter or meeting starts a clock of its own.
OF_ONE_MESSAGE = frozenset(
    {"request_sent_at", "letter_sent_at", "imr_requested_at", "held_at", "actions_set_at"}
)
# What a message says that its sender has done: taken back, it never happened, and its clocks never began. Awareness is not
# among these: what the council was told once, it knows (P-05, C-13).
UNDONE_WITH_IT = frozenset({"sin_submitted_at", "lcspr_decided_at"})
# What a later message may tell of anew: another instant is another urgent concern, the same one is not (S0-23).
TOLD_ANEW = frozenset({"urgent_concern_at"})
# What lies ahead when it is told: a day set, a meeting called. Everything else has happened, or the telling is wrong.
SET_AHEAD = frozenset(
    {
        "actions_due_at",
        "extension_until_at",
        "feedback_due_at",
        "imr_due_at",
        "investigation_due_at",
        "meeting_at",
    }
)


class Whom(Enum):
    """How a rule names recipients; each is resolved from the directory alone."""

    SEAT = "seat"  # whoever holds the role in the partnership
    INVOLVED = "involved"  # the role at every agency involved in the incident, the sender excepted
    NAMED = "named"  # the role at the agencies that the message names; at all involved when it names none
    SCHOOLS = "schools"  # the role at each school that the message names
    ASKER = "asker"  # the role at the agency whose message is being answered
    RECIPIENTS = "recipients"  # the very seats that the corrected or answered message went to
    GUESTS = "guests"  # the role at the incident's guest agencies: a home council, a partner out of area
    SENDER = "sender"  # the role at the sender's own agency
    ACTING = "acting"  # the role at each agency of which the message asks an action; the role that it names (S4-24)


@dataclass(frozen=True, slots=True)
class Recipients:
    """A role, and which of its seats. `when` and `unless` narrow by the message's coded facts. `notice`: they are told
    that there is such a message and in which incident, and get nothing of its content (S0-30)."""

    role: RoleId
    whom: Whom = Whom.SEAT
    when: Codes = field(default_factory=dict)
    unless: Codes = field(default_factory=dict)
    notice: bool = False


@dataclass(frozen=True, slots=True)
class DutyRule:
    """Something owed: by whom, what message (or `acknowledgement`), by which clock.

    `task` is the one of several like answers that meets it. `due` is the moment of the message that lays the duty which is
    its due instant, for a clock set case by case (K19; for an owner that is `acting` each action brings its own); `met_at` the moment of the answer that counts in place of its
    arrival (C-16). `unless_received` lays nothing where the incident has a message of that type already (S0-10).
    """

    owner: Recipients
    expects: str
    clock: str
    task: str | None = None
    due: str | None = None
    met_at: str | None = None
    unless_received: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """What happens to one message type from certain kinds of agency.

    `moments` are set to the arrival; those that the body brings itself are recorded besides. `when` narrows by coded
    facts. `opens` lets the message open an incident when it names none. `incomplete_when` names the coded facts with which
    it answers nothing: a partial return. `guard_fan_out` holds the first such message of an incident for a person (G-06).
    `by` are the seats of which the author must hold one; what somebody else writes waits for an officer (S2-07).
    """

    id: str
    message: str
    senders: frozenset[AgencyKind]
    deliver: tuple[Recipients, ...]
    duties: tuple[DutyRule, ...] = ()
    opens: bool = False
    moments: tuple[str, ...] = ()
    when: Codes = field(default_factory=dict)
    incomplete_when: Codes = field(default_factory=dict)
    guard_fan_out: bool = False
    clause: str = ""
    by: frozenset[RoleId] = frozenset()


@dataclass(frozen=True, slots=True)
class JointDecision:
    """Seats decide, one or several together. With dissent the lead's own answer stands and the dissent is recorded (P-05).

    `when` tells apart several decisions that one type of message carries. `quorum` is how many answers decide; without it
    all seats must answer. `each`: decided once for each message decided on, not once for the incident (S1-16). `silent` are the
    outcomes from which nothing follows on purpose: the pack's check asks for a consequence of every other.
    """

    id: str
    message: str
    seats: tuple[RoleId, ...]
    lead: RoleId
    code: str
    when: Codes = field(default_factory=dict)
    quorum: int | None = None
    each: bool = False
    clause: str = ""
    silent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LetterRule:
    """A letter drafted when a decision is reached, and held until a person releases it.

    `officer_confirms_no`: an answer that no records are held is never taken without an officer, however clear it is.
    """

    message: str
    template: str
    to: Recipients
    sender_role: RoleId
    expects: str
    clock: str
    officer_confirms_no: bool = False


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows from an outcome. `deliver` sends on the message that was decided on; `ends` names what is no longer
    owed (P-10)."""

    decision: str
    outcomes: frozenset[str]
    moments: tuple[str, ...] = ()
    letters: tuple[LetterRule, ...] = ()
    duties: tuple[DutyRule, ...] = ()
    label: str | None = None
    deliver: tuple[Recipients, ...] = ()
    ends: frozenset[str] = frozenset()


class Every(Enum):
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Periodic:
    """A matter that comes round: opened at each month's end, or at the start of each year that begins with `month`
    (K06, K18)."""

    id: str
    every: Every
    month: int
    moment: str
    duties: tuple[DutyRule, ...]
    label: str | None = None


@dataclass(frozen=True, slots=True)
class ChaseRule:
    """Who is told at a stage: the owner, who stands by or above the owner (`OWNER_WORDS`), or a partnership's role.

    `expects` and `clocks` narrow it to some duties; the narrower rule wins.
    """

    stage: Stage
    to: tuple[str, ...]
    expects: frozenset[str] = frozenset()
    clocks: frozenset[str] = frozenset()

    def fits(self, stage: Stage, expects: str, clock: str) -> bool:
        narrowed = (self.expects and expects not in self.expects) or (
            self.clocks and clock not in self.clocks
        )
        return self.stage is stage and not narrowed


OWNER, OWNER_LEAD = "owner", "owner-lead"
OWNER_DEPUTY, OWNER_MANAGER = "owner-deputy", "owner-manager"
OWNER_WORDS = (OWNER, OWNER_LEAD, OWNER_DEPUTY, OWNER_MANAGER)


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of a partnership's arrangements."""

    partnership: PartnershipId
    version: str
    title: str
    effective_on: date
    review_due_on: date
    calendar: Calendar
    clocks: Mapping[str, Clock]
    routes: tuple[Route, ...]
    decisions: tuple[JointDecision, ...]
    consequences: tuple[Consequence, ...]
    chases: tuple[ChaseRule, ...]
    places: frozenset[str]  # local authority codes that the partnership covers
    letters: Mapping[str, str] = field(default_factory=dict)  # template name -> text
    statutory: frozenset[str] = EVERY_CRITERION  # which criteria of core.statutory are looked at
    # role -> who stands in, in order
    deputies: Mapping[RoleId, tuple[RoleId, ...]] = field(default_factory=dict)
    periodic: tuple[Periodic, ...] = ()
    ladders: tuple[LadderRule, ...] = ()  # without any, what is not collected is chased by its duty alone
    retention: tuple[Retention, ...] = ()  # without any, nothing comes due for erasure
    disclosure: DisclosureHold = field(default_factory=DisclosureHold)  # what a police hold stops (G-11)

    def is_statutory(self, clock: str) -> bool:
        """Whether the law sets this clock. One that an earlier version had is not the law's: no pack may lack those."""
        found = self.clocks.get(clock)
        return found is not None and found.statutory


@dataclass(frozen=True, slots=True)
class Forward:
    route: Route


@dataclass(frozen=True, slots=True)
class Hold:
    """Stop for an officer. `reasons` are coarse codes; the route is taken on release."""

    rule: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refuse:
    rule: str
    code: ErrorCode
    pointer: str


Decision = Forward | Hold | Refuse


def decide(message: Message, pack: Pack, released: bool = False) -> Decision:
    """Forward, hold or refuse one message under a pack. `released`: an officer has already looked at it."""
    candidates = [route for route in pack.routes if route.message == message.type]
    if message.type in WRITTEN_HERE or not candidates:
        return Refuse("no-such-message-here", ErrorCode.NOT_PERMITTED, "/type")
    if not any(message.agency_kind in route.senders for route in candidates):
        return Refuse("sender-not-permitted", ErrorCode.NOT_PERMITTED, "/type")
    fitting = [route for route in candidates if _matches(route.when, message.facts)]
    if not fitting:
        return Hold("no-rule-fits", ("no-rule-fits",))
    own = [route for route in fitting if message.agency_kind in route.senders]
    if not own:  # others may say just this: no officer could ever let it go on
        return Refuse("sender-not-permitted", ErrorCode.NOT_PERMITTED, "/type")
    route = own[0]
    if message.incident is None and not route.opens:
        return Refuse(route.id, ErrorCode.INVALID_MESSAGE, "/incident")
    reasons = () if released else _doubts(message, pack, route)
    return Hold(route.id, reasons) if reasons else Forward(route)


def answers_in_full(route: Route, message: Message) -> bool:
    """Whether this message may meet the duty it answers: a partial return or an extension request may not (G-10).

    Nor may a system's acknowledgement, whatever a pack says: only a person's word acknowledges (contract section 3); nor the
    record that a task is not done yet.
    """
    codes = message.facts.codes
    if message.type == ACKNOWLEDGEMENT and codes.get("by") != (BY_PERSON,):
        return False
    if message.type == TASK_RECORD and not DONE.issuperset(codes.get("status", ("",))):
        return False
    return not (route.incomplete_when and _matches(route.incomplete_when, message.facts))


def answered_message(message: Message) -> MessageId | None:
    """The message that this one is about: the one that a correction corrects, else the one that it answers."""
    corrected = message.facts.codes.get("corrects", ()) if message.type == CORRECTION else ()
    return MessageId(corrected[0]) if corrected else message.in_reply_to


def takes_back(message: Message) -> bool:
    """Whether this correction withdraws or recalls, rather than puts something right (G-06)."""
    return message.type == CORRECTION and bool(
        WITHDRAWING.intersection(message.facts.codes.get("action", ()))
    )


def answers_task(task: str | None, message: Message) -> bool:
    """Whether an answer is the one that a duty waits for, where several of its kind may be owed at once."""
    said = message.facts.codes.get(TASK_CODES.get(message.type, ""), ())
    return task is None or task in said


def fits(to: Recipients, codes: Mapping[str, Collection[str]]) -> bool:
    """Whether a recipient or owner is meant for a message with these codes."""
    return _codes_match(to.when, codes) and not (to.unless and _codes_match(to.unless, codes))


def flags(facts: Facts) -> tuple[str, ...]:
    """The codes of a message that say yes: a clock's other start may depend on one (X-02: `retrospective`)."""
    return tuple(code for code, values in facts.codes.items() if YES in values)


def joint_decision(pack: Pack, message_type: str, facts: Facts) -> JointDecision | None:
    """The decision that a message with these facts is an answer in; the pack's check lets only one fit."""
    of_type = (decision for decision in pack.decisions if decision.message == message_type)
    return next((decision for decision in of_type if _matches(decision.when, facts)), None)


def is_each_time(pack: Pack, expects: str, task: str | None) -> bool:
    """Whether every message lays its own duty of this kind: each is acknowledged, and each reviewed where the pack says so."""
    code = TASK_CODES.get(expects, "")
    return expects == ACKNOWLEDGEMENT or any(
        decision.each
        and decision.message == expects
        and (task is None or task in decision.when.get(code, (task,)))
        for decision in pack.decisions
    )


def chase_rule(pack: Pack, stage: Stage, expects: str, clock: str) -> ChaseRule | None:
    """Of the rules that fit a duty at a stage, the narrowest; of two equally narrow ones the first."""
    fitting = [rule for rule in pack.chases if rule.fits(stage, expects, clock)]
    return max(fitting, key=lambda rule: bool(rule.expects) + bool(rule.clocks), default=None)


def consequence(pack: Pack, decision: str, outcome: str) -> Consequence | None:
    found = (c for c in pack.consequences if c.decision == decision and outcome in c.outcomes)
    return next(found, None)


def letter_rule(pack: Pack, message: str | None = None) -> LetterRule | None:
    """How these rules write to a school, or their letters of that type; None where they do not."""
    letters = (letter for follows in pack.consequences for letter in follows.letters)
    return next((letter for letter in letters if message in (None, letter.message)), None)


def moment_values(route: Route, message: Message) -> dict[str, datetime]:
    """The start events that this message records: what its body brings, then what the rule sets to the arrival."""
    return {**told_moments(message), **dict.fromkeys(route.moments, message.arrived_at)}


def told_moments(message: Message) -> dict[str, datetime]:
    """The instants that the body tells of, none later than the message's arrival: so a mistyped year cannot push a clock of
    the law out of sight. Instants that are set for the future (`SET_AHEAD`) stay as they are."""
    return {
        name: at if name in SET_AHEAD else min(at, message.arrived_at)
        for name, at in message.facts.moments.items()
    }


def _matches(wanted: Codes, facts: Facts) -> bool:
    return _codes_match(wanted, facts.codes)


def _codes_match(wanted: Codes, codes: Mapping[str, Collection[str]]) -> bool:
    return all(any(value in allowed for value in codes.get(code, ())) for code, allowed in wanted.items())


def _doubts(message: Message, pack: Pack, route: Route) -> tuple[str, ...]:
    """What makes a person look first: a place outside the partnership, a named person who must not be told (G-08), an
    author without the seat that may say this (S2-07)."""
    reasons = []
    places = message.facts.codes.get("place", ())
    if pack.places and places and not set(places) & pack.places:
        reasons.append("place-outside-partnership")
    if "person" in message.facts.codes.get("do_not_contact", ()):
        reasons.append("do-not-contact-person")
    if route.by and not route.by & message.author_roles:
        reasons.append("author-not-in-seat")
    return tuple(reasons)


def is_avoided(avoided: Collection[str], agency: AgencyId, role: RoleId) -> bool:
    """Whether a seat is among those not to be contacted: `agency/role`, either of them `*` for any."""
    return any(f"{a}/{r}" in avoided for a in (agency, "*") for r in (role, "*"))

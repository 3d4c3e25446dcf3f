"""What is wrong with a pack that can be read: words it must not use, rules that contradict, and rules that could never act.

Each is a problem with the line of rules.toml and a remedy; a pack with any is refused whole.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.core.clocks import Clock, Unit
from gateway.core.disclosure import ALWAYS_GO
from gateway.core.duties import UNDECIDED
from gateway.core.ladder import ORDER
from gateway.core.messages import AgencyKind
from gateway.core.retention import RetentionClass
from gateway.core.routing import EVERY_ROLE
from gateway.core.rules import (
    OWNER_WORDS,
    TASK_CODES,
    TASK_RECORD,
    Codes,
    Consequence,
    DutyRule,
    Every,
    JointDecision,
    Pack,
    Recipients,
    Route,
    Whom,
)
from gateway.core.statutory import EVERY_CRITERION, OF_THE_LAW
from gateway.partnerships.clock_tables import STATUTORY_MINIMUM, read_clocks, weakened
from gateway.partnerships.readable import codes_of, outcomes_of
from gateway.partnerships.vocabulary import BROUGHT, MESSAGE_TYPES, OWN_MOMENTS, ROLES

# Roles that only some kinds of agency have; every other role may be held anywhere.
_HELD_AT: Mapping[str, frozenset[AgencyKind]] = {
    "dsl": frozenset({AgencyKind.SCHOOL}),
    "dsp-la": frozenset({AgencyKind.LOCAL_AUTHORITY}),
    "dsp-icb": frozenset({AgencyKind.ICB}),
    "dsp-police": frozenset({AgencyKind.POLICE}),
    "dcs": frozenset({AgencyKind.LOCAL_AUTHORITY}),
    "chief-executive": frozenset(AgencyKind) - {AgencyKind.SCHOOL},
    "school-improvement": frozenset({AgencyKind.LOCAL_AUTHORITY}),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a pack: the line of rules.toml (0 when it has none), what is wrong, what to do."""

    pack: str
    line: int
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Text:
    """The text of rules.toml, to find the line of a fault in."""

    pack: str
    text: str

    def line(self, *needles: str) -> int:
        """The line where the last of the needles stands, each looked for from where the one before was found."""
        lines = self.text.splitlines()
        at = 0
        for number, needle in enumerate(needles):
            found = next((i for i in range(at, len(lines)) if needle and needle in lines[i]), None)
            if found is None:
                return at + 1 if number else 0
            at = found
        return at + 1

    def problem(self, what: str, remedy: str, *needles: str) -> Problem:
        return Problem(self.pack, self.line(*needles), what, remedy)


@dataclass(frozen=True, slots=True)
class _Laid:
    """A duty rule and the rule that lays it: by which messages, from which senders; none for the calendar's."""

    duty: DutyRule
    where: str
    anchor: str  # what stands in the text near it
    message: str | None
    senders: frozenset[AgencyKind]


def contradictions(pack: Pack, text: Text) -> Iterator[Problem]:
    """Everything wrong with a pack whose tables could be read."""
    yield from _weakened(pack, text)
    yield from _words(pack, text)
    yield from _criteria(pack, text)
    yield from _codes(pack, text)
    for laid in _laid(pack):
        yield from _duty(pack, text, laid)
    yield from _clocks_from_nothing(pack, text)
    yield from _routes(pack, text)
    yield from _decisions(pack, text)
    yield from _consequences(pack, text)
    yield from _silent(pack, text)
    yield from _deputies(pack, text)
    yield from _periodic(pack, text)
    yield from _chases(pack, text)
    yield from _ladders(pack, text)
    yield from _unheld(pack, text)
    yield from _acting(pack, text)
    yield from _retention(pack, text)
    yield from _disclosure(pack, text)


def _laid(pack: Pack) -> Iterator[_Laid]:
    for route in pack.routes:
        for duty in route.duties:
            yield _Laid(
                duty, f"a duty of route {route.id}", f'id = "{route.id}"', route.message, route.senders
            )
    for follows in pack.consequences:
        decision = _decision(pack, follows)
        message = decision.message if decision else None
        senders = frozenset(
            kind for route in pack.routes if route.message == message for kind in route.senders
        )
        anchor = f'decision = "{follows.decision}"'
        for duty in follows.duties:
            yield _Laid(duty, f"a duty that follows from {follows.decision}", anchor, message, senders)
    for periodic in pack.periodic:
        for duty in periodic.duties:
            anchor = f'id = "{periodic.id}"'
            yield _Laid(duty, f"a duty of the periodic {periodic.id}", anchor, None, frozenset())


def _weakened(pack: Pack, text: Text) -> Iterator[Problem]:
    """No pack may lack, lengthen or restart a statutory clock (K12, K17, K20, K21; S2-25)."""
    folder = Path(__file__).parent / STATUTORY_MINIMUM
    minimum = read_clocks(tomllib.loads((folder / "rules.toml").read_text("utf-8")))
    for name in weakened(pack.clocks, minimum):
        what = f"the statutory clock {name} is missing or not as the law has it"
        remedy = (
            f"Copy its [[clock]] table from {STATUTORY_MINIMUM}/rules.toml; only clause and note may differ"
        )
        yield text.problem(what, remedy, f'id = "{name}"')


def _words(pack: Pack, text: Text) -> Iterator[Problem]:
    for role, where in _roles(pack):
        if role not in ROLES:
            yield text.problem(f"{where} names an unknown role", "Use a role slug", f'"{role}"')
    for message, where in _messages(pack):
        if message not in MESSAGE_TYPES:
            yield text.problem(f"{where} names an unknown message", "Use a message slug", f'"{message}"')
    clocks = [laid.duty.clock for laid in _laid(pack)]
    clocks += [letter.clock for follows in pack.consequences for letter in follows.letters]
    for clock in dict.fromkeys(clocks):
        if clock not in pack.clocks:
            what = "a duty names a clock that the pack lacks"
            yield text.problem(what, "Add a [[clock]] table", f'"{clock}"')
    for letter in (x for c in pack.consequences for x in c.letters):
        if f"{letter.template}.txt" not in pack.letters:
            yield text.problem(
                "a letter's template is missing", "Add it under letters/", f'"{letter.template}"'
            )


def _criteria(pack: Pack, text: Text) -> Iterator[Problem]:
    """A pack switches local criteria; those of the law stay (X-16)."""
    for unknown in sorted(pack.statutory - EVERY_CRITERION):
        what = f"there is no criterion {unknown}"
        yield text.problem(what, f"Name any of {', '.join(sorted(EVERY_CRITERION))}", "criteria =")
    for missing in sorted(OF_THE_LAW - pack.statutory):
        yield text.problem(f"{missing} is the law's and cannot be switched off", "Add it", "criteria =")


def _roles(pack: Pack) -> Iterator[tuple[str, str]]:
    for route in pack.routes:
        yield from ((to.role, f"route {route.id}") for to in route.deliver if not _is_any(to))
        yield from ((role, f"route {route.id}") for role in sorted(route.by))
    yield from ((x.duty.owner.role, x.where) for x in _laid(pack) if not _is_any(x.duty.owner))
    for decision in pack.decisions:
        yield from ((seat, f"decision {decision.id}") for seat in (*decision.seats, decision.lead))
    for follows in pack.consequences:
        yield from ((to.role, "a consequence") for to in follows.deliver if not _is_any(to))
        for letter in follows.letters:
            yield letter.to.role, "a letter"
            yield letter.sender_role, "a letter"
    for role, by in pack.deputies.items():
        yield from ((one, "a deputy") for one in (role, *by))
    for chase in pack.chases:
        yield from ((to, f"chase {chase.stage.value}") for to in chase.to if to not in OWNER_WORDS)


def _codes(pack: Pack, text: Text) -> Iterator[Problem]:
    """Codes that a message cannot have, and values that a code cannot have, as far as the schemas list them."""
    for route in pack.routes:
        anchor = f'id = "{route.id}"'
        for wanted in (route.when, route.incomplete_when, *_wanted(route.deliver)):
            yield from _unreadable(route.message, wanted, f"route {route.id}", anchor, text)
    for laid in _laid(pack):
        for wanted in _wanted([laid.duty.owner]):
            yield from _unreadable(laid.message or "", wanted, laid.where, laid.anchor, text)
    for decision in pack.decisions:
        where, anchor = f"decision {decision.id}", f'id = "{decision.id}"'
        yield from _unreadable(decision.message, decision.when, where, anchor, text)
        yield from _unreadable(decision.message, {decision.code: frozenset()}, where, anchor, text)
    for follows in pack.consequences:
        if (of := _decision(pack, follows)) is not None:
            where, anchor = f"a consequence of {of.id}", f'decision = "{of.id}"'
            for wanted in ({of.code: follows.outcomes}, *_wanted(follows.deliver)):
                yield from _unreadable(of.message, wanted, where, anchor, text)
            possible = outcomes_of(of.message, of.when.get("review", ()))
            if possible is not None:
                what = f"{where} is for an outcome that it never has"
                yield from _never(follows.outcomes - possible, possible, what, anchor, text)


def _wanted(to: Iterable[Recipients]) -> Iterator[Codes]:
    for one in to:
        yield from (one.when, one.unless)


def _unreadable(message: str, wanted: Codes, where: str, anchor: str, text: Text) -> Iterator[Problem]:
    known = codes_of(message)
    if known is None:
        return
    for code, values in wanted.items():
        if code not in known:
            what = f"{where} reads a code that no {message} has"
            yield text.problem(what, f"Name any of {', '.join(sorted(known))}", anchor, code)
        elif (listed := known[code]) is not None:
            yield from _never(
                values - listed, listed, f"{where} reads a value that {code} never has", anchor, text
            )


def _never(
    values: Iterable[str], listed: Iterable[str], what: str, anchor: str, text: Text
) -> Iterator[Problem]:
    for value in sorted(values):
        yield text.problem(what, f"Name any of {', '.join(sorted(listed))}", anchor, f'"{value}"')


def _is_any(to: Recipients) -> bool:
    """Whoever received a message is named by `*`, which is no role anywhere else."""
    return (to.role, to.whom) == (EVERY_ROLE, Whom.RECIPIENTS)


def _messages(pack: Pack) -> Iterator[tuple[str, str]]:
    for route in pack.routes:
        yield route.message, f"route {route.id}"
    for laid in _laid(pack):
        yield laid.duty.expects, laid.where
        if laid.duty.unless_received:
            yield laid.duty.unless_received, laid.where
    for decision in pack.decisions:
        yield decision.message, f"decision {decision.id}"
    for follows in pack.consequences:
        yield from ((message, "a consequence") for message in sorted(follows.ends))
        for letter in follows.letters:
            yield letter.message, "a letter"
            yield letter.expects, "a letter"
    for chase in pack.chases:
        yield from ((message, f"chase {chase.stage.value}") for message in sorted(chase.expects))


def _duty(pack: Pack, text: Text, laid: _Laid) -> Iterator[Problem]:
    """What a duty says of its task, its due and the event that meets it must be what messages can bring."""
    duty, anchor = laid.duty, laid.anchor
    if duty.expects == TASK_RECORD and duty.task is None:
        yield text.problem(
            f"{laid.where} expects a task-record of no task", "Add `task`", anchor, TASK_RECORD
        )
    if duty.task is not None and duty.expects not in TASK_CODES:
        what = f"{laid.where} has a task, which no {duty.expects} names"
        yield text.problem(what, f"Expect one of {', '.join(sorted(TASK_CODES))}", anchor, "task")
    if duty.met_at is not None and duty.met_at not in BROUGHT.get(duty.expects, ()):
        what = f"{laid.where} is met at a moment that no {duty.expects} brings"
        yield text.problem(what, "Use a moment that the message brings", anchor, f'"{duty.met_at}"')
    if duty.due is not None:
        yield from _due(pack, text, laid)
    if duty.unless_received is not None and not any(r.message == duty.unless_received for r in pack.routes):
        what = f"{laid.where} depends on a message that no route takes"
        yield text.problem(what, "Add a route for it", anchor, f'"{duty.unless_received}"')


def _due(pack: Pack, text: Text, laid: _Laid) -> Iterator[Problem]:
    duty = laid.duty
    clock = pack.clocks.get(duty.clock)
    if clock is not None and clock.unit is not Unit.AS_SET:
        what = f"{laid.where} sets a due for a clock that is counted"
        yield text.problem(what, "Use a clock with unit `as-set`", laid.anchor, f'"{duty.due}"')
    if duty.due not in BROUGHT.get(laid.message or "", ()):
        what = f"{laid.where} is due at a moment that no {laid.message or 'message'} brings"
        yield text.problem(what, "Use a moment that the message brings", laid.anchor, f'"{duty.due}"')


def _clocks_from_nothing(pack: Pack, text: Text) -> Iterator[Problem]:
    """A duty whose clock's start event no route, body, consequence or calendar ever records would never run."""
    recorded = OWN_MOMENTS | {moment for route in pack.routes for moment in route.moments}
    recorded |= {moment for follows in pack.consequences for moment in follows.moments}
    recorded |= {moment for route in pack.routes for moment in BROUGHT.get(route.message, ())}
    recorded |= {periodic.moment for periodic in pack.periodic}
    for name in sorted({laid.duty.clock for laid in _laid(pack)}):
        clock = pack.clocks.get(name)
        if clock is not None and not recorded & _starts(clock):
            what = f"the clock {name} starts from nothing that is ever recorded"
            yield text.problem(what, "Record its start event in a route", f'clock = "{name}"')


def _starts(clock: Clock) -> set[str]:
    return {clock.start, clock.other_start.event} if clock.other_start else {clock.start}


def _routes(pack: Pack, text: Text) -> Iterator[Problem]:
    """Two routes for one message and one kind of sender: the second could never be reached, or either could be."""
    yield from _twice([route.id for route in pack.routes], "route", text)
    for i, first in enumerate(pack.routes):
        for second in pack.routes[i + 1 :]:
            shared = first.message == second.message and first.senders & second.senders
            if shared and not _disjoint(first.when, second.when):
                what = f"the routes {first.id} and {second.id} overlap"
                yield text.problem(what, "Separate them by `from` or `when`", f'"{second.id}"')
    tasks = {laid.duty.task for laid in _laid(pack) if laid.duty.expects == TASK_RECORD}
    for route in pack.routes:
        for task in sorted(route.when.get("task", ())) if route.message == TASK_RECORD else ():
            if task not in tasks:
                what = f"route {route.id} is for a task that no duty has"
                yield text.problem(what, "Use a task that a duty names", f'id = "{route.id}"', f'"{task}"')


def _twice(ids: list[str], kind: str, text: Text) -> Iterator[Problem]:
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield text.problem(
            f"the {kind} {name} stands twice", f"Give each {kind} its own id", f'id = "{name}"'
        )


def _disjoint(a: Codes, b: Codes) -> bool:
    return any(not a[code] & b[code] for code in a.keys() & b.keys())


def _decisions(pack: Pack, text: Text) -> Iterator[Problem]:
    """What could never be decided, or could be either of two decisions."""
    yield from _twice([decision.id for decision in pack.decisions], "decision", text)
    for i, decision in enumerate(pack.decisions):
        anchor = f'id = "{decision.id}"'
        if decision.lead not in decision.seats:
            what = f"the lead of {decision.id} is none of its seats"
            yield text.problem(what, "Add the seat", f'lead = "{decision.lead}"')
        if len(set(decision.seats)) < len(decision.seats) or not decision.seats:
            what = f"the decision {decision.id} names a seat twice or none"
            yield text.problem(what, "Name each seat once", anchor, "seats")
        if decision.quorum is not None and not 1 <= decision.quorum <= len(decision.seats):
            what = f"the quorum of {decision.id} can never be reached or decides nothing"
            yield text.problem(what, "Ask for one answer up to that of every seat", anchor, "quorum")
        if not any(_reaches(route, decision) for route in pack.routes):
            what = f"no route takes the message that decides {decision.id}"
            yield text.problem(what, "Add a route for it", anchor)
        for other in pack.decisions[i + 1 :]:
            if other.message == decision.message and not _disjoint(decision.when, other.when):
                what = f"the decisions {decision.id} and {other.id} overlap"
                yield text.problem(what, "Separate them by `when`", f'id = "{other.id}"')


def _reaches(route: Route, decision: JointDecision) -> bool:
    return route.message == decision.message and not _disjoint(route.when, decision.when)


def _decision(pack: Pack, follows: Consequence) -> JointDecision | None:
    return next((decision for decision in pack.decisions if decision.id == follows.decision), None)


def _silent(pack: Pack, text: Text) -> Iterator[Problem]:
    """An outcome from which nothing follows, though nobody said that it should: a decision that would end in silence."""
    for decision in pack.decisions:
        possible, anchor = _outcomes(decision), f'id = "{decision.id}"'
        if possible is None:
            continue
        spoken = {one for c in pack.consequences if c.decision == decision.id for one in c.outcomes}
        for outcome in sorted(possible - UNDECIDED - spoken - decision.silent):
            what = f"nothing follows when {decision.id} comes to {outcome}"
            yield text.problem(what, "Add a [[consequence]], or name it in `outcomes_silent`", anchor)
        for outcome in sorted(decision.silent & spoken):
            what = f"{decision.id} calls the outcome {outcome} silent, and a consequence follows from it"
            yield text.problem(what, "Take it out of `outcomes_silent`", anchor, "outcomes_silent")
        for outcome in sorted(decision.silent - possible):
            what = f"{decision.id} calls an outcome silent that it never has"
            remedy = f"Name any of {', '.join(sorted(possible))}"
            yield text.problem(what, remedy, anchor, "outcomes_silent", f'"{outcome}"')


def _outcomes(decision: JointDecision) -> frozenset[str] | None:
    """What a decision can come to; None where no list says so."""
    possible = outcomes_of(decision.message, decision.when.get("review", ()))
    if possible is None:
        possible = (codes_of(decision.message) or {}).get(decision.code)
    narrowed = decision.when.get(decision.code)
    return possible if possible is None or narrowed is None else possible & narrowed


def _consequences(pack: Pack, text: Text) -> Iterator[Problem]:
    """What would follow from nothing, never follow, or end what nobody owes."""
    owed = {laid.duty.expects for laid in _laid(pack)}
    owed |= {letter.expects for follows in pack.consequences for letter in follows.letters}
    taken: dict[str, set[str]] = {}
    for follows in pack.consequences:
        anchor = f'decision = "{follows.decision}"'
        if _decision(pack, follows) is None:
            yield text.problem("a consequence follows from no decision", "Add a [[decision]]", anchor)
        before = taken.setdefault(follows.decision, set())
        for outcome in sorted(follows.outcomes & before):
            what = f"a second consequence follows from {follows.decision} with the outcome {outcome}"
            yield text.problem(what, "Put both into one [[consequence]]", anchor, f'"{outcome}"')
        before |= follows.outcomes
        for message in sorted(follows.ends - owed):
            what = f"a consequence of {follows.decision} ends what nobody owes"
            yield text.problem(what, "Name a message that a duty expects", anchor, "ends", f'"{message}"')


def _deputies(pack: Pack, text: Text) -> Iterator[Problem]:
    for role in pack.deputies:
        seen, waiting = set(), list(pack.deputies[role])
        while waiting:
            deputy = waiting.pop()
            if deputy not in seen:
                seen.add(deputy)
                waiting += pack.deputies.get(deputy, ())
        if role in seen:
            what = f"the deputies of {role} come round to {role} again"
            yield text.problem(what, "Take one of them out of the circle", "[[deputy]]", f'role = "{role}"')


def _periodic(pack: Pack, text: Text) -> Iterator[Problem]:
    yield from _twice([periodic.id for periodic in pack.periodic], "periodic", text)
    for periodic in pack.periodic:
        anchor = f'id = "{periodic.id}"'
        if periodic.every is Every.MONTH and periodic.month != 1:
            what = f"the periodic {periodic.id} comes every month and names one"
            yield text.problem(what, 'Leave `month` out, or say `every = "year"`', anchor, "month")
        for duty in periodic.duties:
            if duty.owner.whom is not Whom.SEAT or duty.owner.when or duty.owner.unless:
                what = f"a duty of the periodic {periodic.id} depends on a message, and there is none"
                yield text.problem(what, "Name a role of the partnership alone", anchor, duty.owner.role)


def _chases(pack: Pack, text: Text) -> Iterator[Problem]:
    """A chase narrowed to what nothing lays, or one that another like it always comes before."""
    owed = {(laid.duty.expects, laid.duty.clock) for laid in _laid(pack)}
    owed |= {(letter.expects, letter.clock) for c in pack.consequences for letter in c.letters}
    for i, rule in enumerate(pack.chases):
        line = _nth_line(text, "[[chase]]", i + 1)
        named = [(e, c) for e, c in owed if rule.fits(rule.stage, e, c)]
        strangers = (rule.expects - {e for e, _ in owed}) | (rule.clocks - {c for _, c in owed})
        if strangers or ((rule.expects or rule.clocks) and not named):
            what = f"the chase {rule.stage.value} is narrowed to what no duty expects or no clock counts"
            yield Problem(text.pack, line, what, "Name messages and clocks of this pack's duties")
        for earlier in pack.chases[:i]:
            same_stage = earlier.stage is rule.stage
            if same_stage and (earlier.expects, earlier.clocks) == (rule.expects, rule.clocks):
                what = f"a second chase {rule.stage.value} stands for the same duties"
                yield Problem(text.pack, line, what, "Put both into one [[chase]]")


def _ladders(pack: Pack, text: Text) -> Iterator[Problem]:
    """A ladder for what nobody sends, one out of order, or two for the same message."""
    sent = {route.message for route in pack.routes} | {
        one.message for c in pack.consequences for one in c.letters
    }
    seen: set[str] = set()
    for i, rule in enumerate(pack.ladders):
        line = _nth_line(text, "[[ladder]]", i + 1)
        named = set(rule.messages) or {"every other message"}
        if strangers := rule.messages - sent:
            what = f"no route or letter of this pack sends {', '.join(sorted(strangers))}"
            yield Problem(text.pack, line, what, "Name messages that go out by this pack")
        if again := seen & named:
            what = f"a second ladder stands for {', '.join(sorted(again))}"
            yield Problem(text.pack, line, what, "Put both into one [[ladder]]")
        if (
            list(rule.rungs) != [rung for rung in ORDER if rung in rule.rungs]
            or rule.rungs[-1] is not ORDER[-1]
        ):
            what = "the rungs stand out of order, twice, or do not end with a telephone call"
            yield Problem(
                text.pack, line, what, 'Write some of "mail", "deputy" in this order, then "telephone"'
            )
        seen |= named


def _nth_line(text: Text, needle: str, wanted: int) -> int:
    found = [number for number, line in enumerate(text.text.splitlines(), start=1) if needle in line]
    return found[wanted - 1] if len(found) >= wanted else 0


def _unheld(pack: Pack, text: Text) -> Iterator[Problem]:
    """A role where no agency that is asked for it could have it."""
    for route in pack.routes:
        for to in (*route.deliver, *(duty.owner for duty in route.duties)):
            yield from _nobody(to, route.senders, f"route {route.id}", f'id = "{route.id}"', text)
    for laid in _laid(pack):
        if laid.message is not None and "follows" in laid.where:
            yield from _nobody(laid.duty.owner, laid.senders, laid.where, laid.anchor, text)


def _acting(pack: Pack, text: Text) -> Iterator[Problem]:
    """`acting` where the message asks nothing of anybody."""
    for route in pack.routes:
        asks = "actions_due_at" in BROUGHT.get(route.message, ())
        named = (*route.deliver, *(duty.owner for duty in route.duties))
        if not asks and any(to.whom is Whom.ACTING for to in named):
            what = f"route {route.id} is for agencies that are to act, and no {route.message} asks any"
            yield text.problem(
                what, "Name a message that brings actions_due_at", f'id = "{route.id}"', "acting"
            )


def _disclosure(pack: Pack, text: Text) -> Iterator[Problem]:
    """What a police hold stops must be a message, and never one that must always go (G-11)."""
    for message in sorted(pack.disclosure.messages - (MESSAGE_TYPES - ALWAYS_GO)):
        what = f"a police hold cannot stop {message}"
        yield text.problem(
            what,
            "Name types of Messages, but no correction, chase or acknowledgement",
            "[disclosure]",
            f'"{message}"',
        )
    known = {code for route in pack.routes for code in codes_of(route.message) or ()}
    for code in sorted(set(pack.disclosure.when) - known):
        yield text.problem(
            f"[disclosure] when: no message here has the code {code}", "See Messages", "[disclosure]", code
        )


def _retention(pack: Pack, text: Text) -> Iterator[Problem]:
    """Classes that leave an incident without one, stand twice, or narrow to what no message says (G-12)."""
    kinds = [rule.kind for rule in pack.retention]
    for kind in sorted({kind.value for kind in kinds if kinds.count(kind) > 1}):
        yield text.problem(
            f"the class {kind} stands twice", "Put both into one [[retention]]", f'class = "{kind}"'
        )
    if kinds and RetentionClass.CASE not in kinds:
        what = "[[retention]] has no class for what no other class takes"
        yield text.problem(what, 'Add one with class = "case"', "[[retention]]")
    whole = (RetentionClass.CASE, RetentionClass.IMPORTED)
    for rule in pack.retention:
        where, anchor = f"the class {rule.kind.value}", f'class = "{rule.kind.value}"'
        if (rule.kind in whole) is not rule.is_for_all:
            remedy = (
                "Leave `when` and `received` out"
                if rule.kind in whole
                else "Say which with `when` or `received`"
            )
            yield text.problem(f"{where} is for all or for none", remedy, anchor)
        for message in sorted(rule.received - MESSAGE_TYPES):
            yield text.problem(f"{where} names an unknown message", "See Messages", anchor, f'"{message}"')
        taken = [r.message for r in pack.routes if set(rule.when) <= set(codes_of(r.message) or ())]
        if rule.when and not taken:
            yield text.problem(f"{where} reads codes that no message has", "See Messages", anchor, "when")
        for message in sorted(set(taken)) if rule.when else ():
            yield from _unreadable(message, rule.when, where, anchor, text)


def _nobody(
    to: Recipients, senders: Iterable[AgencyKind], where: str, anchor: str, text: Text
) -> Iterator[Problem]:
    kinds = _HELD_AT.get(to.role, frozenset(AgencyKind))
    asked = {Whom.SENDER: frozenset(senders), Whom.SCHOOLS: frozenset({AgencyKind.SCHOOL})}.get(
        to.whom, kinds
    )
    if asked and not asked & kinds:
        what = f"{where} names a role that nobody there could hold"
        yield text.problem(what, "Name a role that such an agency has", anchor, f'"{to.role}"')

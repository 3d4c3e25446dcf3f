"""Reads a partnership's folder into a `Pack`, and says what is wrong with it in words, with the line and the remedy.

The vocabulary of `rules.toml` is closed: an unknown table or key is a problem, never ignored. `docs` of every key stand in
`gateway/partnerships/README.md`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.core.clocks import Clock, Stage
from gateway.core.errors import Misconfigured
from gateway.core.messages import AgencyKind, PartnershipId, RoleId
from gateway.core.routing import EVERY_ROLE
from gateway.core.rules import (
    ChaseRule,
    Consequence,
    DutyRule,
    JointDecision,
    LetterRule,
    Pack,
    Recipients,
    Route,
    Whom,
)
from gateway.core.statutory import EVERY_CRITERION, OF_THE_LAW
from gateway.partnerships.calendars import read_calendar
from gateway.partnerships.clock_tables import STATUTORY_MINIMUM, read_clock_table, read_clocks, weakened

HERE = Path(__file__).parent

_ROLES = """
reporter agency-safeguarding-lead line-manager service-manager head-of-service head-of-service-sqa
principal-social-worker sqa-service-manager assistant-director service-director dcs strategic-director
chief-executive investigating-officer elected-member child-protection-advisor school-improvement dsl
dsp-la dsp-icb dsp-police sbu rapid-review-group executive agency-responder edt ig-officer national
"""  # the contract's slugs, section 4
ROLES = frozenset(_ROLES.split())

_MESSAGE_TYPES = """
serious-incident-form call-log need-to-know dcs-notification serious-incident-alert referral
triage-decision sin-record dsl-letter dsl-confirmation information-request information-return imr-request
imr meeting-notice rapid-review-report final-decision panel-response case-review investigation-report
acknowledgement chase learning-digest correction review-decision task-record
"""  # the contract's slugs, section 4
MESSAGE_TYPES = frozenset(_MESSAGE_TYPES.split())

# Start events that a message's body or the gateway itself records, besides those that rules set to an arrival.
OWN_MOMENTS = frozenset({"request_sent_at", "letter_sent_at", "breach_aware_at", "year_start", "month_end"})


RECEIVED_IN_ANY_ROLE = "agency-responder"  # stands for `*` where that is allowed: any role that there is


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class _To(_Closed):
    role: str
    whom: Whom = Whom.SEAT

    def value(self) -> Recipients:
        return Recipients(RoleId(self.role), self.whom)


class _Duty(_Closed):
    owner: str
    whom: Whom = Whom.SEAT
    expects: str
    clock: str

    def value(self) -> DutyRule:
        return DutyRule(Recipients(RoleId(self.owner), self.whom), self.expects, self.clock)


class _Route(_Closed):
    id: str
    message: str
    senders: list[AgencyKind] = Field(alias="from")
    deliver: list[_To | str] = []
    duties: list[_Duty] = []
    opens: bool = False
    moments: list[str] = []
    when: dict[str, list[str]] = {}
    incomplete_when: dict[str, list[str]] = {}
    clause: str

    def value(self) -> Route:
        return Route(
            self.id,
            self.message,
            frozenset(self.senders),
            tuple(to.value() if isinstance(to, _To) else Recipients(RoleId(to)) for to in self.deliver),
            tuple(duty.value() for duty in self.duties),
            self.opens,
            tuple(self.moments),
            {code: frozenset(values) for code, values in self.when.items()},
            {code: frozenset(values) for code, values in self.incomplete_when.items()},
            self.clause,
        )


class _Decision(_Closed):
    id: str
    message: str
    seats: list[str]
    lead: str
    code: str
    clause: str

    def value(self) -> JointDecision:
        seats = tuple(RoleId(seat) for seat in self.seats)
        return JointDecision(self.id, self.message, seats, RoleId(self.lead), self.code, self.clause)


class _Letter(_Closed):
    message: str
    template: str
    to: _To
    sender_role: str
    expects: str
    clock: str

    def value(self) -> LetterRule:
        sender = RoleId(self.sender_role)
        return LetterRule(self.message, self.template, self.to.value(), sender, self.expects, self.clock)


class _Consequence(_Closed):
    decision: str
    outcomes: list[str]
    moments: list[str] = []
    letters: list[_Letter] = []
    duties: list[_Duty] = []
    label: str | None = None
    clause: str = ""

    def value(self) -> Consequence:
        return Consequence(
            self.decision,
            frozenset(self.outcomes),
            tuple(self.moments),
            tuple(letter.value() for letter in self.letters),
            tuple(duty.value() for duty in self.duties),
            self.label,
        )


class _Chase(_Closed):
    stage: Stage
    to: list[str]


class _Scope(_Closed):
    places: list[str] = []


class _Statutory(_Closed):
    criteria: list[str] = sorted(EVERY_CRITERION)


class _Rules(_Closed):
    """The tables of rules.toml. `pack` and `clock` are read by their own rooms."""

    pack: dict[str, Any]
    clock: list[dict[str, Any]] = []
    scope: _Scope = _Scope()
    statutory: _Statutory = _Statutory()
    route: list[_Route] = []
    decision: list[_Decision] = []
    consequence: list[_Consequence] = []
    chase: list[_Chase] = []


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a pack: the line of rules.toml (0 when it has none), what is wrong, what to do."""

    pack: str
    line: int
    what: str
    remedy: str


def names() -> list[str]:
    """The packs that are shipped, by folder name."""
    return sorted(folder.name for folder in HERE.iterdir() if (folder / "rules.toml").is_file())


def read_files(folder: Path) -> dict[str, str]:
    """Every text file of a pack, so that an activated version can be stored whole."""
    found = [folder / "rules.toml", folder / "calendar.toml", *sorted((folder / "letters").glob("*"))]
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in found if path.is_file()}


def digest(files: Mapping[str, str]) -> str:
    """What tells one text of a pack from another: SHA-256 over its files in one canonical form, hex."""
    canonical = json.dumps(dict(files), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def shipped(name: str) -> Pack:
    """The pack in this installation's folder; Misconfigured when it is unknown or faulty."""
    folder = HERE / name
    if name not in names():
        raise Misconfigured("there is no rule pack of that name; `gateway rules list` shows those there are")
    return parse(PartnershipId(name), read_files(folder))


def parse(partnership: PartnershipId, files: Mapping[str, str]) -> Pack:
    """A pack from its files' texts; Misconfigured names the first problem."""
    problems = check(partnership, files)
    if problems:
        first = problems[0]
        raise Misconfigured(f"rule pack {partnership}, line {first.line}: {first.what}. {first.remedy}.")
    return _build(partnership, files)


def check(partnership: str, files: Mapping[str, str]) -> list[Problem]:
    """Everything wrong with a pack, in the order of the file."""
    missing = [name for name in ("rules.toml", "calendar.toml") if name not in files]
    if missing:
        return [Problem(partnership, 0, f"{' and '.join(missing)} is missing", "Add it to the pack's folder")]
    text = files["rules.toml"]
    try:
        rules = _Rules.model_validate(tomllib.loads(text))
        pack = _build(PartnershipId(partnership), files)
        header = read_clock_table(text).header
    except tomllib.TOMLDecodeError as fault:
        return [Problem(partnership, _line_of_fault(str(fault)), "this is not TOML", "Correct the syntax")]
    except ValidationError as fault:
        return [_unknown(partnership, text, error) for error in fault.errors(include_input=False)]
    except (Misconfigured, ValueError, KeyError) as fault:
        return [Problem(partnership, 0, str(fault), "Correct the value")]
    found = [*_weakened(partnership, text, pack), *_contradictions(partnership, text, rules, pack)]
    if header.name != partnership:
        line, remedy = _line(text, "name ="), "Use one name for both"
        found.append(Problem(partnership, line, "[pack] name is not the name of the pack's folder", remedy))
    return sorted(found, key=lambda problem: problem.line)


def _build(partnership: PartnershipId, files: Mapping[str, str]) -> Pack:
    document = tomllib.loads(files["rules.toml"])
    rules = _Rules.model_validate(document)
    about = rules.pack
    return Pack(
        partnership=partnership,
        version=str(about["version"]),
        title=str(about["title"]),
        effective_on=_date(about["effective_on"]),
        review_due_on=_date(about["review_due_on"]),
        calendar=read_calendar(files["calendar.toml"]),
        clocks=read_clocks(document),
        routes=tuple(route.value() for route in rules.route),
        decisions=tuple(decision.value() for decision in rules.decision),
        consequences=tuple(consequence.value() for consequence in rules.consequence),
        chases=tuple(ChaseRule(chase.stage, tuple(chase.to)) for chase in rules.chase),
        places=frozenset(rules.scope.places),
        statutory=frozenset(rules.statutory.criteria),
        letters={
            name.removeprefix("letters/"): text for name, text in files.items() if name.startswith("letters/")
        },
    )


def _weakened(pack_name: str, text: str, pack: Pack) -> Iterator[Problem]:
    """No pack may lack, lengthen or restart a statutory clock (K12, K17, K20, K21; S2-25)."""
    minimum = read_clocks(tomllib.loads((HERE / STATUTORY_MINIMUM / "rules.toml").read_text("utf-8")))
    for name in weakened(pack.clocks, minimum):
        what = f"the statutory clock {name} is missing or not as the law has it"
        remedy = (
            f"Copy its [[clock]] table from {STATUTORY_MINIMUM}/rules.toml; only clause and note may differ"
        )
        yield Problem(pack_name, _line(text, f'id = "{name}"'), what, remedy)


def _contradictions(pack_name: str, text: str, rules: _Rules, pack: Pack) -> Iterator[Problem]:
    for role, where in _roles(rules):
        if role not in ROLES:
            yield Problem(
                pack_name, _line(text, f'"{role}"'), f"{where} names an unknown role", "Use a role slug"
            )
    duties = [d for route in rules.route for d in route.duties]
    duties += [d for c in rules.consequence for d in c.duties]
    for clock in [d.clock for d in duties] + [x.clock for c in rules.consequence for x in c.letters]:
        if clock not in pack.clocks:
            line = _line(text, f'"{clock}"')
            yield Problem(
                pack_name, line, "a duty names a clock that the pack lacks", "Add a [[clock]] table"
            )
    for message, where in _messages(rules):
        if message not in MESSAGE_TYPES:
            what = f"{where} names an unknown message"
            yield Problem(pack_name, _line(text, f'"{message}"'), what, "Use a message slug")
    yield from _criteria(pack_name, text, pack)
    yield from _decisions(pack_name, text, pack)
    yield from _overlaps(pack_name, text, pack)
    yield from _clocks_from_nothing(pack_name, text, pack)
    for letter in (x for c in rules.consequence for x in c.letters):
        if f"{letter.template}.txt" not in pack.letters:
            line = _line(text, f'"{letter.template}"')
            yield Problem(pack_name, line, "a letter's template is missing", "Add it under letters/")


def _decisions(pack_name: str, text: str, pack: Pack) -> Iterator[Problem]:
    """What could never be decided, or would follow from nothing."""
    for decision in pack.decisions:
        if decision.lead not in decision.seats:
            line = _line(text, f'lead = "{decision.lead}"')
            yield Problem(pack_name, line, f"the lead of {decision.id} is none of its seats", "Add the seat")
    known = {decision.id for decision in pack.decisions}
    for follows in pack.consequences:
        if follows.decision not in known:
            line = _line(text, f'decision = "{follows.decision}"')
            yield Problem(pack_name, line, "a consequence follows from no decision", "Add a [[decision]]")
    ids = [route.id for route in pack.routes]
    for twice in sorted({name for name in ids if ids.count(name) > 1}):
        line = _line(text, f'id = "{twice}"')
        yield Problem(pack_name, line, f"the route {twice} stands twice", "Give each route its own id")


def _criteria(pack_name: str, text: str, pack: Pack) -> Iterator[Problem]:
    """A pack switches local criteria; those of the law stay (X-16)."""
    line = _line(text, "criteria =")
    for unknown in sorted(pack.statutory - EVERY_CRITERION):
        what = f"there is no criterion {unknown}"
        yield Problem(pack_name, line, what, f"Name any of {', '.join(sorted(EVERY_CRITERION))}")
    for missing in sorted(OF_THE_LAW - pack.statutory):
        yield Problem(pack_name, line, f"{missing} is the law's and cannot be switched off", "Add it")


def _overlaps(pack_name: str, text: str, pack: Pack) -> Iterator[Problem]:
    """Two routes for one message and one kind of sender: the second could never be reached, or either could be."""
    for i, first in enumerate(pack.routes):
        for second in pack.routes[i + 1 :]:
            shared = first.message == second.message and first.senders & second.senders
            if shared and not _disjoint(first.when, second.when):
                line = _line(text, f'"{second.id}"')
                what = f"the routes {first.id} and {second.id} overlap"
                yield Problem(pack_name, line, what, "Separate them by `from` or `when`")


def _disjoint(a: Mapping[str, frozenset[str]], b: Mapping[str, frozenset[str]]) -> bool:
    return any(not a[code] & b[code] for code in a.keys() & b.keys())


def _clocks_from_nothing(pack_name: str, text: str, pack: Pack) -> Iterator[Problem]:
    """A duty whose clock's start event no route, body or consequence ever records would never run."""
    used = {duty.clock for route in pack.routes for duty in route.duties}
    recorded = OWN_MOMENTS | {moment for route in pack.routes for moment in route.moments}
    recorded |= {moment for c in pack.consequences for moment in c.moments} | BODY_MOMENTS
    for name in sorted(used):
        clock: Clock | None = pack.clocks.get(name)
        if clock is not None and clock.start not in recorded:
            line = _line(text, f'"{name}"')
            what = f"the clock {name} starts from nothing that is ever recorded"
            yield Problem(pack_name, line, what, "Record its start event in a route")


# Start events that messages bring in their own bodies (schemas state them as facts).
BODY_MOMENTS = frozenset({"incident_at", "aware_at", "sin_submitted_at"})


def _messages(rules: _Rules) -> Iterator[tuple[str, str]]:
    for route in rules.route:
        yield route.message, f"route {route.id}"
        for duty in route.duties:
            yield duty.expects, f"a duty of route {route.id}"
    for decision in rules.decision:
        yield decision.message, f"decision {decision.id}"
    for consequence in rules.consequence:
        for letter in consequence.letters:
            yield letter.message, "a letter"
            yield letter.expects, "a letter"
        for duty in consequence.duties:
            yield duty.expects, "a consequence"


def _roles(rules: _Rules) -> Iterator[tuple[str, str]]:
    for route in rules.route:
        for to in route.deliver:
            yield (to if isinstance(to, str) else _role_named(to.role, to.whom)), f"route {route.id}"
        for duty in route.duties:
            yield _role_named(duty.owner, duty.whom), f"route {route.id}"
    for decision in rules.decision:
        for seat in (*decision.seats, decision.lead):
            yield seat, f"decision {decision.id}"
    for consequence in rules.consequence:
        for letter in consequence.letters:
            yield letter.to.role, "a letter"
            yield letter.sender_role, "a letter"
        for duty in consequence.duties:
            yield duty.owner, "a consequence"
    for chase in rules.chase:
        for role in chase.to:
            if role not in ("owner", "owner-lead"):
                yield role, f"chase {chase.stage.value}"


def _role_named(role: str, whom: Whom) -> str:
    """The role to check: whoever received a message is named by `*`, which is no role anywhere else."""
    return RECEIVED_IN_ANY_ROLE if (role, whom) == (EVERY_ROLE, Whom.RECIPIENTS) else role


def _unknown(pack_name: str, text: str, error: Any) -> Problem:
    place = ".".join(str(part) for part in error["loc"])
    last = next((str(part) for part in reversed(error["loc"]) if isinstance(part, str)), "")
    what = f"{place}: {error['msg'].lower()}"
    return Problem(
        pack_name, _line(text, last), what, "See the list of keys in gateway/partnerships/README.md"
    )


def _line(text: str, needle: str) -> int:
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if needle and needle in line), 0)


def _line_of_fault(message: str) -> int:
    digits = message.partition("line ")[2].split(",")[0]
    return int(digits) if digits.isdigit() else 0


def _date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))

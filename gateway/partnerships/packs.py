"""Reads a partnership's folder into a `Pack`, and says what is wrong with it in words, with the line and the remedy.

The vocabulary of `rules.toml` is closed: an unknown table or key is a problem, never ignored. `docs` of every key stand in
`gateway/partnerships/README.md`.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.core.clocks import Stage
from gateway.core.disclosure import DisclosureHold
from gateway.core.errors import Misconfigured
from gateway.core.ladder import LadderRule, Rung, Until
from gateway.core.messages import AgencyKind, PartnershipId, RoleId
from gateway.core.retention import Retention, RetentionClass
from gateway.core.rules import (
    ChaseRule,
    Codes,
    Consequence,
    DutyRule,
    Every,
    JointDecision,
    LetterRule,
    Pack,
    Periodic,
    Recipients,
    Route,
    Whom,
)
from gateway.core.statutory import EVERY_CRITERION
from gateway.partnerships.calendars import BankHolidays, read_calendar
from gateway.partnerships.clock_tables import read_clock_table, read_clocks
from gateway.partnerships.contradictions import Problem, Text, contradictions
from gateway.partnerships.vocabulary import BODY_MOMENTS, MESSAGE_TYPES, OWN_MOMENTS, PERIOD_MOMENTS, ROLES

__all__ = [
    "BODY_MOMENTS",
    "HERE",
    "MESSAGE_TYPES",
    "OWN_MOMENTS",
    "PERIOD_MOMENTS",
    "ROLES",
    "Problem",
    "check",
    "digest",
    "names",
    "parse",
    "parse_stored",
    "read_files",
    "shipped",
]

HERE = Path(__file__).parent
SLUG = "^[a-z0-9]+(-[a-z0-9]+)*$"


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


_Codes = dict[str, list[str]]


def _codes(wanted: _Codes) -> Codes:
    return {code: frozenset(values) for code, values in wanted.items()}


class _To(_Closed):
    role: str
    whom: Whom = Whom.SEAT
    when: _Codes = {}
    unless: _Codes = {}
    content: Literal["whole", "notice"] = "whole"

    def value(self) -> Recipients:
        notice = self.content == "notice"
        return Recipients(RoleId(self.role), self.whom, _codes(self.when), _codes(self.unless), notice)


def _recipients(deliver: Sequence[_To | str]) -> tuple[Recipients, ...]:
    return tuple(to.value() if isinstance(to, _To) else Recipients(RoleId(to)) for to in deliver)


class _Duty(_Closed):
    owner: str
    whom: Whom = Whom.SEAT
    when: _Codes = {}
    unless: _Codes = {}
    expects: str
    clock: str
    task: str | None = Field(default=None, pattern=SLUG)
    due: str | None = None
    met_at: str | None = None
    unless_received: str | None = None

    def value(self) -> DutyRule:
        owner = Recipients(RoleId(self.owner), self.whom, _codes(self.when), _codes(self.unless))
        return DutyRule(
            owner, self.expects, self.clock, self.task, self.due, self.met_at, self.unless_received
        )


class _Route(_Closed):
    id: str
    message: str
    senders: list[AgencyKind] = Field(alias="from")
    deliver: list[_To | str] = []
    duties: list[_Duty] = []
    opens: bool = False
    moments: list[str] = []
    when: _Codes = {}
    incomplete_when: _Codes = {}
    guard_fan_out: bool = False
    by: list[str] = []
    clause: str

    def value(self) -> Route:
        return Route(
            self.id,
            self.message,
            frozenset(self.senders),
            _recipients(self.deliver),
            tuple(duty.value() for duty in self.duties),
            self.opens,
            tuple(self.moments),
            _codes(self.when),
            _codes(self.incomplete_when),
            self.guard_fan_out,
            self.clause,
            frozenset(RoleId(role) for role in self.by),
        )


class _Decision(_Closed):
    id: str
    message: str
    seats: list[str]
    lead: str
    code: str
    when: _Codes = {}
    quorum: int | None = None
    each: bool = False
    outcomes_silent: list[str] = []
    clause: str

    def value(self) -> JointDecision:
        return JointDecision(
            self.id,
            self.message,
            tuple(RoleId(seat) for seat in self.seats),
            RoleId(self.lead),
            self.code,
            _codes(self.when),
            self.quorum,
            self.each,
            self.clause,
            frozenset(self.outcomes_silent),
        )


class _Letter(_Closed):
    message: str
    template: str
    to: _To
    sender_role: str
    expects: str
    clock: str
    officer_confirms_no: bool = False

    def value(self) -> LetterRule:
        sender, to = RoleId(self.sender_role), self.to.value()
        return LetterRule(
            self.message, self.template, to, sender, self.expects, self.clock, self.officer_confirms_no
        )


class _Consequence(_Closed):
    decision: str
    outcomes: list[str]
    moments: list[str] = []
    letters: list[_Letter] = []
    duties: list[_Duty] = []
    label: str | None = None
    deliver: list[_To | str] = []
    ends: list[str] = []
    clause: str = ""

    def value(self) -> Consequence:
        return Consequence(
            self.decision,
            frozenset(self.outcomes),
            tuple(self.moments),
            tuple(letter.value() for letter in self.letters),
            tuple(duty.value() for duty in self.duties),
            self.label,
            _recipients(self.deliver),
            frozenset(self.ends),
        )


class _Deputy(_Closed):
    role: str
    by: list[str] = Field(min_length=1)
    clause: str = ""


class _Periodic(_Closed):
    id: str
    every: Every
    month: int = Field(default=1, ge=1, le=12)
    moment: str
    label: str | None = None
    duties: list[_Duty] = Field(min_length=1)
    clause: str = ""

    def value(self) -> Periodic:
        duties = tuple(duty.value() for duty in self.duties)
        return Periodic(self.id, self.every, self.month, self.moment, duties, self.label)


class _Chase(_Closed):
    stage: Stage
    to: list[str]
    expects: list[str] = []
    clocks: list[str] = []

    def value(self) -> ChaseRule:
        return ChaseRule(self.stage, tuple(self.to), frozenset(self.expects), frozenset(self.clocks))


class _Ladder(_Closed):
    messages: list[str] = []
    rungs: list[Rung] = Field(min_length=1)
    after_hours: int = Field(ge=1, le=24 * 14)
    until: Until = Until.COLLECTED
    clause: str = ""

    def value(self) -> LadderRule:
        return LadderRule(frozenset(self.messages), tuple(self.rungs), self.after_hours, self.until)


class _Retention(_Closed):
    kind: RetentionClass = Field(alias="class")
    years: int = Field(ge=1, le=150)
    when: _Codes = {}
    received: list[str] = []
    clause: str

    def value(self) -> Retention:
        return Retention(self.kind, self.years, _codes(self.when), frozenset(self.received), self.clause)


class _Disclosure(_Closed):
    messages: list[str]
    to: list[AgencyKind] = [AgencyKind.SCHOOL]
    placed_by: list[AgencyKind] = [AgencyKind.POLICE]
    when: _Codes = {}
    clause: str

    def value(self) -> DisclosureHold:
        kinds = frozenset(self.to), frozenset(self.placed_by)
        return DisclosureHold(frozenset(self.messages), *kinds, _codes(self.when))


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
    deputy: list[_Deputy] = []
    periodic: list[_Periodic] = []
    chase: list[_Chase] = []
    ladder: list[_Ladder] = []
    retention: list[_Retention] = []
    disclosure: _Disclosure | None = None


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


def parse(partnership: PartnershipId, files: Mapping[str, str], holidays: BankHolidays | None = None) -> Pack:
    """A pack from its files' texts, by default with the shipped holidays; Misconfigured names the first problem."""
    pack = _sound(partnership, tuple(files.items()))
    if holidays is None:
        return pack
    return replace(pack, calendar=read_calendar(files["calendar.toml"], holidays))


@lru_cache(maxsize=32)
def _sound(partnership: PartnershipId, files: tuple[tuple[str, str], ...]) -> Pack:
    """A pack is a value: one text is checked and read once by a process, however often it is asked for."""
    problems = check(partnership, dict(files))
    if problems:
        first = problems[0]
        raise Misconfigured(f"rule pack {partnership}, line {first.line}: {first.what}. {first.remedy}.")
    return _build(partnership, dict(files))


def parse_stored(
    partnership: PartnershipId, files: Mapping[str, str], kept: str, holidays: BankHolidays | None = None
) -> Pack:
    """A pack that was put in force, as the store has it; Misconfigured when its text is not the one that was (`kept`), or
    when it has a problem."""
    if digest(files) != kept:
        raise Misconfigured(
            f"the rule pack {partnership} in the store is not the text that was put in force: "
            "put a sound one in force with `gateway rules activate`"
        )
    return parse(partnership, files, holidays)


def check(partnership: str, files: Mapping[str, str]) -> list[Problem]:
    """Everything wrong with a pack, in the order of the file."""
    missing = [name for name in ("rules.toml", "calendar.toml") if name not in files]
    if missing:
        return [Problem(partnership, 0, f"{' and '.join(missing)} is missing", "Add it to the pack's folder")]
    text = files["rules.toml"]
    try:
        _Rules.model_validate(tomllib.loads(text))
        pack = _build(PartnershipId(partnership), files)
        header = read_clock_table(text).header
    except tomllib.TOMLDecodeError as fault:
        return [Problem(partnership, _line_of_fault(str(fault)), "this is not TOML", "Correct the syntax")]
    except ValidationError as fault:
        return [_unknown(partnership, text, error) for error in fault.errors(include_input=False)]
    except (Misconfigured, ValueError, KeyError) as fault:
        return [Problem(partnership, 0, str(fault), "Correct the value")]
    found = list(contradictions(pack, Text(partnership, text)))
    if header.name != partnership:
        line, remedy = Text(partnership, text).line("name ="), "Use one name for both"
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
        chases=tuple(chase.value() for chase in rules.chase),
        ladders=tuple(ladder.value() for ladder in rules.ladder),
        places=frozenset(rules.scope.places),
        statutory=frozenset(rules.statutory.criteria),
        letters={
            name.removeprefix("letters/"): text for name, text in files.items() if name.startswith("letters/")
        },
        deputies={RoleId(one.role): tuple(RoleId(role) for role in one.by) for one in rules.deputy},
        periodic=tuple(periodic.value() for periodic in rules.periodic),
        retention=tuple(one.value() for one in rules.retention),
        disclosure=rules.disclosure.value() if rules.disclosure else DisclosureHold(),
    )


def _unknown(pack_name: str, text: str, error: Any) -> Problem:
    place = ".".join(str(part) for part in error["loc"])
    last = next((str(part) for part in reversed(error["loc"]) if isinstance(part, str)), "")
    what = f"{place}: {error['msg'].lower()}"
    return Problem(
        pack_name,
        Text(pack_name, text).line(last),
        what,
        "See the list of keys in gateway/partnerships/README.md",
    )


def _line_of_fault(message: str) -> int:
    digits = message.partition("line ")[2].split(",")[0]
    return int(digits) if digits.isdigit() else 0


def _date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))

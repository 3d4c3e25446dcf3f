"""`rules.toml` is a closed vocabulary: whatever is not known, contradicts itself or bends the law is a problem."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.core.clocks import DayEnd, Roll, Stage, Unit
from gateway.core.errors import Misconfigured
from gateway.core.messages import AgencyKind, PartnershipId
from gateway.core.rules import OWNER_WORDS, Every, Whom, chase_rule
from gateway.core.working_days import Convention
from gateway.partnerships import packs
from gateway.partnerships.calendars import CALENDAR_KEYS

NAME = "south-tyneside"
FILES = packs.read_files(packs.HERE / NAME)
README = (packs.HERE / "README.md").read_text("utf-8")


def problems(old: str, new: str) -> list[packs.Problem]:
    assert old in FILES["rules.toml"], "the test changes what is there"
    return packs.check(NAME, FILES | {"rules.toml": FILES["rules.toml"].replace(old, new, 1)})


@pytest.mark.parametrize("name", packs.names())
def test_a_shipped_pack_has_no_problem(name: str) -> None:
    assert packs.check(name, packs.read_files(packs.HERE / name)) == []
    assert packs.shipped(name).partnership == name


STATUTORY = {
    "K12": ('id = "K12"\namount = 5', 'id = "K12"\namount = 6'),
    "K17": (
        'unit = "working-days"\nstart = "sin_submitted_at"',
        'unit = "calendar-days"\nstart = "sin_submitted_at"',
    ),
    "K20": ('start = "lcspr_decided_at"', 'start = "sin_submitted_at"'),
    "K21": ('id = "K21"', 'id = "K21b"'),
}


@pytest.mark.parametrize("clock", STATUTORY)
def test_a_pack_that_bends_a_statutory_clock_is_refused(clock: str) -> None:
    found = problems(*STATUTORY[clock])
    assert any(clock in problem.what and "statutory" in problem.what for problem in found)
    changed = FILES | {"rules.toml": FILES["rules.toml"].replace(*STATUTORY[clock], 1)}
    with pytest.raises(Misconfigured):
        packs.parse(PartnershipId(NAME), changed)


def test_clause_and_note_of_a_statutory_clock_may_differ() -> None:
    assert problems('clause = "UK GDPR Article 33(1)"', 'clause = "in our own words"') == []


WRONG = {
    "an unknown table": ("[scope]", "[skope]", "skope"),
    "an unknown key": ("opens = true\n", "opens = true\nloudly = true\n", "loudly"),
    "a kind of agency that is none": (
        'from = ["police", "icb", "health',
        'from = ["duke", "icb", "health',
        "from",
    ),
    "an unknown role": ('"dsp-police", "sbu"]', '"duke", "sbu"]', "unknown role"),
    "an unknown message": ('message = "call-log"', 'message = "call-blog"', "unknown message"),
    "an unknown clock": ('clock = "K14"', 'clock = "K99"', "clock that the pack lacks"),
    "a missing template": ('template = "dsl-letter"', 'template = "no-letter"', "template is missing"),
    "an overlap": ('from = ["local-authority"]\nopens', 'from = ["police"]\nopens', "overlap"),
    "a lead without a seat": ('lead = "dsp-la"', 'lead = "sbu"', "none of its seats"),
    "a consequence of nothing": (
        'decision = "triage"\noutcomes',
        'decision = "tea"\noutcomes',
        "no decision",
    ),
    "a route twice": ('id = "call-log"', 'id = "correction"', "twice"),
    "another name": ('name = "south-tyneside"', 'name = "elsewhere"', "name"),
    "an unknown stage": ('stage = "half"', 'stage = "third"', "stage"),
    "no TOML": ("[scope]", "[scope", "not TOML"),
    "a key of [pack]": ("[pack]\n", "[pack]\ncolour = 1\n", "colour"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_each_fault_is_a_problem_with_a_remedy(wrong: str) -> None:
    old, new, words = WRONG[wrong]
    found = problems(old, new)
    assert any(words in problem.what for problem in found), found
    assert all(problem.remedy and problem.pack == NAME for problem in found)


def test_a_clock_whose_start_nothing_records_is_a_problem() -> None:
    text = re.sub(r'moments = \["referral_received_at"[^\n]*', "moments = []", FILES["rules.toml"])
    found = packs.check(NAME, FILES | {"rules.toml": text})
    assert any("starts from nothing" in problem.what and problem.line for problem in found)


def test_a_missing_file_is_a_problem() -> None:
    (problem,) = packs.check(NAME, {"rules.toml": FILES["rules.toml"]})
    assert "calendar.toml" in problem.what


def test_the_line_of_a_problem_is_where_the_fault_stands() -> None:
    found = problems('message = "call-log"', 'message = "call-blog"')
    lines = FILES["rules.toml"].replace('message = "call-log"', 'message = "call-blog"', 1).splitlines()
    assert 'message = "call-blog"' in lines[found[0].line - 1]


def test_the_digest_tells_texts_apart_and_not_their_order() -> None:
    turned = dict(reversed(FILES.items()))
    assert packs.digest(turned) == packs.digest(FILES)
    assert packs.digest(FILES | {"rules.toml": FILES["rules.toml"] + "\n"}) != packs.digest(FILES)


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


MODELS = [
    value for value in vars(packs).values() if isinstance(value, type) and issubclass(value, packs._Closed)
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_readme_explains_every_key(model: type[BaseModel]) -> None:
    explained = ("`{}`", "`[{}]`", "`[[{}]]`")  # a key, a table, a table that may stand again
    assert [key for key in keys_of(model) if not any(e.format(key) in README for e in explained)] == []


@pytest.mark.parametrize(
    "words", [Unit, DayEnd, Roll, Convention, Stage, Whom, AgencyKind, Every], ids=lambda e: e.__name__
)
def test_the_readme_explains_every_word(words: Any) -> None:
    assert [word.value for word in words if f"`{word.value}`" not in README] == []


def test_the_readme_explains_every_role_message_clock_and_calendar_key() -> None:
    minimum = tomllib.loads((packs.HERE / "statutory-minimum/rules.toml").read_text("utf-8"))
    clock_keys = {key for clock in minimum["clock"] for key in clock} | {
        "roll",
        "convention",
        "exact",
        "target_only",
        "target_amount",
        "local_closures",
        "other_start",
    }
    known = {*packs.ROLES, *packs.MESSAGE_TYPES, *CALENDAR_KEYS, *minimum["pack"], *clock_keys}
    known |= packs.OWN_MOMENTS | packs.PERIOD_MOMENTS | packs.BODY_MOMENTS | set(OWNER_WORDS)
    assert sorted(word for word in known if f"`{word}`" not in README) == []


def test_the_examples_in_the_readme_are_toml_that_a_pack_may_hold() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    rules = [block for block in blocks if "bank_holidays" not in block]
    minimum = packs.read_files(packs.HERE / "statutory-minimum")
    clocks = "[[clock]]" + minimum["rules.toml"].split("[[clock]]", 1)[1].split("[[route]]", 1)[0]
    calendar = next(block for block in blocks if "bank_holidays" in block)
    files = {"rules.toml": "\n".join(rules) + clocks, "calendar.toml": calendar}
    assert packs.check("invented-vale", files | {"letters/dsl-letter.txt": "invented"}) == []


ABOVE = frozenset({"owner-lead", "owner-manager", "head-of-service", "service-director"})
OF_THE_PARTNERS = frozenset({"dsp-la", "dsp-icb", "dsp-police"})
TOP = frozenset({"dcs", "strategic-director", "service-director"})


# The sandbox has fake peers, limits of an hour and nobody above them to tell.
REAL = [name for name in packs.names() if name != "sandbox"]


@pytest.mark.parametrize("name", REAL)
def test_g_02_g_04_whoever_is_silent_is_followed_by_deputy_then_manager_then_partners(name: str) -> None:
    """Reminders to the owner; at the due the deputy too; a working day later who is above; after two the safeguarding partners,
    or who stands for them where a pack is one council's."""
    pack = packs.shipped(name)
    told = {
        stage: set(rule.to)
        for stage in Stage
        if (rule := chase_rule(pack, stage, "any-message", "any-clock")) is not None
    }
    assert set(told) == set(Stage), "no stage is left out"
    assert all("owner" in to for to in told.values())
    assert told[Stage.HALF] == told[Stage.DAY_BEFORE] == {"owner"}
    assert "owner-deputy" in told[Stage.DUE]
    assert told[Stage.ONE_AFTER] & ABOVE
    last = told[Stage.TWO_AFTER]
    assert last >= OF_THE_PARTNERS or last & TOP

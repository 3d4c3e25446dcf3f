"""A pack that reads well may still ask for what cannot be: each such rule is refused with its line and what to do."""

from __future__ import annotations

import pytest

from gateway.partnerships import packs
from gateway.partnerships.readable import codes_of
from schemas import TYPES
from tests.actions.arrangements import COUNCIL_RULES

NAME = "south-tyneside"
FILES = packs.read_files(packs.HERE / NAME)
PERIODIC = """
[[clock]]
id = "M1"
amount = 1
unit = "months"
start = "month_end"
day_end = "midnight"
clause = "invented"

[[periodic]]
id = "digest"
every = "month"
moment = "month_end"
duties = [{ owner = "sbu", expects = "learning-digest", clock = "M1" }]
"""
TEXT = FILES["rules.toml"] + COUNCIL_RULES + PERIODIC


def problems(text: str) -> list[packs.Problem]:
    return packs.check(NAME, FILES | {"rules.toml": text})


def test_the_rules_that_these_tests_spoil_are_sound() -> None:
    assert problems(TEXT) == []


CASE_NOTE = 'expects = "task-record", task = "case-note"'
SPOILT = {
    "a task-record of no task": (CASE_NOTE, 'expects = "task-record"', "of no task"),
    "a task that no message names": (CASE_NOTE, 'expects = "call-log", task = "case-note"', "has a task"),
    "a route for a task of no duty": (
        'when = { task = ["case-note", ',
        'when = { task = ["case-not", ',
        "a task that no duty has",
    ),
    "met at a moment that is not brought": ('met_at = "held_at"', 'met_at = "done_at"', "no meeting-notice"),
    "due by a clock that counts": (
        'whom = "named", expects = "information-return", clock = "K14"',
        'whom = "named", expects = "information-return", clock = "K14", due = "imr_due_at"',
        "a clock that is counted",
    ),
    "due at a moment that is not brought": (
        'whom = "named", expects = "information-return", clock = "K14"',
        'whom = "named", expects = "information-return", clock = "K19", due = "imr_due_at"',
        "no information-request brings",
    ),
    "unless what nobody may send": (
        'unless_received = "call-log"',
        'unless_received = "investigation-report"',
        "no route takes",
    ),
    "a code that is not there": (
        'when = { path = ["direct"] }',
        'when = { paht = ["direct"] }',
        "no dcs-notification has",
    ),
    "a value that is never there": (
        'when = { path = ["direct"] }',
        'when = { path = ["straight"] }',
        "never has",
    ),
    "a decision by a code that is not there": (
        'lead = "dcs"\ncode = "outcome"',
        'lead = "dcs"\ncode = "income"',
        "no review-decision has",
    ),
    "an outcome of another review": ('outcomes = ["noted"]', 'outcomes = ["forward"]', "never has"),
    "a clock from nothing, of a consequence": (
        'moments = ["overseen_at"]',
        'moments = ["seen_over_at"]',
        "the clock T1 starts from nothing",
    ),
    "a clock from nothing, of a periodic": (
        'moment = "month_end"',
        'moment = "year_start"',
        "the clock M1 starts from nothing",
    ),
    "an outcome taken twice": (
        'decision = "triage"\noutcomes = ["near-miss-review"]',
        'decision = "triage"\noutcomes = ["sin-only"]',
        "a second consequence follows from triage",
    ),
    "ends what nobody owes": (
        'ends = ["call-log"]',
        'ends = ["investigation-report"]',
        "ends what nobody owes",
    ),
    "an outcome from which nothing follows": (
        'outcomes_silent = ["further-actions"]',
        "outcomes_silent = []",
        "nothing follows when director comes to further-actions",
    ),
    "an outcome that is silent and is not": (
        'outcomes_silent = ["further-actions"]',
        'outcomes_silent = ["further-actions", "noted"]',
        "a consequence follows from it",
    ),
    "a silent outcome that never comes": (
        'outcomes_silent = ["further-actions"]',
        'outcomes_silent = ["further-actions", "catastrophic"]',
        "an outcome silent that it never has",
    ),
    "a decision twice": ('id = "director"\nmessage', 'id = "oversight"\nmessage', "stands twice"),
    "decisions that overlap": ('review = ["dcs-review"]', 'review = ["hos-oversight"]', "overlap"),
    "a quorum of nobody": ("quorum = 1", "quorum = 0", "can never be reached"),
    "a quorum of too many": ("quorum = 1", "quorum = 3", "can never be reached"),
    "a seat twice": ('seats = ["dcs", "assistant-director"]', 'seats = ["dcs", "dcs"]', "a seat twice"),
    "a decision that nobody may send": (
        'message = "review-decision"\nfrom',
        'message = "case-review"\nfrom',
        "no route takes the message that decides",
    ),
    "a circle of deputies": (
        'by = ["principal-social-worker", "service-manager"]',
        'by = ["principal-social-worker"]\n[[deputy]]\nrole = "principal-social-worker"\nby = ["head-of-service"]',
        "come round",
    ),
    "a deputy of oneself": (
        'by = ["principal-social-worker", "service-manager"]',
        'by = ["head-of-service"]',
        "come round",
    ),
    "an unknown deputy": ('by = ["principal-social-worker",', 'by = ["duke",', "unknown role"),
    "a month of every month": ('every = "month"', 'every = "month"\nmonth = 4', "comes every month"),
    "a periodic that depends on a message": (
        'owner = "sbu", expects = "learning-digest"',
        'owner = "sbu", whom = "asker", expects = "learning-digest"',
        "and there is none",
    ),
    "a chase of what nobody owes": (
        'stage = "half"\n',
        'stage = "half"\nexpects = ["investigation-report"]\n',
        "narrowed to",
    ),
    "a chase by a clock of nothing": (
        'stage = "half"\n',
        'stage = "half"\nclocks = ["K21"]\n',
        "narrowed to",
    ),
    "a chase of no such pair": (
        'stage = "half"\n',
        'stage = "half"\nexpects = ["sin-record"]\nclocks = ["K11"]\n',
        "narrowed to",
    ),
    "a second chase of the same": (
        'stage = "one-working-day-before"\n',
        'stage = "half"\n',
        "a second chase half",
    ),
    "a role that no school has": (
        'to = { role = "dsl", whom = "schools" }',
        'to = { role = "duke", whom = "schools" }',
        "unknown role",
    ),
    "a role that the sender cannot have": (
        '{ role = "head-of-service", whom = "sender" }',
        '{ role = "dsl", whom = "sender" }',
        "nobody there could hold",
    ),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_what_could_never_act_is_refused_at_its_line_with_a_remedy(spoilt: str) -> None:
    old, new, words = SPOILT[spoilt]
    assert old in TEXT, "the test changes what is there"
    text = TEXT.replace(old, new, 1)
    found = [problem for problem in problems(text) if words in problem.what]
    assert found, problems(text)
    for problem in found:
        assert problem.remedy
        assert 0 < problem.line <= len(text.splitlines())


def test_a_fault_is_shown_in_the_rule_that_has_it_and_not_where_the_word_stands_first() -> None:
    old, new, _ = SPOILT["a value that is never there"]
    text = TEXT.replace(old, new, 1)
    (problem,) = problems(text)
    assert new in text.splitlines()[problem.line - 1]


@pytest.mark.parametrize("slug", sorted(TYPES))
def test_rules_may_read_of_every_type_what_its_schema_gives(slug: str) -> None:
    known = codes_of(slug)
    assert known is not None
    assert "do_not_contact" in known
    assert all(values is None or values for values in known.values())


def test_a_type_without_a_schema_says_nothing_of_its_codes() -> None:
    assert codes_of("birthday-card") is None

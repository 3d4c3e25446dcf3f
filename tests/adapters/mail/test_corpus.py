"""Replies as schools write them, against what must be read: figures over whole files, and every case by name.

S2-22, X-28: never a wrong answer without a person; clear replies read right; most of them without a person.
"""

from __future__ import annotations

import pytest

from adapters.mail.findings import Answers, Expected, Reading, Verdict
from adapters.mail.opened import open_mail
from adapters.mail.replies import read_opened
from tests.adapters.mail.corpus.builder import TEMPLATES, Case, cases
from tests.adapters.mail.mails import ENROLLED, SERVER

FILES = ("labelled", "clear", "clear2", "prose", "doubtful", "hostile", "hostile2")
ALL = {f"{name}: {case.name}": case for name in FILES for case in cases(name)}


def read(case: Case) -> Reading:
    return read_opened(open_mail(case.raw()), Expected((ENROLLED,), SERVER, letters=TEMPLATES))


def told(answers: Answers) -> tuple[str, ...]:
    held = {True: "yes", False: "no", None: "-"}[answers.records_held]
    return (answers.roll_from or "-", answers.roll_to or "-", held, answers.previous_school or "-")


def fits(found: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return all(one in ("?", other) for one, other in zip(wanted, found, strict=False))


@pytest.mark.parametrize("name", ALL)
def test_a_reply_is_read_as_a_person_would_or_goes_to_one(name: str) -> None:
    case = ALL[name]
    reading = read(case)
    assert reading.verdict.value == {"complete": "complete"}.get(case.verdict, "needs_review"), reading.flags
    if case.verdict == "complete":
        assert told(reading.answers) == case.expected
        return
    assert reading.answers == Answers()
    assert fits(told(reading.suggested), case.expected), reading
    assert set(case.flags) <= set(reading.flags)


def test_nine_clear_replies_of_ten_are_read_right_and_six_without_a_person() -> None:
    clear = [case for name in ("labelled", "clear", "clear2", "prose") for case in cases(name)]
    readings = [read(case) for case in clear]
    done = [one.verdict is Verdict.COMPLETE for one in readings]
    right = [
        fits(told(one.answers if one.verdict is Verdict.COMPLETE else one.suggested), case.expected)
        for case, one in zip(clear, readings, strict=True)
    ]
    assert sum(right) >= 0.9 * len(clear)
    assert sum(done) >= 0.6 * len(clear)

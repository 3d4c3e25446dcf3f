"""Where the labels of the letter's three questions stand in a text, and how sure that is.

Known are the letter's own words, the short labels (`a.`, `b)`, `(c)`, `1.` to `3.` and bare letters when all three stand in
order), and short names of the questions ("Previous school:"). A name that asks something else than the letter does, as
"Concerns:" does, is no certain label: what stands behind it is only suggested. Source: contract section 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Question(Enum):
    ROLL = "a"
    PREVIOUS = "b"
    HELD = "c"


@dataclass(frozen=True, slots=True)
class Label:
    """One label from `start` to `end`. `full`: in the letter's own words. Not `certain`: it may ask something else."""

    question: Question
    start: int
    end: int
    full: bool
    certain: bool = True


_MARK = r"(?:(?:q(?:uestion|n)?|ans(?:wer)?)\s*\.?\s*)?"
_PREFIX = rf"(?:{_MARK}\(?(?P<letter>[abc123])\s*(?:[.):\]]\)?|[-\u2013\u2014](?=\s))\s*)?"
_FULL = re.compile(
    rf"^[ \t\-]*{_PREFIX}(?:"
    r"(?P<a>dates\s+on\s+roll(?:\s*\(\s*from\s+and\s+to\s*\))?)"
    r"|(?P<b>previous\s+school(?:\s*\(\s*if\s+applicable\s*\))?)"
    r"|(?P<c>do\s+you\s+hold\s+any\s+records\s+that\s+indicate\s+child\s+welfare\s+or\s+child\s+protection\s+"
    r"concerns\s+relating\s+to\s+this\s+child)"
    r")(?=[\s?:=.\-\u2013\u2014>]|$)[ \t]?[?]?[ ]?[:]?",
    re.IGNORECASE | re.MULTILINE,
)
_SHORT = re.compile(
    rf"^[ \t\-]*{_MARK}\(?(?P<letter>[abc])\s?(?:[.):\]]\)?:?|[-\u2013\u2014](?=\s))(?=\s|$|\d|(?-i:[A-Z]))",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(
    rf"^[ \t\-]*{_MARK}\(?(?P<letter>[123])(?:[.):\]]\)?|\s?[-\u2013\u2014](?=\s))(?=\s|$|(?-i:[A-Z]))(?!\s*\d{{1,2}}\s*[.:/]\s*\d{{4}})",
    re.IGNORECASE | re.MULTILINE,
)
_BARE = re.compile(r"^[ \t]*(?P<letter>[abcABC])[ \t]+(?=\S)", re.MULTILINE)
_KINDS = r"(?:child\s+welfare|child\s+protection|child\s+safeguarding|welfare|protection|safeguarding|cp)"
_NAMES = {
    Question.ROLL: r"dates?\s+(?:the\s+child\s+(?:was|is)\s+)?on\s+(?:our\s+|the\s+|your\s+)?(?:school\s+)?roll|roll\s+dates?|on\s+roll(?:\s+dates?)?|dates?\s+of\s+(?:attendance|enrol+ment)|"
    r"(?:attendance|enrol+ment)\s+dates?|dates?\s+attended|dates(?:\s*\(from\s+and\s+to\))?|dyddiadau\s+ar\s+y\s+gofrestr",
    Question.PREVIOUS: r"(?:name\s+of\s+)?(?:previous|prev\.?|prior|former|last)\s+schools?(?:\s+attended)?(?:\s*\(if\s+applicable\))?|ysgol\s+flaenorol",
    Question.HELD: rf"(?:any\s+)?(?:{_KINDS}(?:\s*(?:/|or|and|&)\s*{_KINDS})?\s+)?records?(?:\s+(?:are\s+)?held)?|"
    rf"do\s+(?:you|we)\s+hold\s+(?:any\s+)?(?:(?:such|relevant|{_KINDS})\s+)*records?(?:\s+(?:that|which|indicat\w+|of|for|on|about|relating|to|this|the|child|pupil|{_KINDS}|or|and|concerns?)){{0,14}}|"
    rf"records?\s+(?:that\s+)?indicat(?:e|ing)\s+(?:{_KINDS}|or|and|concerns?|\s)+",
}
_UNSURE_NAMES = re.compile(
    rf"(?:any\s+|known\s+|current\s+|previous\s+)?(?:{_KINDS}(?:\s*(?:/|or|and|&)\s*{_KINDS})?\s+)?(?:concerns?|issues|information|file|history)(?:\s+held)?\s*[:?=]",
    re.IGNORECASE,
)
_BEHIND_NAME = r"\s*(?:[?:=]+(?:\s*[\u2013\u2014-])?|\s[\u2013\u2014-](?=\s))[ \t]*"
_NAME = {
    question: re.compile(
        rf"(?:(?:{words})(?:\s*\([^)\n]{{0,60}}\))?(?:{_BEHIND_NAME}|[ \t]*(?=\n|$)))|(?:on\s+(?:our\s+)?roll(?=\s+(?:from|since)\b))"
        if question is Question.ROLL
        else rf"(?:{words})(?:\s*\([^)\n]{{0,60}}\))?(?:{_BEHIND_NAME}|[ \t]*(?=\n|$))",
        re.IGNORECASE,
    )
    for question, words in _NAMES.items()
}
_LINE_START = re.compile(r"^[ \t\-]*", re.MULTILINE)
_NUMBERS = {"1": Question.ROLL, "2": Question.PREVIOUS, "3": Question.HELD}


def find_labels(text: str, written: Iterable[range] = ()) -> list[Label]:
    """Every label in order. `written` are the spans that the writer wrote: only there do bare letters and numbers count."""
    found = [Label(_asked(match), match.start(), match.end(), True) for match in _FULL.finditer(text)]
    found += _free(found, _shorts(text))
    found += _free(found, _sets_of_three(text, list(written)))
    found += _free(found, _named(text))
    return sorted(found, key=lambda label: label.start)


def label_spans(text: str) -> list[tuple[int, int]]:
    """Where the full labels of the letter stand in a text."""
    return [(match.start(), match.end()) for match in _FULL.finditer(text)]


def split_row(text: str) -> list[str]:
    """One line that holds several short labels ("a) … b) … c) …") as one line each; else the line itself."""
    found = list(_IN_ROW.finditer(text)) if len(text) <= 1000 else []
    letters = "".join(match["letter"].lower() for match in found)
    if letters not in {"abc", "ab", "bc"} or text[: found[0].start()].strip(" -"):
        return [text]
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [text[match.start() : end].strip(" ;,|") for match, end in zip(found, ends, strict=True)]


_IN_ROW = re.compile(r"(?<![\w.(])\(?(?P<letter>[abc])[.):]\)?(?=\s)", re.IGNORECASE)


def _asked(match: re.Match[str]) -> Question:
    return next(question for question in Question if match[question.value] is not None)


def _free(taken: list[Label], more: Iterable[Label]) -> list[Label]:
    return [label for label in more if not any(one.start <= label.start < one.end for one in taken)]


def _shorts(text: str) -> Iterable[Label]:
    for match in _SHORT.finditer(text):
        yield _with_name(text, Question(match["letter"].lower()), match)


def _sets_of_three(text: str, written: list[range]) -> list[Label]:
    """`1.`-`3.` or bare `a`-`c`, where each stands exactly once, in order, in what the writer wrote."""
    for pattern in (_NUMBER, _BARE):
        found = [
            match
            for match in pattern.finditer(text)
            if not written or any(match.end() - 1 in span for span in written)
        ]
        letters = "".join(match["letter"].lower() for match in found)
        if letters in {"123", "abc"}:
            asked = [_NUMBERS.get(letter) or Question(letter) for letter in letters]
            return [_with_name(text, question, match) for question, match in zip(asked, found, strict=True)]
    return []


def _with_name(text: str, question: Question, match: re.Match[str]) -> Label:
    """A short label with the question's name behind it; the name of another question makes it uncertain."""
    at = match.end() + len(text[match.end() :]) - len(text[match.end() :].lstrip(" \t"))
    for named, pattern in _NAME.items():
        if name := pattern.match(text, at):
            if named is not question:  # what stands behind it then fits neither question
                return Label(question, match.start(), match.end(), False, False)
            return Label(question, match.start(), name.end(), False, not _is_narrow(question, name[0]))
    if question is Question.HELD and (name := _UNSURE_NAMES.match(text, at)):
        return Label(question, match.start(), name.end(), False, False)
    return Label(question, match.start(), match.end(), False)


def _named(text: str) -> Iterable[Label]:
    """Lines that begin with a question's name and no letter."""
    for line in _LINE_START.finditer(text):
        for question, pattern in _NAME.items():
            if match := pattern.match(text, line.end()):
                yield Label(question, line.end(), match.end(), False, not _is_narrow(question, match[0]))
        if match := _UNSURE_NAMES.match(text, line.end()):
            yield Label(Question.HELD, line.end(), match.end(), False, False)


def _is_narrow(question: Question, name: str) -> bool:
    """ "Child protection records" asks for less than the letter does: for welfare or child protection."""
    kinds = re.search(r"protection|safeguarding|\bcp\b", name, re.IGNORECASE)
    welfare = re.search(r"welfare", name, re.IGNORECASE)
    return question is Question.HELD and bool(kinds) != bool(welfare)

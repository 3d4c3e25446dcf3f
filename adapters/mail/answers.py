"""The three labelled answers of the letter, found wherever the school put them.

Top-posted, bottom-posted, inside a quotation, in a table, or typed over our own letter: quoting is ignored and the labels
are looked for; each label's answer is what stands behind it, or on the next line. The grammar is strict: "Yes / No" left as
it is, is no answer; a typed word, a struck-out word and a deleted word are (X-28); "No - but see attached" is none.
Our letter's labels are in contract section 6; S2-22.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

from adapters.mail.lines import Page
from adapters.mail.roll_dates import Roll, read_roll


class Question(Enum):
    ROLL = "a"
    PREVIOUS = "b"
    HELD = "c"


Value = Roll | str | bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands behind one label. Neither value nor doubtful: left blank, or "Yes / No" untouched."""

    question: Question
    value: Value | None
    doubtful: bool
    text: str
    place: int  # the line of the value, or of the label when there is none
    depth: int
    quoted: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """All labels of one body, and which lines are neither label nor answer."""

    answers: tuple[Answer, ...]
    rest: tuple[int, ...]
    first_label: int | None
    last_label: int | None


_HINT = re.compile(r"\(?\s*dd\s*/\s*mm\s*/\s*yyyy\s*\)?", re.IGNORECASE)
_FULL = re.compile(
    r"^[ \t\-]*(?:\(?(?P<letter>[abc123])[.):]\)?\s*)?(?:"
    r"(?P<a>dates\s+on\s+roll(?:\s*\(\s*from\s+and\s+to\s*\))?)"
    r"|(?P<b>previous\s+school(?:\s*\(\s*if\s+applicable\s*\))?)"
    r"|(?P<c>do\s+you\s+hold\s+any\s+records\s+that\s+indicate\s+child\s+welfare\s+or\s+child\s+protection\s+"
    r"concerns\s+relating\s+to\s+this\s+child)"
    r")\s?[?]?[ ]?[:]?",
    re.IGNORECASE | re.MULTILINE,
)
_SHORT = re.compile(r"^[ \t\-]*\(?(?P<letter>[abc])[.):]\)?(?=[ \t]|$)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Label:
    question: Question
    start: int
    end: int
    full: bool


def read_sheet(page: Page, masked: Sequence[int] = (), written_on: date | None = None) -> Sheet:
    """Every label of one body with what stands behind it; `masked` are lines known to be our own letter's."""
    text = "\n".join(line.text for line in page.lines)
    starts = [0]
    for line in page.lines:
        starts.append(starts[-1] + len(line.text) + 1)
    labels = _labels(text)
    used: set[int] = set()
    answers: list[Answer] = []
    for place, label in enumerate(labels):
        following = labels[place + 1] if place + 1 < len(labels) else None
        reader = _Behind(page, text, starts, frozenset(masked), written_on)
        answer, taken = reader.read(label, following)
        answers.append(answer)
        used |= taken
    rest = tuple(n for n, line in enumerate(page.lines) if line.text and n not in used and n not in masked)
    at = [bisect_right(starts, label.start) - 1 for label in labels]
    return Sheet(tuple(answers), rest, min(at, default=None), max(at, default=None))


def label_spans(text: str) -> list[tuple[int, int]]:
    """Where the full labels of the letter stand in a text."""
    return [(match.start(), match.end()) for match in _FULL.finditer(text)]


def _labels(text: str) -> list[_Label]:
    full = [_Label(_question(match), match.start(), match.end(), True) for match in _FULL.finditer(text)]
    taken = [(label.start, label.end) for label in full]
    short = [
        _Label(Question(match["letter"].lower()), match.start(), match.end(), False)
        for match in _SHORT.finditer(text)
        if not any(start <= match.start() < end for start, end in taken)
    ]
    return sorted([*full, *short], key=lambda label: label.start)


def _question(match: re.Match[str]) -> Question:
    return next(question for question in Question if match[question.value] is not None)


@dataclass(frozen=True, slots=True)
class _Behind:
    """Reads what stands behind a label: the rest of its line, else the next lines down to the next label."""

    page: Page
    text: str
    starts: list[int]
    masked: frozenset[int]
    written_on: date | None

    def read(self, label: _Label, following: _Label | None) -> tuple[Answer, set[int]]:
        first, last = self._line(label.start), self._line(max(label.start, label.end - 1))
        stop = following.start if following else len(self.text)
        same = _HINT.sub("", self.text[label.end : stop].partition("\n")[0]).strip(" \t:-\u2013\u2014")
        below = self._below(last, self._line(stop) if following else len(self.page.lines))
        used = set(range(first, last + 1))
        match label.question:
            case Question.ROLL:
                answer, extra = self._roll(label, same, below, last)
            case Question.PREVIOUS:
                known = following is not None and following.question is Question.HELD
                answer, extra = self._previous(label, same, below if known else [], last)
            case Question.HELD:
                answer, extra = self._held(label, same, below, last)
        return answer, used | extra

    def _line(self, offset: int) -> int:
        return bisect_right(self.starts, offset) - 1

    def _below(self, last: int, stop: int) -> list[int]:
        """The next two lines that may hold the answer; what is written is never answered by what is quoted."""
        written = not self.page.lines[last].quoted
        places: list[int] = []
        for place in range(last + 1, min(stop, last + 12)):
            line = self.page.lines[place]
            if line.introduces or (written and line.quoted):
                break
            if line.text and place not in self.masked:
                places.append(place)
        return places[:2]

    def _roll(self, label: _Label, same: str, below: list[int], at: int) -> tuple[Answer, set[int]]:
        tries = [[], below[:1]] if same else [below[:1], below[:2]]
        best: tuple[Roll, list[int]] | None = None
        for places in tries:
            words = " ".join([same, *(self._hintless(place) for place in places)]).strip()
            if (roll := read_roll(words, self.written_on)) and (best is None or best[0].last is None):
                best = roll, places
        if best is not None:
            return self._answer(label, best[0], best[0].last is None, same, at, best[1])
        return self._unread(label, same, below, at)

    def _previous(self, label: _Label, same: str, below: list[int], at: int) -> tuple[Answer, set[int]]:
        places = [] if same else below[:1]
        words = same or " ".join(self._hintless(place) for place in places)
        school = read_previous_school(words) if words else None
        if school is not None:
            return self._answer(label, school, False, words, at, places)
        return self._unread(label, same, below, at)

    def _held(self, label: _Label, same: str, below: list[int], at: int) -> tuple[Answer, set[int]]:
        tries: list[list[int]] = [[], below[:1]] if same else [below[:1], below[:2]]
        for places in tries:
            words = " ".join([same, *(self.page.lines[place].text for place in places)]).strip()
            held = read_records_held(words)
            if held is not None:
                return self._answer(label, held, False, words, at, places)
        if is_untouched(same):
            return self._answer(label, None, False, same, at, [])
        if not same and below and is_untouched(self.page.lines[below[0]].text):
            return self._answer(label, None, False, "", at, below[:1])
        return self._unread(label, same, below, at)

    def _unread(self, label: _Label, same: str, below: list[int], at: int) -> tuple[Answer, set[int]]:
        """Something stands there that the grammar does not take; what stands below stays in the rest."""
        written = bool(same) or (bool(below) and not self.page.lines[below[0]].quoted and label.full)
        words = same or (self.page.lines[below[0]].text if written and below else "")
        return self._answer(label, None, written and bool(same), words, at, [])

    def _answer(
        self, label: _Label, value: Value | None, doubtful: bool, words: str, at: int, places: list[int]
    ) -> tuple[Answer, set[int]]:
        place = places[-1] if places else at
        line = self.page.lines[place]
        return Answer(label.question, value, doubtful, words, place, line.depth, line.quoted), set(places)

    def _hintless(self, place: int) -> str:
        return _HINT.sub("", self.page.lines[place].text).strip()


_NOT_APPLICABLE = re.compile(r"(?:not\s+applicable|n\s*/\s*a|n\.\s?a\.?|na|none)\s*\.?", re.IGNORECASE)
_SCHOOL = re.compile(r"[^\W\d_][\w '\u2019`.,&()/\-\u2013]{2,119}")
_NO_SCHOOL = re.compile(
    r"\b(?:we|i|he|she|they|it|think|believe|thought|not|unknown|unsure|sure|see|seen|attached|enclosed|but|however|"
    r"possibly|maybe|perhaps|probably|might|may|or|then|also|before|until|till|since|from|was|were|is|has|had|have|"
    r"yes|no|nil|concerns?|records?|tbc|tba|please|ask|check|applicable|never|same|above|below|details?|confidential|"
    r"regards|sincerely|faithfully|thanks?)\b|[?;!@]|\b[abc][.)]\s",
    re.IGNORECASE,
)


def read_previous_school(text: str) -> str | None:
    """A school's name as typed, "not_applicable", or None when it is neither for certain."""
    squeezed = re.sub(r"\s+", " ", text).strip()
    if _NOT_APPLICABLE.fullmatch(squeezed):
        return "not_applicable"
    if not _SCHOOL.fullmatch(squeezed) or _NO_SCHOOL.search(squeezed):
        return None
    return squeezed.rstrip(" .,-")


_UNTOUCHED = re.compile(
    r"\W*yes\s*(?:/|\\|\||\bor\b)\s*no\W*(?:\(?\s*(?:please\s+)?(?:delete|circle)\s+as\s+(?:applicable|appropriate)\W*)?",
    re.IGNORECASE,
)
_ONE_WORD = re.compile(r"[/\s]*(yes|no)[/\s.!]*", re.IGNORECASE)
_TYPED_AFTER = re.compile(
    r"\(?yes\s*/\s*no\)?[\s:?=>.\u2192\-\u2013\u2014]*\b(yes|no)\s*[.!]?", re.IGNORECASE
)


def is_untouched(text: str) -> bool:
    """Our own "Yes / No", not answered."""
    return _UNTOUCHED.fullmatch(text) is not None


def read_records_held(text: str) -> bool | None:
    """True for Yes, False for No, and None for everything that is not exactly one of these words."""
    words = text.strip()
    match = _ONE_WORD.fullmatch(words) or _TYPED_AFTER.fullmatch(words)
    return match[1].lower() == "yes" if match else None

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
from dataclasses import dataclass, replace
from datetime import date

from adapters.mail.held_words import is_untouched, read_records_held, suggest_labelled
from adapters.mail.labels import Label, Question, find_labels
from adapters.mail.lines import Page
from adapters.mail.roll_dates import Roll, read_roll, suggest_roll
from adapters.mail.schools import read_previous_school, suggest_school

Value = Roll | str | bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands behind one label. Neither value nor doubtful: left blank, or "Yes / No" untouched.

    `guess` is what an unclear answer seems to say: for a person to confirm, never to be recorded by itself.
    """

    question: Question
    value: Value | None
    doubtful: bool
    text: str
    place: int  # the line of the value, or of the label when there is none
    depth: int
    quoted: bool
    guess: Value | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """All labels of one body, and which lines are neither label nor answer."""

    answers: tuple[Answer, ...]
    rest: tuple[int, ...]
    used: frozenset[int]  # the lines of labels and answers
    last_label: int | None


_TRAILS_OFF = re.compile(
    r"\b(?:yes|no)\s*[-\u2013\u2014:,;]+\s*$", re.IGNORECASE
)  # "No -": something was to follow
_HINT = re.compile(r"\(?\s*(?:please\s+use\s+)?dd\s*/\s*mm\s*/\s*yy(?:yy)?\s*\)?", re.IGNORECASE)
_POINTER = re.compile(  # how some mark what they typed: "--> No", "Answer: No"
    r"^\s*(?:[-=\u2013\u2014]*>+|[\u2192\u00bb]|(?:(?:our|my|school)\s+)?(?:answer|ans|response|reply|ateb)\s*[:=\u2013\u2014-]+)\s*",
    re.IGNORECASE,
)


def read_sheet(page: Page, masked: Sequence[int] = (), written_on: date | None = None) -> Sheet:
    """Every label of one body with what stands behind it; `masked` are lines known to be our own letter's."""
    text = "\n".join(line.text for line in page.lines)
    starts = [0]
    for line in page.lines:
        starts.append(starts[-1] + len(line.text) + 1)
    written = [
        range(starts[n], starts[n + 1]) for n, line in enumerate(page.lines) if not line.quoted and line.text
    ]
    labels = [
        label
        for label in find_labels(text, written)
        if not page.lines[bisect_right(starts, label.start) - 1].introduces
    ]
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
    return Sheet(tuple(answers), rest, frozenset(used), max(at, default=None))


@dataclass(frozen=True, slots=True)
class _Behind:
    """Reads what stands behind a label: the rest of its line, else the next lines down to the next label."""

    page: Page
    text: str
    starts: list[int]
    masked: frozenset[int]
    written_on: date | None

    def read(self, label: Label, following: Label | None) -> tuple[Answer, set[int]]:
        first, last = self._line(label.start), self._line(max(label.start, label.end - 1))
        stop = following.start if following else len(self.text)
        same = _bare(self.text[label.end : stop].partition("\n")[0]).strip(" \t:-\u2013\u2014>=")
        if label.question is Question.HELD and _TRAILS_OFF.search(
            self.text[label.end : stop].partition("\n")[0]
        ):
            same += " \u2026"
        same = "" if same == "/" else same  # both words are struck out
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

    def _roll(self, label: Label, same: str, below: list[int], at: int) -> tuple[Answer, set[int]]:
        tries = [[], below[:1]] if same else [below[:1], below[:2]]
        best: tuple[Roll, list[int]] | None = None
        for places in tries:
            words = " ".join([same, *(_bare(self.page.lines[place].text) for place in places)]).strip()
            if (roll := read_roll(words, self.written_on)) and (best is None or best[0].last is None):
                best = roll, places
        if best is not None:
            return self._answer(label, best[0], best[0].last is None, same, at, best[1])
        return self._unread(label, same, below, at)

    def _previous(self, label: Label, same: str, below: list[int], at: int) -> tuple[Answer, set[int]]:
        places = [] if same else below[:1]
        words = same or " ".join(_bare(self.page.lines[place].text) for place in places)
        school = read_previous_school(words) if words else None
        if school is not None:
            return self._answer(label, school, False, words, at, places)
        return self._unread(label, same, below, at)

    def _held(self, label: Label, same: str, below: list[int], at: int) -> tuple[Answer, set[int]]:
        tries: list[list[int]] = [[], below[:1]] if same else [below[:1], below[:2]]
        for places in tries:
            words = " ".join([same, *(_bare(self.page.lines[place].text) for place in places)]).strip()
            held = read_records_held(words)
            if held is not None:
                return self._answer(label, held, False, words, at, places)
        if is_untouched(same):
            return self._answer(label, None, False, same, at, [])
        if not same and below and is_untouched(self.page.lines[below[0]].text):
            return self._answer(label, None, False, "", at, below[:1])
        return self._unread(label, same, below, at)

    def _unread(self, label: Label, same: str, below: list[int], at: int) -> tuple[Answer, set[int]]:
        """Something stands there that the grammar does not take; what stands below stays in the rest."""
        written = bool(same) or (bool(below) and not self.page.lines[below[0]].quoted)
        words = same or (self.page.lines[below[0]].text if written and below else "")
        answer, places = self._answer(label, None, written and bool(same), words, at, [])
        guess = _guess(label.question, words, self.written_on) if words else None
        return replace(answer, guess=guess), places

    def _answer(
        self, label: Label, value: Value | None, doubtful: bool, words: str, at: int, places: list[int]
    ) -> tuple[Answer, set[int]]:
        place = places[-1] if places else at
        line = self.page.lines[place]
        if value is not None and not label.certain:  # it may ask something else: suggested, never taken
            unsure = Answer(label.question, None, True, words, place, line.depth, line.quoted, value)
            return unsure, set(places)
        shown = words or " ".join(self.page.lines[one].text for one in places)
        return Answer(label.question, value, doubtful, shown, place, line.depth, line.quoted), set(places)


def _bare(text: str) -> str:
    """The words of an answer without the form's hint and without what only points at them."""
    return _POINTER.sub("", _HINT.sub("", text)).strip()


def _guess(question: Question, words: str, written_on: date | None) -> Value | None:
    match question:
        case Question.ROLL:
            return suggest_roll(words, written_on)
        case Question.PREVIOUS:
            return suggest_school(words)
        case Question.HELD:
            return suggest_labelled(words)

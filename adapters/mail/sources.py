"""Where answers may stand in one mail: each body's text, and the answer form attached; every one with what stands beside.

A form counts only when it is bound to the letter (`form.is_bound`); whatever its boxes say then is one more source that must
agree with the text. Sources: S2-22, X-28, contract section 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from adapters.mail.answers import Answer, Sheet, Value, read_sheet
from adapters.mail.authenticity import Sender
from adapters.mail.findings import Expected
from adapters.mail.form import FilledForm, Unfit, is_bound
from adapters.mail.known_letter import known_lines
from adapters.mail.labels import Question, label_spans
from adapters.mail.lines import Page, page, plain_lines
from adapters.mail.markup import html_lines
from adapters.mail.opened import Opened
from adapters.mail.pleasantries import is_pleasant, is_sign_off
from adapters.mail.roll_dates import PRESENT, Roll, read_date, read_roll, suggest_roll
from adapters.mail.schools import NOT_APPLICABLE, read_previous_school
from adapters.mail.small_print import is_small_print
from adapters.mail.surroundings import additional_lines, telling

Doubt = tuple[str, str]  # a flag and the reason in plain words
MOST_MARKUP = 512 * 1024  # of all HTML of one mail
MOST_CHARACTERS = 64 * 1024  # of all texts of one mail: more is read by a person


@dataclass(frozen=True, slots=True)
class Body:
    """One body read: its lines, its labels, and what the writer added beside them."""

    page: Page
    sheet: Sheet
    added: tuple[str, ...]
    said: tuple[str, ...]  # what suggestions may come from: the written lines that are no labelled answers


@dataclass(frozen=True, slots=True)
class FormRead:
    """What the attached answer form comes to. `is_ours`: it is the one sent with this letter, so it is no strange file."""

    answers: tuple[Answer, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    is_ours: bool = False
    file_sent_to: str = ""


def pages_of(opened: Opened) -> list[Page] | None:
    """One page for all plain texts and one for all HTML, which must tell the same; None when they are longer than any answer,
    so that no pattern can be made to run long."""
    if sum(map(len, opened.html)) > MOST_MARKUP:
        return None
    plain = [line for text in opened.plain for line in plain_lines(text)]
    html = [line for text in opened.html for line in html_lines(text)]
    if any(sum(len(line.text) + 1 for line in lines) > MOST_CHARACTERS for lines in (plain, html)):
        return None
    return [page(lines) for lines in (plain, html) if any(line.text.strip() for line in lines)]


def body_of(one: Page, opened: Opened, expected: Expected, sender: Sender | None) -> Body:
    """One page with its labels read and the additions told apart."""
    known = known_lines(one, expected.letters)
    sheet = read_sheet(one, known, opened.written_on())
    names = f"{sender.shown_name} {sender.address.partition('@')[0]}" if sender else ""
    words = frozenset(re.findall(r"[^\W\d_]+", (names + " " + opened.one("from").partition("<")[0]).lower()))
    added = [
        *additional_lines(one, sheet.rest, sheet.used, known, words),
        *_quoted_from_nowhere(one, sheet, frozenset(known)),
    ]
    said = _said(one, sheet, frozenset(known), frozenset(added))
    return Body(
        one, sheet, (*added, *_slipped_in(one, sheet, _is_our_letter(one, sheet, known))), tuple(said)
    )


def _quoted_from_nowhere(one: Page, sheet: Sheet, known: frozenset[int]) -> Iterator[str]:
    """Quoted words of which nothing says who wrote them, and which are not our letter's: it may be a doubt that somebody had."""
    for place, line in enumerate(one.lines):
        if line.introduces:
            return
        if not line.depth or place in known or place in sheet.used:
            continue
        if telling(line.text) and not _is_ours(line.text) and not _is_harmless(line.text):
            yield line.text


def _said(one: Page, sheet: Sheet, known: frozenset[int], added: frozenset[str]) -> Iterator[str]:
    """The written lines above the signature, and whatever else is not harmless."""
    signed = False
    for place, line in enumerate(one.lines):
        if not line.text or line.quoted or line.introduces or place in known or place in sheet.used:
            continue
        signed = signed or is_sign_off(line.text)
        if line.text in added or not (signed or _is_harmless(line.text)):
            yield line.text


def is_full(body: Body) -> bool:
    """Whether it holds a label in the letter's own words."""
    return bool(label_spans("\n".join(line.text for line in body.page.lines)))


def written(pages: Sequence[Page]) -> str:
    """What the writer wrote, without what is quoted."""
    return "\n".join(
        line.text for one in pages for line in one.lines if not line.quoted and not line.introduces
    )


# The letter telling the school how to answer: it stands in every reply that quotes it, whatever its wording.
_LETTERS_VOICE = re.compile(
    r"^(?:if\b.{0,200}\b(?:please|write|tell us|let us know|reply|say|contact us|delete)\b|please\b.{0,250}\b(?:reply|answer|confirm|write|send|contact|return|do not)\b|"
    r"to check that this|do not forward|.{0,120}\byour roll\b|yours (?:sincerely|faithfully)|we (?:will telephone you|never ask|are writing)|"
    r"(?:(?:following|further to|after|in connection with)\b.{0,120})?\bwe (?:must |need to |have to |would like to )?(?:ask|request|require) (?:you|your)\b|"
    r"we (?:would be|are|should be) grateful (?:for|if you)\b|you (?:can|may) (?:check|confirm|verify|telephone|ring|call)\b)",
    re.IGNORECASE,
)
_SCHOOLS_VOICE = re.compile(r"\b(?:our|i|my|me|she|he|her|him|mum|dad)\b", re.IGNORECASE)


def _slipped_in(one: Page, sheet: Sheet, is_known: bool) -> list[str]:
    """Words that the writer put into the quoted letter.

    `is_known`: the letter's own text is known and taken out of `sheet.rest`, so that what is left is not ours.
    """
    inside = [
        answer for answer in sheet.answers if answer.quoted and answer.text and answer.value is not None
    ]
    if not inside:
        return _below_the_letter(one, sheet) if is_known else []
    if sheet.last_label is None:
        return []
    return _among_answers(one, sheet, inside, sheet.last_label, is_known)


def _below_the_letter(one: Page, sheet: Sheet) -> list[str]:
    """Under a header block without quotation marks: a sentence below our letter may be the writer's.

    What asks for answers, down to the sign-off, is the letter's own voice in another wording than ours.
    """
    lines = [(place, one.lines[place]) for place in sheet.rest]
    return [
        line.text
        for place, line in lines
        if line.below
        and line.depth == 0
        and not line.introduces
        and not _is_harmless(line.text)
        and not (place < _signed_off(one, sheet) and _is_ours(line.text))
    ]


def _among_answers(
    one: Page, sheet: Sheet, inside: Sequence[Answer], last_label: int, is_known: bool
) -> list[str]:
    """What stands in the quotation beside the answers that were typed into it (`inside`), and is neither ours nor harmless.

    Where the letter's text is not known, that is what stands between answered labels, or what tells something of a child
    behind the answer about records.
    """
    first = min(answer.place for answer in inside)
    deepest = max(answer.depth for answer in inside)
    records = min((answer.place for answer in inside if answer.question is Question.HELD), default=None)

    def is_added(place: int, text: str) -> bool:
        if is_known or first <= place < last_label:
            return True
        return records is not None and place > max(first, records) and telling(text) and not _is_ours(text)

    return [
        line.text
        for place, line in ((place, one.lines[place]) for place in sheet.rest)
        if line.quoted
        and not line.introduces
        and line.depth <= deepest
        and not _is_harmless(line.text)
        and is_added(place, line.text)
    ]


def _signed_off(one: Page, sheet: Sheet) -> int:
    """The line where the quoted letter signs off below its questions; the last question's when it does not."""
    if sheet.last_label is None:
        return 0
    below = (
        place
        for place, line in enumerate(one.lines)
        if place > sheet.last_label and line.below and is_sign_off(line.text)
    )
    return next(below, sheet.last_label)


def _is_our_letter(one: Page, sheet: Sheet, known: Sequence[int]) -> bool:
    """Whether most of what is quoted is a letter of ours whose text we know."""
    ours = frozenset(known)
    quoted = [n for n, line in enumerate(one.lines) if line.quoted and line.text and not line.introduces]
    others = [place for place in quoted if place not in sheet.used]
    return bool(others) and sum(place in ours for place in others) >= 0.5 * len(others)


def _is_harmless(text: str) -> bool:
    return is_pleasant(text) or is_small_print(text)


def _is_ours(text: str) -> bool:
    return bool(_LETTERS_VOICE.match(text)) and not _SCHOOLS_VOICE.search(text)


# --- the form ---------------------------------------------------------------------------------------------------------


def form_of(opened: Opened, expected: Expected) -> FormRead:
    """The answers of the attached form, when there is one that belongs to this letter; doubts otherwise."""
    forms = [found for _, found in opened.forms if found is not Unfit.NO_FORM]
    if not forms:
        return FormRead()
    if len(forms) > 1:
        return FormRead(doubts=(("several_forms", "More than one answer form is attached."),))
    (form,) = forms
    if isinstance(form, Unfit):
        return FormRead(doubts=(("form_unreadable", f"The attached PDF cannot be read ({form.value})."),))
    answers = tuple(_answers_of(form, opened.written_on()))
    if expected.form is None or not is_bound(form, *expected.form):
        reason = "The attached form is not certainly the one sent with this letter."
        unsure = tuple(_only_suggested(answer) for answer in answers)
        return FormRead(unsure, (("form_not_bound", reason),), False, form.file_sent_to)
    return FormRead(answers, tuple(_doubts_of(form)), True, form.file_sent_to)


def _only_suggested(answer: Answer) -> Answer:
    return Answer(answer.question, None, True, answer.text, 0, 0, False, answer.value)


def _answers_of(form: FilledForm, written_on: date | None) -> list[Answer]:
    answers: list[Answer] = []

    def add(question: Question, value: Value | None, text: str, guess: Value | None = None) -> None:
        answers.append(Answer(question, value, value is None, text, 0, 0, False, guess))

    if form.roll_from or form.roll_to or form.still_on_roll:
        text = f"{form.roll_from} to {form.roll_to or ('present' if form.still_on_roll else '')}"
        roll = _roll(form, written_on)
        add(Question.ROLL, roll, text, suggest_roll(text, written_on))
    if form.previous_school or form.no_previous_school:
        school = read_previous_school(form.previous_school) if form.previous_school else NOT_APPLICABLE
        clash = form.no_previous_school and school != NOT_APPLICABLE
        add(Question.PREVIOUS, None if clash else school, form.previous_school or "No previous school")
    if form.records_yes or form.records_no:
        both = form.records_yes and form.records_no
        add(Question.HELD, None if both else form.records_yes, "Yes" if form.records_yes else "No")
    return answers


def _roll(form: FilledForm, written_on: date | None) -> Roll | None:
    first, last = read_date(form.roll_from), read_date(form.roll_to) if form.roll_to else None
    if first is None or (form.roll_to and form.still_on_roll and form.roll_to.lower() != PRESENT):
        return None
    if form.roll_to and last is None:
        return read_roll(f"{form.roll_from} to {form.roll_to}", written_on)
    end = last or (PRESENT if form.still_on_roll else None)
    return read_roll(f"{first} to {end}", written_on) if end else Roll(first, None)


def _doubts_of(form: FilledForm) -> list[Doubt]:
    doubts: list[Doubt] = []
    if form.never_on_roll:
        doubts.append(("never_on_roll", "They ticked that the child was never on their roll."))
    if form.two_pupils:
        doubts.append(("name_shared", "They ticked that more than one pupil has this name."))
    if form.wrong_person:
        doubts.append(("wrong_recipient", "They ticked that the letter reached the wrong person."))
    if form.file_sent_to:
        doubts.append(("file_transferred", "They wrote that the file went to another school."))
    return doubts

"""What a person is shown to confirm: answers found in plain sentences, the words they rest on, and what to do next.

Nothing here is ever recorded without a person. A "No" is suggested only where nothing hedges it. Source: S2-22, X-28.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from adapters.mail.findings import Answers, Proposal
from adapters.mail.held_words import held_words, read_records_held, suggest_from_prose
from adapters.mail.roll_dates import read_roll, suggest_roll
from adapters.mail.schools import NOT_APPLICABLE, name_in, read_previous_school, suggest_school

Doubt = tuple[str, str]

_SPECIAL = (
    ("never_on_roll", "They say that the child was never on their roll.",
     r"\bnever\s+(?:been\s+)?(?:on|at|attended|a\s+pupil|enrolled|registered|a\s+student|known)|\b(?:has|have|is|was)\s+not\s+(?:been\s+|and\s+has\s+never\s+been\s+)?(?:on\s+(?:our\s+|the\s+)?(?:school\s+)?roll|a\s+pupil|a\s+student|known\s+to|attend\w*|enrolled)"
     r"|\bnot\s+(?:been\s+)?(?:on\s+(?:our\s+|the\s+)?roll|a\s+pupil|known\s+to)|\bno\s+(?:trace|record)\s+of\s+(?:this|the|a|him|her|any)\b(?:\s+(?:child|pupil|student))?|\bdid\s+not\s+attend\s+(?:our|this|the)\s+school|\bnot\s+one\s+of\s+our\s+(?:pupils|children|students)|\berioed\s+wedi\s+bod"),
    ("file_transferred", "They say that the file went to another school.",
     r"\b(?:files?|records?|paperwork|information)\s+(?:was|were|has|have|had|went|is|are)\b.{0,60}\b(?:sent|transferred|passed|forwarded|moved|to)\b|\b(?:sent|transferred|passed|forwarded|handed)\s+(?:(?:the|his|her|their|all|any|cp|child\s+protection|safeguarding)\s+)*(?:files?|records?|paperwork)\s+(?:on\s+|over\s+)?to\b|\b(?:files?|records?)\s+went\b"),
    ("name_shared", "They say that more than one pupil has this name.",
     r"\b(?:two|2|three|several|more\s+than\s+one)\s+(?:pupils|children|students|boys|girls)\b|\bsame\s+name\b|\bwhich\s+(?:pupil|child|student|one)\b|\bshare\s+(?:this|the|that)\s+(?:same\s+)?name\b|\bdate\s+of\s+birth\s+(?:please|\?)"),
    ("new_dsl", "They name another designated safeguarding lead: a change of the directory for an officer.",
     r"\b(?:dsl|safeguarding\s+lead)\s+(?:is\s+now|has\s+changed|will\s+be|from\s+now|as\s+of)\b|\b(?:new|current)\s+(?:dsl|(?:designated\s+)?safeguarding\s+lead)\s+(?:is|at)\b|\b(?:no\s+longer|not)\s+(?:the|a)\s+(?:\w+\s+){0,2}(?:dsl|(?:designated\s+)?safeguarding\s+lead)\b|\b(?:taken|took)\s+over\s+(?:as|from)\b|\b(?:dsl|safeguarding\s+lead)\b.{0,40}\b(?:has\s+left|has\s+retired|retired|left)\b|\b(?:is|am)\s+(?:now\s+)?the\s+new\s+(?:dsl|designated)"),
    ("wrong_recipient", "They say that the letter reached the wrong person.",
     r"\bwrong\s+(?:person|school|recipient|address|e-?mail)\b|\bno\s+longer\s+(?:work|the\b|at\b|here)|\b(?:am|i'm|is)\s+not\s+the\s+(?:dsl|designated)|\bhas\s+left\s+(?:the|our)\s+school\b|\b(?:i|have|i've)\s+left\s+the\s+school\b|\bnot\s+(?:meant|intended)\s+for\s+(?:me|us)\b|\b(?:sent|received|come|came)\s+(?:this\s+)?(?:to\s+(?:me|us)\s+)?(?:by\s+mistake|in\s+error)\b"),
    ("several_periods", "They state more than one period on roll.",
     r"\bagain\s+(?:from\s+|on\s+|in\s+)?\w+|\b(?:re-?(?:joined|admitted|enrolled|started)|came\s+back|returned\s+to\s+(?:us|our|the\s+school|roll))\b|\b(?:two|both|several|different)\s+(?:separate\s+)?periods\b|\bsecond\s+period\b"),
    ("correction", "They correct what they said before.",
     r"\bcorrection\b|\b(?:please\s+)?(?:disregard|ignore)\s+my\s+(?:previous|earlier|last)|\b(?:my|our)\s+(?:previous|earlier|last)\s+(?:e-?mail|reply|answer|response|message)\s+(?:was|is|contained|had|should)|\bshould\s+(?:have\s+)?(?:be|been|read|say|said)\s+(?:yes|no)\b|\bi\s+made\s+a\s+mistake"),
)  # fmt: skip
_PREVIOUS = re.compile(
    r"\b(?:previous(?:ly)?|prior|former(?:ly)?|came\s+(?:to\s+us\s+)?from|transferred\s+(?:to\s+us\s+|in\s+|here\s+)?from|moved\s+(?:to\s+us\s+|here\s+)?from|joined\s+(?:us\s+)?from|before\s+(?:that|joining|coming|us)|attended|last\s+school|first\s+school|ysgol\s+flaenorol|no\s+previous)\b",
    re.IGNORECASE,
)
_ROLL = re.compile(
    r"\b(?:roll|joined|started|admitted|attended|enrolled|left|leaver|pupil|student|with\s+us|here|until|from|since|gofrestr)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z\u00c0-\u017f\"'(])|\n+")


def special_doubts(said: str) -> list[Doubt]:
    """What a text says besides answers that calls for something particular."""
    words = said[:8000].replace("\u2019", "'")
    return [(flag, reason) for flag, reason, pattern in _SPECIAL if re.search(pattern, words, re.IGNORECASE)]


def sentence_of(flag: str, said: str) -> str | None:
    """The sentence in which such a thing is said."""
    pattern = next((pattern for name, _, pattern in _SPECIAL if name == flag), None)
    if pattern is None:
        return None
    sentences = _sentences(said.replace("\u2019", "'"))
    found = next((one for one in sentences if re.search(pattern, one, re.IGNORECASE)), None)
    return found[:300] if found else None


def from_prose(text: str, suggested: Answers, rests_on: dict[str, str], written_on: date | None) -> Answers:
    """The suggestions with what is still missing filled from plain sentences; `rests_on` gains their words."""
    sentences = _sentences(text)
    if suggested.roll_from is None and (found := _roll_sentence(sentences, written_on)):
        roll, words = found
        suggested = replace(suggested, roll_from=roll[0], roll_to=roll[1])
        rests_on["roll"] = words
    if suggested.previous_school is None and (school := _previous_sentence(sentences)):
        suggested = replace(suggested, previous_school=school[0])
        rests_on["previous_school"] = school[1]
    if suggested.records_held is None and "records_held" not in rests_on:
        held = suggest_from_prose(text)
        words_of = held_words(text)
        others = suggested.roll_from and suggested.previous_school  # a bare "No" alone may answer anything
        if held is None and others and (alone := _one_word_line(text)):
            held, words_of = alone
        if words_of:
            rests_on["records_held"] = words_of
        suggested = replace(suggested, records_held=held)
    return suggested


def proposals(said: str, flags: Sequence[str], suggested: Answers, sent_to: str) -> list[Proposal]:
    """What an officer may want to do next; each is only proposed."""
    found: list[Proposal] = []
    for flag in ("never_on_roll", "name_shared", "new_dsl", "wrong_recipient", "correction"):
        if flag in flags:
            found.append(Proposal(flag, None, sentence_of(flag, said)))
    if "file_transferred" in flags:
        words = sentence_of("file_transferred", said) or sent_to or None
        found.append(Proposal("letter_to_school", (sent_to or name_in(words or "")) or None, words))
    school = suggested.previous_school
    if school and school != NOT_APPLICABLE and all(one.school != school for one in found):
        found.append(Proposal("letter_to_school", school, None))
    return found


def _sentences(text: str) -> list[str]:
    return [piece.strip() for piece in _SENTENCE.split(text[:8000]) if piece.strip()][:200]


def _roll_sentence(
    sentences: Sequence[str], written_on: date | None
) -> tuple[tuple[str, str | None], str] | None:
    """The dates of the one sentence that states a period, or of two in a row ("joined …", "left …")."""
    about = [one for one in sentences if _ROLL.search(one) or read_roll(one, written_on)]
    whole = {
        (roll.first, roll.last): one
        for one in about
        if (roll := suggest_roll(one, written_on)) and roll.last is not None
    }
    if len(whole) == 1:
        return next(iter(whole.items()))
    if whole:
        return None
    joined = " ".join(about[:3])
    roll = suggest_roll(joined, written_on) if about else None
    return ((roll.first, roll.last), joined[:300]) if roll else None


def _previous_sentence(sentences: Sequence[str]) -> tuple[str, str] | None:
    for one in sentences:
        if _PREVIOUS.search(one) and (school := suggest_school(one)):
            return school, one[:300]
    bare = [one for one in sentences if len(one) < 100 and read_previous_school(one)]
    school = read_previous_school(bare[0]) if len(bare) == 1 else None
    return (school, bare[0][:300]) if school else None


def _one_word_line(text: str) -> tuple[bool, str] | None:
    """A line that is nothing but Yes or No, when there is only one."""
    found = [
        (held, line.strip()) for line in text.split("\n") if (held := read_records_held(line)) is not None
    ]
    return found[0] if len(found) == 1 else None

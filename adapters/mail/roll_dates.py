"""Dates on roll as schools write them, by a strict grammar: British order, as precise as the school was, else nothing.

No date library: those tried turn `4/9/23` into 9 April and "Sept 2021" into today's day of that month. A two-digit year,
an impossible date, an academic year ("2021/22"), a term or a guess ("about 2021") is not read. Source: S2-22 (a).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

PRESENT = "present"

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DAY = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
)

_NUMERIC = (
    r"\d{4}-\d{2}-\d{2}|\d{4}-\d{2}(?!-?\d)|\d{1,2}/\d{1,2}/\d{4}|\d{1,2}\.\d{1,2}\.\d{4}"
    r"|\d{1,2}-\d{1,2}-\d{4}|\d{1,2}/\d{4}"
)
_WORDED = (
    rf"\d{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?\s+(?:{_MONTH})\.?,?\s+\d{{4}}"
    rf"|(?:{_MONTH})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}|(?:{_MONTH})\.?,?\s+\d{{4}}"
)
_DATE = rf"(?:(?:{_DAY}),?\s+)?(?:{_NUMERIC}|{_WORDED}|\d{{4}})"
_PRESENT = (
    r"(?:the\s+)?present(?:\s+(?:day|date))?|current(?:ly)?(?:\s+on\s+roll)?"
    r"|(?:still\s+)?on\s+(?:the\s+|our\s+)?roll|date|now|ongoing|today"
)
_BETWEEN = r"(?:[,;.]?\s*\b(?:to|until|till)\b\s*:?|\s*[-\u2013\u2014]|,(?=\s*(?:still|current|on\s)))\s*"
_FROM = r"(?:from\s*:?\s*)?"
_PERIOD = re.compile(rf"{_FROM}(?P<first>{_DATE}){_BETWEEN}(?P<last>{_DATE}|{_PRESENT})\s*\.?", re.IGNORECASE)
_ONLY_FIRST = re.compile(rf"{_FROM}(?P<first>{_DATE})\s*[.,]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Roll:
    """Dates on roll: ISO 8601 texts, the last may be "present" or, when only the first could be read, None."""

    first: str
    last: str | None


def read_roll(text: str, written_on: date | None = None) -> Roll | None:
    """The period that `text` states and nothing else, or None. `written_on` is the day the mail says it was written."""
    squeezed = re.sub(r"\s+", " ", text).strip()
    if len(squeezed) > 120:
        return None
    if match := _PERIOD.fullmatch(squeezed):
        first, last = read_date(match["first"]), _last(match["last"])
        return Roll(first, last) if first and last and _sensible(first, last, written_on) else None
    if (match := _ONLY_FIRST.fullmatch(squeezed)) and (first := read_date(match["first"])):
        return Roll(first, None)
    return None


def read_date(text: str) -> str | None:
    """One date as ISO 8601 (`2021-09-06`, `2021-09`, `2021`), or None when it is not exactly one real date."""
    words = re.sub(rf"^(?:{_DAY}),?\s+", "", text.strip(), flags=re.IGNORECASE)
    found = _numeric(words) or _worded(words)
    weekday = re.match(_DAY, text.strip(), re.IGNORECASE)
    if found and weekday and not _falls_on(found, weekday[0]):
        return None
    return found


def _numeric(text: str) -> str | None:
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text):
        return _iso(match[1], match[2], match[3])
    if match := re.fullmatch(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})", text):
        return _iso(match[4], match[3], match[1])
    if match := re.fullmatch(r"(\d{4})-(\d{2})", text):
        school_year = (int(match[1]) + 1) % 100 == int(match[2])  # "2010-11" may be either: not read
        return None if school_year else _iso(match[1], match[2], None)
    if match := re.fullmatch(r"(\d{1,2})/(\d{4})", text):
        return _iso(match[2], match[1], None)
    return _iso(text, None, None) if re.fullmatch(r"\d{4}", text) else None


def _worded(text: str) -> str | None:
    words = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b|\bof\b|[.,]", " ", text.lower()).split()
    names = [word for word in words if word.isalpha()]
    numbers = [word for word in words if word.isdigit()]
    if len(names) != 1 or not re.fullmatch(_MONTH, names[0]) or not numbers or len(numbers[-1]) != 4:
        return None
    month = next(place for place, name in enumerate(_MONTHS, 1) if name.startswith(names[0][:3]))
    if len(numbers) == 1:
        return _iso(numbers[0], str(month), None)
    return _iso(numbers[1], str(month), numbers[0]) if len(numbers) == 2 else None


def _iso(year: str, month: str | None, day: str | None) -> str | None:
    try:
        real = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    if not 1990 <= real.year <= 2100:
        return None
    return real.isoformat()[: 10 if day else 7 if month else 4]


def _last(text: str) -> str | None:
    return PRESENT if re.fullmatch(_PRESENT, text.strip(), re.IGNORECASE) else read_date(text)


def _falls_on(iso: str, weekday: str) -> bool:
    return len(iso) == 10 and _DAYS[date.fromisoformat(iso).weekday()].startswith(weekday.lower()[:3])


def _sensible(first: str, last: str, written_on: date | None) -> bool:
    """From is not after to, nobody is on roll for over twenty years, and nothing lies after the day of writing."""
    latest = "9999" if last == PRESENT else last
    if first[: len(latest)] > latest[: len(first)]:
        return False
    if last != PRESENT and int(last[:4]) - int(first[:4]) > 20:
        return False
    today = written_on.isoformat() if written_on else "9999-12-31"
    ends_later = last != PRESENT and last > today[: len(last)]
    return not (first > today[: len(first)] or ends_later)

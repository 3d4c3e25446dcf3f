"""Dates on roll as schools write them, by a strict grammar: British order, as precise as the school was, else nothing.

No date library: those tried turn `4/9/23` into 9 April and "Sept 2021" into today's day of that month. A two-digit year,
an impossible date, an academic year ("2021/22"), a term or a guess ("about 2021") is not read. English and Welsh.
`suggest_roll` also takes two-digit years and words around the dates: only ever as a suggestion. Source: S2-22 (a).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

PRESENT = "present"

_MONTHS = (
    ("jan", "january", "ion", "ionawr"),
    ("feb", "february", "chwef", "chwefror"),
    ("mar", "march", "maw", "mawrth", "fawrth"),
    ("apr", "april", "ebr", "ebrill"),
    ("may", "mai", "fai"),
    ("jun", "june", "meh", "mehefin", "fehefin"),
    ("jul", "july", "gorff", "gorffennaf", "orffennaf"),
    ("aug", "august", "awst"),
    ("sep", "sept", "september", "medi", "fedi"),
    ("oct", "october", "hyd", "hydref"),
    ("nov", "november", "tach", "tachwedd", "dachwedd"),
    ("dec", "december", "rhag", "rhagfyr", "ragfyr"),
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_MONTH = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DAY = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:s|nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
)

_NUMERIC = (
    r"\d{4}-\d{2}-\d{2}|\d{4}-\d{2}(?!-?\d)|\d{1,2}/\d{1,2}/\d{4}|\d{1,2}\.\d{1,2}\.\d{4}"
    r"|\d{1,2}-\d{1,2}-\d{4}|\d{1,2}/\d{4}"
)
_ORDINAL = r"(?:st|nd|rd|th|af|ail|ydd|ed|fed|eg)?"
_WORDED = (
    rf"\d{{1,2}}{_ORDINAL}(?:\s+(?:day\s+)?of|\s+o)?[\s-]+(?:{_MONTH})\b\.?,?[\s-]+\d{{4}}"
    rf"|(?:{_MONTH})\b\.?\s+(?:the\s+)?\d{{1,2}}{_ORDINAL},?\s+\d{{4}}|(?:{_MONTH})\b\.?,?(?:\s+|-)(?:of\s+)?\d{{4}}"
)
_DATE = rf"(?:(?:{_DAY}),?\s+)?(?:the\s+)?(?:{_NUMERIC}|{_WORDED}|\d{{4}})(?!\d|/\d)"
_PRESENT = (
    r"(?:the\s+)?present(?:\s+(?:day|date|time))?|current(?:ly)?(?:\s+(?:on\s+roll|attending|a\s+pupil|pupil|date|day))?"
    r"|(?:(?:and\s+)?(?:is\s+|remains\s+)?(?:still\s+|currently\s+|remains\s+)?)?on\s+(?:the\s+|our\s+)?(?:school\s+)?roll(?:\s+(?:now|currently|still|at\s+present|today|to\s+date))?"
    r"|still\s+(?:attending|attends|a\s+pupil|a\s+pupil\s+here|here|enrolled|at\s+(?:the\s+|our\s+|this\s+)?school)|date|now|ongoing|today|to\s+date"
    r"|(?:y\s+)?presennol|heddiw|nawr|(?:yn\s+)?dal\s+ar\s+y\s+gofrestr|ar\s+y\s+gofrestr\s+o\s+hyd"
)
_NOTE = r"(?:\s*\((?:(?:still|currently|remains)\s+on\s+(?:our\s+)?roll|still\s+(?:attending|here|on\s+roll)|current(?:ly\s+on\s+roll)?|on\s+roll|present|ongoing|year\s*\d{1,2}|y\s?r?\d{1,2}|reception|yr|year\s+r|nursery|ks\d|(?:currently\s+)?(?:in\s+)?year\s*\d{1,2}|currently\s+in\s+(?:reception|nursery))\))?"
_BETWEEN = (
    rf"{_NOTE}(?:[,;.]?\s*(?:(?:date\s+)?on\s+(?:our\s+)?roll\s+)?\b(?:to|until|untill?|till?|up\s+to|up\s+until|through(?:\s+to)?|hyd(?:\s+at)?|tan|hyd\s+y|i)\b\s*:?"
    r"|\s*(?:[-\u2013\u2014]{1,2}>?|=?>|\u2192|~)\s*(?:to\b|until\b)?|[,;](?=\s*(?:still|current|on\s|and\s+(?:is\s+)?still|remains))"
    r"|[,;.]?\s*(?:and\s+)?(?:left(?:\s+us)?(?:\s+on)?|ended|end(?:\s+date)?|leaving\s+date|date\s+(?:of\s+leaving|left)|leaver)\s*:?|(?=\s+(?:and\s+(?:is\s+)?)?(?:still|remains)\s))\s*"
)
_FROM = r"(?:(?:on\s+(?:our\s+)?roll\s*)?(?:from|since|o|started(?:\s+on)?|start(?:\s+date)?|admitted(?:\s+on)?|date\s+of\s+admission|admission\s+date|joined(?:\s+on)?|between)?\s*[:\u2013-]?\s*)?"
_PERIOD = re.compile(
    rf"{_FROM}(?P<first>{_DATE}){_BETWEEN}(?P<last>{_DATE}|{_PRESENT}){_NOTE}(?:,?\s*\(?inclusive\)?)?\s*[.;,]?",
    re.IGNORECASE,
)
_FROM_AND = re.compile(
    rf"(?:on\s+(?:our\s+)?roll\s+)?between\s+(?P<first>{_DATE})\s+and\s+(?P<last>{_DATE}){_NOTE}\s*[.]?",
    re.IGNORECASE,
)
_STILL_SINCE = re.compile(
    rf"(?:(?:is\s+)?(?:still|currently)\s+on\s+(?:our\s+|the\s+)?roll|current\s+(?:pupil|student))\s*[,.;:\u2013-]*\s*(?:and\s+)?"
    rf"(?:joined|started|admitted|since|from|start\s+date)(?:\s+us)?(?:\s+on)?\s*:?\s*(?P<first>{_DATE})\s*[.]?",
    re.IGNORECASE,
)
_SINCE = re.compile(
    rf"(?:(?:still|currently|on)\s+(?:on\s+)?(?:our\s+|the\s+)?roll,?\s+(?:since|from)|(?:on\s+(?:our\s+)?roll\s+)?since)\s+(?P<first>{_DATE})(?P<still>\s*[,(-]?\s*(?:and\s+)?(?:still|currently|remains)\s+on\s+(?:our\s+)?roll\)?)?\s*[.]?",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"still|current|remain|ongoing|present", re.IGNORECASE
)  # beside a last date: a contradiction
_SPACED = re.compile(r"(?<!\d)(\d{1,2}) ?/ ?(\d{1,2}) ?/ ?(\d{4})(?!\d)")
_ONLY_FIRST = re.compile(rf"(?:from\s*:?\s*)?(?P<first>{_DATE})\s*[.,]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Roll:
    """Dates on roll: ISO 8601 texts, the last may be "present" or, when only the first could be read, None."""

    first: str
    last: str | None


def read_roll(text: str, written_on: date | None = None) -> Roll | None:
    """The period that `text` states and nothing else, or None. `written_on` is the day the mail says it was written."""
    squeezed = re.sub(r"\s+", " ", text.replace("\u2019", "'")).strip(" \t-:\u2013")
    squeezed = _SPACED.sub(r"\1/\2/\3", squeezed)
    if len(squeezed) > 120:
        return None
    if match := _PERIOD.fullmatch(squeezed) or _FROM_AND.fullmatch(squeezed):
        first, last = read_date(match["first"]), _last(match["last"])
        if not (first and last and _sensible(first, last, written_on)):
            return None
        return None if last != PRESENT and _GOES_ON.search(squeezed) else Roll(first, last)
    if (match := _STILL_SINCE.fullmatch(squeezed)) and (first := read_date(match["first"])):
        return Roll(first, PRESENT) if _sensible(first, PRESENT, written_on) else None
    if (match := _SINCE.fullmatch(squeezed)) and (first := read_date(match["first"])):
        told = bool(match["still"]) or re.match(r"still|currently|on", squeezed, re.IGNORECASE)
        return Roll(first, PRESENT if told and _sensible(first, PRESENT, written_on) else None)
    if (match := _ONLY_FIRST.fullmatch(squeezed)) and (first := read_date(match["first"])):
        return Roll(first, None)
    return None


def read_date(text: str) -> str | None:
    """One date as ISO 8601 (`2021-09-06`, `2021-09`, `2021`), or None when it is not exactly one real date."""
    words = re.sub(rf"^(?:{_DAY}),?\s+", "", text.strip(), flags=re.IGNORECASE)
    words = re.sub(r"^the\s+", "", words, flags=re.IGNORECASE)
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
    words = re.sub(rf"(?<=\d){_ORDINAL[:-1]}\b|\b(?:of|o|the|day)\b|[.,-]", " ", text.lower()).split()
    names = [word for word in words if word.isalpha()]
    numbers = [word for word in words if word.isdigit()]
    if len(names) != 1 or names[0] not in _MONTH_OF or not numbers or len(numbers[-1]) != 4:
        return None
    month = str(_MONTH_OF[names[0]])
    if len(numbers) == 1:
        return _iso(numbers[0], month, None)
    return _iso(numbers[1], month, numbers[0]) if len(numbers) == 2 else None


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
    if last == PRESENT and written_on and written_on.year - int(first[:4]) > 20:
        return False
    ends_later = last != PRESENT and last > today[: len(last)]
    return not (first > today[: len(first)] or ends_later)


# --- suggestions ------------------------------------------------------------------------------------------------------

_SHORT_YEAR = rf"\d{{1,2}}([/.-])\d{{1,2}}\1\d{{2}}(?!\d)|\d{{1,2}}{_ORDINAL}(?:\s+of)?[\s-]+(?:{_MONTH})\b\.?,?[\s-]+['\u2019]?\d{{2}}(?!\d)|(?:{_MONTH})\b\.?,?[\s-]+['\u2019]?\d{{2}}(?!\d|/|{_ORDINAL[:-1]})"
_LOOSE = re.compile(rf"(?<![\w/.-])(?:{_NUMERIC}|{_WORDED}|{_SHORT_YEAR})(?![\d/])", re.IGNORECASE)
_YEAR = re.compile(r"(?<![\w/.-])(?:19|20)\d{2}(?![\w/-]|\.\d)")
_STILL = re.compile(
    r"\b(?:still|remains?|currently|continues)\s+(?:(?:a\s+|our\s+)?(?:pupil|student)|on|at|attend\w*|enrolled|with\s+us|here|to\s+attend)|\b(?:to|until|till|up\s+to)\s+(?:the\s+)?(?:present|date|now|today|current)|[-\u2013]\s*present\b|\bpresent\s+day\b|\bis\s+on\s+(?:our|the)\s+(?:school\s+)?roll\b|\bcurrent\s+(?:pupil|student)\b|\bhas\s+been\s+(?:on\s+(?:(?:our|the)\s+)?roll|with\s+us|at|a\s+pupil|here)[^.]{0,40}\bsince\b|\b(?:is|are)\s+(?:on\s+)?roll(?:ed)?\b[^.]{0,20}\bsince\b|(?:yn\s+)?dal\s+ar\s+y\s+gofrestr|\bpresennol\b",
    re.IGNORECASE,
)


def suggest_roll(text: str, written_on: date | None = None) -> Roll | None:
    """What dates a text seems to state: one or two dates in order, with "still on roll"; None where there are more."""
    squeezed = re.sub(r"\s+", " ", text)[:600]
    found = [(match.start(), _loose_date(match[0])) for match in _LOOSE.finditer(squeezed)]
    blanked = _LOOSE.sub(lambda match: " " * len(match[0]), squeezed)
    found += [(match.start(), match[0]) for match in _YEAR.finditer(blanked)]
    found.sort()
    days = [day for _, day in found]
    still = _STILL.search(squeezed) is not None
    if None in days or not 1 <= len(days) <= 2:
        return None
    first = days[0] or ""
    last = (days[1] or "") if len(days) == 2 else (PRESENT if still else None)
    if len(days) == 2 and still:
        return None
    if last is not None and not _sensible(first, last, written_on):
        return None
    return Roll(first, last)


def count_dates(text: str) -> int:
    """How many dates a text seems to hold."""
    return len(_LOOSE.findall(re.sub(r"\s+", " ", text)[:600]))


def _loose_date(text: str) -> str | None:
    """As `read_date`; a two-digit year is one of this century."""
    full = (
        re.sub(r"(?<=[\s/.'\u2019-])['\u2019]?(\d{2})$", r"20\1", text)
        if not re.search(r"\d{4}", text)
        else text
    )
    return read_date(full.replace("'", "").replace("\u2019", ""))

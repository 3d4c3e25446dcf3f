"""The previous school as it was typed: certain only when it looks like one school's name, else a suggestion.

A name must have capitals and a word that schools have (School, Academy, Ysgol, St …): "mam drinks" behind the label is no
school. Two schools are never made into one. Source: S2-22 (b).
"""

from __future__ import annotations

import re

NOT_APPLICABLE = "not_applicable"

_NONE = re.compile(
    r"(?:not\s+applicable|n\s*/\s*a|n\.\s?a\.?|na|none|nil|no\s+previous\s+school|not\s+app(?:licable)?|dim|amherthnasol|ddim\s+yn\s+berthnasol|not_applicable)"
    r"(?:\s*[,:(\u2013-]+\s*(?:not\s+applicable|no\s+previous\s+school|none|(?:this\s+is\s+)?(?:(?:the\s+child's|the\s+pupil's|their|his|her)\s+)?first\s+school|"
    r"(?:started|joined|began)\s+(?:with\s+us\s+|here\s+|us\s+)?in\s+(?:our\s+)?(?:reception|nursery)(?:\s+(?:with\s+us|here))?)\)?)?\s*\.?",
    re.IGNORECASE,
)
_MAYBE_NONE = re.compile(
    r"\b(?:no\s+(?:known\s+)?previous\s+schools?|(?:this\s+(?:is|was)|we\s+(?:are|were))\s+(?:his|her|their|the)?\s*(?:child'?s?\s+)?first\s+school|first\s+school|n/?a\b|not\s+applicable|started\s+(?:with\s+us\s+)?in\s+(?:reception|nursery)|joined\s+(?:us\s+)?in\s+(?:reception|nursery)|(?:has|had)\s+not\s+attended\s+(?:any|another)|(?:not|never)\s+(?:previously\s+)?attended\s+(?:any\s+other|another|a\s+previous)|^\W*(?:no|nil|none|-+)\W*$)",
    re.IGNORECASE,
)
_NOUN = (
    r"(?:Schools?|Academy|College|Primary|Infants?'?|Juniors?|Nursery|High|Grammar|Secondary|Preparatory|Prep|Pre-?school|Kindergarten|Playgroup|Montessori|"
    r"Ysgol|Centre|First|Middle|Lower|Upper|PRU|UTC|Studio|Foundation|Federation|Hospital|Special|Community|Voluntary|Aided|Controlled|Church|Catholic|RC|C\.?E\.?|C\.?\s?of\s?E\.?|CofE|Meithrin|Gynradd|Uwchradd|Gymraeg|Babanod|Iau|Education)"
)
_TOKEN = re.compile(r"[A-Z\u00c0-\u017f\u0174-\u0177][\w'\u2019.&-]*|\d{1,3}(?:st|nd|rd|th)|\d[A-Z]{2}|&")
_SMALL = frozenset(
    {
        "of",
        "the",
        "and",
        "in",
        "on",
        "at",
        "upon",
        "le",
        "la",
        "y",
        "yr",
        "a",
        "school",
        "primary",
        "academy",
        "nursery",
        "infant",
        "infants",
        "junior",
        "juniors",
        "college",
        "high",
        "secondary",
        "for",
        "with",
    }
)
_NO_SCHOOL = re.compile(
    r"\b(?:we|i|he|she|they|it|think|believe|thought|not|unknown|unsure|sure|see|seen|attached|enclosed|but|however|"
    r"possibly|maybe|perhaps|probably|might|may|or|then|also|before|until|till|since|from|was|were|is|has|had|have|"
    r"yes|no|nil|concerns?|records?|tbc|tba|please|ask|check|applicable|never|same|above|below|details?|confidential|"
    r"regards|previous|sincerely|faithfully|thanks?|exclu\w+|home|educated|abroad|overseas|various|several|multiple|both|previously|formerly|urn\s+unknown|protection|welfare|bruis\w*|abus\w*|neglect\w*|injur\w*|police|social|worker|mum|mam|dad|child|safeguarding|file|files|received|hits?|him|her|his|stepdad|stepmum|partner|services)\b|[a-z]{3}\.\s+[A-Z]|[?;!@]|\b[abc][.)]\s",
    re.IGNORECASE,
)
_CAME_FROM = re.compile(
    r"^(?i:(?:the\s+)?previous\s+school(?:\s+(?:was|is))?|previously(?:\s+(?:at|attended))?|(?:came|transferred|moved|joined)\s+(?:to\s+us\s+|us\s+)?from|attended|from)\s+(?=[A-Z])"
)
_URN = re.compile(
    r"\s*[\[(]?\s*(?:urn|dfe(?:\s+number)?|estab)\s*:?\s*\d{3,7}(?:/\d{4})?\s*[\])]?", re.IGNORECASE
)
_GENERIC = re.compile(rf"^(?:the\s+)?(?:{_NOUN}|and|&|of|the|\s)+$", re.IGNORECASE)
_HAS_NOUN = re.compile(rf"\b{_NOUN}(?!\w)", re.IGNORECASE)  # what else stands there has capitals
_SAINT = re.compile(r"\bSt\.?\s+[A-Z]|\bSaint\s+[A-Z]|\bOur\s+Lady\b|\bHoly\s+[A-Z]|\bSacred\s+Heart\b")


def read_previous_school(text: str) -> str | None:
    """A school's name as typed, "not_applicable", or None when it is neither for certain."""
    squeezed = re.sub(r"\s+", " ", text).strip(" \t-\u2013:")
    if _NONE.fullmatch(squeezed.replace("\u2019", "'")):
        return NOT_APPLICABLE
    name = _CAME_FROM.sub("", squeezed).rstrip(" .,-")
    return name if _is_one_school(name) else None


def suggest_school(text: str) -> str | None:
    """The one school that an answer or a sentence seems to name, or "not_applicable"; None when several do."""
    squeezed = re.sub(r"\s+", " ", text.replace("\u2019", "'")).strip()[:600]
    if certain := read_previous_school(squeezed):
        return certain
    bare = _PLAIN_NAME.fullmatch(squeezed) or _PLAIN_AFTER.search(squeezed)
    if bare and not _NO_SCHOOL.search(bare["name"]) and not _NAMED.search(squeezed):
        return bare["name"].strip()
    found = {name for name in map(_trimmed, _NAMED.findall(squeezed)) if not _GENERIC.match(name)}
    if len(found) == 1:
        return found.pop()
    if not found and _MAYBE_NONE.search(squeezed):
        return NOT_APPLICABLE
    return None


def name_in(text: str) -> str | None:
    """The one school named in running text; None when none or several are."""
    found = {
        name
        for name in map(_trimmed, _NAMED.findall(re.sub(r"\s+", " ", text)[:2000]))
        if not _GENERIC.match(name)
    }
    return found.pop() if len(found) == 1 else None


_CAPITAL = r"(?:St\.?|[A-Z\u00c0-\u017f\u0174-\u0177][\w'\u2019-]*\.?)"
_NAMED = re.compile(
    rf"\b(?:(?:{_CAPITAL}|of|the|and|&|upon|y|yr)\s+){{0,7}}(?:School|Academy|College|Primary|Infants|Juniors|Nursery|Grammar|Secondary|High)\b(?:\s+(?:School|Academy|College|Primary))?"
    rf"|\bYsgol(?:\s+(?:{_CAPITAL}|y|yr)){{1,5}}"
)


_PLAIN = r"(?P<name>[A-Z\u00c0-\u017f][\w'\u2019-]+(?:\s(?:of|the|on|[A-Z\u00c0-\u017f][\w'\u2019-]*)){1,4})"
_PLAIN_NAME = re.compile(rf"{_PLAIN}\.?")  # "Meadow View", without a word that schools have: only suggested
_PLAIN_AFTER = re.compile(rf"\b[Pp]revious\s+school\s+(?:was|is)\s+{_PLAIN}(?=[.,;]|$)")


def _trimmed(name: str) -> str:
    return re.sub(
        r"^(?:(?:the|of|and|&|school|The|At|From|And|Previous|In|Child|To|Our|We|She|He|They|Formerly|Yes|No|School|Dates?|Was|Is|Transferred|Attended|Previously|Came)\s+)+",
        "",
        name,
    ).strip()


def _is_one_school(text: str) -> bool:
    name = _URN.sub("", text)
    if not 3 <= len(name) <= 119 or _NO_SCHOOL.search(name) or re.search(r"\d{4}|[:=/]", name):
        return False
    words = re.findall(r"[^\s,()]+", re.sub(r"C of E", "CofE", name))
    for word in words:
        if not (_TOKEN.fullmatch(word.rstrip(".")) or word.lower() in _SMALL or word in {"-", "\u2013"}):
            return False
    named = _HAS_NOUN.search(name) or _SAINT.search(name)
    return bool(named) and not _GENERIC.match(name) and _pieces(name) <= 1


def _pieces(name: str) -> int:
    """How many schools a list would name: its pieces that have both a word of schools and a name of their own."""
    pieces = re.split(r",|\s+and\s+|\s+&\s+|\s+-\s+", name)
    whole = [piece for piece in pieces if _HAS_NOUN.search(piece) and not _GENERIC.match(piece.strip())]
    return len(whole)

"""Whether a school holds records, as it says so: a strict grammar for the labelled answer, and a wider one that only suggests.

Strict: the word Yes or No, or a short sentence that says just that. "No child protection records" is not strict: the question
asks for welfare too. Whatever is hedged, limited or followed by a "but" suggests nothing where it leans to No, for a false
"No" hides a child at risk.
"""

from __future__ import annotations

import re

_KIND = r"(?:(?:such|(?:child\s+)?welfare\s+or\s+child\s+protection|child\s+protection\s+or\s+(?:child\s+)?welfare)\s+)"
_OF_CHILD = r"(?:\s+(?:for|on|about|regarding|relating\s+to|in\s+relation\s+to)\s+this\s+(?:child|pupil|student)|\s+of\s+(?:this|that)\s+(?:kind|nature|type))?"
_NO_MORE = rf"(?:we\s+(?:do\s+not|don't)(?:\s+hold(?:\s+any)?(?:\s+{_KIND}?records?)?{_OF_CHILD})?|(?:there\s+are\s+)?no\s+{_KIND}?records?(?:\s+(?:are\s+)?held)?{_OF_CHILD}|we\s+hold\s+no\s+{_KIND}?records?{_OF_CHILD})"
_YES_MORE = rf"(?:we\s+do(?:\s+hold\s+{_KIND}?records?)?{_OF_CHILD}|{_KIND}?records?\s+(?:are\s+)?held{_OF_CHILD}|we\s+(?:do\s+)?(?:hold|have)\s+{_KIND}?records?{_OF_CHILD})"
_ONE_WORD = re.compile(
    r"[/\s'\"\u2018\u2019\u201c\u201d(\[]*(yes|no)(?!\s*\.\.|\s*[()\[])[/\s.!'\"\u2018\u2019\u201c\u201d)\]]*",
    re.IGNORECASE,
)
_TYPED_AFTER = re.compile(
    r"\(?yes\s*/\s*no\)?[\s:?=>.\u2192\-\u2013\u2014]*\b(yes|no)\s*[.!]?", re.IGNORECASE
)
_SENTENCE_NO = re.compile(rf"(?:no\s*[,.;:\u2013-]?\s*)?{_NO_MORE}\s*\.?", re.IGNORECASE)
_SENTENCE_YES = re.compile(rf"(?:yes\s*[,.;:\u2013-]?\s*)?{_YES_MORE}\s*\.?", re.IGNORECASE)
_UNTOUCHED = re.compile(
    r"\W*yes\s*(?:/|\\|\||\bor\b)\s*no\W*(?:\(?\s*(?:please\s+)?(?:delete|circle)\s+as\s+(?:applicable|appropriate)\W*)?",
    re.IGNORECASE,
)


def is_untouched(text: str) -> bool:
    """Our own "Yes / No", not answered."""
    return _UNTOUCHED.fullmatch(text) is not None


def read_records_held(text: str) -> bool | None:
    """True for Yes, False for No, and None for everything that is not exactly that."""
    words = re.sub(r"\s+", " ", text.replace("\u2019", "'")).strip()
    if len(words) > 200:
        return None
    if match := _ONE_WORD.fullmatch(words) or _TYPED_AFTER.fullmatch(words):
        return match[1].lower() == "yes"
    if _SENTENCE_NO.fullmatch(words):
        return False
    return True if _SENTENCE_YES.fullmatch(words) else None


# --- suggestions ------------------------------------------------------------------------------------------------------

HEDGE = re.compile(
    r"\b(?:i\s+think|we\s+think|think|believe|aware|knowledge|as\s+far\s+as|so\s+far|to\s+date|yet|probably|possibl\w*|perhaps|maybe|may\s+(?:be|have|well)|might|could\s+be|unsure|not\s+(?:sure|certain|clear)|"
    r"uncertain|appears?|seems?|suggests?|should\s+be|would\s+need|need\s+to|needs\s+to|check\w*|confirm\s+(?:with|once|when|later)|tbc|pending|awaiting|unless|if\s+(?:it|there|the|he|she|you\s+mean)|assum\w*|presum\w*|recall|remember|"
    r"at\s+(?:the\s+moment|present|this\s+(?:time|stage|point))|current(?:ly)?|no\s+longer|actually|not\s+that|nothing\s+(?:that|which|serious|major|significant|formal)|formal(?:ly)?|official\s+record|serious|significant|major|recent(?:ly)?|"
    r"not\s+(?:yet|really|exactly|as\s+such|entirely|quite)|hopefully|guess|suppose|apparently|allegedly|rumou?r\w*|heard|hearsay|understand\s+that|as\s+i\s+understand|i\s+understand|n\.?b\.?)\b",
    re.IGNORECASE,
)
BUT = re.compile(
    r"\b(?:but|however|although|though|except\w*|apart\s+from|aside\s+from|other\s+than|save\s+for|nevertheless|nonetheless|albeit|only|besides|bar|despite|while|whilst|until|until\s+we|"
    r"we\s+did|there\s+was|there\s+were|there\s+has|there\s+have|had|concerned|worri\w+|see|attached|enclosed|please\s+(?:call|ring|contact|note)|also|previously|in\s+the\s+past|historic\w*|archiv\w*|destroyed|lost|transferred|passed|sent|moved|elsewhere|sibling\w*|brother|sister)\b",
    re.IGNORECASE,
)
_THING = r"(?:records?|files?|chronolog\w+|paperwork|documentation|information|notes?|entries|entry)"
_ABOUT = r"(?:(?:child|welfare|protection|safeguarding|cp|pastoral|such|relevant|any|other|of\s+those|early|help|concern|concerns|cpoms|myconcern|social|care|or|and|/|indicating|of|records?|paper|electronic|confidential|separate|small|large|extensive|detailed|full|chunky|thick|some|significant|a|an|the|his|her|their|on|for|him|about|this|child|open|current|existing|historic)\s*[/,]?\s+){0,8}"
_HOLDS = re.compile(
    rf"\b(?:(?:we|i|the\s+school|school|our\s+records)\s+(?:(?:do|did|also|currently|still|certainly|can\s+confirm\s+(?:that\s+)?we)\s+)*(?:hold|have|keep|retain|holds|has)\s+{_ABOUT}{_THING}|"
    rf"(?:there\s+(?:is|are)|there's)\s+(?:a|an|some|several|many|indeed)\s+{_ABOUT}(?:{_THING}|concerns?)|(?:cp|child\s+protection|safeguarding|welfare)\s+(?:{_THING})\s+(?:is|are)?\s*(?:held|exists?|kept|open)|"
    r"\brecords?\s+(?:are|is)\s+held|(?:he|she|they|child|pupil)\s+(?:is|was)\s+(?:on|subject\s+to)\s+(?:a\s+)?(?:cp|child\s+protection|cin|child\s+in\s+need)\s+plan)\b",
    re.IGNORECASE,
)
_NO_WORDS = r"(?:do\s+not|don't|did\s+not|didn't|does\s+not|doesn't|have\s+not|haven't|has\s+not)"
_HOLDS_NONE = re.compile(
    rf"\b(?:(?:we|i|the\s+school|school)\s+(?:can\s+confirm\s+(?:that\s+)?we\s+)?{_NO_WORDS}\s+(?:currently\s+)?(?:hold|have|keep|held|had|retain)\s+(?:any\s+|a\s+)?{_ABOUT}(?:{_THING}|concerns?)|"
    rf"(?:we|i|the\s+school|school)\s+(?:hold|holds|have|has|held|keep)\s+(?:no|zero)\s+{_ABOUT}(?:{_THING}|concerns?)|"
    rf"(?:there\s+(?:are|were|is)\s+)?no\s+{_ABOUT}(?:{_THING}|concerns?)\s*(?:(?:are\s+|is\s+|were\s+)?(?:held|recorded|kept|on\s+(?:file|record|our\s+system))|(?=[.,;]|$)|(?:for|on|about|regarding|relating)\b)|"
    r"none\s+held|nothing\s+(?:is\s+)?(?:held|recorded|on\s+file))\b",
    re.IGNORECASE,
)
_PLAIN_YES = re.compile(r"\W*(?:yes|y|yep|yeah|oes|ydym|do|we\s+do)\b", re.IGNORECASE)
_PLAIN_NO = re.compile(
    r"\W*(?:no|n|nope|none|nil|n\s*/\s*a|na|nac\s+oes|nac\s+ydym|naddo|none\s+held|nil\s+return|no\s*[,.;:\u2013-]?\s*(?:none\s+held|nothing\s+(?:held|recorded)|none))[\s.!,]*",
    re.IGNORECASE,
)
_TICKED = re.compile(
    r"(?:[\u2611\u2612\u2713\u2714\u2705\u2716\u2718]|[\[(]\s*[xX\u2713\u2714]\s*[\])])\s*(yes|no)\b|\b(yes|no)\s*(?:[\u2611\u2713\u2714\u2705]|[\[(]\s*[xX\u2713\u2714]\s*[\])])",
    re.IGNORECASE,
)
_EMPTY_BOX = re.compile("[\u2610\u25a1\u25a2]|[\\[(]\\s*[\\])]")


def suggest_labelled(text: str) -> bool | None:
    """What an unclear answer behind the label seems to say: Yes where it begins so, No only where nothing limits it."""
    words = re.sub(r"\s+", " ", text.replace("\u2019", "'")).strip()[:600]
    ticked = {(match[1] or match[2]).lower() for match in _TICKED.finditer(words)}
    if ticked:
        one = ticked.pop() if len(ticked) == 1 else None
        return None if one is None or (one == "no" and HEDGE.search(words)) else one == "yes"
    if _PLAIN_NO.fullmatch(words):
        return False
    if _PLAIN_YES.match(words) and not re.search(r"\bno\b|\bnot\b|n't\b", words, re.IGNORECASE):
        return None if is_untouched(words) else True
    if re.match(r"\W*no\b", words, re.IGNORECASE) and not HEDGE.search(words) and not BUT.search(words):
        doubled = re.search(r"\b(?:yes|actually|sorry)\b|\?", words, re.IGNORECASE)
        return False if _HOLDS_NONE.search(words) and not doubled else None
    return suggest_from_prose(words)


def suggest_from_prose(text: str) -> bool | None:
    """What plain sentences seem to say. Yes when any sentence says so; No only where nothing anywhere hedges or limits it."""
    words = re.sub(r"\s+", " ", text.replace("\u2019", "'"))[:6000]
    none = _HOLDS_NONE.search(words) is not None
    some = _HOLDS.search(_HOLDS_NONE.sub(" ", words)) is not None
    if some and none:
        return None
    if some:
        return (
            None
            if HEDGE.search(words) and not re.search(r"\bwe\s+(?:do\s+)?hold\b", words, re.IGNORECASE)
            else True
        )
    if none and not any(
        HEDGE.search(one) or BUT.search(one) for one in _sentences(text) if not _is_elsewhere(one)
    ):
        return False
    return None


_RECORDS = re.compile(
    r"\b(?:concern\w*|record\w*|file\w*|protect\w*|welfare|safeguard\w*|referr\w*|hold|held|cpoms|worr\w*|incident\w*|social|police|but|however|although|except\w*)\b",
    re.IGNORECASE,
)
_DATES_OR_SCHOOL = re.compile(
    r"\b(?:roll|attended|joined|started|admitted|previous\w*|school|left|pupil|term|year)\b", re.IGNORECASE
)


def _is_elsewhere(sentence: str) -> bool:
    """A sentence about dates or schools alone, whose "previously" limits nothing."""
    return bool(_DATES_OR_SCHOOL.search(sentence)) and not _RECORDS.search(sentence)


def _sentences(text: str) -> list[str]:
    return [
        piece
        for piece in re.split(r"(?<=[.!?;])\s+|\n+", text.replace("\u2019", "'")[:6000])
        if piece.strip()
    ]


def held_words(text: str) -> str | None:
    """The sentence that a suggestion from prose rests on."""
    sentences = [piece.strip() for piece in re.split(r"(?<=[.!?;])\s+|\n+", text[:6000]) if piece.strip()]
    found = next((one for one in sentences if _HOLDS.search(one) or _HOLDS_NONE.search(one)), None)
    return found[:300] if found else None

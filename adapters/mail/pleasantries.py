"""Sentences that say nothing about a child: greetings, thanks, "please see below", "let me know if you need anything else".

Each sentence must match as a whole. What is not listed here is not harmless: it goes to a person.
"""

from __future__ import annotations

import re

from adapters.mail.signatures import is_alarming
from adapters.mail.vocabulary import words

_NAME = r"(?:[\s,]+(?:and\s+|&\s+)?[A-Z\u00c0-\u017f][\w'\u2019.-]*){0,4}"
_GREETING = re.compile(
    rf"(?:hi|hello|hiya|hey|dear|good\s+(?:morning|afternoon|evening|day)|morning|afternoon|helo|shwmae|annwyl|bore\s+da|prynhawn\s+da)"
    rf"(?:\s+(?:there|all|both|sirs?|madam|sir\s*/\s*madam|sir\s+or\s+madam|colleagues?|team|safeguarding\s+team|school\s+improvement\s+team))?(?-i:{_NAME})\s*[,:.!\u2013-]*",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"(?:(?:(?:with\s+)?(?:very\s+)?(?:kind(?:est)?|best|warm(?:est)?|many|with)\s+)?(?:regards|wishes)|kindest|all\s+the\s+best|best|cheers|(?:gyda\s+)?cofion(?:\s+(?:gorau|cynnes|caredig))?|"
    r"(?:yr\s+eiddoch\s+)?yn\s+(?:gywir|bur)|yours?(?:\s+(?:sincerely|faithfully|truly))?|sincerely|faithfully|(?:many\s+)?thanks(?:\s+again)?|thank\s+you|(?:gyda\s+)?diolch(?:\s+yn\s+fawr)?(?:\s+iawn)?|"
    r"kr|br|rgds|ta|take\s+care|--|__+|-{3,})(?:\s+(?:and|&)\s+(?:(?:kind(?:est)?|best|warm)\s+)?(?:regards|wishes))?\s*[,.!-]?",
    re.IGNORECASE,
)
THANKS = re.compile(
    r"^(?:(?:many\s+)?thanks|thank\s+you|diolch|(?:kind|best|warm)(?:est)?\s+regards|regards|cofion(?:\s+\w+)?)\W+(?=\w)",
    re.IGNORECASE,
)

_MONTHS = (
    r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*|ionawr|chwefror|mawrth|ebrill|mai|mehefin|gorffennaf|"
    r"awst|medi|hydref|tachwedd|rhagfyr"
)
_DAY = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?\s+(?:{_MONTHS})(?:\s+\d{{4}})?|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}|(?:mon|tues|wednes|thurs|fri)day)"
_REF = r"(?:\(?(?:(?:our|your|letter)\s+)?(?:re|ref(?:erence)?|number|no)?\s*[:.]?\s*S[GI]-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}\)?)"
_MAIL = r"(?:e-?mails?|letter|message|enquiry|query|request|correspondence|note|questions?|three\s+questions|request\s+for\s+information|information\s+request)"
_OF = rf"(?:\s+(?:dated|of|sent(?:\s+on)?|received(?:\s+on)?|from|on)\s+{_DAY})?(?:\s*,?\s*{_REF})?(?:\s+(?:below|today|yesterday|this\s+morning|this\s+afternoon|regarding\s+this|about\s+this))?"
_ANSWERS = (
    r"(?:(?:completed|requested|relevant|required|necessary|above|following)\s+)*"
    r"(?:answers?|responses?|repl(?:y|ies)|details|information|info|form|comments|answers\s+to\s+your\s+questions|response\s+to\s+your\s+(?:questions?|letter|e-?mail|request))"
    r"(?:\s+(?:as\s+)?(?:you\s+)?(?:requested|required|asked\s+for|have\s+requested|need|needed))?"
    r"(?:\s+(?:regarding|about|for|concerning|relating\s+to|in\s+relation\s+to|with\s+regards?\s+to|on)\s+(?:the|this)\s+(?:above(?:\s*-?\s*named)?\s+|named\s+)?(?:child|pupil|student|matter))?"
)
_DEVICE = r"(?:i?phone|ipad|ipod|galaxy|samsung|android|mobile|blackberry|huawei|honor|tablet|outlook|mail|windows|yahoo|gmail|smartphone|pixel|google|device|surface|nokia|motorola|oneplus|xiaomi|hotmail|aol|proton|ffôn|ffon|symudol|ios|for|on|an|a|my|the|app|10|11|se|pro|max|mini|tab|\d{1,2})"
_WHERE = r"(?:\s+(?:set\s+out|shown|written|given|typed|added|in\s*line|inline|below|above|underneath|as\s+requested|as\s+follows|here|(?:with)?in\s+(?:red|blue|green|bold|purple|capitals|italics|your\s+e-?mail|the\s+e-?mail|the\s+body\s+of\s+(?:the|your)\s+e-?mail)))"
_LIST = "|".join(
    (
        rf"(?:(?:many\s+)?thanks|thank\s+you|diolch)(?:\s+(?:very|so)\s+much)?(?:\s+(?:for\s+(?:your|the|this)\s+{_MAIL}{_OF}|for\s+getting\s+in\s+touch|for\s+contacting\s+(?:us|the\s+school)|again|in\s+advance|for\s+your\s+(?:patience|help|support|time)))?",
        r"diolch(?:\s+yn\s+fawr)?(?:\s+iawn)?(?:\s+am\s+eich\s+(?:llythyr|e-?bost|neges))?|gweler(?:\s+(?:yr|ein|fy))?(?:\s+(?:atebion|hatebion|ymateb|manylion))?(?:\s+isod)?|dyma(?:'r|\s+ein|\s+yr)?\s+h?atebion",
        r"(?:(?:please\s+accept\s+)?(?:my|our)\s+)?(?:sincere\s+)?(?:apologies|sorry|i\s+apologi[sz]e|we\s+apologi[sz]e)(?:\s+for\s+(?:the|my|our|any)\s+(?:slight\s+)?(?:delay|late\s+reply|late\s+response|delayed\s+reply|delayed\s+response))(?:\s+in\s+(?:replying|responding|getting\s+back\s+to\s+you|reply|response|my\s+response))?",
        rf"(?:further|in\s+(?:response|reply|answer|relation|regard)|with\s+(?:reference|regards?)|as\s+per|following|regarding|re)(?:\s+to)?\s+(?:your|the)\s+{_MAIL}{_OF}(?:\s*,?\s*(?:please\s+)?(?:see|find)(?:\s+(?:our|my|the))?(?:\s+{_ANSWERS})?{_WHERE}*)?(?:\s*,?\s*(?:our|my|the)\s+{_ANSWERS}\s+(?:is|are){_WHERE}+)?(?:\s*,?\s*(?:i|we)\s+can\s+confirm(?:\s+(?:the\s+following|as\s+follows))?)?",
        rf"(?:please\s+)?(?:see|find|note)(?:\s+below)?(?:\s+(?:our|my|the|school'?s?|your))?(?:\s+{_ANSWERS})?{_WHERE}*(?:\s+to\s+(?:your|the)\s+(?:three\s+)?{_MAIL})?{_WHERE}*",
        rf"(?:(?:our|my|the|school)\s+)?{_ANSWERS}(?:\s+to\s+your\s+{_MAIL})?(?:\s+(?:are|is|can\s+be\s+found))?{_WHERE}*",
        rf"(?:here\s+(?:is|are)|below\s+(?:is|are))(?:\s+(?:our|my|the))?(?:\s+{_ANSWERS})(?:\s+to\s+your\s+{_MAIL})?{_WHERE}*",
        rf"i\s*(?:'ve|\s+have)\s+(?:answered|completed|responded|replied|filled(?:\s+this)?\s+in|put\s+(?:our|my)\s+answers|added\s+(?:our|my|the)\s+answers|provided\s+the\s+(?:answers|information))(?:\s+(?:to\s+)?(?:your|the)\s+{_MAIL})?(?:\s+(?:the\s+)?{_ANSWERS})?{_WHERE}*",
        rf"(?:answers?|responses?|completed)(?:{_WHERE}+|\s+(?:are\s+)?in\s+the\s+table(?:\s+below)?)",
        rf"as\s+(?:requested|per\s+your\s+{_MAIL}|follows)|(?:i|we)\s+(?:can\s+)?confirm(?:\s+(?:the\s+following|as\s+follows|receipt\s+of\s+(?:your|the)\s+{_MAIL}|the\s+below|the\s+{_ANSWERS}))(?:\s+(?:as\s+requested|in\s+response\s+to\s+your\s+{_MAIL}))?",
        r"(?:i|we)\s+(?:can\s+)?confirm(?:\s+that)?\s+the\s+(?:above|below|following)(?:\s+(?:information|details|answers))?\s+(?:is|are)\s+(?:correct|accurate|true)",
        rf"{_REF}|(?:re\s*:?\s*)?(?:(?:your|the)\s+)?letter(?:\s+reference|\s+ref)?\s*:?\s*{_REF}|(?:our|your|letter)\s+ref(?:erence)?\s*:?\s*{_REF}?",
        r"(?:strictly\s+)?(?:private|confidential)(?:\s*(?:and|&|/|-)\s*confidential)?|official(?:\s*[-:\u2013]\s*sensitive)?(?:\s*[-:\u2013]\s*personal)?|confidential|\[?secure\]?|restricted",
        r"questions?(?:\s*[/|&:]?\s*(?:answers?|responses?))?|(?:school'?s?\s+)?answers?|(?:school'?s?\s+)?responses?|your\s+(?:answer|reply|response)|school\s+reply|reply",
        rf"(?:sent|anfonwyd)\s+(?:from|via|o)\s+(?:(?:my|fy)\s+)?{_DEVICE}(?:\s+{_DEVICE}){{0,5}}|get\s+outlook\s+for\s+(?:ios|android)",
        r"\[?external(?:\s+(?:e-?mail|sender|message))?\]?",
        r"(?:i\s+)?(?:hope|trust)\s+(?:(?:that\s+)?(?:you\s+are|you're|your|all\s+is|everyone\s+is)\s+(?:keeping\s+)?well|(?:this|my)(?:\s+(?:e-?mail|message|letter))?\s+finds\s+you\s+well|you\s+(?:have\s+)?had\s+a\s+(?:good|lovely|nice|great)\s+(?:weekend|summer|half\s*-?\s*term|break|easter|christmas|week))",
        r"(?:i\s+am|i'm)\s+(?:writing\s+as\s+)?the\s+(?:deputy\s+)?(?:dsl|ddsl|designated\s+safeguarding\s+lead|safeguarding\s+lead|head\s*-?\s*teacher|principal)(?:\s+(?:here\s+)?(?:at|for|of)\s+(?-i:(?:[A-Z][\w'\u2019.&-]*|of|the|and|C\s+of\s+E)(?:\s+|$)){1,8})?",
        r"(?:received|noted)(?:\s+with\s+thanks|,?\s+(?:many\s+)?thanks|,?\s+thank\s+you)?",
        r"(?:please\s+)?(?:could|can)\s+you\s+(?:please\s+)?(?:confirm|acknowledge)\s+(?:safe\s+)?receipt(?:\s+of\s+this(?:\s+e-?mail)?)?|please\s+(?:confirm|acknowledge)\s+(?:safe\s+)?receipt(?:\s+of\s+this(?:\s+e-?mail)?)?",
        r"(?:have\s+a\s+(?:good|lovely|nice|great)\s+(?:day|weekend|evening|week|afternoon|half\s*-?\s*term)|enjoy\s+(?:your|the)\s+(?:day|weekend|evening|half\s*-?\s*term))",
        r"to\s+whom\s+(?:it|this)\s+may\s+concern|(?:our|your|my)\s+ref(?:erence)?\s*[:.]?\s*(?-i:[A-Z]{0,5}[/.-]?[\dA-Z]{0,4}[/.-]?\d{1,8})",
        r"(?:i|we)\s+would\s+be\s+(?:very\s+)?grateful\s+if\s+you\s+(?:could|would)\s+(?:please\s+)?(?:confirm|acknowledge)\s+(?:safe\s+)?receipt(?:\s+of\s+this(?:\s+e-?mail)?)?",
        r"(?:thanks|thank\s+you|diolch)\s+(?-i:[A-Z][a-z\u00df-\u017f'-]{1,15})(?:\s+(?-i:[A-Z][a-z\u00df-\u017f'-]{1,15}))?",
        rf"as\s+requested(?:\s*,?\s*for\s+{_REF})?|(?:i\s+am\s+|we\s+are\s+)?happy\s+to\s+help(?:\s+further|\s+again)?(?:\s*,?\s*(?:please\s+)?(?:just\s+)?let\s+(?:me|us)\s+know)?",
        r"(?:this\s+(?:message|e-?mail)\s+was\s+)?sent\s+(?:by\s+(?-i:[A-Z][\w'.&-]*(?:\s+[A-Z][\w'.&-]*){0,5}\s+(?:School|Academy|College|Nursery))\s+)?(?:using|via|from|with)\s+(?:arbor|bromcom|scholarpack|sims|parentmail|weduc)(?:\s+mis)?(?:\s+on\s+behalf\s+of\s+(?-i:[A-Z][\w'.&-]*(?:\s+[A-Z][\w'.&-]*){0,5}\s+(?:School|Academy|College|Nursery)))?",
        r"start\s+of\s+(?:reply|answers)|end\s+of\s+(?:reply|answers|message)|\W*",
    )
)
_NEUTRAL = re.compile(_LIST, re.IGNORECASE)

# A closing offer: conditional, and made of these words only. "Please contact me to discuss" is none: there is something to say.
_OFFER = re.compile(
    r"\b(?:if\s+(?:you|there|i|we)|should\s+you|hesitate|hope\s+(?:this|that|these)|any\s+(?:further\s+)?(?:questions|queries))\b",
    re.IGNORECASE,
)
_OFFER_WORDS = words("offers")


def is_greeting(sentence: str) -> bool:
    return _GREETING.fullmatch(sentence) is not None and len(sentence.split()) <= 8


def is_sign_off(line: str) -> bool:
    return _SIGN_OFF.fullmatch(line.strip(" _|-") or line.strip()) is not None


# A face or a warning sign says something; a telephone beside a number, or a smile behind thanks, does not. A mark of its
# own ("?", ":(") answers a question that nobody asked.
_SAYS_BY_SIGN = re.compile(
    "^[^\\w\\[]*[?:;()][^\\w\\[]*$|[\u203c\u2049\u2800-\u28ff\u2600-\u260d\u2610-\u26ff\u2700-\u2708\u270a-\u27bf\U0001f300-\U0001f30f\U0001f320-\U0001f332\U0001f334-"
    "\U0001f3ea\U0001f3ec-\U0001f425\U0001f427-\U0001f44c\U0001f44e-\U0001f4da\U0001f4f2-\U0001f4ff\U0001f500-\U0001f5a4\U0001f5a9-\U0001f609\U0001f60b-\U0001f641\U0001f643-"
    "\U0001f64e\U0001f650-\U0001faff]"
)


def is_pleasant(text: str) -> bool:
    """Every sentence of the text is a greeting, thanks, a sign-off, an offer of help or a pointer to the answers."""
    if len(text) > 600 or _SAYS_BY_SIGN.search(text):
        return False
    whole = text.strip(" |")
    sentences = [part for part in re.split(r"(?<=[.!?:])\s+", whole) if part.strip()]
    if len(sentences) > 8:
        return False
    return _is_pleasant_sentence(whole) or all(_one_or_two(part) for part in sentences)


def _one_or_two(sentence: str) -> bool:
    """A sentence, or a greeting or thanks with a sentence behind a comma."""
    if _is_pleasant_sentence(sentence):
        return True
    for comma in [match.end() for match in re.finditer(r"[,\u2013-]\s+", sentence)][:4]:
        if _is_pleasant_sentence(sentence[:comma]) and _is_pleasant_sentence(sentence[comma:]):
            return True
    return False


def _is_pleasant_sentence(sentence: str) -> bool:
    bare = sentence.strip().rstrip(" .,!:;-\u2013").lstrip("- ").replace("\u2019", "'")
    if any(is_alarming(word) for word in re.findall(r"(?<=\s)[A-Z][a-z]+", bare)):
        return False  # "Dear Alex Bruised Sam" is no greeting
    if is_greeting(sentence.strip()) or _NEUTRAL.fullmatch(bare) or _SIGN_OFF.fullmatch(sentence.strip()):
        return True
    numbers = r"\S+@\S+|\+?\(?\d[\d\s()-]*\d"
    words = re.findall(r"[\w'-]+", re.sub(numbers, " ", bare.lower()))
    return bool(words) and bool(_OFFER.search(bare)) and set(words) <= _OFFER_WORDS

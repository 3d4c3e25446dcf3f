"""Signature lines, told one by one: a name, a post, a school, an address, numbers, working days, a motto.

A line of a signature must be known as such: "mum's new partner hits him" below "Kind regards" is none, and no list of alarming
words has to foresee it. An unknown name may stand only right behind the sign-off, or beside an address.
"""

from __future__ import annotations

import re

from adapters.mail.markup import IMAGE
from adapters.mail.vocabulary import words

_CID = re.compile(
    r"\[(?:cid:[^\]]{1,150}|image(?:: ?[^\]]{0,80})?|logo[^\]]{0,40}|form field)\]|<https?://[^>\s]{1,300}>",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"https?://\S+|www\.\S+|\S+@\S+\.\S+|(?<!\w)@\w{2,30}|\b[\w-]+(?:\.[\w-]+)*\.(?:uk|org|com|net|school|example|wales|cymru|sch|gov|ac|info)\b\S*|"
    r"\(?\+?\d[\d\s()/-]{5,}\d(?:\s*(?:ext|x|extension|option|opt)\.?\s*\d{1,5})?|\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b|(?:ext|extension|option|opt)\.?\s*:?\s*\d{1,5}",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"\b(?:road|rd|street|st|lane|avenue|ave|close|drive|crescent|way|terrace|place|square|hill|grove|gardens|park|green|court|row|walk|view|house|"
    r"building|estate|floor|county|england|wales|cymru|united kingdom|uk|heol|ffordd|stryd|tyne and wear|civic centre|town hall)\b",
    re.IGNORECASE,
)
_POSTCODE = re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b", re.IGNORECASE)
_ORGANISATION = re.compile(
    r"\b(?:schools?|academy|academies|college|trust|council|federation|nursery|primary|infants?|juniors?|ysgol\w*|university|partnership|"
    r"diocese|borough|mat|ltd|limited|high|grammar|secondary|sixth\s+form|prep|preparatory|community|church\s+of\s+england|catholic|centre)\b",
    re.IGNORECASE,
)
_POST_WORDS = words("signature_post")
_POST_NOUNS = words("signature_post_nouns")
_CONTACT_WORDS = words("signature_contact")
_TIME_WORDS = words("signature_time")
_TIME_ANCHOR = re.compile(
    r"\b(?:work\w*|hours|days?|part[- ]time|full[- ]time|term[- ]time|available)\b", re.IGNORECASE
)
_MOTTO_WORDS = words("signature_motto")
_ALARMING = re.compile(
    r"\b(?:concern\w*|record\w*|social\s+(?:care|services)|referr\w*|police|cpoms|myconcern|early\s+help|s(?:ection)?\s?(?:17|47)|disclos\w*|harm\w*|abus\w*|neglect\w*|injur\w*|"
    r"bruis\w*|bit(?:e|es|ten)|marks|burn\w*|cut|cuts|scar\w*|blood\w*|drunk\w*|drug\w*|alcohol\w*|hit|hits|hitting|slap\w*|punch\w*|kick\w*|smack\w*|scream\w*|cry|crying|cries|scared|frighten\w*|"
    r"hungry|dirty|smell\w*|missing|absen(?:t|ces)|see|seen|saw|told|said|says|however|but|not|no|yes|never|was|were|had|has|have|did|does|do|is|are|"
    r"urgent\w*|p\.?\s?s\.?|n\.?\s?b\.?|brother|sister|sibling\w*|mother|father|mum|mam|dad|nan|gran\w*|partner|file\w*|sent|transfer\w*|incident\w*|wrong|risk\w*|pending|lac|cin|cpp|taf|mash|camhs|"
    r"threat\w*|worr\w*|alleg\w*|violen\w*|unsure|think|maybe|might|ask|check\w*|correction|died|dead|death|weapon\w*|knife|gang\w*|exploit\w*|suicid\w*|self|attach\w*|enclos\w*|call|ring|plan|case)\b",
    re.IGNORECASE,
)
_NAME_TOKEN = re.compile(
    r"(?:(?:Mr|Mrs|Ms|Miss|Dr|Rev|Prof|Sir|Fr|Sr)\.?|[A-Z\u00c0-\u017f][\w'\u2019-]{0,20}\.?|(?:van|de|der|ap|ab|al|la|Mc)\b)"
)
_SMALL = frozenset(
    {
        "of",
        "the",
        "and",
        "&",
        "in",
        "on",
        "upon",
        "le",
        "y",
        "yr",
        "a",
        "st",
        "ce",
        "rc",
        "c",
        "e",
        "near",
        "nr",
        "with",
        "for",
        "at",
    }
)
_PART_OF = re.compile(r"\b(?:proudly\s+|a\s+)*(?:part|member)\s+of\s+(?:the\s+)?(?=[A-Z])")
_LITTLE = frozenset(
    {
        "no",
        "a",
        "e",
        "f",
        "m",
        "t",
        "w",
        "x",
        "or",
        "and",
        "in",
        "on",
        "at",
        "the",
        "my",
        "out",
        "us",
        "with",
        "for",
        "me",
        "i",
    }
)
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "rev", "prof", "sir", "fr", "sr"})
_NO_NAMES = frozenset(
    {"of", "the", "and", "in", "on", "for", "at", "with", "as", "by", "to", "from", "off", "out"}
)
_FOR_ANOTHER = re.compile(
    r"\bp\.?\s?p\b|\bbehalf\b|\babsence\b|\bdictated\b|['\u2019]s\s+(?:pa|secretary|assistant|mum|dad|mother|father)\b",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"\s+[:|\u2022\u00b7/\u2013\u2014-]\s+|\s*\|\s*|\t+|,\s+|;\s+|\s*[()\[\]]\s*")


def is_alarming(text: str) -> bool:
    """Whether a text holds a word that no signature, and no gap of our letter, is filled with."""
    return _ALARMING.search(text) is not None


def is_signature_line(text: str, sender_words: frozenset[str]) -> bool:
    """A line that is one by itself: it needs no neighbour to be believed."""
    if len(text) > 300 or _FOR_ANOTHER.search(text):
        return False
    if _POSTCODE.search(text) and is_place_line(re.sub(r"[|\u2022]", " ", _CONTACT.sub(" ", text))):
        return True
    whole = [
        word.lower().replace("\u2019", "'") for word in re.findall(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*", text)
    ]
    if set(whole) <= _TIME_WORDS and _TIME_ANCHOR.search(text):
        return True
    if whole and set(whole) <= _POST_WORDS and not _POST_NOUNS.isdisjoint(whole):
        return True
    segments = _segments(text)
    return all(_known(segment, sender_words) for segment in segments)


def is_somebodys_name(text: str) -> bool:
    """One to four words with capitals and nothing alarming: a name, where a name may stand."""
    words = re.sub(r"\([^)]{0,30}\)|[,|]", " ", _CID.sub(" ", text)).strip().split()
    return (
        1 <= len(words) <= 5
        and all(_NAME_TOKEN.fullmatch(word) for word in words)
        and not is_alarming(text)
        and not _FOR_ANOTHER.search(text)
        and not any(word in _SMALL or word.lower() in _NO_NAMES for word in words)
    )


def is_another_person(text: str, sender_words: frozenset[str]) -> bool:
    """Whether the name under a mail is not the one that the mail was sent in, where it was sent in a person's name."""
    signed = {word.lower() for word in re.findall(r"[^\W\d_]{2,}", text)} - _TITLES
    personal = {word for word in sender_words if len(word) > 1} - _POST_WORDS - _CONTACT_WORDS - _TITLES
    if len(personal) < 2 or len(signed) < 2 or any(_ORGANISATION.fullmatch(word) for word in sender_words):
        return False
    return not any(one[:2] == other[:2] for one in signed for other in personal)


def is_place_line(text: str) -> bool:
    """Capitalised words that may be a part of an address, where a neighbour is one."""
    words = [word.strip(".,") for word in _CID.sub(" ", text).split()]
    return (
        1 <= len([word for word in words if word]) <= 8
        and not is_alarming(text)
        and all(word[:1].isupper() or word[:1].isdigit() or word.lower() in _SMALL for word in words if word)
    )


def is_address_line(text: str) -> bool:
    return bool(_POSTCODE.search(text) or (_ADDRESS.search(text) and re.search(r"\d|,", text)))


def _segments(text: str) -> list[str]:
    bare = _PART_OF.sub("", _CID.sub(" ", text).replace(IMAGE, " "))
    return [piece.strip(" .:*_~=-\u2013\u2014>\u25cf\u25e6") for piece in _SEPARATORS.split(bare)]


def _known(segment: str, sender_words: frozenset[str]) -> bool:
    if not segment:
        return True
    words = [word.lower() for word in re.findall(r"[^\W\d_][^\W_]*(?:['\u2019.-][^\W\d_]+)*", segment)]
    plain = [word.replace("\u2019", "'").rstrip(".") for word in words]
    if not plain and not re.search(r"[^\W\d_]", segment):
        return bool(re.fullmatch(r"[\d\s()+.:/\u2013-]{0,40}", segment))
    if set(plain) <= sender_words or (set(plain) <= _POST_WORDS and not _POST_NOUNS.isdisjoint(plain)):
        return True
    if set(plain) <= _MOTTO_WORDS | sender_words and not re.search(r"\d", segment):
        return len(plain) >= 2 or plain[0] in {
            "inspire",
            "achieve",
            "believe",
            "aspire",
            "respect",
            "learn",
            "grow",
            "succeed",
        }
    if set(plain) <= _TIME_WORDS and _TIME_ANCHOR.search(segment):
        return True
    rest = _CONTACT.sub(" ", segment)
    if rest != segment or re.search(r"\d{3}", segment):
        left = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)?", rest.lower())
        if set(left) <= _CONTACT_WORDS | _POST_WORDS | sender_words:
            return True
    elif set(plain) <= _CONTACT_WORDS:
        return len(plain) <= 4 and not set(plain) <= _LITTLE
    if (
        _ORGANISATION.search(segment) or _ADDRESS.search(rest) or _POSTCODE.search(segment)
    ) and is_place_line(rest):
        return True
    return _post_of_a_place(segment, sender_words)


def _post_of_a_place(segment: str, sender_words: frozenset[str]) -> bool:
    """ "Deputy Head at Hillside Primary School": a post, then "at" or "of" and a name with capitals."""
    post, between, place = segment.partition(" at ")
    known = {word.lower() for word in re.findall(r"[^\W\d_]+", post)} <= _POST_WORDS | sender_words
    return bool(between) and known and is_place_line(place)

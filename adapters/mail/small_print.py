"""Small print, told by its words: disclaimers, banners, straplines. Yes and no in them answer nothing.

A paragraph is small print only when it speaks of mail, viruses, registration or the like AND holds no word that small print
does not need. So a sentence about a child cannot pass as part of it, wherever it stands: "marks", "nan", "worried" and
thousands more are simply not in the list. What is missing in the list costs a person's look, nothing else.
"""

from __future__ import annotations

import re

from adapters.mail.signatures import is_alarming
from adapters.mail.vocabulary import words

_ANCHOR = re.compile(
    r"\b(?:confidential\w*|intended|recipients?|addressees?|privileged|disclaimer|virus\w*|malware|originat\w+|registered|"
    r"outside (?:of )?(?:the|our|your)|external(?:ly)?|environment|welsh|gyfrinachol|gymraeg|privacy|in error|phishing|"
    r"committed to safeguarding|commitment to safeguarding|often get e-?mail|monitored|company|charity|views|"
    r"opinions|e-?mails? (?:is|are|may|can)|unauthori[sz]ed|think before (?:you )?print\w*|save paper|"
    r"(?:do not|don't|never) (?:click|open)|sent me|accessibility|"
    r"hours|scanned|spam|security|communications?|freedom of information|foi|gdpr|data protection|official)\b",
    re.IGNORECASE,
)
_WORDS = words("small_print")
# A sentence with one of these and "child" words is never small print, whatever else it says.
_NEVER = re.compile(
    r"\b(?:s?he|her|him|his|hers|mum|dad|mother|father|pupil|student|child(?!'s|ren)|(?:we|i) (?:do |also |did |still )*(?:hold|held|had|need|report\w*|have (?:received|been|had|information|reported|further|other|some|more))|"
    r"concern\w*|records? (?:of|on|for|about|that|which|show)|at risk|risk to (?!y)|protection (?:plan|file|record|concern|conference|register)|"
    r"open the (?:file|records?)|report (?:of|about|on)|known to|investigation)\b",
    re.IGNORECASE,
)
_ORGANISATION = re.compile(
    r"\b(?:(?:[A-Z][\w'\u2019.&-]*|of|the|and|&|for|St\.?)\s+){0,8}(?:School|Schools|Academy|Academies|College|Trust|Council|Federation|Nursery|Primary|Infants?|"
    r"Juniors?|University|Partnership|Ysgol|Ltd|Limited|Diocese|Borough|Services?)\b(?:['\u2019]s)?"
)
_CONTACTS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|\b[\w-]+(?:\.[\w-]+)+\b|\+?\(?\d[\d\s()/.,:-]*")
_REGISTERED = re.compile(
    r"\bregistered\s+(?:office|in|address|charity|company)|\bcompany\s+(?:number|no|limited)", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


def is_small_print(text: str) -> bool:
    """Whether this paragraph (or line) is nothing but small print."""
    bare = _CONTACTS.sub(" ", text[:6000])
    return bool(_ANCHOR.search(bare)) and is_plain_legalese(text)


def is_plain_legalese(text: str) -> bool:
    """Whether every word is one that small print uses; what follows small print in its paragraph must be so too."""
    if len(text) > 6000 or _NEVER.search(text):
        return False
    bare = _ORGANISATION.sub(" ", _CONTACTS.sub(" ", text))
    return all(_is_legalese(sentence) for sentence in re.split(r"(?<=[.!?])\s+", bare))


def _is_legalese(sentence: str) -> bool:
    named = bool(_REGISTERED.search(sentence))
    return all(
        word.lower().replace("\u2019", "'") in _WORDS
        or len(word) == 1
        or (named and word[:1].isupper() and not is_alarming(word))
        for word in _WORD.findall(sentence)
    )

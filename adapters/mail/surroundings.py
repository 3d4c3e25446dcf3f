"""What may stand beside the labelled answers without a person reading it: greetings, thanks, signatures, small print.

Everything else that the writer wrote is additional information, and sends the mail to a person: beside a "No" it may be
the very concern that the question asks about. So the lists here name what is harmless; nothing is harmless by default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from adapters.mail.lines import Page
from adapters.mail.markup import IMAGE

# Words that can carry a concern, a hedge or a statement. A signature line holding one is no signature line.
_TELLING = re.compile(
    r"\b(?:concern\w*|record\w*|protect\w*|welfare|safeguard\w*|social|referr\w*|police|cpoms|myconcern|plan|early help|"
    r"s(?:ection)?\s?(?:17|47)|disclos\w*|harm\w*|abus\w*|neglect\w*|injur\w*|attach\w*|enclos\w*|see|however|but|"
    r"(?:al)?though|except|apart|aside|not|no|yes|never|n't|previous\w*|was|were|had|has|have|is|are|did|do|we|i|he|she|"
    r"they|him|her|them|there|this|that|please|note|ps|nb|call|ring|urgent\w*|involved|sibling\w*|child(?:ren)?|pupil|"
    r"brother|sister|famil\w*|mother|father|mum|dad|file\w*|sent|transfer\w*|incident\w*|bruis\w*|correction|wrong|"
    r"risk\w*|assess\w*|pending|lac|cin|cpp?|taf|camhs|looked\s+after|care\s+order|threat\w*|worr\w*|alleg\w*|violen\w*|"
    r"unsure|sure|think|believe|possibl\w*|maybe|might|ask|check\w*)\b",
    re.IGNORECASE,
)
# Words that no small print needs, so that a sentence about a child cannot pass as part of it.
_GRAVE = re.compile(
    r"\b(?:concern\w*|referr\w*|police|cpoms|disclos(?:ed|ure\s+by)|harm(?:ed)?\b(?!ful)|abus\w*|neglect\w*|injur\w*|bruis\w*|risk\w*|"
    r"threat\w*|worr\w*|alleg\w*|violen\w*|pupil|child|sibling\w*|brother|sister|mother|father|mum|dad|s?he|her|him|early\s+help|"
    r"social\s+(?:care|worker|services)|plan)\b",
    re.IGNORECASE,
)
_TITLES = re.compile(
    r"(?:designated\s+)?(?:safeguarding|child\s+protection|welfare|pastoral|inclusion)(?:\s*(?:and|&)\s*\w+)?\s+"
    r"(?:lead|officer|advis[eo]r|manager|team|co-?ordinator|governor|assistant)|social\s+worker|child\s+protection\s+team",
    re.IGNORECASE,
)
_NAME = r"(?:[\s,]+[A-Z\u00c0-\u017f][\w'\u2019.-]*){0,4}"
_GREETING = re.compile(
    rf"(?:hi|hello|hiya|dear|good\s+(?:morning|afternoon|evening)|helo|annwyl|bore\s+da|prynhawn\s+da)"
    rf"(?:\s+(?:there|all|both|sir|madam|sir\s*/\s*madam|sir\s+or\s+madam|colleagues?|team))?(?-i:{_NAME})\s*[,:.!-]?",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"(?:(?:(?:with\s+)?(?:kind(?:est)?|best|warm(?:est)?|many|with)\s+)?(?:regards|wishes)|kindest|cheers|cofion(?:\s+\w+)?|"
    r"yours?(?:\s+(?:sincerely|faithfully|truly))?|sincerely|faithfully|(?:many\s+)?thanks|thank\s+you|diolch(?:\s+\w+){0,3}|"
    r"kr|rgds|yn\s+gywir|--|__+)(?:\s+and\s+(?:kind|best)\s+(?:regards|wishes))?\s*[,.!-]?",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"^(?:many\s+thanks|thanks|thank\s+you|(?:kind|best)\s+regards|regards)\W+", re.IGNORECASE
)
_ANSWERS = r"(?:answers?|responses?|repl(?:y|ies)|details|information|form|comments)"
_NEUTRAL = re.compile(
    rf"(?:(?:many\s+)?thanks|thank\s+you|diolch)(?:\s+(?:very|so)\s+much)?(?:\s+for\s+(?:your|the)\s+(?:e-?mail|letter|message|enquiry|request))?"
    rf"|(?:please\s+)?(?:see|find)(?:\s+(?:our|my|the|school'?s?))?(?:\s+(?:completed|requested))?(?:\s+{_ANSWERS})?(?:\s+(?:below|above|inline|underneath|as\s+requested|in\s+(?:red|blue|green|bold|capitals))){{0,2}}"
    rf"|(?:(?:our|my|the)\s+)?(?:completed\s+)?{_ANSWERS}(?:\s+(?:are|is))?(?:\s+(?:as\s+follows|below|above|inline|to\s+your\s+(?:letter|questions)))?(?:\s+in\s+(?:red|blue|green|bold))?"
    r"|as\s+requested|(?:in\s+)?(?:response|reply|answer)\s+to\s+your\s+(?:letter|e-?mail|questions?|request|enquiry)"
    r"|(?:i|we)\s+can\s+confirm(?:\s+the\s+following)?|please\s+(?:see|find)\s+(?:below\s+)?the\s+(?:answers|information|details|responses)(?:\s+(?:you\s+)?requested)?(?:\s+below)?"
    r"|(?:re|ref|our\s+ref|your\s+ref|reference|letter\s+reference)?\s*[:.]?\s*S[GI]-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}"
    r"|(?:strictly\s+)?private\s+(?:and|&)\s+confidential|official(?:\s*-\s*sensitive)?|confidential"
    r"|questions?|answers?|responses?|your\s+answer|sent\s+from\s+(?:my\s+)?[\w ]{1,40}|get\s+outlook\s+for\s+\w+"
    r"|sent\s+from\s+outlook\s+for\s+\w+|anfonwyd\s+o\s+fy\s+[\w ]{1,20}|\[external\]|external(?:\s+e-?mail)?"
    r"|hope\s+(?:you\s+are|this\s+finds\s+you)\s+well|i\s+hope\s+(?:you\s+are|this\s+finds\s+you)\s+well|\W*",
    re.IGNORECASE,
)
_SMALL_PRINT = re.compile(
    r"\W*(?:this\s+(?:e-?mail|message|communication|transmission)(?:\s*\([^)]{1,80}\))?(?:,?\s+(?:and|including|together\s+with)\s+any\s+(?:files?|attachments?)[\w ]{0,40},?)?"
    r"\s+(?:is|are|was|may|has|contains?|originated|came)\b|the\s+(?:information|contents?)\s+(?:contained\s+)?(?:in|of)\s+this\s+(?:e-?mail|message)|"
    r"if\s+you\s+(?:are\s+not\s+the\s+(?:intended|named)|have\s+received\s+this\s+(?:e-?mail|message)\s+in\s+error)|"
    r"disclaimer\b|(?:e-?mail\s+)?confidentiality\s+(?:notice|statement)|(?:caution|warning|external(?:\s+(?:e-?mail|sender))?)\s*[:!-]|"
    r"\[?external\b.{0,40}\]?\s*(?:this|do\s+not)|you\s+don'?t\s+often\s+get\s+e-?mail|please\s+consider\s+the\s+environment|think\s+before\s+you\s+print|"
    r"mae'?r\s+(?:e-?bost|neges)\s+h(?:wn|on)|rydym\s+yn\s+croesawu|we\s+welcome\s+correspondence\s+in\s+welsh|"
    r"registered\s+(?:office|charity|in\s+england)|privacy\s+notice\s*:)",
    re.IGNORECASE,
)
_SMALL_PRINT_WORDS = re.compile(
    r"\b(?:confidential\w*|intended|privileged|solely|virus\w*|originat\w+|outside|scanned|views|links|unknown|sender|"
    r"gyfrinachol|environment|croesawu|correspondence|registered|often|private\s+and)\b",
    re.IGNORECASE,
)
_CID = re.compile(r"\[cid:[^\]]{1,100}\]", re.IGNORECASE)
_LONGEST_SIGNATURE_LINES = 16


def additional_lines(page: Page, rest: Sequence[int], sender_words: frozenset[str]) -> list[str]:
    """The lines that the writer wrote and that are not certainly harmless, in order."""
    return list(_additional(page, rest, sender_words))


def without_titles(text: str) -> str:
    """The text without job titles, which hold words such as safeguarding."""
    return _TITLES.sub(" ", text)


def telling(text: str) -> bool:
    """Whether a line holds a word that can carry a concern, a hedge or a statement; job titles apart."""
    return bool(_TELLING.search(without_titles(text)))


def _additional(page: Page, rest: Sequence[int], sender_words: frozenset[str]) -> Iterable[str]:
    signing, signature_lines, small_print = False, 0, False
    waiting = set(rest)
    for place, line in enumerate(page.lines):
        if not line.text:
            small_print = False
        if place not in waiting or line.quoted or line.introduces:
            continue
        if (small_print or _is_small_print(line.text)) and not _GRAVE.search(without_titles(line.text)):
            small_print = True
        elif _SIGN_OFF.fullmatch(_bare(line.text)):
            signing, signature_lines = True, 0
        elif _harmless(line.text) or _is_name(line.text, sender_words):
            continue
        elif signing and signature_lines < _LONGEST_SIGNATURE_LINES and _in_signature(line.text):
            signature_lines += 1
        else:
            yield line.text


def _is_small_print(text: str) -> bool:
    return bool(_SMALL_PRINT.match(text) and _SMALL_PRINT_WORDS.search(text))


def _bare(text: str) -> str:
    return text.strip(" _|-") or text.strip()


def _harmless(text: str) -> bool:
    """Every sentence of the line is a greeting, thanks, a sign-off or a pointer to the answers."""
    if len(text) > 300:
        return False
    sentences = [part.strip() for part in re.split(r"(?<=[.!?,:])\s+", text)]
    return all(_harmless_sentence(part) for part in (sentences if len(sentences) < 8 else [text])) or (
        _harmless_sentence(text)
    )


def _harmless_sentence(text: str) -> bool:
    bare = text.rstrip(" .,!:;-")
    if _GREETING.fullmatch(text):
        return not telling(text) and len(text.split()) <= 6
    return bool(_NEUTRAL.fullmatch(bare) or _SIGN_OFF.fullmatch(text))


def _is_name(text: str, sender_words: frozenset[str]) -> bool:
    """Nothing but the sender's own name, perhaps after thanks or "regards"."""
    text = _THANKS.sub("", text)
    words = re.findall(r"[^\W\d_]+", text.lower())
    return 0 < len(words) <= 5 and set(words) <= sender_words


def _in_signature(text: str) -> bool:
    words = _CID.sub("", text).replace(IMAGE, "").split()
    return len(words) <= 14 and len(text) <= 160 and not telling(" ".join(words))

"""What may stand beside the labelled answers without a person reading it: greetings, thanks, signatures, small print.

Everything else that the writer wrote is additional information, and sends the mail to a person: beside a "No" it may be
the very concern that the question asks about. So the lists here name what is harmless; nothing is harmless by default.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from adapters.mail.lines import Page
from adapters.mail.pleasantries import THANKS, is_pleasant, is_sign_off
from adapters.mail.signatures import (
    is_address_line,
    is_another_person,
    is_place_line,
    is_signature_line,
    is_somebodys_name,
)
from adapters.mail.small_print import is_plain_legalese, is_small_print

# Words that can carry a concern, a hedge or a statement: for what stands in our own letter's gaps and in a quotation.
_TELLING = re.compile(
    r"\b(?:concern\w*|record\w*|protect\w*|welfare|safeguard\w*|social|referr\w*|police|cpoms|myconcern|plan|early help|"
    r"s(?:ection)?\s?(?:17|47)|disclos\w*|harm\w*|abus\w*|neglect\w*|injur\w*|attach\w*|enclos\w*|see|however|but|"
    r"(?:al)?though|except|apart|aside|not|no|yes|never|n't|previous\w*|was|were|had|has|have|is|are|did|do|we|i|he|she|"
    r"they|him|her|them|there|this|that|please|note|ps|nb|call|ring|urgent\w*|involved|sibling\w*|child(?:ren)?|pupil|"
    r"brother|sister|famil\w*|mother|father|mum|mam|dad|file\w*|sent|transfer\w*|incident\w*|bruis\w*|correction|wrong|"
    r"risk\w*|assess\w*|pending|lac|cin|cpp?|taf|camhs|looked\s+after|care\s+order|threat\w*|worr\w*|alleg\w*|violen\w*|"
    r"unsure|sure|think|believe|possibl\w*|maybe|might|ask|check\w*)\b",
    re.IGNORECASE,
)
_TITLES = re.compile(
    r"(?:designated\s+)?(?:safeguarding|child\s+protection|welfare|pastoral|inclusion)(?:\s*(?:and|&)\s*\w+){0,2}\s+"
    r"(?:lead|officer|advis[eo]r|manager|team|co-?ordinator|governor|assistant)|social\s+worker|child\s+protection\s+team|"
    r"family\s+(?:support\s+worker|liaison\s+officer)",
    re.IGNORECASE,
)
_TITLES_OF_PEOPLE = frozenset({"mr", "mrs", "ms", "miss", "dr", "rev"})
_LONGEST_SIGNATURE_LINES = 30
_LONGEST_PARAGRAPH_LINES = 40
_MOST_LINES = 400


def additional_lines(
    page: Page,
    rest: Sequence[int],
    used: Collection[int],
    known: Collection[int],
    sender_words: frozenset[str],
) -> list[str]:
    """The lines that the writer wrote and that are not certainly harmless, in order.

    `used` are the lines of labels and answers, `known` those of our own letter.
    """
    places = [
        place
        for place in sorted({*rest, *known})
        if not page.lines[place].quoted and not page.lines[place].introduces and page.lines[place].text
    ]
    if len(places) > _MOST_LINES:
        return [page.lines[place].text for place in places]
    return [page.lines[place].text for place in _Sifter(page, places, used, known, sender_words).additional()]


def without_titles(text: str) -> str:
    """The text without job titles, which hold words such as safeguarding."""
    return _TITLES.sub(" ", text)


def telling(text: str) -> bool:
    """Whether a line holds a word that can carry a concern, a hedge or a statement; job titles apart."""
    return bool(_TELLING.search(without_titles(text)))


class _Sifter:
    """Goes down the written lines that are no answers, and keeps what is not known to be harmless."""

    def __init__(
        self,
        page: Page,
        places: Sequence[int],
        used: Collection[int],
        known: Collection[int],
        sender_words: frozenset[str],
    ) -> None:
        self._page = page
        self._places = places
        self._texts = [page.lines[place].text for place in places]
        self._known = frozenset(known)
        self._words = sender_words
        self._signing = False  # behind a sign-off or the sender's own name
        self._names = 0  # how many unknown names the signature has had
        self._signed = 0
        self._used = sorted(place for place in used if not page.lines[place].quoted)

    def additional(self) -> list[int]:
        kept: list[int] = []
        at = 0
        while at < len(self._texts):
            if at and any(self._places[at - 1] < used < self._places[at] for used in self._used):
                self._signing, self._names = False, 0  # answers follow: that was no signature yet
            taken = self._harmless_from(at)
            if not taken:
                kept.append(self._places[at])
            at += taken or 1
        return kept

    def _harmless_from(self, at: int) -> int:
        """How many lines from here are harmless together; 0 when this one is not."""
        text = self._texts[at]
        if is_sign_off(text):
            self._signing, self._names, self._signed = True, 0, 0
            return 1
        if self._places[at] in self._known:
            self._signed += self._signing
            return 1
        if self._is_own_name(text):
            self._signing, self._names = True, 1
            return 1
        if is_pleasant(text):
            self._signing = self._signing or bool(THANKS.match(text))
            return 1
        paragraph = self._paragraph(at)
        for count in range(1, len(paragraph) + 1):
            joined = " ".join(paragraph[:count])
            if is_small_print(joined) or (1 < count <= 6 and is_pleasant(joined)):
                return count + self._more_small_print(paragraph, count)
        return int(self._is_signature(at))

    def _paragraph(self, at: int) -> list[str]:
        """The lines from here down to an empty one, or to one that is not the writer's."""
        end = at + 1
        while (
            end < len(self._places)
            and self._places[end] == self._places[end - 1] + 1
            and end - at < _LONGEST_PARAGRAPH_LINES
        ):
            end += 1
        return self._texts[at:end]

    def _more_small_print(self, paragraph: Sequence[str], count: int) -> int:
        """The lines that go on with the small print above them."""
        if not is_small_print(" ".join(paragraph[:count])):
            return 0
        more = 0
        while count + more < len(paragraph) and is_plain_legalese(paragraph[count + more]):
            more += 1
        return more

    def _is_own_name(self, text: str) -> bool:
        """Nothing but the sender's own name, perhaps after thanks or "regards"."""
        words = re.findall(r"[^\W\d_]+", THANKS.sub("", text).lower())
        names = {word for word in words if len(word) > 1} - _TITLES_OF_PEOPLE  # initials apart
        return bool(names) and len(words) <= 5 and names <= self._words and "\n" not in text

    def _is_signature(self, at: int) -> bool:
        if not self._signing:
            self._signing = self._opens_signature(at)
        if not self._signing or self._signed >= _LONGEST_SIGNATURE_LINES:
            return False
        self._signed += 1
        text = self._texts[at]
        if is_signature_line(text, self._words):
            return True
        beside = self._texts[max(0, at - 3) : at] + self._texts[at + 1 : at + 4]
        if len(text.split()) <= 2 and is_place_line(text) and any(is_address_line(one) for one in beside):
            return True
        thanked = THANKS.sub("", text)
        if is_another_person(thanked, self._words):
            return False
        if self._names == 0 and self._signed <= 2 and is_somebodys_name(thanked):
            self._names += 1
            return True
        return False

    def _opens_signature(self, at: int) -> bool:
        """A signature without a sign-off: a name with a post or an address under it, or a post, and then nothing else."""
        rest = self._texts[at:]
        if self._used and self._places[at] < self._used[-1]:
            return False
        if len(rest) < 2 or not (is_somebodys_name(rest[0]) or is_signature_line(rest[0], self._words)):
            return False
        return is_signature_line(rest[1], self._words) and re.search(r"[^\W\d_]", rest[1]) is not None

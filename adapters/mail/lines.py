"""A mail's text as lines, each knowing whether the writer wrote it or it is quoted from an earlier mail.

Quoted is: in a quotation (`>`, or HTML's), or below the header block with which Outlook and others put the earlier mail
underneath ("From: … Sent: …", "Original Message", Welsh "Oddi wrth: … Anfonwyd: …"). Whatever is not certainly quoted
counts as written, because written words beside an answer send it to a person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.mail.markup import KEPT, STRUCK, Line

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MARKS = re.compile(r"^[ \t]?(?:>[ \t]?)+")
_STRUCK_PIECE = re.compile(f"{STRUCK}([^{STRUCK}{KEPT}]*){KEPT}")

_FROM = re.compile(r"^\W{0,3}(?:from|oddi wrth|o)\s*:\s*\S", re.IGNORECASE)
_OTHER_FIELDS = re.compile(
    r"^\W{0,3}(?:sent|date|to|cc|subject|anfonwyd|dyddiad|at|i|copi|pwnc)\s*:", re.IGNORECASE
)
_ORIGINAL = re.compile(
    r"^\W{2,}\s*(?:original message|neges wreiddiol|original appointment)\s*\W{2,}$", re.IGNORECASE
)
FORWARD_MARK = re.compile(r"^\W{2,}\s*forwarded (?:message|by)\b|^begin forwarded message\b", re.IGNORECASE)
_WROTE = re.compile(r"\b(?:wrote|writes|ysgrifennodd)\b.{0,80}:\s*$|^(?:on|ar)\b.{6,200}:$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line. `below` is true under a header block, `introduces` for the lines that introduce a quotation."""

    text: str
    depth: int
    below: bool
    introduces: bool

    @property
    def quoted(self) -> bool:
        return self.depth > 0 or self.below


@dataclass(frozen=True, slots=True)
class Page:
    """One body of the mail. `struck` are the struck-out words, which the lines no longer hold."""

    lines: tuple[Spoken, ...]
    struck: tuple[str, ...]
    reordered: bool  # it holds characters that change the order of reading
    forwarded: bool  # it says that it is a forwarded mail


def plain_lines(text: str) -> list[Line]:
    """A plain text as lines without their quotation marks."""
    lines: list[Line] = []
    for line in (
        text.replace(STRUCK, "").replace(KEPT, "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    ):
        marks = _MARKS.match(line)
        lines.append(Line(line[marks.end() :] if marks else line, marks[0].count(">") if marks else 0))
    return lines


def page(raw_lines: Sequence[Line]) -> Page:
    """The lines of one body, cleaned, with what is quoted told from what is written."""
    whole = "\n".join(line.text for line in raw_lines)
    struck = tuple(_clean(piece) for piece in _STRUCK_PIECE.findall(whole) if _clean(piece))
    lines = [Line(_clean(_STRUCK_PIECE.sub("", line.text)), line.depth) for line in raw_lines]
    return Page(
        tuple(_told_apart(lines)),
        struck,
        reordered=bool(_BIDI.search(whole)),
        forwarded=any(FORWARD_MARK.search(line.text) for line in lines if line.depth == 0),
    )


def _clean(text: str) -> str:
    """Visible characters only, one kind of space, no stars of a bold text that became plain."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text).replace("\u00a0", " "))
    return re.sub(r"[*\u2022\u00b7]+", " ", re.sub(r"[ \t\u2000-\u200a\u202f\u3000]+", " ", text)).strip()


def _told_apart(lines: list[Line]) -> Iterable[Spoken]:
    below = False
    introducing: set[int] = set()
    for place, line in enumerate(lines):
        if place not in introducing and line.depth == 0 and not below:
            found = _introduction(lines, place)
            introducing |= found
            below = bool(found) and not _quotation_follows(lines, max(found))
        yield Spoken(line.text, line.depth, below and place not in introducing, place in introducing)


def _introduction(lines: list[Line], place: int) -> set[int]:
    """The places of the lines that introduce an earlier mail, when they begin here."""
    text = lines[place].text
    if _ORIGINAL.search(text):
        return {place}
    following = [at for at in range(place, min(place + 12, len(lines))) if lines[at].text][:6]
    if _FROM.search(text):
        fields = [at for at in following[1:] if _OTHER_FIELDS.search(lines[at].text)]
        return {place, *fields} if len(fields) >= 2 else set()
    for count in (1, 2, 3) if re.match(r"(?:on|ar)\b", text, re.IGNORECASE) else (1,):
        joined = " ".join(lines[at].text for at in following[:count])
        if _WROTE.search(joined) and _date_or_address(joined):
            return set(following[:count])
    return set()


def _date_or_address(text: str) -> bool:
    return bool(re.search(r"\d{1,2}:\d{2}|\b\d{4}\b|@", text))


def _quotation_follows(lines: list[Line], place: int) -> bool:
    return any(line.depth > 0 for line in lines[place + 1 :])

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

from adapters.mail.labels import split_row
from adapters.mail.markup import HIDDEN, KEPT, STRUCK, Line

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_OVERLAID = re.compile("(?:[^\\W_][\u0335-\u0338]\\s?)+|~~[^~\\n]{1,60}~~")  # struck out in plain text
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


_FOOTNOTED = re.compile(r"(?:^|[^*/]\s*)\b(?:yes|no)\s?[.]?\s?\*+\s*$", re.IGNORECASE)
_ON = re.compile(r"(?:on|ar)\b", re.IGNORECASE)
_ATTRIBUTING = frozenset(
    {
        "on",
        "ar",
        "at",
        "am",
        "pm",
        "wrote",
        "writes",
        "ysgrifennodd",
        "st",
        "nd",
        "rd",
        "th",
        "of",
        "y",
        "a",
        "via",
    }
)


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
    hidden: bool  # text stands in it that a reader of the mail does not see


def plain_lines(text: str) -> list[Line]:
    """A plain text as lines without their quotation marks."""
    lines: list[Line] = []
    whole = (
        text.replace(STRUCK, "")
        .replace(KEPT, "")
        .replace(HIDDEN, "")
        .replace("\r\n", "\n")
        .replace("\r", "\n")
    )
    for line in _OVERLAID.sub(_struck, whole).split("\n"):
        marks = _MARKS.match(line)
        lines.append(Line(line[marks.end() :] if marks else line, marks[0].count(">") if marks else 0))
    return lines


def _struck(match: re.Match[str]) -> str:
    return STRUCK + re.sub("[\u0335-\u0338~]", "", match[0]) + KEPT


def page(raw_lines: Sequence[Line]) -> Page:
    """The lines of one body, cleaned, with what is quoted told from what is written."""
    whole = "\n".join(line.text for line in raw_lines)
    struck = tuple(_clean(piece) for piece in _STRUCK_PIECE.findall(whole) if _clean(piece))
    lines = [
        Line(row, line.depth)
        for line in raw_lines
        for row in split_row(_clean(_STRUCK_PIECE.sub("", line.text)))
    ]
    return Page(
        tuple(_told_apart(lines)),
        struck,
        reordered=bool(_BIDI.search(whole)),
        forwarded=any(FORWARD_MARK.search(line.text) for line in lines if line.depth == 0),
        hidden=any(HIDDEN in line.text for line in raw_lines if line.depth == 0),
    )


def _clean(text: str) -> str:
    """Visible characters only, one kind of space, no stars of a bold text that became plain."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text).replace("\u00a0", " ").replace(HIDDEN, ""))
    text = _cells(text) if "\t" in text else text
    if len(re.findall(r"\*+", text)) % 2 and _FOOTNOTED.search(text):
        text = text.rstrip().rstrip("*") + "\u2020"  # no bold: it points at a note
    return re.sub(r"[*\u2022\u00b7]+", " ", re.sub(r"[ \t\u2000-\u200a\u202f\u3000]+", " ", text)).strip()


def _cells(text: str) -> str:
    """The cells of a row in one line: a colon parts a name from its answer where the table's rule did."""
    cells = [cell.strip() for cell in text.split("\t") if cell.strip()]
    row = ""
    for cell in cells:
        parted = not row or row[-1] in ":?.)" or len(row) <= 3
        row = f"{row} {cell}" if parted else f"{row} : {cell}"
    return row.strip()


def _told_apart(lines: list[Line]) -> Iterable[Spoken]:
    below = False
    introducing: set[int] = set()
    for place, line in enumerate(lines):
        if place not in introducing and (line.depth == 0 or _opens_quotation(lines, place)):
            found = _introduction(lines, place)
            introducing |= found
            introduced = bool(found) and line.depth == 0
            below = below or (introduced and not _quotation_follows(lines, max(found)))
        yield Spoken(line.text, line.depth, below and place not in introducing, place in introducing)


def _opens_quotation(lines: list[Line], place: int) -> bool:
    """The first marked line: Apple's Mail marks its "On … wrote:" like what it introduces."""
    return lines[place].depth == 1 and all(line.depth == 0 for line in lines[:place])


def _introduction(lines: list[Line], place: int) -> set[int]:
    """The places of the lines that introduce an earlier mail, when they begin here."""
    text = lines[place].text
    if _ORIGINAL.search(text):
        return {place}
    following = [at for at in range(place, min(place + 12, len(lines))) if lines[at].text][:6]
    if _FROM.search(text):
        fields = [at for at in following[1:] if _OTHER_FIELDS.search(lines[at].text)]
        return {place, *fields} if len(fields) >= 2 else set()
    for count in (1, 2, 3) if _ON.match(text) else (1,):
        joined = " ".join(lines[at].text for at in following[:count])
        if following[:count] != list(range(place, place + count)) or (
            count > 1 and _ON.match(lines[following[count - 1]].text)
        ):
            break  # an empty line, or the attribution begins only here: what stands above it was written
        if _WROTE.search(joined) and _is_attribution(joined, lines, place + count):
            return set(following[:count])
    return set()


def _is_attribution(joined: str, lines: list[Line], after: int) -> bool:
    """ "On 2 Oct …, Alex <…> wrote:", not "On Monday the TA wrote in the log:": an address, or names alone over marked lines."""
    if not _date_or_address(joined) or len(joined) > 300:
        return False
    if "@" in joined:
        return len(re.sub(r"<[^>]*>|\S+@\S+", "", joined).split()) <= 16
    words = re.findall(r"[^\W\d_]+", joined)
    named = all(word[:1].isupper() or word.lower() in _ATTRIBUTING for word in words)
    marked = next((line.depth > 0 for line in lines[after:] if line.text), False)
    return named and marked


def _date_or_address(text: str) -> bool:
    return bool(re.search(r"\d{1,2}:\d{2}|\b\d{4}\b|@", text))


def _quotation_follows(lines: list[Line], place: int) -> bool:
    return any(line.depth > 0 for line in lines[place + 1 :])

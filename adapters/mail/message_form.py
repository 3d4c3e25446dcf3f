"""The form of a message (PDF): drawn from the published schema, filled in by an agency, and read back as what was typed.

Invariants: whatever a PDF holds, `read_message_form` gives a `FilledMessage` or says in one word why not, and raises nothing; values
are taken from fields alone. The form carries no secret and authenticates nobody: the mail that brings it does. Reading is for the
limited child process only. Source: ISO 32000-1 section 12.7; `gateway/DECISIONS.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.mail.form import Unfit, fields_in, ticked, typed
from adapters.mail.sheets import MARGIN, ONE_AT_A_TIME, WIDTH, Sheets
from schemas.form_fields import FormField, Kind, Section, sections_of

FORM = "FORM"  # the field that says which form it is: "referral/1"
MOST_FORMS = 5
MOST_FIELDS = 1500
MOST_CHARACTERS = 120_000  # of everything typed
_ACROSS = WIDTH - 2 * MARGIN
_HEIGHTS = {Kind.TEXT: 62.0, Kind.LINES: 46.0}
_TYPED_AS: Mapping[Kind, str] = {
    Kind.DATE: "dd/mm/yyyy",
    Kind.INSTANT: "dd/mm/yyyy hh:mm",
    Kind.LINES: "one on each line",
    Kind.NUMBER: "a number",
    Kind.CHOICES: "tick all that apply",
}
_SAYS = re.compile(r"([a-z]+(?:-[a-z]+)*)/([1-9]\d{0,2})")


@dataclass(frozen=True, slots=True)
class FilledMessage:
    """What stands in the fields, by their names; nothing of it is judged."""

    type: str
    version: int
    values: Mapping[str, str | bool] = field(repr=False)


def message_form(
    slug: str, title: str, *, version: int = 1, partnership: str = "", children: int = 2
) -> bytes:
    """The empty form for messages of this type, A4. With `partnership` that field is filled in already."""
    with ONE_AT_A_TIME:
        sheets = Sheets(title, f"{title}   ({slug}, version {version})")
        sheets.fillable()
        sheets.paragraph(title, "heading")
        sheets.paragraph(
            "Fill this in on the screen, save it, and send it as a file from the address that is enrolled for your agency. What is "
            "marked * is always needed. Leave empty what you do not know. Files that belong to it go into the same e-mail. You "
            "get a receipt by e-mail: without it nothing was taken, so telephone.",
            "words",
        )
        sheets.hidden_field(FORM, f"{slug}/{version}", MARGIN)
        for section in sections_of(slug, version, children):
            _draw_section(sheets, section, {"/partnership": partnership})
        return sheets.finished()


def read_message_form(content: bytes) -> FilledMessage | Unfit:
    """The filled message form in a PDF, or why there is none to be read. Never raises; bounded by the child's limits besides."""
    found = fields_in(content, MOST_FIELDS)
    if isinstance(found, Unfit):
        return found
    says = _SAYS.fullmatch(str(found.get(FORM, {}).get("/V", ""))) if FORM in found else None
    if says is None:
        return Unfit.NO_FORM
    values: dict[str, str | bool] = {}
    for name, one in found.items():
        if name != FORM and name.startswith("/"):
            value = ticked(one) if one.get("/FT") == "/Btn" else typed(one)
            if value is None:
                return Unfit.CHANGED
            values[name] = value
    if sum(len(value) for value in values.values() if isinstance(value, str)) > MOST_CHARACTERS:
        return Unfit.TOO_LARGE
    return FilledMessage(says[1], int(says[2]), values)


def forms_in(contents: Sequence[bytes]) -> Iterator[tuple[int, FilledMessage]]:
    """Every message form among these files, with its place; of many PDFs only the first few are looked into."""
    pdfs = [place for place, content in enumerate(contents) if b"%PDF-" in content[:1024]]
    for place in pdfs[:MOST_FORMS]:
        found = read_message_form(contents[place])
        if isinstance(found, FilledMessage):
            yield place, found


def _draw_section(sheets: Sheets, section: Section, known: Mapping[str, str]) -> None:
    sheets.keep_together(110)
    sheets.paragraph(section.title, "question", 6)
    for one in section.fields:
        if one.is_boxed:
            _draw_boxes(sheets, one)
        else:
            _draw_text(sheets, one, known.get(one.pointer, ""))


def _draw_text(sheets: Sheets, one: FormField, value: str) -> None:
    height = _HEIGHTS.get(one.kind, 19.0) * (2 if one.most_characters > 5000 else 1)
    sheets.keep_together(height + 40)
    sheets.paragraph(_label(one), "small", 2)
    sheets.y -= height
    many = one.kind in (Kind.TEXT, Kind.LINES)
    sheets.text_field(
        one.pointer,
        one.label,
        MARGIN,
        _ACROSS if many or one.most_characters > 100 else 240,
        value=value,
        flags="multiline" if many else "",
        height=height,
        most=one.most_characters,
    )
    sheets.y -= 8


def _draw_boxes(sheets: Sheets, one: FormField) -> None:
    sheets.keep_together(60)
    sheets.paragraph(_label(one), "small", 3)
    x = MARGIN
    sheets.y -= 13
    for choice in one.choices:
        words = choice.replace("-", " ")
        width = sheets.width_of(words, 8.5) + 34
        if x + width > MARGIN + _ACROSS and x > MARGIN:
            x = MARGIN
            sheets.keep_together(36)
            sheets.y -= 18
        sheets.box(f"{one.pointer}#{choice}", f"{one.label}: {words}", x)
        sheets.words(words, x + 18, sheets.y + 3, 8.5)
        x += width
    sheets.y -= 9


def _label(one: FormField) -> str:
    typed = _TYPED_AS.get(one.kind, "")
    if one.choices and not one.is_boxed:
        typed = f"one of: {', '.join(one.choices)}"
    needed = " *" if one.is_required else ""
    return f"{one.label}{needed}{f' ({typed})' if typed else ''}. {one.told}".strip()

"""A letter on paper: the same words as the e-mail as a PDF, and behind them a form to fill in and send back.

Invariants: the same letter gives the same bytes; no title, property or field name carries personal data. Not certified, for many
programs save a form anew.
Sources: ISO 32000-1 section 12.7; S2-21, S2-22; contract section 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapters.mail.form import BOXES, MAC, REFERENCE, TEXTS
from adapters.mail.sheets import MARGIN, ONE_AT_A_TIME, WIDTH, Sheets


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What the form says of the letter that it belongs to. `mac` is `KeyRing.form_mac` of the letter's token."""

    reference: str
    mac: str
    child: str  # the name as the letter writes it, with the date of birth if the letter gives it


def paper(text: str, reference: str, form: AnswerForm | None = None) -> bytes:
    """The letter as a PDF (A4): one paragraph for each block of `text`; with `form` a page of fields behind it."""
    with ONE_AT_A_TIME:
        sheets = Sheets(f"Letter {reference}", f"Private and confidential   {reference}")
        for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
            if block.strip():
                sheets.paragraph(block.strip("\n"), "heading" if block.isupper() else "words")
        if form is not None:
            sheets.new_page()
            _draw_form(sheets, form)
        if sheets.is_lossy:
            words = (
                "Some letters cannot be shown on this page as they are written: the e-mail has them right."
            )
            sheets.paragraph(words, "small")
        return sheets.finished()


def _draw_form(sheets: Sheets, form: AnswerForm) -> None:
    sheets.fillable()
    sheets.paragraph("Answer form", "heading")
    sheets.paragraph(
        "You may fill in this page on the screen, save it and attach it to your reply, in place of writing the answers "
        "in the e-mail. Fill in all of a, b and c. Please send no records.",
        "words",
    )
    sheets.paragraph(f"Child: {form.child}", "strong", 4)
    _bound(sheets, form)
    sheets.paragraph("a. Dates on roll (from and to), as dd/mm/yyyy", "question", 6)
    _pair(sheets, ("ROLL-FROM", "From"), ("ROLL-TO", "To"))
    _box(sheets, "STILL-ON-ROLL", "Still on roll (then leave \u201cTo\u201d empty)")
    _box(sheets, "NEVER-ON-ROLL", "Never on our roll")
    _field(sheets, "FILE-SENT-TO", "If the file went to another school: which school, and when was it sent?")
    sheets.paragraph("b. Previous school (if applicable)", "question", 6)
    _field(sheets, "PREVIOUS-SCHOOL", "Name of the previous school")
    _box(sheets, "NO-PREVIOUS-SCHOOL", "Not applicable: there was no previous school")
    sheets.paragraph(
        "c. Do you hold any records that indicate child welfare or child protection concerns relating to this child? "
        "Tick one box only.",
        "question",
        6,
    )
    _box(sheets, "RECORDS-YES", "Yes")
    _box(sheets, "RECORDS-NO", "No")
    sheets.paragraph("If you cannot answer", "question", 6)
    _box(sheets, "TWO-PUPILS", "Two of our pupils share this name: please telephone us")
    _box(sheets, "WRONG-PERSON", "This letter reached the wrong person")
    _field(sheets, "ANSWERED-BY", "Your name and post")


def _bound(sheets: Sheets, form: AnswerForm) -> None:
    """The reference for all to see and the hidden field that binds the form to its letter; neither can be edited."""
    sheets.words("Reference of the letter (do not change)", MARGIN, sheets.y - 9)
    sheets.y -= 31
    sheets.text_field(
        REFERENCE, "Reference of the letter", MARGIN, 190, value=form.reference, flags="readOnly"
    )
    sheets.hidden_field(MAC, form.mac, MARGIN + 300)
    sheets.y -= 14


def _pair(sheets: Sheets, *named: tuple[str, str]) -> None:
    top = sheets.y
    for place, (name, label) in enumerate(named):
        sheets.y, x = top, MARGIN + place * 180
        sheets.words(label, x, sheets.y - 9)
        _text(sheets, name, f"{label}, as dd/mm/yyyy", x, 150)
    sheets.y -= 10


def _field(sheets: Sheets, name: str, label: str) -> None:
    sheets.words(label, MARGIN, sheets.y - 9)
    _text(sheets, name, label, MARGIN, WIDTH - 2 * MARGIN)
    sheets.y -= 14


def _text(sheets: Sheets, name: str, told: str, x: float, width: float) -> None:
    assert name in TEXTS
    sheets.y -= 31
    sheets.text_field(name, told, x, width)


def _box(sheets: Sheets, name: str, label: str) -> None:
    assert name in BOXES
    sheets.y -= 14
    sheets.box(name, label, MARGIN)
    sheets.words(label, MARGIN + 20, sheets.y + 3, 9.5)
    sheets.y -= 7

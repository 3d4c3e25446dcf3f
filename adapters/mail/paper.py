"""A letter on paper: the same words as the e-mail as a PDF, and behind them a form to fill in and send back.

Invariants: the same letter gives the same bytes; no title, property or field name carries personal data; nothing in it runs
or is fetched. Text fields and boxes only: some readers report other kinds as changed when they are filled in. Not certified,
for many programs save a form anew. Page text is in Bitstream Vera, which comes with reportlab and is embedded.
Sources: ISO 32000-1 section 12.7; S2-21, S2-22; contract section 6.
"""

from __future__ import annotations

import html
import io
import re
import threading
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

from adapters.mail.form import BOXES, MAC, REFERENCE, TEXTS

_MARGIN, _WIDTH, _HEIGHT = 62.0, 595.28, 841.89  # points; A4
_BOTTOM = 64.0
_INK, _PAPER, _LINE = (0.1, 0.1, 0.1), (1.0, 1.0, 1.0), (0.35, 0.35, 0.35)
_NOT_SHOWN = "\u25a1"  # an empty square, drawn for a letter that the typeface lacks
_ONE_AT_A_TIME = threading.Lock()  # the typesetting library keeps its typefaces in shared tables


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """What the form says of the letter that it belongs to. `mac` is `KeyRing.form_mac` of the letter's token."""

    reference: str
    mac: str
    child: str  # the name as the letter writes it, with the date of birth if the letter gives it


def paper(text: str, reference: str, form: AnswerForm | None = None) -> bytes:
    """The letter as a PDF (A4): one paragraph for each block of `text`; with `form` a page of fields behind it."""
    with _ONE_AT_A_TIME:
        return _Sheets(reference).filled(text, form)


class _Sheets:
    """One PDF being drawn, from the top of each page down."""

    def __init__(self, reference: str) -> None:
        from reportlab.pdfgen.canvas import Canvas

        _typefaces()
        self._reference = reference
        self._out = io.BytesIO()
        self._canvas: Any = Canvas(
            self._out, pagesize=(_WIDTH, _HEIGHT), invariant=1, pageCompression=1, lang="en-GB"
        )
        self._canvas.setTitle(f"Letter {reference}")
        self._canvas.setAuthor("")
        self._y = _HEIGHT - _MARGIN
        self._page = 1
        self._is_lossy = False

    def filled(self, text: str, form: AnswerForm | None) -> bytes:
        for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
            if block.strip():
                self._paragraph(block.strip("\n"), "heading" if block.isupper() else "words")
        if form is not None:
            self._new_page()
            self._draw_form(form)
        if self._is_lossy:
            words = (
                "Some letters cannot be shown on this page as they are written: the e-mail has them right."
            )
            self._paragraph(words, "small")
        self._foot()
        self._canvas.save()
        return self._out.getvalue()

    def _paragraph(self, words: str, style: str, below: float = 8) -> None:
        from reportlab.platypus import Paragraph

        lines = "<br/>".join(html.escape(self._drawable(line), quote=False) for line in words.split("\n"))
        made = Paragraph(lines, _styles()[style])
        _, height = made.wrap(_WIDTH - 2 * _MARGIN, _HEIGHT)
        if style == "question":
            self._y -= 7
        if self._y - height < _BOTTOM:
            self._new_page()
        made.drawOn(self._canvas, _MARGIN, self._y - height)
        self._y -= height + below

    def _drawable(self, text: str) -> str:
        """The text in letters that the typeface has: without an accent that it lacks, and a note says so."""
        return "".join(letter if _has(letter) else self._substitute(letter) for letter in text)

    def _substitute(self, letter: str) -> str:
        self._is_lossy = True
        plain = unicodedata.normalize("NFKD", letter)[0]
        return plain if _has(plain) else _NOT_SHOWN if _has(_NOT_SHOWN) else "?"

    def _new_page(self) -> None:
        self._foot()
        self._canvas.showPage()
        self._page += 1
        self._y = _HEIGHT - _MARGIN

    def _foot(self) -> None:
        self._canvas.setFont("Vera", 8)
        self._canvas.setFillColorRGB(*_INK)
        self._canvas.drawString(_MARGIN, _BOTTOM - 28, f"Private and confidential   {self._reference}")
        self._canvas.drawRightString(_WIDTH - _MARGIN, _BOTTOM - 28, f"Page {self._page}")

    # --- the form

    def _draw_form(self, form: AnswerForm) -> None:
        self._canvas.acroForm.extras["NeedAppearances"] = "true"  # names with letters that Helvetica lacks
        self._paragraph("Answer form", "heading")
        self._paragraph(
            "You may fill in this page on the screen, save it and attach it to your reply, in place of writing the answers "
            "in the e-mail. Fill in all of a, b and c. Please send no records.",
            "words",
        )
        self._paragraph(f"Child: {form.child}", "strong", 4)
        self._bound(form)
        self._paragraph("a. Dates on roll (from and to), as dd/mm/yyyy", "question", 6)
        self._pair(("ROLL-FROM", "From"), ("ROLL-TO", "To"))
        self._box("STILL-ON-ROLL", "Still on roll (then leave \u201cTo\u201d empty)")
        self._box("NEVER-ON-ROLL", "Never on our roll")
        self._field("FILE-SENT-TO", "If the file went to another school: which school, and when was it sent?")
        self._paragraph("b. Previous school (if applicable)", "question", 6)
        self._field("PREVIOUS-SCHOOL", "Name of the previous school")
        self._box("NO-PREVIOUS-SCHOOL", "Not applicable: there was no previous school")
        self._paragraph(
            "c. Do you hold any records that indicate child welfare or child protection concerns relating to this child? "
            "Tick one box only.",
            "question",
            6,
        )
        self._box("RECORDS-YES", "Yes")
        self._box("RECORDS-NO", "No")
        self._paragraph("If you cannot answer", "question", 6)
        self._box("TWO-PUPILS", "Two of our pupils share this name: please telephone us")
        self._box("WRONG-PERSON", "This letter reached the wrong person")
        self._field("ANSWERED-BY", "Your name and post")

    def _bound(self, form: AnswerForm) -> None:
        """The reference for all to see and the hidden field that binds the form to its letter; neither can be edited."""
        self._label("Reference of the letter (do not change)")
        self._text(REFERENCE, "Reference of the letter", _MARGIN, 190, value=form.reference, flags="readOnly")
        self._canvas.acroForm.textfield(
            name=MAC, value=form.mac, x=_MARGIN + 300, y=self._y, width=10, height=10, fontSize=6,
            annotationFlags="hidden", fieldFlags="readOnly", borderStyle="solid", borderWidth=0, maxlen=64,
        )  # fmt: skip
        self._y -= 14

    def _label(self, words: str, x: float = _MARGIN) -> None:
        self._canvas.setFont("Vera", 9)
        self._canvas.setFillColorRGB(*_INK)
        self._canvas.drawString(x, self._y - 9, words)

    def _pair(self, *named: tuple[str, str]) -> None:
        top = self._y
        for place, (name, label) in enumerate(named):
            self._y, x = top, _MARGIN + place * 180
            self._label(label, x)
            self._text(name, f"{label}, as dd/mm/yyyy", x, 150)
        self._y -= 10

    def _field(self, name: str, label: str) -> None:
        self._label(label)
        self._text(name, label, _MARGIN, _WIDTH - 2 * _MARGIN)
        self._y -= 14

    def _text(self, name: str, told: str, x: float, width: float, value: str = "", flags: str = "") -> None:
        assert name in TEXTS or name == REFERENCE
        self._y -= 31
        self._canvas.acroForm.textfield(
            name=name, tooltip=told, value=value, x=x, y=self._y, width=width, height=19, fontName="Helvetica", fontSize=10,
            borderWidth=1, borderStyle="solid", borderColor=_colour(_LINE), fillColor=_colour(_PAPER),
            textColor=_colour(_INK), fieldFlags=flags, forceBorder=True, maxlen=200,
        )  # fmt: skip

    def _box(self, name: str, label: str) -> None:
        assert name in BOXES
        self._y -= 14
        self._canvas.acroForm.checkbox(
            name=name, tooltip=label, x=_MARGIN, y=self._y, size=13, buttonStyle="check", shape="square", borderWidth=1,
            borderColor=_colour(_LINE), fillColor=_colour(_PAPER), textColor=_colour(_INK), fieldFlags="", forceBorder=True,
        )  # fmt: skip
        self._canvas.setFont("Vera", 9.5)
        self._canvas.setFillColorRGB(*_INK)
        self._canvas.drawString(_MARGIN + 20, self._y + 3, label)
        self._y -= 7


@cache
def _typefaces() -> Any:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name, file in (("Vera", "Vera.ttf"), ("VeraBd", "VeraBd.ttf")):
        pdfmetrics.registerFont(TTFont(name, file))
    return pdfmetrics.getFont("Vera").face.charToGlyph


def _has(letter: str) -> bool:
    return ord(letter) in _typefaces()


@cache
def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle

    words = ParagraphStyle("words", fontName="Vera", fontSize=9.5, leading=13.5, textColor=_colour(_INK))
    return {
        "words": words,
        "strong": ParagraphStyle("strong", words, fontName="VeraBd"),
        "question": ParagraphStyle("question", words, fontName="VeraBd"),
        "heading": ParagraphStyle("heading", words, fontName="VeraBd", fontSize=13, leading=18),
        "small": ParagraphStyle("small", words, fontSize=8, leading=11),
    }


def _colour(parts: tuple[float, float, float]) -> Any:
    from reportlab.lib.colors import Color

    return Color(*parts)

"""Pages of A4 with words and form fields, drawn from the top down: what every PDF of ours is made with.

Invariants: the same calls give the same bytes; nothing in it runs or is fetched; text fields and boxes only, for some readers
report other kinds as changed when they are filled in. Page text is in Bitstream Vera, which comes with reportlab and is embedded.
Source: ISO 32000-1 section 12.7.
"""

from __future__ import annotations

import html
import io
import threading
import unicodedata
from functools import cache
from typing import Any

MARGIN, WIDTH, HEIGHT = 62.0, 595.28, 841.89  # points; A4
_BOTTOM = 64.0
_INK, _PAPER, _LINE = (0.1, 0.1, 0.1), (1.0, 1.0, 1.0), (0.35, 0.35, 0.35)
_NOT_SHOWN = "\u25a1"  # an empty square, drawn for a letter that the typeface lacks
ONE_AT_A_TIME = threading.Lock()  # the typesetting library keeps its typefaces in shared tables


class Sheets:
    """One PDF being drawn. `y` is how far down the page is written; `foot` stands beneath every page."""

    def __init__(self, title: str, foot: str) -> None:
        from reportlab.pdfgen.canvas import Canvas

        _typefaces()
        self._foot_words = foot
        self._out = io.BytesIO()
        self._canvas: Any = Canvas(
            self._out, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1, lang="en-GB"
        )
        self._canvas.setTitle(title)
        self._canvas.setAuthor("")
        self.y = HEIGHT - MARGIN
        self._page = 1
        self.is_lossy = False

    def finished(self) -> bytes:
        self._foot()
        self._canvas.save()
        return self._out.getvalue()

    def paragraph(self, words: str, style: str, below: float = 8) -> None:
        """Words in their style, on the next page where they do not fit on this one."""
        from reportlab.platypus import Paragraph

        lines = "<br/>".join(html.escape(self._drawable(line), quote=False) for line in words.split("\n"))
        made = Paragraph(lines, _styles()[style])
        _, height = made.wrap(WIDTH - 2 * MARGIN, HEIGHT)
        if style == "question":
            self.y -= 7
        self.keep_together(height)
        made.drawOn(self._canvas, MARGIN, self.y - height)
        self.y -= height + below

    def keep_together(self, height: float) -> None:
        """A new page where so many points are not left on this one."""
        if self.y - height < _BOTTOM:
            self.new_page()

    def new_page(self) -> None:
        self._foot()
        self._canvas.showPage()
        self._page += 1
        self.y = HEIGHT - MARGIN

    def fillable(self) -> None:
        """The reader draws what is typed itself, so that names with letters that Helvetica lacks show right."""
        self._canvas.acroForm.extras["NeedAppearances"] = "true"

    def words(self, text: str, x: float, y: float, size: float = 9) -> None:
        """A line of words at a place."""
        self._canvas.setFont("Vera", size)
        self._canvas.setFillColorRGB(*_INK)
        self._canvas.drawString(x, y, text)

    def width_of(self, text: str, size: float = 9) -> float:
        from reportlab.pdfbase.pdfmetrics import stringWidth

        return float(stringWidth(text, "Vera", size))

    def text_field(
        self,
        name: str,
        told: str,
        x: float,
        width: float,
        *,
        value: str = "",
        flags: str = "",
        height: float = 19,
        most: int = 200,
    ) -> None:
        """A field to type in, its foot at `y`. `told` is what a screen reader says of it."""
        self._canvas.acroForm.textfield(
            name=name, tooltip=told, value=value, x=x, y=self.y, width=width, height=height, fontName="Helvetica",
            fontSize=10, borderWidth=1, borderStyle="solid", borderColor=_colour(_LINE), fillColor=_colour(_PAPER),
            textColor=_colour(_INK), fieldFlags=flags, forceBorder=True, maxlen=most,
        )  # fmt: skip

    def hidden_field(self, name: str, value: str, x: float) -> None:
        """A field that nobody sees or edits."""
        self._canvas.acroForm.textfield(
            name=name, value=value, x=x, y=self.y, width=10, height=10, fontSize=6,
            annotationFlags="hidden", fieldFlags="readOnly", borderStyle="solid", borderWidth=0, maxlen=64,
        )  # fmt: skip

    def box(self, name: str, told: str, x: float) -> None:
        """A box to tick, its foot at `y`."""
        self._canvas.acroForm.checkbox(
            name=name, tooltip=told, x=x, y=self.y, size=13, buttonStyle="check", shape="square", borderWidth=1,
            borderColor=_colour(_LINE), fillColor=_colour(_PAPER), textColor=_colour(_INK), fieldFlags="", forceBorder=True,
        )  # fmt: skip

    def _drawable(self, text: str) -> str:
        """The text in letters that the typeface has: without an accent that it lacks, which `is_lossy` then says."""
        return "".join(letter if _has(letter) else self._substitute(letter) for letter in text)

    def _substitute(self, letter: str) -> str:
        self.is_lossy = True
        plain = unicodedata.normalize("NFKD", letter)[0]
        return plain if _has(plain) else _NOT_SHOWN if _has(_NOT_SHOWN) else "?"

    def _foot(self) -> None:
        self.words(self._foot_words, MARGIN, _BOTTOM - 28, 8)
        self._canvas.drawRightString(WIDTH - MARGIN, _BOTTOM - 28, f"Page {self._page}")


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

"""The summary on paper: the same words as the page, as a PDF whose text can be selected, searched and read aloud.

Invariant: the same blocks give the same bytes (no time of making, no random id), so that a bundle stays reproducible.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table, TableStyle
from reportlab.platypus.flowables import Flowable, ListFlowable, Spacer

from gateway.ledger.summary import Block, Grid, Heading, Items, Words

BLUE = colors.HexColor("#1d4f78")
MARGIN = 16 * mm
ROWS_AT_ONCE = 100
BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=9, leading=12, spaceAfter=4)
STRONG = ParagraphStyle(
    "strong", BODY, fontName="Helvetica-Bold", backColor=colors.HexColor("#eef3f7"), borderPadding=4
)
CAPTION = ParagraphStyle("caption", BODY, textColor=colors.HexColor("#444444"), spaceBefore=2, keepWithNext=1)
HEADS = {
    1: ParagraphStyle("h1", BODY, fontName="Helvetica-Bold", fontSize=16, leading=20, spaceAfter=8),
    2: ParagraphStyle(
        "h2",
        BODY,
        fontName="Helvetica-Bold",
        fontSize=12.5,
        leading=16,
        spaceBefore=12,
        textColor=BLUE,
        keepWithNext=1,
    ),
    3: ParagraphStyle(
        "h3", BODY, fontName="Helvetica-Bold", fontSize=10.5, leading=13, spaceBefore=8, keepWithNext=1
    ),
}
LINES = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        ("LINEBELOW", (0, 0), (-1, 0), 1, colors.black),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, colors.HexColor("#b1b4b6")),
    ]
)


def pdf(blocks: Sequence[Block]) -> bytes:
    """The PDF's bytes; A4."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        title=title,
        lang="en-GB",
        author="Safeguarding gateway",
        invariant=1,
        displayDocTitle=1,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
    )
    flow = [made for block in blocks for made in _flow(block)]

    def foot(canvas: Canvas, _: object) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(MARGIN, 9 * mm, f"{title}. Not signed: see how to check.")
        canvas.drawRightString(A4[0] - MARGIN, 9 * mm, f"Page {canvas.getPageNumber()}")

    document.build(flow, onFirstPage=foot, onLaterPages=foot)
    return buffer.getvalue()


def _flow(block: Block) -> list[Flowable]:
    match block:
        case Heading(text, level):
            return [Paragraph(escape(text), HEADS[level])]
        case Words(text, is_strong):
            return [Paragraph(escape(text), STRONG if is_strong else BODY), Spacer(1, 2 * mm)]
        case Items(several):
            return [
                ListFlowable(
                    [Paragraph(escape(one), BODY) for one in several], bulletType="bullet", leftIndent=12
                )
            ]
        case Grid():
            return [Paragraph(escape(block.caption), CAPTION), *_tables(block), Spacer(1, 3 * mm)]


def _tables(grid: Grid) -> list[Flowable]:
    """Several tables under one another: breaking one long table over pages takes time with the square of its length."""
    shares = grid.widths or (1,) * len(grid.head)
    each = (A4[0] - 2 * MARGIN - 4 * mm) / sum(shares)
    heads = [Paragraph(f"<b>{escape(cell)}</b>", BODY) for cell in grid.head]
    made: list[Flowable] = []
    for first in range(0, max(1, len(grid.rows)), ROWS_AT_ONCE):
        rows = grid.rows[first : first + ROWS_AT_ONCE]
        cells = [[Paragraph(escape(cell), BODY) for cell in row] for row in rows]
        # a row taller than a page is broken within itself: no bundle may fail for its summary
        table = Table(
            [heads, *cells],
            colWidths=[each * share for share in shares],
            repeatRows=1,
            hAlign="LEFT",
            splitInRow=1,
        )
        table.setStyle(LINES)
        made.append(table)
    return made

"""A form on paper as a PDF to print: the same fields under the same names as the page, with room to write by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate
from reportlab.platypus.flowables import Flowable, HRFlowable, KeepTogether, ListFlowable, Spacer

from gateway.console.forms import Field, Group
from gateway.console.sheet import HOUSE, Sheet

MARGIN = 16 * mm
LINES = {"text": 6, "lines": 3}  # how many a person gets to write on; one for all else
BODY_POINTS = 9.5
BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=BODY_POINTS, leading=13)
HINT = ParagraphStyle("hint", BODY, fontSize=8, leading=10, textColor=colors.HexColor("#444444"))
STRONG = ParagraphStyle("strong", BODY, fontName="Helvetica-Bold")
TITLE = ParagraphStyle("title", BODY, fontName="Helvetica-Bold", fontSize=16, leading=20, spaceAfter=4)
GROUPS = tuple(
    ParagraphStyle(
        f"group{depth}",
        BODY,
        fontName="Helvetica-Bold",
        fontSize=size,
        leading=size + 4,
        spaceBefore=8,
        keepWithNext=1,
    )
    for depth, size in enumerate((13, 11.5, 10.5, 10))
)
BOX = "\N{LOWER RIGHT DROP-SHADOWED WHITE SQUARE}"  # the library draws it with a standard font
DAY = "Day ______  Month ______  Year __________"


def pdf(sheet: Sheet) -> bytes:
    """The PDF's bytes; A4, in English, the same bytes for the same form."""
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        title=f"{sheet.title}: {sheet.partnership}",
        lang="en-GB",
        author="Safeguarding gateway",
        invariant=1,
        displayDocTitle=1,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
    )
    foot = partial(_foot, sheet)
    document.build([*_head(sheet), *_fields(sheet)], onFirstPage=foot, onLaterPages=foot)
    return buffer.getvalue()


def _foot(sheet: Sheet, canvas: Canvas, _: object) -> None:
    canvas.setFont("Helvetica", 8)
    right = f"Page {canvas.getPageNumber()}  Reference ______________"
    told = f"OFFICIAL-SENSITIVE when filled in. Rules {sheet.version}. {sheet.title}"
    room = A4[0] - 2 * MARGIN - canvas.stringWidth(right) - 3 * mm
    while canvas.stringWidth(told) > room:
        told = told[:-2] + "…"
    canvas.drawString(MARGIN, 9 * mm, told)
    canvas.drawRightString(A4[0] - MARGIN, 9 * mm, right)


def _head(sheet: Sheet) -> Iterator[Flowable]:
    yield Paragraph(escape(sheet.marking), STRONG)
    yield Spacer(1, 2 * mm)
    yield Paragraph(escape(f"{sheet.partnership}, rules {sheet.version}"), HINT)
    yield Paragraph(escape(sheet.title), TITLE)
    yield ListFlowable(
        [Paragraph(escape(one), BODY) for one in sheet.how],
        bulletType="1",
        bulletFontSize=BODY_POINTS,
        leftIndent=14,
    )
    for name, text in sheet.head:
        yield Paragraph(f"<b>{escape(name)}:</b> {escape(text)}", BODY)
    yield Spacer(1, 3 * mm)


def _fields(sheet: Sheet) -> Iterator[Flowable]:
    for field in HOUSE:
        yield _field(field)
    yield from _group(sheet.form, 0)
    yield Spacer(1, 6 * mm)
    yield Paragraph(escape(sheet.entered), BODY)


def _group(part: Group, depth: int) -> Iterator[Flowable]:
    """A group under its heading; the message's own body has none."""
    inner = depth
    if part.title and part.name != "body":
        needed = "" if part.is_needed else " (if known)"
        yield Paragraph(escape(part.title + needed), GROUPS[min(depth, len(GROUPS) - 1)])
        if part.hint:
            yield Paragraph(escape(part.hint), HINT)
        inner = depth + 1
    for one in part.parts:
        if isinstance(one, Group):
            yield from _group(one, inner)
        else:
            yield _field(one)


def _field(field: Field) -> Flowable:
    """One answer, kept on one page: its name, its hint, and the room to give it."""
    needed = " <b>(needed)</b>" if field.is_needed else ""
    flow: list[Flowable] = [Spacer(1, 1.5 * mm), Paragraph(f"{escape(field.label)}{needed}", STRONG)]
    if field.hint:
        flow.append(Paragraph(escape(field.hint), HINT))
    if field.choices:
        each = (f"{BOX} {escape(label)}" for _, label in field.choices)
        flow.append(Paragraph("&nbsp;&nbsp;&nbsp; ".join(each), BODY))
    elif field.kind == "date":
        flow.append(Paragraph(DAY, BODY))
    elif field.kind == "instant":
        flow.append(Paragraph(f"{DAY}  at ____ : ____", BODY))
    else:
        for _ in range(LINES.get(field.kind, 1)):
            flow += [Spacer(1, 6.5 * mm), HRFlowable(width="100%", thickness=0.5, color=colors.black)]
    return KeepTogether([*flow, Spacer(1, 1 * mm)])

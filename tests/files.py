"""Invented files of every type that attachments may be, and of some that they may not."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import openpyxl
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from gateway.core.content_types import CSV, DOCX, JPEG, PDF, PNG, TEXT, XLSX

LIST = "[Content_Types].xml"
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def pdf() -> bytes:
    written = io.BytesIO()
    page = Canvas(written, invariant=1)
    page.drawString(72, 720, "A report about nobody who exists")
    page.save()
    return written.getvalue()


def encrypted_pdf() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf())))
    writer.encrypt("correct horse", algorithm="RC4-128")
    return _written(writer)


def pdf_with_script() -> bytes:
    return pdf() + b"\n9 0 obj << /S /JavaScript /JS (app.alert('hello');) >> endobj\n"


def png() -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x06\0\0\0" + b"\x1f\x15\xc4\x89"


def jpeg() -> bytes:
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9"


def xlsx() -> bytes:
    book, written = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["reference", "date"])
    book.save(written)
    return written.getvalue()


def docx(parts: dict[str, bytes] | None = None, main: str = MAIN, **given: Any) -> bytes:
    override = f'<Override PartName="/word/document.xml" ContentType="{main}"/>'
    types = f'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/">{override}</Types>'
    return archive({LIST: types.encode(), "word/document.xml": b"<w:document/>"} | (parts or {}), **given)


def archive(parts: dict[str, bytes], is_encrypted: bool = False) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in parts.items():
            zipped.writestr(name, content)
    made = bytearray(written.getvalue())
    if is_encrypted:  # the flag in every header is what readers go by
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = made.find(mark)
            while at >= 0:
                made[at + place] |= 1
                at = made.find(mark, at + 4)
    return bytes(made)


def compound(holds: str) -> bytes:
    """An OLE compound file with a stream of this name in its directory."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1016) + holds.encode("utf-16-le") + bytes(1024)


TAKEN = {
    PDF: pdf(),
    PNG: png(),
    JPEG: jpeg(),
    TEXT: "Ring me – it is about the Harbour View visit.\n".encode(),
    CSV: b"reference,date\r\nHV-1,2026-11-02\r\n",
    DOCX: docx(),
    XLSX: xlsx(),
}


def _written(writer: PdfWriter) -> bytes:
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()

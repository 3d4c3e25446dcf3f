"""What a file is, by its content: its name is never asked, and what it is said to be must agree.

An `Examination` is fed a file piece by piece and keeps a few bytes of it. It ends with the type and with reasons why a person
should look first. It is no virus scanner and opens nothing but the list of parts of an archive: what hides deeper (in a PDF's
compressed streams, say) is for the scanner. Sources: ISO 32000-1 section 7.5 (PDF), RFC 2083 section 3.1 (PNG), ISO 10918-1
annex B (JPEG), PKWARE APPNOTE 4.3 (zip), ECMA-376 part 2 (OOXML), [MS-CFB] 2.2 and [MS-OFFCRYPTO] 2.3 (encrypted OOXML).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gateway.core.attachments import ACTIVE, ARCHIVE, ENCRYPTED, MACROS, UNREADABLE
from gateway.core.errors import ErrorCode, Refused

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
TEXT, CSV, ZIP = "text/plain", "text/csv", "application/zip"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
UNSAID = "application/octet-stream"  # the content alone decides

ENDINGS = {
    PDF: "pdf", PNG: "png", JPEG: "jpg", TEXT: "txt", CSV: "csv", DOCX: "docx", XLSX: "xlsx", ZIP: "zip",
}  # fmt: skip
TAKEN = (*ENDINGS, UNSAID)

ReadAt = Callable[[int, int], bytes]  # (offset, how many): bytes of the file, fewer at its end

_HEAD_BYTES = 1024
_OVERLAP_BYTES = 64  # a word that two pieces share is seen whole
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_PDF_ENCRYPTED = re.compile(rb"/Encrypt\b")
# The short names only before a value, as a dictionary has them: three bytes also occur in a large picture by chance.
_PDF_ACTIVE = re.compile(
    rb"/(?:JavaScript|Launch|EmbeddedFiles?|RichMedia)\b|/(?:JS\s*(?:[(<]|\d+\s+\d+\s+R)|XFA\s*(?:[\[(<]|\d+\s+\d+\s+R))"
)

_ZIP_END, _ZIP_ENTRY, _ZIP_LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_ZIP_END_BYTES, _ZIP_ENTRY_BYTES, _ZIP_LOCAL_BYTES = 22, 46, 30
_MOST_COMMENT_BYTES = 65_535
_MOST_DIRECTORY_BYTES = 1024 * 1024
_MOST_LIST_BYTES = 256 * 1024
_PARTS_LIST = "[Content_Types].xml"
_MAIN_PARTS = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX}
_ACTIVE_PARTS = re.compile(r"vbaproject|vbadata|macroenabled|macrosheet|activex|oleobject|/embeddings/")


@dataclass(frozen=True, slots=True)
class Found:
    """The type of a file, and why a person must look before anyone else gets it."""

    media_type: str
    reasons: tuple[str, ...] = ()


class Examination:
    """One file under examination: `take` its pieces in order, then `finish`.

    Refused(file-type-not-taken) as soon as its content is no type that is taken, or another than `declared`.
    """

    def __init__(self, declared: str) -> None:
        if declared not in TAKEN:
            raise not_taken()
        self._declared = declared
        self._head = b""
        self._kind: str | None = None
        self._before = b""  # the end of the piece before
        self._seen: set[str] = set()

    def take(self, piece: bytes) -> None:
        """The next piece of the file, of any length."""
        if self._kind is None:
            self._head += piece[:_HEAD_BYTES]
            if len(self._head) >= _HEAD_BYTES:
                self._settle()
        self._look_through(piece)

    def finish(self, size: int, read_at: ReadAt) -> Found:
        """What the whole file is; `read_at` reads any place of it again."""
        if self._kind is None:
            self._settle()
        match self._kind:
            case "zip":
                found = _archive(size, read_at)
            case "compound":
                found = self._compound()
            case "text":
                found = self._text()
            case "application/pdf":
                found = Found(PDF, tuple(sorted(self._seen & {ENCRYPTED, ACTIVE})))
            case kind:
                found = Found(kind or UNSAID)
        cannot_tell = found.media_type == ZIP and found.reasons in ((ENCRYPTED,), (UNREADABLE,))
        if self._declared not in (UNSAID, found.media_type) and not cannot_tell:
            raise not_taken()
        return found

    def _settle(self) -> None:
        """The kind, by the first bytes; refused at once when the rest cannot mend it."""
        self._kind = _kind(self._head)
        said = {DOCX: "zip", XLSX: "zip", ZIP: "zip", TEXT: "text", CSV: "text"}.get(
            self._declared, self._declared
        )
        may_be = {"zip", "compound"} if self._declared in (DOCX, XLSX) else {said}
        if self._kind is None or (self._declared != UNSAID and self._kind not in may_be):
            raise not_taken()
        self._check_text()

    def _look_through(self, piece: bytes) -> None:
        joined = self._before + piece
        self._before = joined[-_OVERLAP_BYTES:]
        if _NOT_TEXT.search(piece):
            self._seen.add("not-text")
            self._check_text()
        if self._kind in (PDF, None):
            names = _NAME_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), joined)
            self._seen |= {ENCRYPTED} if _PDF_ENCRYPTED.search(names) else set()
            self._seen |= {ACTIVE} if _PDF_ACTIVE.search(names) else set()
        if self._kind in ("compound", None) and _ENCRYPTED_PACKAGE in joined:
            self._seen.add("encrypted-package")

    def _check_text(self) -> None:
        if self._kind == "text" and "not-text" in self._seen:
            raise not_taken()

    def _text(self) -> Found:
        return Found(CSV if self._declared == CSV else TEXT)

    def _compound(self) -> Found:
        """An encrypted Word or Excel file is a compound file; the older formats, which are compound too, are not taken."""
        if "encrypted-package" not in self._seen:
            raise not_taken()
        return Found(XLSX if self._declared == XLSX else DOCX, (ENCRYPTED,))


def not_taken() -> Refused:
    """Says what is taken, and nothing of what came."""
    return Refused(ErrorCode.TYPE_NOT_TAKEN, detail=f"By content, these are taken: {', '.join(ENDINGS)}.")


def _kind(head: bytes) -> str | None:
    if head.startswith(b"%PDF-"):
        return PDF
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(_ZIP_LOCAL):
        return "zip"
    if head.startswith(_COMPOUND):
        return "compound"
    is_something_else = head.startswith((b"{\\rtf", b"MZ", b"#!")) or b"%PDF-" in head
    return None if is_something_else or not head or _NOT_TEXT.search(head) else "text"


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    is_encrypted: bool
    method: int
    packed_bytes: int
    at: int


class _Unreadable(Exception):
    """The archive is not built as archives usually are: a person must look."""


def _archive(size: int, read_at: ReadAt) -> Found:
    """Word, Excel or an archive, by the list of parts at its end; what cannot be read is withheld as an archive."""
    try:
        entries = list(_entries(size, read_at))
        if any(entry.is_encrypted for entry in entries):
            return Found(ZIP, (ENCRYPTED,))
        names = [entry.name for entry in entries]
        media_type = next((of for part, of in _MAIN_PARTS.items() if part in names), None)
        lists = [entry for entry in entries if entry.name == _PARTS_LIST]
        if media_type is None or len(lists) != 1 or len(set(names)) != len(names):
            return Found(ZIP, (ARCHIVE,))
        said = f"{' /'.join(names)} {_unpacked(lists[0], read_at)}".lower()
    except (_Unreadable, struct.error, zlib.error, UnicodeDecodeError):
        return Found(ZIP, (UNREADABLE,))
    return Found(media_type, (MACROS,) if _ACTIVE_PARTS.search(said) else ())


def _entries(size: int, read_at: ReadAt) -> Iterator[_Entry]:
    """The central directory (APPNOTE 4.3.12). Without zip64, comments of the archive or a directory of over 1 MiB."""
    tail_at = max(0, size - _ZIP_END_BYTES - _MOST_COMMENT_BYTES)
    tail = read_at(tail_at, size - tail_at)
    end = tail.rfind(_ZIP_END)
    if end < 0 or len(tail) - end != _ZIP_END_BYTES:
        raise _Unreadable
    count, length, at = struct.unpack_from("<HII", tail, end + 10)
    if at + length != tail_at + end or length > _MOST_DIRECTORY_BYTES:
        raise _Unreadable
    directory, place = read_at(at, length), 0
    for _ in range(count):
        if directory[place : place + 4] != _ZIP_ENTRY:
            raise _Unreadable
        flags, method = struct.unpack_from("<HH", directory, place + 8)
        packed_bytes, _unpacked_bytes, *lengths = struct.unpack_from("<IIHHH", directory, place + 20)
        (local_at,) = struct.unpack_from("<I", directory, place + 42)
        name = directory[place + _ZIP_ENTRY_BYTES : place + _ZIP_ENTRY_BYTES + lengths[0]]
        yield _Entry(name.decode("utf-8"), bool(flags & 1), method, packed_bytes, local_at)
        place += _ZIP_ENTRY_BYTES + sum(lengths)
    if place != length:
        raise _Unreadable


def _unpacked(entry: _Entry, read_at: ReadAt) -> str:
    """The text of one small part. References and declarations could hide words from us: such a part is unreadable."""
    local = read_at(entry.at, _ZIP_LOCAL_BYTES)
    if local[:4] != _ZIP_LOCAL or entry.packed_bytes > _MOST_LIST_BYTES:
        raise _Unreadable
    name_length, extra_length = struct.unpack_from("<HH", local, 26)
    packed = read_at(entry.at + _ZIP_LOCAL_BYTES + name_length + extra_length, entry.packed_bytes)
    match entry.method:
        case 0:
            content = packed
        case 8:
            unpacking = zlib.decompressobj(-15)
            content = unpacking.decompress(packed, _MOST_LIST_BYTES)
            if not unpacking.eof:
                raise _Unreadable
        case _:
            raise _Unreadable
    text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    if "&" in text or "<!" in text:
        raise _Unreadable
    return text

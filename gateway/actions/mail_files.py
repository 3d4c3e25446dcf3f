"""The files that came with a mail, looked at before any officer opens one: by the virus scanner, and by what they are.

Each is taken out of the sealed mail by the limited child process, for this look alone: nothing of it is kept here, for the mail
keeps it. What is infected, encrypted, with macros or cannot be judged is said so beside the mail.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from gateway.core.attachments import (
    INFECTED,
    NOT_SCANNED,
    UNSCANNABLE,
    WITHHELD_BY_SCAN,
    Scanned,
    ScannerUnavailable,
)
from gateway.core.content_types import UNSAID, Examination
from gateway.core.errors import Refused
from gateway.core.replies import MailFile, MailReading
from gateway.parts import Parts

MOST_FILES = 20
PIECE_BYTES = 256 * 1024
OTHER_TYPE = "attachment-other-type"


async def judged_files(parts: Parts, content: bytes, reading: MailReading) -> list[dict[str, Any]]:
    """Name, type, size, SHA-256 and the reasons against each file, in their order; nothing of what is in them."""
    return [
        {
            "name": file.name,
            "media_type": file.media_type,
            "size_bytes": file.size_bytes,
            "sha256": file.sha256,
            "reasons": list(
                await _reasons(parts, content, file) if file.place < MOST_FILES else (UNSCANNABLE,)
            ),
        }
        for file in reading.files
    ]


async def file_of(parts: Parts, content: bytes, file: MailFile) -> bytes | None:
    """The bytes of one file of a mail."""
    return await asyncio.to_thread(parts.read_mail_file, content, file.place)


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """The same bytes piece by piece, as a scanner or a store takes them."""
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]


async def _reasons(parts: Parts, content: bytes, file: MailFile) -> tuple[str, ...]:
    taken = await file_of(parts, content, file)
    if taken is None:
        return (UNSCANNABLE,)
    return tuple(dict.fromkeys((*_by_form(taken), *await _by_scan(parts, taken))))


def _by_form(content: bytes) -> tuple[str, ...]:
    examination = Examination(UNSAID)
    try:
        examination.take(content)
        return examination.finish(
            len(content), lambda offset, count: content[offset : offset + count]
        ).reasons
    except Refused:
        return (OTHER_TYPE,)


async def _by_scan(parts: Parts, content: bytes) -> tuple[str, ...]:
    if parts.scan is None:
        return (NOT_SCANNED,)
    try:
        verdict = await parts.scan(pieces(content))
    except ScannerUnavailable:
        return (NOT_SCANNED,)
    if verdict.scanned is Scanned.INFECTED:
        return (INFECTED,)
    found = WITHHELD_BY_SCAN.get(verdict.scanned)
    return (found,) if found else ()

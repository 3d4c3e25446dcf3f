"""The files that came with a mail: looked at before any officer opens one, by the virus scanner and by what they are; and kept,
one by one as by the attachments' door, when a message takes them up.

They are taken out of the sealed mail by the limited child process, for the look alone: nothing of them is kept by it, for the mail
keeps it. What is infected, encrypted, with macros or cannot be judged is said so beside the mail.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from gateway.actions.keep_attachment import Sent, keep_attachment
from gateway.actions.name_attachments import Named
from gateway.actions.submit import Submission
from gateway.core.attachments import (
    INFECTED,
    LARGEST_BYTES,
    NOT_SCANNED,
    UNSCANNABLE,
    WITHHELD_BY_SCAN,
    Scanned,
    ScannerUnavailable,
)
from gateway.core.content_types import UNSAID, Examination
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.messages import AgencyId
from gateway.core.replies import MailFile, MailReading, OpenedFile
from gateway.parts import Parts
from gateway.store.mail import RawMail

MOST_FILES = 20
BY_MAIL_DOOR = "mail"  # in place of the client that sends a file through the API
PIECE_BYTES = 256 * 1024
OTHER_TYPE = "attachment-other-type"


async def opened_mail(parts: Parts, raw: RawMail) -> tuple[bytes, dict[str, Any]]:
    """The raw bytes of a kept mail and its reading, unsealed; Refused once it is erased."""
    key = await parts.key_by_id(raw.data_key)
    if key is None or raw.sealed is None or raw.sealed_reading is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The content of this mail has been erased.")
    return key.open(f"raw-mail:{raw.id}", raw.sealed), json.loads(
        key.open(f"reading:{raw.id}", raw.sealed_reading)
    )


async def files_of(parts: Parts, content: bytes, told: Sequence[object]) -> tuple[OpenedFile, ...]:
    """The files that its reading told of a mail, in that order; nothing where there are none or they cannot be taken out."""
    if not told:
        return ()
    return await asyncio.to_thread(parts.read_mail_files, content) or ()


async def every_file_of(parts: Parts, content: bytes, told: Sequence[object]) -> tuple[OpenedFile, ...]:
    """The same; Refused when not every one can be taken out."""
    opened = await files_of(parts, content, told)
    if len(opened) != len(told):
        detail = "The files of this mail cannot be taken out of it."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return opened


async def judged_files(
    parts: Parts, opened: Sequence[OpenedFile], reading: MailReading
) -> list[dict[str, Any]]:
    """Name, type, size, SHA-256 and the reasons against each file, in their order; nothing of what is in them."""
    return [
        {
            "name": file.name,
            "media_type": file.media_type,
            "size_bytes": file.size_bytes,
            "sha256": file.sha256,
            "reasons": list(await _reasons(parts, opened, file)),
        }
        for file in reading.files
    ]


async def with_files(parts: Parts, submission: Submission, files: Sequence[bytes]) -> Submission:
    """The submission with these files of its mail, each kept as by the attachments' door; the message's own bytes stay as they are.

    Whether it is a repeat is told by the message and the files' digests together. Refused, or Infected, for what is not taken.
    """
    if not files:
        return submission
    named = [await kept_file(parts, submission.message.agency, file) for file in files]
    digests = ",".join(sorted(file.sha256 for file in named))
    return replace(
        submission,
        fingerprint=parts.keys.fingerprint("content", f"{submission.fingerprint}+{digests}".encode()),
        attachments=(*submission.attachments, *named),
    )


async def kept_file(parts: Parts, agency: AgencyId, content: bytes) -> Named:
    """One file of a mail, kept until a message names it."""
    if len(content) > LARGEST_BYTES:
        raise Refused(ErrorCode.TOO_LARGE, (FieldError("/attachments", "too-large"),))
    sent = Sent(agency, BY_MAIL_DOOR, UNSAID, LARGEST_BYTES)
    try:
        kept = await keep_attachment(parts, sent, pieces(content))
    except ScannerUnavailable:
        raise Refused(ErrorCode.NO_SCANNER, (FieldError("/attachments", "scanner-unavailable"),)) from None
    return Named(kept.id, kept.sha256)


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """The same bytes piece by piece, as a scanner or a store takes them."""
    for at in range(0, len(content), PIECE_BYTES):
        yield content[at : at + PIECE_BYTES]


async def _reasons(parts: Parts, opened: Sequence[OpenedFile], file: MailFile) -> tuple[str, ...]:
    if file.place >= min(MOST_FILES, len(opened)):
        return (UNSCANNABLE,)
    taken = opened[file.place].content
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

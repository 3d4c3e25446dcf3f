"""Take a file that a message will name: scanned, examined, sealed chunk by chunk, never whole in memory or on disk in clear.

It comes before its message and is under a data key of its own, as raw mail is. Until it is whole and judged nobody can name it;
torn, refused or infected it leaves nothing but, when infected, an entry in the ledger without content.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.actions.name_attachments import attachment_fingerprint
from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.core.attachments import NOT_SCANNED, UNNAMED_LIFE, WITHHELD_BY_SCAN, Scanned, Verdict
from gateway.core.content_types import Examination, Found
from gateway.core.errors import ErrorCode, Refused, TooFast, Unavailable
from gateway.core.identifiers import IdKind, make_id
from gateway.core.messages import AgencyId
from gateway.core.receipts import Event
from gateway.parts import Parts, Supply
from gateway.store import attachments, custody
from gateway.store.attachments import AttachmentRow
from gateway.store.transaction import Tx
from keys.sealing import CHUNK_BYTES, CannotOpen, DataKey, StreamKey

ANOTHER_AFTER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Sent:
    """Who sends a file, what type it is said to be, and how large it may become in bytes."""

    agency: AgencyId
    client: str
    declared: str
    largest_bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as a message may name it until `expires_at`. `reasons`: why an officer looks before anyone gets it."""

    id: str
    sha256: str
    media_type: str
    size_bytes: int
    reasons: tuple[str, ...]
    expires_at: datetime


class Infected(Refused):
    """The scanner found something: stated, and nothing kept. `attachment` is the id that the entry is about."""

    def __init__(self, attachment: str, signature: str) -> None:
        super().__init__(ErrorCode.INFECTED)
        self.attachment = attachment
        self.signature = signature


def attachment_label(attachment: str) -> str:
    """What a file's stream is bound to."""
    return f"attachment:{attachment}"


async def keep_attachment(parts: Parts, sent: Sent, body: AsyncIterator[bytes]) -> Kept:
    """The file, durable and judged. Refused when it is not taken, Infected, ScannerUnavailable without a verdict.

    `body` raises what is wrong with the upload itself. Cancelled or refused, nothing of the file stays.
    """
    if parts.scan is None and parts.settings.is_production:
        raise Refused(ErrorCode.NO_SCANNER)
    examination = Examination(sent.declared)
    at = parts.clock()
    key = await parts.make_key(None, at)
    file = _Coming(make_id(IdKind.ATTACHMENT, secrets.token_bytes(16)), parts, examination, key)
    try:
        await parts.store.transact(lambda tx: _begin(tx, parts, sent, file, at))
        verdict = await _read(parts, file.kept(body))
        if verdict is not None and verdict.scanned is Scanned.INFECTED:
            raise Infected(file.id, verdict.signature)
        found = await parts.store.read(lambda tx: file.found(tx))
        return await _finish(parts, file, found, verdict, at)
    except BaseException as fault:
        await asyncio.shield(_leave_nothing(parts, file, is_infected=isinstance(fault, Infected)))
        raise
    # A crash at any point before the end leaves a torn file that nobody can name: the timetable destroys it within hours.


@dataclass(slots=True)
class _Coming:
    """A file while it comes: how far it is, its digest so far, and what is known of its content."""

    id: str
    parts: Parts
    examination: Examination
    key: DataKey
    size_bytes: int = 0
    chunks: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    @property
    def stream(self) -> StreamKey:
        return self.key.stream(attachment_label(self.id))

    async def kept(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Chunks of the file, each handed on once it is sealed and durable."""
        stream, waiting = self.stream, bytearray()
        async for piece in body:
            waiting += piece
            while len(waiting) > CHUNK_BYTES:
                chunk = bytes(waiting[:CHUNK_BYTES])
                del waiting[:CHUNK_BYTES]
                yield await self._keep(stream, chunk, is_last=False)
        yield await self._keep(stream, bytes(waiting), is_last=True)

    async def _keep(self, stream: StreamKey, chunk: bytes, is_last: bool) -> bytes:
        self.examination.take(chunk)  # before anything is kept of what is not taken
        self.digest.update(chunk)
        number, sealed = self.chunks, stream.seal(self.chunks, chunk, is_last)
        await self.parts.store.transact(lambda tx: attachments.keep_chunk(tx, self.id, number, sealed))
        self.size_bytes += len(chunk)
        self.chunks += 1
        return chunk

    def found(self, tx: Tx) -> Found:
        """What the whole file is; parts of it are opened again to see."""
        stream = self.stream

        def read_at(offset: int, count: int) -> bytes:
            first, skip = divmod(max(0, offset), CHUNK_BYTES)
            content = bytearray()
            for number in range(first, self.chunks):
                if len(content) >= skip + count:
                    break
                content += open_chunk(tx, stream, self.id, number, self.chunks)
            return bytes(content[skip : skip + count])

        return self.examination.finish(self.size_bytes, read_at)


def open_chunk(tx: Tx, stream: StreamKey, attachment: str, number: int, chunks: int) -> bytes:
    """One chunk of a file of so many chunks; CannotOpen when it is gone or not what was sealed."""
    sealed = attachments.chunk(tx, attachment, number)
    if sealed is None:
        raise CannotOpen("a chunk is not there")
    return stream.open(number, sealed, number == chunks - 1)


async def opened_attachment(parts: Parts, file: AttachmentRow, key: DataKey) -> AsyncIterator[bytes]:
    """A whole file, chunk by chunk; CannotOpen at the chunk that is gone or changed."""
    stream = key.stream(attachment_label(file.id))
    for number in range(file.chunks):
        yield await parts.store.read(
            lambda tx, number=number: open_chunk(tx, stream, file.id, number, file.chunks)  # type: ignore[misc]
        )


def _begin(tx: Tx, parts: Parts, sent: Sent, file: _Coming, at: datetime) -> None:
    """Refused beyond what one agency may have on its way, or waiting for a message: a scanner serves few at once, and all agencies."""
    longest = timedelta(seconds=parts.settings.upload_timeout_seconds)
    if attachments.coming(tx, sent.agency, at - longest) >= parts.settings.attachments_at_once:
        raise TooFast(ANOTHER_AFTER_SECONDS)
    waiting = attachments.unnamed_bytes(tx, sent.agency, at)
    if waiting + sent.largest_bytes > parts.settings.attachments_unnamed_limit_bytes:
        detail = (
            "Too many of your agency's attachments wait for a message to name them: name them, or wait a day."
        )
        raise Refused(ErrorCode.TOO_MANY_REQUESTS, detail=detail)
    values = {
        "id": file.id,
        "agency": sent.agency,
        "client": sent.client,
        "size_bytes": sent.largest_bytes,
        "data_key": file.key.id,
        "received_at": at,
        "expires_at": at + UNNAMED_LIFE,
    }
    attachments.begin(tx, values)


async def _read(parts: Parts, chunks: AsyncIterator[bytes]) -> Verdict | None:
    """Read the file to its end, by way of the scanner when there is one."""
    if parts.scan is not None:
        return await parts.scan(chunks)
    async for _ in chunks:
        pass
    return None


async def _finish(parts: Parts, file: _Coming, found: Found, verdict: Verdict | None, at: datetime) -> Kept:
    by_scan = NOT_SCANNED if verdict is None else WITHHELD_BY_SCAN.get(verdict.scanned)
    reasons = tuple(dict.fromkeys((*found.reasons, *((by_scan,) if by_scan else ()))))
    sha256 = file.digest.hexdigest()
    values = {
        "state": attachments.WITHHELD if reasons else attachments.KEPT,
        "reasons": list(reasons),
        "media_type": found.media_type,
        "size_bytes": file.size_bytes,
        "chunks": file.chunks,
        "fingerprint": attachment_fingerprint(parts, sha256),
    }
    if not await parts.store.transact(lambda tx: attachments.finish(tx, file.id, values)):
        raise Unavailable("the attachment took too long")
    return Kept(file.id, sha256, found.media_type, file.size_bytes, reasons, at + UNNAMED_LIFE)


async def _leave_nothing(parts: Parts, file: _Coming, is_infected: bool) -> None:
    """Row and chunks first, then the key: a crash between leaves a key that seals nothing, which the timetable forgets."""
    at, seed = parts.clock(), secrets.token_bytes(32)

    def run(tx: Tx) -> None:
        occasion = Occasion(at, Supply(seed))
        attachments.discard(tx, file.id)
        if is_infected:
            refused = Said(Event.SUBMISSION_REJECTION, reason=ErrorCode.INFECTED.slug)
            prove(tx, parts, occasion, Subject(file.id, None, None, None), [refused])

    await parts.store.transact(run)
    await parts.custody.transact(lambda tx: custody.forget(tx, [file.key.id]))

"""`POST /v1/attachments`, which a message then names, and what a recipient fetches of them. Both are streamed.

Limits and types are told before anything is read, where the headers say enough; the rest while it is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gateway.actions.collect import AttachmentCollection, collect_attachment
from gateway.actions.keep_attachment import (
    Infected,
    Kept,
    Sent,
    keep_attachment,
    opened_attachment,
)
from gateway.api.content_digest import ContentDigest
from gateway.api.door import READ, WRITE, Door, is_encoded, need_demanded, said_bytes
from gateway.api.inbox import collection, find_delivery, head_alone
from gateway.api.problems import HEADERS
from gateway.core.attachments import LARGEST_BYTES, ScannerUnavailable
from gateway.core.content_types import ENDINGS, TAKEN, UNSAID, not_taken
from gateway.core.demands import CONTENT_DIGEST
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId
from gateway.core.written_times import written
from gateway.parts import Parts
from gateway.store.attachments import AttachmentRow
from keys.sealing import CannotOpen, DataKey

_log = structlog.get_logger()


async def post_attachment(door: Door, request: Request) -> Response:
    """Take one file of at most 25 MiB: 201 with the id and SHA-256 by which a message names it within a day."""
    principal = await door.reader(request, WRITE)
    await need_demanded(door, request, principal, (CONTENT_DIGEST,))
    sent = Sent(AgencyId(principal.agency), principal.client_id, _declared(request), _most_bytes(request))
    try:
        async with asyncio.timeout(door.parts.settings.upload_timeout_seconds):
            kept = await keep_attachment(door.parts, sent, _body(request, sent.largest_bytes))
    except TimeoutError:
        raise Refused(
            ErrorCode.MALFORMED_REQUEST, detail="The body took too long to arrive: send it again."
        ) from None
    except ScannerUnavailable as fault:
        _log.error("scanner.trouble", reason=fault.reason)
        raise Refused(ErrorCode.NO_SCANNER) from None
    except Infected as found:
        _log.warning(
            "attachment.infected",
            client=principal.client_id,
            attachment=found.attachment,
            signature=found.signature,
        )
        raise
    return JSONResponse(_document(kept), 201, HEADERS)


async def get_attachment(door: Door, request: Request) -> Response:
    """A file of a delivery's message, as a download; stated as a hand-over. Not before an officer let a withheld one go."""
    principal = await door.reader(request, READ)
    row = await find_delivery(door, principal, request)
    asked = AttachmentCollection(collection(request, principal, row), request.path_params["attachment"])
    file = await door.parts.perform(collect_attachment, asked, row.partnership, row.incident)
    if asked.of.only_looks:
        return head_alone(file.media_type)
    key = await door.parts.key_by_id(file.data_key)
    if key is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This attachment has been erased.")
    headers = HEADERS | {
        "Content-Length": str(file.size_bytes),
        "Content-Disposition": f'attachment; filename="{file_name(file)}"',
    }
    return StreamingResponse(_streamed(door.parts, file, key), headers=headers, media_type=file.media_type)


def file_name(file: AttachmentRow) -> str:
    """The id with the usual ending: names that people give to files hold names of people."""
    return f"{file.id}.{ENDINGS[file.media_type]}"


async def _streamed(parts: Parts, file: AttachmentRow, key: DataKey) -> AsyncIterator[bytes]:
    """What does not open ends the answer short of its length: no client takes that for the file."""
    try:
        async for chunk in opened_attachment(parts, file, key):
            yield chunk
    except CannotOpen:
        _log.error("attachment.fault", attachment=file.id)


def _declared(request: Request) -> str:
    """What the file is said to be; refused before it is read when no such file is taken."""
    if is_encoded(request):
        raise Refused(ErrorCode.UNSUPPORTED_MEDIA_TYPE, detail="Send the file as it is, not compressed.")
    sent = ",".join(request.headers.getlist("content-type")) or UNSAID
    declared = sent.partition(";")[0].strip().lower()
    if declared not in TAKEN:
        raise not_taken()
    return declared


def _most_bytes(request: Request) -> int:
    """How large the file may become; refused before it is read when it says itself that it is too large."""
    said = said_bytes(request)
    if said > LARGEST_BYTES:
        raise _too_large()
    return said or LARGEST_BYTES


async def _body(request: Request, most_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes, held to its limit whatever its headers said, and to its Content-Digest at the end."""
    size, digest = 0, ContentDigest(request)
    async for piece in request.stream():
        size += len(piece)
        if size > most_bytes:
            raise _too_large()
        digest.update(piece)
        yield piece
    digest.check()


def _too_large() -> Refused:
    return Refused(ErrorCode.TOO_LARGE, detail="An attachment has at most 25 MiB (26214400 bytes).")


def _document(kept: Kept) -> dict[str, object]:
    return {
        "id": kept.id,
        "sha256": kept.sha256,
        "media_type": kept.media_type,
        "size_bytes": kept.size_bytes,
        "withheld": list(kept.reasons),
        "expires_at": written(kept.expires_at),
    }

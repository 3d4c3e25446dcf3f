"""An agency's inbox: what waits, one item with its content, and the answers to it."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gateway.actions.acknowledge import Acknowledgement, acknowledge
from gateway.actions.collect import Collection, collect
from gateway.actions.find_answer import find_answer
from gateway.actions.prove import Stated
from gateway.actions.take import open_disclosures
from gateway.api import pages
from gateway.api.door import READ, WRITE, Door, is_over, read_said
from gateway.api.problems import HEADERS
from gateway.api.signed_answers import check_signed
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, DeliveryId
from gateway.core.written_times import written
from gateway.ledger import statement
from gateway.oauth.resource import Principal, replayed
from gateway.store import attachments, clients, deliveries, messages
from gateway.store.attachments import AttachmentRow
from gateway.store.deliveries import DeliveryRow
from gateway.store.transaction import Tx
from schemas.conversions import in_version
from schemas.fields import TEXT_PATTERN, Coded, Line
from schemas.vocabulary import Role

LONGEST_WAIT_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.5

_WAIT = re.compile(r'(?:^|[,;])[ \t]*wait[ \t]*=[ \t]*"?([0-9]{1,9})"?[ \t]*(?=[,;]|$)', re.IGNORECASE)


OwnProof = Annotated[str, Field(max_length=12_000, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}$")]


class AcknowledgementBody(BaseModel):
    """What the recipient says. `by: person` is the only acknowledgement; `by: system` is a hand-over."""

    model_config = ConfigDict(extra="forbid", strict=True)
    by: Literal["person", "system"]
    role: Coded[Role]
    name: Line | None = None  # as in a message: what two people could read differently is in no receipt
    copies: Literal["destroyed", "returned"] | None = None  # of what a correction took back
    signed: OwnProof | None = None


class DeclineBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    reason: str = Field(min_length=1, max_length=1000, pattern=TEXT_PATTERN)
    signed: OwnProof | None = None


async def get_inbox(door: Door, request: Request) -> Response:
    """Unacknowledged deliveries, oldest first, by pages; `Prefer: wait=N` waits up to 30 s for the first to come, in a few
    requests of one client at the same time: more are answered at once."""
    principal = await door.reader(request, READ)
    after, most = pages.after(request, IdKind.DELIVERY), pages.limit(request)

    def read(tx: Tx) -> list[DeliveryRow]:
        within = sorted(principal.partnerships)
        return deliveries.inbox(tx, AgencyId(principal.agency), within, after, most)

    with door.held(principal.client_id) as may_wait:
        wait_seconds = _wanted_wait(request) if may_wait else None
        deadline = asyncio.get_running_loop().time() + (wait_seconds or 0)
        while True:
            rows = await door.parts.store.read(read)
            if rows or await is_over(request, deadline):
                break
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
    document: dict[str, Any] = {"deliveries": [_item(row) for row in rows]}
    document["next"] = pages.following((rows[-1].created_at, rows[-1].id)) if len(rows) == most else None
    heeded = {} if wait_seconds is None else {"Preference-Applied": f"wait={wait_seconds}"}
    return JSONResponse(document, headers=HEADERS | heeded)


def _wanted_wait(request: Request) -> int | None:
    """How many seconds are waited by the preference `wait` (RFC 7240 section 4.3), as far as we go; None without it."""
    wanted = _WAIT.search(",".join(request.headers.getlist("prefer")))
    return min(int(wanted[1]), LONGEST_WAIT_SECONDS) if wanted else None


async def get_delivery(door: Door, request: Request) -> Response:
    """One delivery with the message it carries; stated as a hand-over to the agency's system.

    A notice has the members of the list alone. HEAD shows nothing of it, so nothing is handed over and nothing stated.
    """
    principal = await door.reader(request, READ)
    row = await find_delivery(door, principal, request)
    asked = collection(request, principal, row)
    row = await door.parts.perform(collect, asked, row.partnership, row.incident)
    if asked.only_looks:
        return head_alone("application/json")
    if row.notice:
        return JSONResponse(_item(row), headers=HEADERS)  # who is told, and reads nothing (S0-30)
    return JSONResponse(await _with_content(door, principal, row), headers=HEADERS)


async def _with_content(door: Door, principal: Principal, row: DeliveryRow) -> dict[str, Any]:
    """The item with its message, opened.

    `content` is in the version that the client chose; `payload` is the sender's exact bytes. Of the receipt's commitments the one
    to these bytes is opened, so that the recipient can check them; the others are the sender's.
    """
    message, files, versions = await door.parts.store.read(
        lambda tx: (
            messages.find(tx, [row.partnership], row.message),
            attachments.of_message(tx, row.partnership, row.message),
            clients.versions_shown(tx, principal.client_id),
        )
    )
    key = await door.parts.key_by_id(message.data_key if message else None)
    if message is None or message.sealed is None or key is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The content of this message has been erased.")
    raw = key.open(f"message:{message.id}", message.sealed)
    opened = await open_disclosures(door.parts, row.partnership, message.receipt)
    sent = json.loads(raw)
    shown = in_version(sent, versions.get(sent["type"]))
    return {
        **_item(row),
        "from": message.agency,
        "content": shown.content,
        "converted": None
        if shown.sent_version is None
        else {"from_version": shown.sent_version, "left_out": list(shown.left_out)},
        "payload": base64.b64encode(raw).decode(),
        "attachments": [attachment_document(file) for file in files],
        "receipt": {
            "id": message.receipt,
            "jws": message.answer["jws"],
            "disclosures": [one for one in opened if statement.opened(one)[0] == "payload_sha256"],
        },
    }


def collection(request: Request, principal: Principal, row: DeliveryRow) -> Collection:
    return Collection(
        AgencyId(principal.agency),
        tuple(sorted(principal.partnerships)),
        row.id,
        principal.client_id,
        only_looks=request.method == "HEAD",
    )


def head_alone(media_type: str) -> Response:
    """An answer to HEAD without a length: how long the content is would have to be looked up in the content."""
    return StreamingResponse(iter(()), headers=HEADERS, media_type=media_type)


def attachment_document(file: AttachmentRow) -> dict[str, Any]:
    """What is told of a file beside a message. One that is not available yet waits for an officer."""
    return {
        "id": file.id,
        "media_type": file.media_type,
        "size_bytes": file.size_bytes,
        "available": file.state == attachments.KEPT,
        "withheld": list(file.reasons) if file.state == attachments.WITHHELD else [],
    }


async def post_acknowledgement(door: Door, request: Request) -> Response:
    """Acknowledge a delivery: as a person, or as a system, which is no acknowledgement."""
    principal = await door.caller(request, WRITE)
    said = await read_said(AcknowledgementBody, request, 16_384, 10)
    return await _answer(door, request, principal, said.by, said)


async def post_decline(door: Door, request: Request) -> Response:
    """Decline a delivery with a reason; an officer hears of it."""
    principal = await door.caller(request, WRITE)
    said = await read_said(DeclineBody, request, 16_384, 10)
    return await _answer(door, request, principal, "declined", said)


async def _answer(
    door: Door,
    request: Request,
    principal: Principal,
    by: Literal["person", "system", "declined"],
    said: AcknowledgementBody | DeclineBody,
) -> Response:
    if not await door.oauth.burn(principal.burns):
        raise replayed(door.oauth)
    row = await find_delivery(door, principal, request)
    partnerships = tuple(sorted(principal.partnerships))
    words = said.model_dump(exclude={"by", "role", "signed"})
    role = said.role.value if isinstance(said, AcknowledgementBody) else row.role
    signed = None
    if said.signed is not None:
        answer = {"delivery": row.id, "message": row.message, "by": by, "role": role, **words}
        signed = await check_signed(door, principal, row, said.signed, answer)
    asked = Acknowledgement(
        AgencyId(principal.agency), partnerships, row.id, by, role, **words, signed=signed
    )
    stated, headers = await _stated(door, asked, row)
    document = {
        "delivery": row.id,
        "by": by,
        "receipt": {"id": stated.id, "jws": stated.jws, "disclosures": list(stated.disclosures)},
    }
    return JSONResponse(document, 201, headers)


async def _stated(door: Door, asked: Acknowledgement, row: DeliveryRow) -> tuple[Stated, dict[str, str]]:
    """The statement that follows. The very same answer again gets the very same statement: the first may not have arrived."""
    try:
        return await door.parts.perform(acknowledge, asked, row.partnership, row.incident), HEADERS
    except Refused as refused:
        before = await find_answer(door.parts, asked, row)
        if refused.code is not ErrorCode.NOT_ACCEPTABLE_STATE or before is None:
            raise
        return before, HEADERS | {"Idempotency-Replayed": "true"}


async def find_delivery(door: Door, principal: Principal, request: Request) -> DeliveryRow:
    """The delivery that the address names, of my agency's inbox; not found otherwise, whether it exists or not."""
    wanted = DeliveryId(request.path_params["delivery"])
    row = await door.parts.store.read(
        lambda tx: deliveries.find_for_agency(
            tx, AgencyId(principal.agency), sorted(principal.partnerships), wanted
        )
    )
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return row


def _item(row: DeliveryRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "message": row.message,
        "type": row.message_type,
        "incident": row.incident,
        "partnership": row.partnership,
        "role": row.role,
        "notice": row.notice,
        "created_at": written(row.created_at),
        "opened_at": written(row.opened_at) if row.opened_at else None,
        "recalled_at": written(row.recalled_at) if row.recalled_at else None,
    }

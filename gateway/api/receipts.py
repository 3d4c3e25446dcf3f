"""Receipts, their proofs and the log, for those who may read them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway.actions.export import own_policy
from gateway.actions.take import open_disclosures
from gateway.api.door import LOG, READ, Door, is_over
from gateway.api.problems import HEADERS, problem
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, MessageId
from gateway.ledger import sealing
from gateway.ledger.statement import fields_of
from gateway.oauth.resource import Principal
from gateway.store import deliveries, log, messages
from gateway.store.log import EntryRow
from gateway.store.transaction import Tx

_TILE = re.compile(r"([0-9]{1,2})/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([0-9]{1,3}))?")

SEALED_WITHIN_SECONDS, LOOK_AGAIN_SECONDS = 2.0, 0.1
NOT_SEALED = "This receipt is not sealed yet; ask again in a second."
WAITS_FOR_OTHERS = "This receipt is not proved yet; ask again in a minute."


async def get_receipt(door: Door, request: Request) -> Response:
    """A receipt of a message that my agency sent; of one that it received, those of its own answers and of what it fetched."""
    principal = await door.reader(request, READ)
    entry = await _own_entry(door, principal, request.path_params["receipt"])
    return JSONResponse(_document(entry), headers=HEADERS)


async def get_proof(door: Door, request: Request) -> Response:
    """The offline proof that a receipt is in the log (tlog-proof@v1); 404 until it is sealed, normally within a second, for which
    it is waited.

    Under the first checkpoint that witnesses signed, once there is one; before, under the log's own signature, unless the log
    grows at one pace for others: then 404 until they confirmed it, normally within a minute.
    """
    principal = await door.reader(request, READ)
    is_steady = door.parts.settings.steady_growth > 0
    deadline = asyncio.get_running_loop().time() + (0 if is_steady else SEALED_WITHIN_SECONDS)
    while True:
        entry = await _own_entry(door, principal, request.path_params["receipt"])
        proof = await door.parts.store.read(partial(_proof, entry=entry, is_steady=is_steady))
        if proof is not None:
            return PlainTextResponse(proof, headers=HEADERS)
        if await is_over(request, deadline):
            return _not_proved_yet(is_steady=is_steady)
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _not_proved_yet(*, is_steady: bool) -> Response:
    detail, again = (WAITS_FOR_OTHERS, "60") if is_steady else (NOT_SEALED, "1")
    return problem(ErrorCode.NOT_FOUND, detail=detail, headers={"Retry-After": again})


async def get_jwks(door: Door, request: Request) -> Response:
    """The public keys of receipts, current and retired."""
    keys = [dict(key) for key in door.parts.keys.published["receipts"]]
    return JSONResponse({"keys": keys}, headers=HEADERS | {"Cache-Control": "public, max-age=300"})


async def get_policy(door: Door, request: Request) -> Response:
    """The policy to verify with, for information: trust comes from a copy that reached you on another path."""
    origins = await door.parts.store.read(log.origins)
    return JSONResponse(
        own_policy(door.parts, origins=origins), headers=HEADERS | {"Cache-Control": "public, max-age=300"}
    )


async def get_checkpoint(door: Door, request: Request) -> Response:
    """The newest signed tree head (C2SP tlog-checkpoint) of the log in use, or of the year that is named, with its witnesses'
    lines if it has any; auditors only."""
    await door.reader(request, LOG)
    note = await door.parts.store.read(lambda tx: _newest_note(tx, _origin(door, request)))
    if note is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return PlainTextResponse(note, headers=HEADERS)


def _origin(door: Door, request: Request) -> str | None:
    """Of the log that the address names; None: the log in use."""
    name = request.path_params.get("log")
    return None if name is None else f"{door.parts.settings.issuer}/ledger/{name}"


def _newest_note(tx: Tx, origin: str | None) -> str | None:
    newest = log.latest_checkpoint(tx, origin)
    if newest is None:
        return None
    confirmed = log.anchor_of_size(tx, newest.log, newest.size)
    return newest.note if confirmed is None else confirmed.note


async def get_tile(door: Door, request: Request) -> Response:
    """A tile of the log in use, or of the year that is named (C2SP tlog-tiles); witnesses and auditors only."""
    await door.reader(request, LOG)
    match = _TILE.fullmatch(request.path_params["tile"])
    if match is None:
        raise Refused(ErrorCode.NOT_FOUND)
    level, number = int(match[1]), int(match[2].replace("x", "").replace("/", ""))
    width = int(match[3]) if match[3] else 256
    origin = _origin(door, request)
    tile = await door.parts.store.read(lambda tx: sealing.served_tile(tx, origin, level, number, width))
    if tile is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return Response(tile, headers=HEADERS, media_type="application/octet-stream")


async def _own_entry(door: Door, principal: Principal, wanted: str) -> EntryRow:
    """The entry, when it is my agency's to read; not found otherwise, whether it exists or not."""
    agency, partnerships = AgencyId(principal.agency), sorted(principal.partnerships)
    read = door.parts.store.read
    sent = await read(lambda tx: log.find_entry_of_sender(tx, agency, partnerships, wanted))
    if sent is not None:
        return sent
    received = await read(lambda tx: log.find_entry_of_recipient(tx, agency, wanted))
    if received is None or received.partnership is None:
        raise Refused(ErrorCode.NOT_FOUND)
    fields = fields_of(await open_disclosures(door.parts, received.partnership, received.id))
    if not await read(lambda tx: _is_for_recipient(tx, agency, partnerships, received, fields)):
        raise Refused(ErrorCode.NOT_FOUND)
    return received


def _is_for_recipient(
    tx: Tx,
    agency: AgencyId,
    partnerships: list[str],
    entry: EntryRow,
    fields: Mapping[str, str | int],
) -> bool:
    """Whether it is about a delivery of the agency's own, or the acceptance of content that the agency fetched."""
    message = MessageId(entry.chain)
    own = [
        row
        for row in deliveries.of_message(tx, message)
        if deliveries.find_for_agency(tx, agency, partnerships, row.id) is not None
    ]
    if fields.get("recipient") == agency:
        return fields.get("delivery") in {row.id for row in own}
    found = messages.find(tx, [entry.partnership or ""], message)
    is_acceptance = found is not None and found.receipt == entry.id
    return is_acceptance and any(row.opened_at is not None and not row.notice for row in own)


def _proof(tx: Tx, entry: EntryRow, *, is_steady: bool) -> str | None:
    """Under the first checkpoint that others confirmed; where these are to show no one's rhythm, under no other."""
    if entry.log is None or entry.leaf_index is None:
        return None
    confirmed = log.anchor_holding(tx, entry.log, entry.leaf_index)
    under = confirmed or (None if is_steady else log.latest_checkpoint(tx, entry.log))
    if under is None or entry.leaf_index >= under.size:
        return None
    return sealing.prove(tx, entry.leaf_index, under)


def _document(entry: EntryRow) -> dict[str, Any]:
    return {
        "id": entry.id,
        "event": entry.event,
        "jws": entry.jws,
        "sealed": entry.leaf_index is not None,
    }

"""What comes by MESH: an agency's message through the one door, or a report that one of ours was not collected.

Invariant: nothing is acknowledged to MESH before it is durable here. A repeat is known by the sender's reference, so a crash at any
point repeats a step that finds its work done. Who speaks is the mailbox that MESH itself names as the sender, as the directory has
it; nobody is guessed. Every message is answered by MESH: with its receipt, or with why it was refused.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from gateway.actions.take import Speaker, prepare, take
from gateway.actions.uncollected import Collected, Uncollected, collected, uncollected
from gateway.core.deliveries import Posted
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, DeliveryId
from gateway.parts import TRACE, Parts
from gateway.store import deliveries, directory, packs
from schemas import read_message

AT_ONCE, LOOKED_AT_FOR = 50, timedelta(days=6)

_log = structlog.get_logger()


async def take_posted(parts: Parts, posted: Posted) -> bytes | None:
    """Make one item durable; what its sender is to be told, or None."""
    if posted.is_report:
        await _report(parts, posted)
        return None
    with bound_contextvars(**{TRACE: secrets.token_hex(16)}):
        try:
            answer = await _submit(parts, posted)
        except (Refused, ValueError) as fault:
            answer = _refusal(fault)
        _log.info("mesh.taken", item=posted.id, accepted="refused" not in answer, message=answer.get("id"))
    return json.dumps(answer).encode()


async def note_collected(parts: Parts, is_collected: Callable[[str], Awaitable[bool]]) -> None:
    """State of what went out by MESH and was taken from the recipient's mailbox that it was."""
    since = parts.clock() - LOOKED_AT_FOR
    for row in await parts.store.read(lambda tx: deliveries.uncollected(tx, "mesh", since, AT_ONCE)):
        if await is_collected(row.id):
            await parts.perform(collected, Collected(row.id), row.partnership, row.incident)


async def _report(parts: Parts, posted: Posted) -> None:
    wanted = DeliveryId(posted.local_id or "")
    row = await parts.store.read(lambda tx: deliveries.find(tx, wanted))
    if row is None or row.adapter != "mesh":
        _log.warning("mesh.report_unmatched", item=posted.id)
        return
    await parts.perform(uncollected, Uncollected(row.id, posted.id), row.partnership, row.incident)
    _log.info("mesh.uncollected", item=posted.id, delivery=row.id)


async def _submit(parts: Parts, posted: Posted) -> dict[str, Any]:
    if len(posted.content) > parts.settings.body_limit_bytes:
        raise Refused(ErrorCode.INVALID_MESSAGE)
    envelope = read_message(posted.content)
    agency = await _speaker(parts, posted.sender, envelope.partnership)
    partnerships = await parts.store.read(lambda tx: directory.partnerships_of(tx, agency))
    submission = await prepare(parts, posted.content, envelope, Speaker(agency, partnerships))
    accepted = await take(parts, submission)
    return {
        "id": accepted.id,
        "incident": accepted.incident,
        "reference": accepted.reference,
        "decision": accepted.decision,
        "duties": list(accepted.duties),
        "receipt": {
            "id": accepted.receipt_id,
            "jws": accepted.jws,
            "disclosures": list(accepted.disclosures),
        },
    }


async def _speaker(parts: Parts, mailbox: str, partnership: str) -> AgencyId:
    """The one agency of this partnership whose way is this very mailbox."""
    found = set()
    for row in await parts.store.read(packs.in_force):
        if row.partnership == partnership:
            ways = (await parts.partnerships.snapshot(row.partnership)).directory.ways
            found |= {
                seat.agency
                for seat, way in ways.items()
                if way.adapter == "mesh" and (way.address or "").upper() == mailbox.upper()
            }
    if len(found) != 1 or not mailbox:
        raise Refused(ErrorCode.NOT_PERMITTED)
    return found.pop()


def _refusal(fault: Exception) -> dict[str, Any]:
    """As the API would say it, without a word of what came."""
    if not isinstance(fault, Refused):
        return {"refused": ErrorCode.INVALID_MESSAGE.slug, "errors": []}
    errors = [{"pointer": error.pointer, "code": error.code} for error in fault.errors]
    return {"refused": fault.code.slug, "errors": errors}

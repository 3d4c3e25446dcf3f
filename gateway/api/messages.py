"""`POST /v1/messages`, the one door, and what a sender may read of its own messages."""

from __future__ import annotations

from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.actions.ask_the_law import asked_of_incident
from gateway.actions.submit import Accepted
from gateway.actions.take import RefusedByRules, Speaker, prepare, take
from gateway.actions.tell_duty import duty_document
from gateway.api.door import READ, WRITE, Door, idempotency_key, need_demanded, read_body
from gateway.api.inbox import attachment_document
from gateway.api.problems import HEADERS
from gateway.api.signed_requests import sender_signature
from gateway.core.demands import CONTENT_DIGEST, IDEMPOTENCY_KEY
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, IncidentId, MessageId, PartnershipId, is_entered_late
from gateway.core.rules import Pack
from gateway.core.written_times import written
from gateway.oauth.resource import Principal, replayed
from gateway.store import attachments, deliveries, duties, incidents, likenesses, log, messages
from gateway.store.incidents import OUTCOME
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx
from schemas import read_message

_log = structlog.get_logger()


async def post_message(door: Door, request: Request) -> Response:
    """Take one message: 201 with the signed receipt, the incident and the duties that follow."""
    principal = await door.caller(request, WRITE)
    try:
        return await _take(door, request, principal)
    except RefusedByRules:
        raise
    except Refused as refused:
        # What is refused rolls its burn back with it, or never came so far: a proof is good for one request all the same.
        is_replay = refused.code is ErrorCode.PROOF_REPLAYED
        if is_replay or not await door.oauth.burn(principal.burns):
            raise replayed(door.oauth) from None
        raise


async def _take(door: Door, request: Request, principal: Principal) -> Response:
    settings = door.parts.settings
    await need_demanded(door, request, principal, (CONTENT_DIGEST, IDEMPOTENCY_KEY))
    raw = await read_body(request, settings.body_limit_bytes, settings.request_timeout_seconds)
    envelope = read_message(raw)
    key = idempotency_key(request)
    signature = await sender_signature(door, request, principal)
    speaker = Speaker(
        AgencyId(principal.agency),
        principal.partnerships,
        principal.client_id,
        key,
        principal.proof,
        message_types=principal.message_types,
        signature=signature,
    )
    answer = await take(door.parts, await prepare(door.parts, raw, envelope, speaker))
    _log.info(
        "message.accepted",
        message=answer.id,
        incident=answer.incident,
        client=principal.client_id,
        decision=answer.decision,
        repeat=answer.is_repeat,
    )
    headers = HEADERS | {"Location": f"/v1/messages/{answer.id}"}
    if answer.is_repeat:
        headers["Idempotency-Replayed"] = "true"
    return JSONResponse(accepted_document(answer), 201, headers)


def accepted_document(answer: Accepted) -> dict[str, Any]:
    """The answer of the contract."""
    return {
        "id": answer.id,
        "incident": answer.incident,
        "reference": answer.reference,
        "decision": answer.decision,
        "duties": [dict(duty) for duty in answer.duties],
        "receipt": {
            "id": answer.receipt_id,
            "jws": answer.jws,
            "disclosures": list(answer.disclosures),
        },
    }


async def get_message(door: Door, request: Request) -> Response:
    """The state of a message that my agency sent: its deliveries and duties."""
    principal = await door.reader(request, READ)
    row = await own_message(door, principal.agency, principal.partnerships, request.path_params["message"])
    sent, laid, files = await door.parts.store.read(
        lambda tx: (
            deliveries.of_message(tx, row.id),
            _duties_laid_by(tx, row),
            attachments.of_message(tx, row.partnership, row.id),
        )
    )
    document = {
        "id": row.id,
        "incident": row.incident,
        "reference": row.reference,
        "type": row.type,
        "decision": row.decision,
        "created_at": written(row.created_at),
        "arrived_at": written(row.arrived_at),
        "entered_late": is_entered_late(row.created_at, row.arrived_at),
        "duties": laid,
        "attachments": [attachment_document(file) for file in files],
        "receipt": {"id": row.receipt, "jws": row.answer["jws"]},
        "deliveries": [
            {
                "id": delivery.id,
                "agency": delivery.agency,
                "role": delivery.role,
                "state": delivery.state.value,
                "acknowledged_by": delivery.acknowledged_by,
            }
            for delivery in sent
        ],
    }
    return JSONResponse(document, headers=HEADERS)


async def get_message_receipts(door: Door, request: Request) -> Response:
    """Every receipt of a message that my agency sent, oldest first."""
    principal = await door.reader(request, READ)
    row = await own_message(door, principal.agency, principal.partnerships, request.path_params["message"])
    entries = await door.parts.store.read(lambda tx: log.entries_of_chain(tx, row.partnership, row.id))
    document = [
        {"id": entry.id, "event": entry.event, "jws": entry.jws, "sealed": entry.leaf_index is not None}
        for entry in entries
    ]
    return JSONResponse({"receipts": document}, headers=HEADERS)


def _duties_laid_by(tx: Tx, row: MessageRow) -> list[dict[str, Any]]:
    """The duties that followed from a message, as they stand now."""
    if row.incident is None:
        return []
    found = duties.of_incident(tx, row.partnership, row.incident)
    return [duty_document(duty) for duty in found if duty.message == row.id]


async def own_message(door: Door, agency: str, partnerships: frozenset[str], message: str) -> MessageRow:
    """A message of this agency; not found otherwise, whether it exists or not."""
    row = await door.parts.store.read(lambda tx: messages.find(tx, sorted(partnerships), MessageId(message)))
    if row is None or row.agency != agency:
        raise Refused(ErrorCode.NOT_FOUND)
    return row


async def get_incident(door: Door, request: Request) -> Response:
    """The timeline of an incident, as far as my agency sent or received it."""
    principal = await door.reader(request, READ)
    incident, agency = IncidentId(request.path_params["incident"]), AgencyId(principal.agency)
    partnership = await door.parts.store.read(
        lambda tx: incidents.partnership_for(tx, agency, sorted(principal.partnerships), incident)
    )
    if partnership is None:
        raise Refused(ErrorCode.NOT_FOUND)
    pack = (await door.parts.partnerships.snapshot(partnership)).pack
    document = await door.parts.store.read(lambda tx: _timeline(tx, agency, pack, incident))
    return JSONResponse(document, headers=HEADERS)


def _timeline(tx: Tx, agency: AgencyId, pack: Pack, incident: IncidentId) -> dict[str, Any]:
    partnership = pack.partnership
    found = incidents.find(tx, partnership, incident)
    seen = messages.seen_by(tx, partnership, incident, agency)
    return {
        "id": incident,
        "partnership": partnership,
        "linked": _linked(tx, agency, partnership, incident),
        "opened_at": written(found.opened_at) if found else None,
        "label": found.label if found else None,
        "outcome": found.outcome if found else None,
        "outcomes": [{name: one[name] for name in OUTCOME} for one in found.outcomes] if found else [],
        "statutory": asked_of_incident(tx, pack, incident, seen),
        "timeline": [
            {
                "id": row.id,
                "type": row.type,
                "from": row.agency,
                "created_at": written(row.created_at),
                "arrived_at": written(row.arrived_at),
                "entered_late": is_entered_late(row.created_at, row.arrived_at),
            }
            for row in seen
        ],
    }


def _linked(tx: Any, agency: AgencyId, partnership: PartnershipId, incident: IncidentId) -> list[str]:
    """Incidents that an officer linked to this one, and in which my agency is involved too; of others it hears nothing."""
    pairs = likenesses.of_incident(tx, partnership, incident)
    others = sorted(pair.other(incident) for pair in pairs if pair.state == likenesses.LINKED)
    return [other for other in others if agency in incidents.participants(tx, partnership, other)]

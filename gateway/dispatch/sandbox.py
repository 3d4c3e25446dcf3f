"""The sandbox's fake peers at work: what lies in their inboxes is decided, answered, acknowledged, declined, or left.

They act through the same actions as anybody, so that a partner sees real receipts. What a peer sends is named by the delivery
that it answers: acting twice, or on two machines, sends it once. Where the sandbox is not in force nothing is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from gateway.actions.acknowledge import Acknowledgement, acknowledge
from gateway.actions.erase import order_erasure
from gateway.actions.take import Speaker, prepare, take
from gateway.core.errors import Refused, Unavailable, place_of
from gateway.core.messages import AgencyId
from gateway.core.sandbox import KEPT, SANDBOX, Manner, manner
from gateway.core.written_times import written
from gateway.dispatch.erasing import complete_erasure
from gateway.partnerships.sandbox_peers import PEERS, PERSON, POLICE
from gateway.parts import Parts
from gateway.store import deliveries, holds, incidents, messages
from gateway.store import packs as pack_rows
from gateway.store.deliveries import DeliveryRow
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx
from schemas import example_path, read_message

AT_ONCE = 1000
PARTNERS = {"dsp-la", "dsp-icb", "dsp-police"}
SEEN_TO = "sandbox"

_log = structlog.get_logger()


async def play_sandbox(parts: Parts) -> int:
    """One round over the peers' inboxes; how many deliveries were acted on."""
    acted = 0
    for row, message in await parts.store.read(_waiting):
        how = Manner.USUAL if _is_peer(message.agency) else manner(message.reference)
        if how is Manner.SILENT:
            continue
        acted += await _act(parts, row, message, how)
    return acted


async def end_sandbox_matters(parts: Parts) -> int:
    """Erase what is older than three days; how many matters."""
    at = parts.clock()
    old = await parts.store.read(lambda tx: _old(tx, at))
    for incident in old:
        await parts.perform(order_erasure, (incident, "sandbox-ended"), SANDBOX, None)
        await complete_erasure(parts, SANDBOX, incident)
        _log.info("sandbox.erased", incident=incident)
    return len(old)


def _old(tx: Tx, at: datetime) -> list[Any]:
    if pack_rows.current(tx, SANDBOX) is None:
        return []
    return [
        one.id
        for one in incidents.every(tx, [SANDBOX])
        if one.state not in ("erasing", "erased") and one.opened_at <= at - KEPT and not one.legal_hold
    ]


def _waiting(tx: Tx) -> list[tuple[DeliveryRow, MessageRow]]:
    if pack_rows.current(tx, SANDBOX) is None:
        return []
    rows = [row for peer in PEERS for row in deliveries.inbox(tx, peer.id, [SANDBOX], None, AT_ONCE)]
    found = ((row, messages.find(tx, [SANDBOX], row.message)) for row in rows)
    return [(row, message) for row, message in found if message is not None and message.sealed is not None]


async def _act(parts: Parts, row: DeliveryRow, message: MessageRow, how: Manner) -> bool:
    """One delivery; a fault with it is told and keeps no peer from the others."""
    try:
        if how is Manner.DECLINE:
            await _answer(parts, row, "declined", "Not for us, as the reference asked.")
            await parts.store.transact(lambda tx: _settle(tx, row, parts.clock()))
        elif how is Manner.SYSTEM:
            await _answer(parts, row, "system")
        else:
            for document in _documents(row, message, how):
                await _send(parts, row.agency, document)
            await _answer(parts, row, "person")
    except Unavailable:
        raise
    except Exception as fault:
        _log.error("sandbox.fault", delivery=row.id, fault=type(fault).__name__, where=place_of(fault))
        return False
    return True


def _settle(tx: Tx, row: DeliveryRow, at: datetime) -> None:
    """No officer is asked about what a peer declined."""
    holds.settle_of_subject(tx, "delivery", row.id, at, SEEN_TO, SEEN_TO)


async def _answer(
    parts: Parts, row: DeliveryRow, by: Literal["person", "system", "declined"], reason: str | None = None
) -> None:
    name = PERSON[row.agency][0] if by == "person" else None
    asked = Acknowledgement(row.agency, (SANDBOX,), row.id, by, row.role, name, reason)
    with suppress(Refused):  # another machine was there first, or it is being erased
        await parts.perform(acknowledge, asked, row.partnership, row.incident)


async def _send(parts: Parts, agency: AgencyId, document: dict[str, Any]) -> None:
    raw = json.dumps(document).encode()
    await take(parts, await prepare(parts, raw, read_message(raw), Speaker(agency, frozenset({SANDBOX}))))


# --- what they send --------------------------------------------------------------------------------------------------


def _documents(row: DeliveryRow, message: MessageRow, how: Manner) -> Iterator[dict[str, Any]]:
    """What the peer in this seat sends about a message before it acknowledges."""
    if message.type == "referral" and row.role in PARTNERS:
        yield _decision(row, how)
    elif message.type == "referral" and row.role == "sbu" and how is Manner.ASK:
        yield _made("information-request", row, agencies=[message.agency], return_by_note="Within an hour.")
    elif message.type == "information-request":
        yield _return(row, how)
    elif message.type == "imr-request":
        yield _made("imr", row)


def _decision(row: DeliveryRow, how: Manner) -> dict[str, Any]:
    name, post = PERSON[row.agency]
    said = {
        "seat": row.role,
        "decided_by": {"name": name, "post": post},
        "decided_at": written(row.created_at),
    }
    if how is Manner.DISSENT and row.agency == POLICE:
        said |= {
            "criteria_met": "no",
            "outcome": "no-further-action",
            "reasons": "Asked for by the reference.",
        }
    return _made("triage-decision", row, **said)


def _return(row: DeliveryRow, how: Manner) -> dict[str, Any]:
    nothing = {"involvement": None, "actions": None, "learning": None}
    match how:
        case Manner.NIL:
            return _made("information-return", row, **nothing, kind="nil", no_involvement="Nothing known.")
        case Manner.PARTIAL:
            return _made("information-return", row, kind="partial", still_to_come="The rest, as asked for.")
        case Manner.LATER:
            until_on = (row.created_at + timedelta(days=2)).date().isoformat()
            more = {"extension_reason": "Asked for by the reference.", "extension_until_on": until_on}
            return _made(
                "information-return", row, **nothing, kind="extension-request", records_checked=[], **more
            )
        case _:
            return _made("information-return", row)


def _made(slug: str, row: DeliveryRow, **body: Any) -> dict[str, Any]:
    """The published example of a type, said by the peer about this delivery."""
    document: dict[str, Any] = json.loads(example_path(slug).read_text("utf-8"))
    name, post = PERSON[row.agency]
    document |= {"partnership": SANDBOX, "reference": f"PEER-{row.id}", "created_at": written(row.created_at)}
    document |= {"incident": row.incident, "in_reply_to": row.message, "author": {"name": name, "post": post}}
    document["body"] |= body
    return document


def _is_peer(agency: AgencyId) -> bool:
    return agency in PERSON

"""Carry what is owed: claim due deliveries under a lease, carry them with no transaction open, record what came of each.

A worker that dies leaves its leases to run out and the parcels are carried again under the same ids. A worker that is
overtaken finds the fence moved on and records nothing. Everything is in the database: waking is only a hint.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from datetime import timedelta

import structlog
from structlog.contextvars import bound_contextvars

from gateway.actions.deliver import Attempted
from gateway.actions.tell_managers import ALERT, WEBHOOK, alert_document, alert_letter
from gateway.actions.tell_old_address import DIRECTORY_CHANGE, notice_letter
from gateway.actions.tell_receipt import MAIL_RECEIPT, receipt_letter
from gateway.actions.tell_refusal import MAIL_REFUSAL, refusal_letter
from gateway.actions.try_way import trial_letter
from gateway.core.deliveries import (
    NOTICE,
    OUR_FAULT,
    WAY_TEST,
    Fault,
    Letter,
    Outcome,
    Parcel,
    TryLater,
    Undeliverable,
)
from gateway.core.errors import Unavailable, place_of
from gateway.core.messages import Seat
from gateway.core.routing import Directory, way_label
from gateway.core.written_times import written
from gateway.dispatch.recording import Recording
from gateway.dispatch.under_way import UnderWay
from gateway.parts import TRACE, Parts
from gateway.store import deliveries, mail, messages, officers
from gateway.store.deliveries import DeliveryRow
from gateway.store.messages import MessageRow

# Letters of the gateway's own, to an address that stands in them whatever the directory says by now.
_OWN_LETTERS = {
    DIRECTORY_CHANGE: notice_letter,
    MAIL_RECEIPT: receipt_letter,
    MAIL_REFUSAL: refusal_letter,
}

SOON_SECONDS = 0.2  # so long a batch is waited for before the next is begun beside it

_log = structlog.get_logger()


async def carry_due(parts: Parts, under_way: UnderWay | None = None) -> int:
    """Carry one batch of due deliveries; how many there were, none where there is no room for any.

    With `under_way` those that take long go on in it while others are carried: one far end that hangs keeps nobody waiting.
    """
    here = UnderWay(parts) if under_way is None else under_way
    here.woken.clear()
    room, share, to_each, now = here.room, here.share, here.to_each, parts.clock()
    if room <= 0:
        return 0
    until = now + timedelta(seconds=parts.settings.lease_seconds)
    claimed = await parts.store.transact(lambda tx: deliveries.claim(tx, now, until, room, share, to_each))
    tasks = {here.begin(row.agency, _carry(parts, row, here.recording)) for row in claimed}
    if under_way is None:
        await asyncio.gather(*tasks)
    else:
        await _until_half_is_done(tasks)
    return len(tasks)


async def _until_half_is_done(tasks: set[asyncio.Task[None]]) -> None:
    """So that the next batch is claimed while the rest of this one is answered; no longer than `SOON_SECONDS` in any case."""
    pending, until = tasks, asyncio.get_running_loop().time() + SOON_SECONDS
    while len(pending) > len(tasks) // 2 and (left := until - asyncio.get_running_loop().time()) > 0:
        _, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)


async def _carry(parts: Parts, row: DeliveryRow, recording: Recording) -> None:
    """One delivery; what is logged of it has the trace of whatever owed it, and so has what follows from it."""
    with bound_contextvars(**({TRACE: row.trace} if row.trace else {}), message=row.message):
        await _carry_one(parts, row, recording)


async def _carry_one(parts: Parts, row: DeliveryRow, recording: Recording) -> None:
    try:
        outcome = await _attempt_or_our_fault(parts, row)
        state = await recording.record(Attempted(row, outcome))
        _log.info(
            "delivery.attempted",
            delivery=row.id,
            way=row.way,
            state=state.value if state else "overtaken",
        )
    except Exception as fault:  # the lease runs out and the delivery is carried again
        _log.error("delivery.fault", delivery=row.id, fault=type(fault).__name__, where=place_of(fault))


async def _attempt_or_our_fault(parts: Parts, row: DeliveryRow) -> Outcome:
    """One try. Whatever raises is our fault: try later with growing waits, and an officer sees it when patience runs out."""
    try:
        return await _attempt(parts, row)
    except Unavailable:
        raise  # the database cannot answer, so nothing can be recorded either: the lease runs out
    except Exception as fault:
        _log.error("adapter.fault", way=row.way, fault=type(fault).__name__, where=place_of(fault))
        return TryLater(OUR_FAULT)


async def _attempt(parts: Parts, row: DeliveryRow) -> Outcome:
    if row.recalled_at is not None:
        return TryLater(
            "recalled"
        )  # taken back while another worker held it: it is settled and never carried
    if row.way == "inbox":
        return await parts.adapter("inbox").deliver(_parcel(row, None, None, None))
    snapshot = await parts.partnerships.snapshot(row.partnership)
    way = snapshot.directory.way_to(Seat(row.agency, row.role))
    if (
        row.way == "webhook" and way.adapter != "webhook"
    ):  # nobody is told any more: it waits where the agency collects
        return await parts.adapter("inbox").deliver(_parcel(row, None, None, None))
    secret = None
    if way.secret is not None:
        label = way_label(row.partnership, row.agency)
        secret = parts.keys.open_secret(label, way.secret).decode()
    if row.way == "webhook":  # ids alone: nothing of the message is read
        return await parts.adapter("webhook").deliver(_parcel(row, way.address, None, secret))
    message = await parts.store.read(lambda tx: messages.find(tx, [row.partnership], row.message))
    if message is None:
        return Undeliverable("message-missing", Fault.SYSTEM)
    if row.way == WEBHOOK:
        codes, console = message.facts["codes"], parts.settings.console_address
        told = alert_document(row.id, row.created_at, codes, console)
        return await parts.adapter(WEBHOOK).deliver(replace(_parcel(row, None, None, None), document=told))
    address, letter = way.address, None
    if row.way == "mail":
        address, letter = await letter_of(parts, row, message, snapshot.directory)
        if address is None or letter is None:
            return Undeliverable("nobody-to-write-to", Fault.SYSTEM)
    parcel = _parcel(row, address, letter, secret)
    if row.way == "mesh":
        document = await _document(parts, row, message)
        if document is None:
            return Undeliverable("content-gone", Fault.SYSTEM)
        parcel = replace(parcel, document=document)
    return await parts.adapter(row.way).deliver(parcel)


async def _document(parts: Parts, row: DeliveryRow, message: MessageRow) -> bytes | None:
    """The message as the inbox hands it out: what it is, and the sender's exact words."""
    key = await parts.key_by_id(message.data_key)
    if key is None or message.sealed is None:
        return None
    raw = key.open(f"message:{message.id}", message.sealed)
    told = {
        "delivery": row.id,
        "message": row.message,
        "type": row.message_type,
        "incident": row.incident,
        "partnership": row.partnership,
        "role": row.role,
        "from": message.agency,
        "content": json.loads(raw),
        "payload": base64.b64encode(raw).decode(),
        "receipt": {"id": message.receipt, "jws": message.answer["jws"]},
    }
    return json.dumps(told, ensure_ascii=False).encode()


def _parcel(row: DeliveryRow, address: str | None, letter: Letter | None, secret: str | None) -> Parcel:
    return Parcel(
        row.id,
        row.message,
        row.message_type,
        row.incident,
        row.agency,
        row.role,
        address,
        row.attempt,
        row.created_at,
        letter,
        secret,
    )


async def letter_of(
    parts: Parts, row: DeliveryRow, message: MessageRow, directory: Directory
) -> tuple[str | None, Letter | None]:
    """The words of a letter, and who reads it at this moment: a deputy or the team's mailbox when the lead is absent."""
    if message.type == ALERT:
        everybody = await parts.store.read(officers.every)
        return alert_letter(parts, everybody, message.facts["codes"], parts.settings.console_address)
    seat, now = Seat(row.agency, row.role), parts.clock()
    if message.type == WAY_TEST:
        return directory.mail_address(seat, now), trial_letter(directory, seat)
    address = directory.deputy_address(seat, now) if row.to_deputy else directory.mail_address(seat, now)
    key = await parts.key_by_id(message.data_key)
    if key is None or message.sealed is None:
        return None, None
    document = json.loads(key.open(f"message:{message.id}", message.sealed))
    if message.type in _OWN_LETTERS:
        return _OWN_LETTERS[message.type](document["body"])
    if address is None:
        return None, None
    if row.notice:
        notice = {"type": NOTICE, "of": row.message_type, "incident": row.incident}
        return address, parts.compose({}, notice, None)
    document["incident"] = row.incident  # the message that opens an incident cannot name it itself
    document["created_at"] = written(
        row.created_at
    )  # a letter bears the day of its release, not that of its draft
    known = await parts.store.read(lambda tx: mail.letter_of_message(tx, message.id))
    pack = (await parts.partnerships.snapshot(row.partnership)).pack
    token = known.token if known else None
    # The answer form takes a while to draw: other deliveries go on meanwhile.
    return address, await asyncio.to_thread(parts.compose, pack.letters, document, token)

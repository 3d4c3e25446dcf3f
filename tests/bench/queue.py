"""Letters queued and drained: so many deliveries by e-mail owed at once, each composed with its PDF, signed and handed over STARTTLS.

One gateway's own loop on SQLite works the queue off as it would any other; the far end is npm's smtp-server. 100,000 with `FULL=1`.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from gateway.actions.prove import Said
from gateway.actions.say_own import OwnMessage, record_own
from gateway.app import build_parts, close, system_clock
from gateway.core.deliveries import DeliveryState
from gateway.core.identifiers import IdKind
from gateway.core.messages import IncidentId, MessageId, PartnershipId
from gateway.core.receipts import Event
from gateway.demo.partnership import SCHOOL
from gateway.dispatch.carrying import carry_due
from gateway.dispatch.loop import carry_and_read_all
from gateway.parts import Parts, Work
from gateway.store import deliveries, mail
from gateway.store.transaction import Tx
from tests.bench import letters
from tests.bench.folder import settings_of
from tests.bench.house import BUSINESS_UNIT, document, furnish
from tests.bench.servers import free_ports

INCIDENTS, AT_ONCE = 10, 1_000
PARTNERSHIP, LETTER = PartnershipId("south-tyneside"), "dsl-letter"


def measured(count: int = 300) -> dict[str, Any]:
    """How long queueing and draining take, and what is left."""
    with tempfile.TemporaryDirectory(prefix="bench-queue-") as name:
        folder = Path(name)
        with letters.relay(folder) as far_end:
            settings = {
                "smtp_url": f"smtp://{far_end.host}:{far_end.port}",
                "smtp_ca_file": far_end.ca_file,
                "mail_from": "safeguarding@council.example",
                "mail_domain": "replies.council.example",
            }
            furnish(folder, *free_ports(2), incidents=INCIDENTS, **settings)
            return asyncio.run(_drained(folder, count))


async def _drained(folder: Path, count: int) -> dict[str, Any]:
    parts = build_parts(settings_of(folder))
    try:
        while await carry_due(parts):  # what opening the incidents left
            pass
        before = await parts.store.read(deliveries.counts_by_state)
        began_at = time.perf_counter()
        await _queue(parts, folder, count)
        queued_at, cpu = time.perf_counter(), time.process_time()
        await carry_and_read_all(parts)
        seconds, cpu = time.perf_counter() - queued_at, time.process_time() - cpu
        after = await parts.store.read(deliveries.counts_by_state)
    finally:
        await close(parts)
    relayed = after.get("relayed", 0) - before.get("relayed", 0)
    if relayed < count:
        raise SystemExit(f"{relayed} of {count} letters went out: {after}")
    return {
        "letters": count,
        "seconds to queue": round(queued_at - began_at, 2),
        "seconds to drain": round(seconds, 1),
        "letters a second": round(count / seconds, 1),
        "CPU ms for one": round(cpu / count * 1000, 1),
    }


async def _queue(parts: Parts, folder: Path, count: int) -> None:
    """Letters of a few incidents, each owed again and again under an id of its own."""
    opened = [IncidentId(one["incident"]) for one in json.loads((folder / "incidents.json").read_text())]
    sent = [(one, await parts.perform(_write, one, PARTNERSHIP, one)) for one in opened]
    at = system_clock()
    for first in range(0, count, AT_ONCE):
        rows = [
            _owed(*sent[number % len(sent)], number, at)
            for number in range(first, min(first + AT_ONCE, count))
        ]
        await parts.store.transact(lambda tx, rows=rows: deliveries.owe(tx, rows))  # type: ignore[misc]


def _write(tx: Tx, parts: Parts, work: Work, incident: IncidentId) -> MessageId:
    """A letter to a school as the gateway drafts it, recorded with its receipt."""
    id_ = MessageId(work.supply.id(IdKind.MESSAGE))
    raw = document(LETTER, id_, incident)
    own = OwnMessage(id_, PARTNERSHIP, incident, LETTER, BUSINESS_UNIT, id_, LETTER, raw, work.key)
    record_own(tx, parts, work, own, [Said(Event.SUBMISSION_ACCEPTANCE, {"type": LETTER})])
    letter = {
        "reference": f"SG-{id_[-12:].upper()}",
        "partnership": PARTNERSHIP,
        "incident": incident,
        "message": id_,
        "duty": None,
        "agency": SCHOOL,
        "token": work.supply.take(18).hex(),
    }
    mail.record_letter(tx, letter)
    return id_


def _owed(incident: str, message: str, number: int, at: Any) -> dict[str, Any]:
    return {
        "id": f"dlv-queued-{number}",
        "partnership": PARTNERSHIP,
        "incident": incident,
        "message": message,
        "agency": SCHOOL,
        "role": "dsl",
        "adapter": "mail",
        "rule": LETTER,
        "pack_version": None,
        "priority": 5,
        "state": DeliveryState.PENDING.value,
        "attempt": 0,
        "created_at": at,
        "next_at": at - timedelta(seconds=1),
    }

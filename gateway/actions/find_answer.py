"""Find the statement of an answer to a delivery that was given before: whoever did not get the receipt asks with the same words.

Invariant: it is the same answer in every word that the statement commits to, the recipient's own signature among them; else there
is none. It reads, and states nothing.
"""

from __future__ import annotations

from gateway.actions.acknowledge import Acknowledgement, said_of
from gateway.actions.prove import Stated
from gateway.actions.take import open_disclosures
from gateway.ledger.statement import fields_of
from gateway.parts import Parts
from gateway.store import log
from gateway.store.deliveries import DeliveryRow


async def find_answer(parts: Parts, asked: Acknowledgement, row: DeliveryRow) -> Stated | None:
    """The statement with what opens it; None when nothing like it was said, or it cannot be opened any more."""
    wanted = said_of(asked, row)
    entries = await parts.store.read(lambda tx: log.entries_of_chain(tx, row.partnership, row.message))
    for entry in entries:
        if entry.event == wanted.event.text:
            opened = await open_disclosures(parts, row.partnership, entry.id)
            if fields_of(opened) == wanted.fields:
                return Stated(entry.id, entry.jws, opened)
    return None

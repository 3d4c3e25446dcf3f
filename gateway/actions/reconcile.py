"""Hold what was accepted against what the ledger says and what was promised to whom (architecture section 7: nothing is lost).

What a receipt promises stands sealed in its own entry: only messages without any delivery are opened, to see whether that
is right. Reads only; what it finds is for a person.
"""

from __future__ import annotations

from gateway.actions.take import open_disclosures
from gateway.core.messages import MessageId
from gateway.ledger.statement import fields_of
from gateway.parts import Parts
from gateway.store import reconcile as rows
from gateway.store.reconcile import Reconciliation


async def reconcile(parts: Parts) -> Reconciliation:
    """Everything counted once, and what nothing explains."""
    now = parts.clock()
    broken: dict[MessageId, str] = {}
    for unsent in await parts.store.read(rows.without_deliveries):
        disclosures = await open_disclosures(parts, unsent.partnership, unsent.receipt)
        if not disclosures:
            broken[unsent.message] = "a receipt cannot be opened and no erasure says why"
        elif fields_of(disclosures).get("recipients"):
            broken[unsent.message] = "a receipt promises recipients and no delivery is owed"
    return await parts.store.read(lambda tx: rows.reconcile(tx, now, broken))

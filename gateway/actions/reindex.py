"""Make an incident's blind index anew from its sealed messages: after a new master key, or a new way to form a name.

Terms of two keys never meet, so every incident is done in one go. That content was opened for it is stated first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.actions.index_children import BlindChild, index_children
from gateway.actions.take import blind_children
from gateway.actions.view import Viewing, view
from gateway.core.messages import IncidentId, PartnershipId
from gateway.parts import Parts, Work
from gateway.store import blind_index, incidents, messages
from gateway.store.transaction import Tx
from schemas import facts, read_message


@dataclass(frozen=True, slots=True)
class Reindexing:
    """An incident with the children of each of its messages, in the order of their arrival."""

    incident: IncidentId
    children: tuple[tuple[BlindChild, ...], ...] = field(repr=False)


async def reindex(parts: Parts, partnership: PartnershipId, incident: IncidentId, officer: str) -> int:
    """Index one incident anew; how many of its messages name children. One without a data key is left as it is."""
    key = await parts.key_of(incident)
    if key is None:
        return 0
    asked = Viewing(officer, partnership, incident, opened="blind-index")
    await parts.perform(view, asked, partnership, incident)
    rows = await parts.store.read(lambda tx: messages.of_incident(tx, partnership, incident))
    rows.sort(key=lambda row: (row.arrived_at, row.id))
    opened = [read_message(key.open(f"message:{row.id}", row.sealed)) for row in rows if row.sealed]
    found = tuple(children for one in opened if (children := blind_children(parts, one, facts(one))))
    await parts.perform(reindex_one, Reindexing(incident, found), partnership, incident)
    return len(found)


def reindex_one(tx: Tx, parts: Parts, work: Work, asked: Reindexing) -> None:
    """Exchange an incident's terms. Likenesses that an officer has had before are not asked about again."""
    partnership = work.pack.partnership
    incident = incidents.lock(tx, partnership, asked.incident)
    if incident is None or incident.state in blind_index.CLOSED_TO_SEARCH:
        return
    blind_index.forget(tx, partnership, incident.id)
    for children in asked.children:
        index_children(tx, parts, work, incident, children, is_new=False)
    # A crash before the commit leaves the terms as they were; the officer runs it again.

"""An officer looks for the incidents that a child is part of, through the blind index; that they searched is on record.

The search leaves an entry of its own with its coarse reason, also when nothing is found, and one in the chain of each incident
found with the officer's name sealed in it (domain section 8: audit of searches). What was searched for is kept nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gateway.actions.index_children import Alike, blind, find_alike
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.watch_use import SEARCHED, watch_use
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identity import Identity, Strength
from gateway.core.messages import IncidentId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import blind_index, incidents
from gateway.store.transaction import Tx

MOST_FOUND = 100
REASON = re.compile("[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class ChildSought:
    """Who is looked for, by whom and why. `reason` is a coarse code: it stands in the ledger for good."""

    child: Identity = field(repr=False)
    officer: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundIncident:
    """One incident with a child like the one sought: the child's letter there, how alike, and why."""

    incident: IncidentId
    child: str
    strength: str
    reasons: tuple[str, ...]


def find_incidents_of_child(tx: Tx, parts: Parts, work: Work, asked: ChildSought) -> list[FoundIncident]:
    """Incidents of `work`'s partnership with a child of this NHS number, or of this name and birth; strong likeness first.

    At most 100, the newest. Erased incidents are found by nobody. Perform it with the partnership and no incident.
    """
    if not REASON.fullmatch(asked.reason):
        raise Refused(
            ErrorCode.MALFORMED_REQUEST, detail="The reason is a code: small letters, figures, hyphens."
        )
    partnership = work.pack.partnership
    child = blind(parts.keys.blind_index(partnership), asked.child)
    alike = find_alike(tx, partnership, child, MOST_FOUND)
    search = f"search-{work.supply.take(13).hex()}"
    said = Said(Event.INCIDENT_SEARCHED, reason=asked.reason)
    prove(tx, parts, work, Subject(search, partnership, None, None), [said])
    values = {"id": search, "partnership": partnership, "officer": asked.officer, "reason": asked.reason}
    blind_index.record_search(tx, values | {"searched_at": work.at, "found": len(alike)})
    for incident in sorted(alike):
        _state_found(tx, parts, work, asked, search, incident)
    watch_use(tx, parts, work, asked.officer, SEARCHED)
    found = [_found(one) for every in alike.values() for one in every]
    return sorted(found, key=lambda one: one.strength != Strength.STRONG.value)
    # A crash before the commit: nothing was shown, and nothing is on record.


def _state_found(
    tx: Tx, parts: Parts, work: Work, asked: ChildSought, search: str, incident_id: IncidentId
) -> None:
    """In the order of ids, so that two searches never wait for each other."""
    incident = incidents.lock(tx, work.pack.partnership, incident_id)
    if incident is None:
        return
    subject = Subject(incident.chain, incident.partnership, incident.id, parts.own_key(incident.id))
    fields = {"officer": asked.officer, "search": search}
    prove(tx, parts, work, subject, [Said(Event.INCIDENT_SEARCHED, fields, reason=asked.reason)])


def _found(one: Alike) -> FoundIncident:
    likeness = one.likeness
    return FoundIncident(one.other.incident, one.other.letter, likeness.strength.value, likeness.reasons)

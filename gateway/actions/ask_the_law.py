"""What the law asks about an incident, from the coded facts of its messages; no content is opened for it.

The invariant: the answer is worked out anew from the facts recorded and the pack in force, so that it can be shown to
whoever may see those messages and never goes stale. Source: S0-01, S2-01 to S2-06, X-16; `gateway.core.statutory`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.core import clocks
from gateway.core.messages import IncidentId, Message
from gateway.core.rules import Pack, moment_values, told_moments
from gateway.core.statutory import NATURE, Finding, assess, situation, together
from gateway.core.written_times import written_or_null
from gateway.store import incidents
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

AWARE = "aware_at"


def asked_of_message(pack: Pack, message: Message, rule: str) -> list[dict[str, Any]]:
    """Every criterion for one message that says what happened, taken by a rule; nothing for any other."""
    if NATURE not in message.facts.codes:
        return []
    found = assess(situation(message.facts.codes, pack.places), pack.statutory)
    route = next((route for route in pack.routes if route.id == rule), None)
    moments = told_moments(message) if route is None else moment_values(route, message)
    return [document(each, pack, moments.get(AWARE)) for each in found]


def asked_of_incident(
    tx: Tx, pack: Pack, incident: IncidentId, seen: Iterable[MessageRow]
) -> list[dict[str, Any]]:
    """Every criterion by the messages that may be seen; nothing when none of them says what happened."""
    aware_at = incidents.moments(tx, pack.partnership, incident).get(AWARE)
    return [document(each, pack, aware_at) for each in found_in(pack, seen)]


def found_in(pack: Pack, rows: Iterable[MessageRow]) -> tuple[Finding, ...]:
    """How the criteria stand by all these messages together."""
    codes = [{name: tuple(values) for name, values in row.facts["codes"].items()} for row in rows]
    told = [situation(each, pack.places) for each in codes if NATURE in each]
    return assess(together(told), pack.statutory) if told else ()


def document(found: Finding, pack: Pack, aware_at: datetime | None) -> dict[str, Any]:
    """One criterion as JSON. `due_at` is UTC: five working days from awareness, or null while that is not known or the
    holiday data ends before it."""
    due_at = None
    if found.clock is not None and aware_at is not None:
        due, _ = clocks.due_or_uncounted(pack.clocks[found.clock], aware_at, pack.calendar)
        due_at = due.due_at
    return {
        "criterion": found.criterion.id,
        "standing": found.standing.value,
        "statutory": found.criterion.statutory,
        "referral": found.criterion.referral,
        "title": found.criterion.title,
        "by": found.by,
        "notify": list(found.notify),
        "tell": list(found.tell),
        "missing": list(found.missing),
        "clock": found.clock,
        "due_at": written_or_null(due_at),
        "source": found.criterion.source,
    }

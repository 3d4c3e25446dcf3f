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
from gateway.core.routing import Directory
from gateway.core.rules import Pack, fits, moment_values, told_moments
from gateway.core.statutory import NATURE, Finding, Standing, assess, situation, together
from gateway.core.written_times import written_or_null
from gateway.store import incidents, messages
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

AWARE, HELD = "aware_at", "hold"


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


def limit_of_held(pack: Pack, directory: Directory, row: MessageRow) -> datetime | None:
    """When the law's first limit on what a held message tells ends: as `limit_by_law`, of a message on record."""
    sender = directory.agencies.get(row.agency)
    if row.decision != HELD or sender is None:
        return None
    message = Message(
        row.id,
        row.type,
        row.version,
        row.partnership,
        row.agency,
        sender.kind,
        row.reference,
        row.incident,
        row.in_reply_to,
        row.arrived_at,
        messages.facts_of(row.facts),
    )
    return limit_by_law(pack, message, row.rule)


def limit_by_law(pack: Pack, message: Message, rule: str) -> datetime | None:
    """The earliest instant by which the law asks for something that this message would lay by a rule, or of which it tells.

    The law counts from awareness, and not from when an officer lets a message go on (X-01): nobody who looks at what is held
    may think that there is time.
    """
    told = [one["due_at"] for one in asked_of_message(pack, message, rule) if one["due_at"] and _stands(one)]
    found = [datetime.fromisoformat(at) for at in told]
    route = next((route for route in pack.routes if route.id == rule), None)
    moments = {} if route is None else moment_values(route, message)
    for duty in () if route is None else route.duties:
        clock = pack.clocks[duty.clock]
        if pack.is_statutory(clock.id) and fits(duty.owner, message.facts.codes) and clock.start in moments:
            due, _ = clocks.due_or_uncounted(clock, moments[clock.start], pack.calendar)
            found += [due.due_at] if due.due_at else []
    return min(found, default=None)


def _stands(asked: dict[str, Any]) -> bool:
    return str(asked["standing"]) != Standing.NOT_MET.value


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

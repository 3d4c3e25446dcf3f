"""Tell the unit's people of a duty that is due soon and unanswered, while there is still time to ring somebody; and of a message
that is held while the law counts.

Said once for each duty and due instant, at its last chase before the limit: what kind of thing, who owes it, by when, and the last
trouble with reaching them. No child, no words, no person. At night and on closed days only what the law sets goes out, to who is on
call; everybody else is told of it in the morning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gateway.actions.ask_the_law import limit_by_law
from gateway.actions.tell_managers import Alert, owe_alert, owe_to_webhook, the_unit
from gateway.core import spoken_times
from gateway.core.alerts import QuietHours, Watch, may_go_at
from gateway.core.messages import Message
from gateway.parts import Parts, Work
from gateway.settings import Settings
from gateway.store import deliveries, officers
from gateway.store.duties import DutyRow
from gateway.store.officers import OfficerRow
from gateway.store.transaction import Tx


def warn_unit(tx: Tx, parts: Parts, work: Work, duty: DutyRow) -> int:
    """Owe the alert to everybody of the unit who has an address, and to its webhook; to how many."""
    calendar, statutory = work.pack.calendar, work.pack.is_statutory(duty.clock)
    facts = {"expects": duty.task or duty.expects, "owner": f"{duty.role} of {duty.agency}"}
    if duty.due_at is not None:
        facts["due"] = spoken_times.limit(calendar.local(duty.due_at))
    if trouble := _last_trouble(tx, duty):
        facts["error"] = trouble
    reference = f"alert-{duty.id}-{len(duty.due_changes or ())}"
    alert = Alert("duty-due", "", f"/incidents/{duty.incident}", facts, reference)
    return _tell(tx, parts, work, alert, statutory=statutory)


def warn_of_held(tx: Tx, parts: Parts, work: Work, message: Message, rule: str, held: str) -> int:
    """Tell the unit at once that a message waits for a person while a limit of the law runs on what it says; to how many.

    Nothing is owed and nobody is chased before its release, so that otherwise only the day's count would speak of it.
    """
    limit = limit_by_law(work.pack, message, rule)
    if limit is None:
        return 0
    facts = {"due": spoken_times.limit(work.pack.calendar.local(limit))}
    return _tell(
        tx, parts, work, Alert("held-by-law", "", f"/held/{held}", facts, f"alert-{held}"), statutory=True
    )


def _tell(tx: Tx, parts: Parts, work: Work, alert: Alert, *, statutory: bool) -> int:
    calendar = work.pack.calendar
    people, turns = the_unit(tx, work.pack.partnership), officers.on_call_at(tx, work.at)
    told = 0
    for row in people:
        at = _when(work, parts.settings, row, people, turns, statutory=statutory)
        told += owe_alert(tx, parts, work, replace(alert, at=at), [row])
    quiet, nobody = unit_hours(parts.settings), Watch(anybody=False, is_theirs=False)
    at = may_go_at(work.at, calendar, quiet, nobody, statutory=statutory)
    return told + owe_to_webhook(tx, parts, work, replace(alert, at=at))


def unit_hours(settings: Settings) -> QuietHours:
    """When the unit's people are not written to, unless they have hours of their own."""
    return QuietHours(settings.alert_quiet_from, settings.alert_quiet_until)


def _when(
    work: Work,
    settings: Settings,
    row: OfficerRow,
    people: Sequence[OfficerRow],
    turns: frozenset[str],
    *,
    statutory: bool,
) -> datetime:
    watch = Watch(any(one.key in turns for one in people), row.key in turns)
    return may_go_at(
        work.at, work.pack.calendar, row.quiet or unit_hours(settings), watch, statutory=statutory
    )


def _last_trouble(tx: Tx, duty: DutyRow) -> str:
    """Why the message that asks for it did not reach its owner, as a coarse code."""
    if duty.message is None:
        return ""
    rows = (row for row in deliveries.of_message(tx, duty.message) if row.agency == duty.agency)
    return next((row.last_reason for row in rows if row.last_reason), "")

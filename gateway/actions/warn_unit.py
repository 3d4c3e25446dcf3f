"""Tell the unit's people of a duty that is due soon and unanswered, while there is still time to ring somebody.

Said once for each duty and due instant, at its last chase before the limit: what kind of thing, who owes it, by when, and the last
trouble with reaching them. No child, no words, no person. At night and on closed days only what the law sets.
"""

from __future__ import annotations

from gateway.actions.tell_managers import Alert, owe_alert, the_unit
from gateway.core.alerts import QuietHours, may_go_at
from gateway.parts import Parts, Work
from gateway.store import deliveries
from gateway.store.duties import DutyRow
from gateway.store.transaction import Tx


def warn_unit(tx: Tx, parts: Parts, work: Work, duty: DutyRow) -> int:
    """Owe the alert to everybody of the unit who has an address; to how many."""
    settings, calendar = parts.settings, work.pack.calendar
    quiet = QuietHours(settings.alert_quiet_from, settings.alert_quiet_until)
    at = may_go_at(work.at, calendar, quiet, statutory=work.pack.is_statutory(duty.clock))
    facts = {"expects": duty.task or duty.expects, "owner": f"{duty.role} of {duty.agency}"}
    if duty.due_at is not None:
        facts["due"] = f"{calendar.local(duty.due_at):%H:%M on %d %B %Y}"
    if trouble := _last_trouble(tx, duty):
        facts["error"] = trouble
    reference = f"alert-{duty.id}-{len(duty.due_changes or ())}"
    alert = Alert("duty-due", "", f"/incidents/{duty.incident}", facts, reference, at)
    return owe_alert(tx, parts, work, alert, the_unit(tx, duty.partnership))


def _last_trouble(tx: Tx, duty: DutyRow) -> str:
    """Why the message that asks for it did not reach its owner, as a coarse code."""
    if duty.message is None:
        return ""
    rows = (row for row in deliveries.of_message(tx, duty.message) if row.agency == duty.agency)
    return next((row.last_reason for row in rows if row.last_reason), "")

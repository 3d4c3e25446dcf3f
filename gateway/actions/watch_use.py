"""Count what an officer searches, opens and takes out in a day, and tell the managers once when it is more than usual.

A plain bound, so that everybody can foresee it: the day is London's, the bounds are settings, and the alert is owed when the count
reaches one. What was searched, opened or taken is in the ledger whatever the count (domain section 8, audit).
"""

from __future__ import annotations

from gateway.actions.tell_managers import Alert, tell_managers
from gateway.core.presence import local_day
from gateway.parts import Parts, Work
from gateway.settings import Settings
from gateway.store import access
from gateway.store.transaction import Tx

SEARCHED, OPENED, EXPORTED = "searched", "opened", "exported"
ALERTS = {SEARCHED: "many-searches", OPENED: "many-openings", EXPORTED: "many-exports"}


def bounds(settings: Settings) -> dict[str, int]:
    """From which count a day's use is unusual."""
    return {
        SEARCHED: settings.alert_searches_per_day,
        OPENED: settings.alert_openings_per_day,
        EXPORTED: settings.alert_exports_per_day,
    }


def watch_use(tx: Tx, parts: Parts, work: Work, officer: str, act: str) -> None:
    """One more of it today; the managers are told at the count that is the bound, and not again that day."""
    count = access.count_use(tx, officer, local_day(work.at), act)
    if count == bounds(parts.settings)[act]:
        tell_managers(tx, parts, work, Alert(ALERTS[act]))

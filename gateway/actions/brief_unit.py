"""Tell the unit's people at the start of the day what it asks for: how much is due, overdue, held and failing, with a link to each list.

Once for a working day and partnership, counts alone. Told from the instant at which the unit's quiet hours end until they begin; a
gateway that starts later in the day tells it then.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, time, timedelta

from gateway.actions.end_retention import past_retention
from gateway.actions.tell_managers import Alert, owe_alert, owe_to_webhook, the_unit
from gateway.actions.warn_unit import unit_hours
from gateway.core.alerts import is_quiet
from gateway.core.messages import PartnershipId
from gateway.core.rules import Pack
from gateway.core.working_days import CalendarEnds
from gateway.parts import Parts, Work
from gateway.settings import Settings
from gateway.store import overview, rounds
from gateway.store.overview import Day
from gateway.store.transaction import Tx


def is_time_to_brief(pack: Pack, settings: Settings, at: datetime) -> bool:
    """Whether the unit is at work."""
    try:
        return settings.alert_day_begins and not is_quiet(at, pack.calendar, unit_hours(settings))
    except CalendarEnds:
        return False  # the list of bank holidays has ended: `gateway doctor` says so


def name_of_round(partnership: PartnershipId) -> str:
    return f"brief:{partnership}"


def brief_unit(tx: Tx, parts: Parts, work: Work, asked: None) -> int:
    """Owe it to everybody of the unit who has an address, and to the webhook; to how many. 0 when the day was told already."""
    partnership, today = work.pack.partnership, work.pack.calendar.local(work.at).date()
    name = name_of_round(partnership)
    tx.take_turns(name)
    if not rounds.is_due(tx, name, today):
        return 0
    midnight = work.pack.calendar.instant(today + timedelta(days=1), time(0))
    counts = asdict(overview.counts(tx, [partnership], Day(work.at, midnight)))
    facts = {name: _written(count) for name, count in counts.items() if count}
    if kept := sum(not one.is_held for one in past_retention(tx, work.pack, work.at)):
        facts["retention"] = _written(kept)
    alert = Alert("day", "", "/", facts, f"brief-{today.isoformat()}")
    told = owe_alert(tx, parts, work, alert, the_unit(tx, partnership))
    told += owe_to_webhook(tx, parts, work, alert)
    rounds.done(tx, name, today)
    return told
    # A crash before the commit leaves the day untold; the next look tells it.


def _written(count: int) -> str:
    return f"{overview.MOST_COUNTED:,} or more" if count >= overview.MOST_COUNTED else str(count)

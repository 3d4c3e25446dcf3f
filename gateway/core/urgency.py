"""Which messages cannot wait until somebody is at a desk, and whether anybody is (G-03, S0-09)."""

from __future__ import annotations

from datetime import datetime

from gateway.core.messages import Message
from gateway.core.working_days import Calendar, CalendarEnds, is_working_day

CATASTROPHIC, DEATH = "catastrophic", "death"
SIGNS, NATURE, CONCERN = "catastrophic_sign", "nature", "urgent_concern"


def is_urgent(message: Message) -> bool:
    """Its sender calls it catastrophic or an urgent concern, gives a sign of that, or says that somebody has died.

    Only a message that says so itself: later ones about the same incident wait for the morning.
    """
    codes = message.facts.codes
    is_called_so = any(CATASTROPHIC in values for values in codes.values())
    if is_called_so or codes.get(SIGNS) or "yes" in codes.get(CONCERN, ()):
        return True
    return DEATH in codes.get(NATURE, ())


def is_out_of_hours(calendar: Calendar, at: datetime) -> bool:
    """Outside opening hours, on a weekend, a public holiday or a day on which the partnership is closed.

    Where the holiday data has ended it counts as out of hours: one telephone call too many.
    """
    local = calendar.local(at)
    try:
        is_open_day = is_working_day(calendar, local.date(), local=True)
    except CalendarEnds:
        return True
    return not (is_open_day and calendar.opens <= local.time() < calendar.closes)

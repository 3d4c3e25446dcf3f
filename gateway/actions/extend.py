"""Give an agency more time for a duty, on an officer's word (G-10). The original due date stays with the duty for the figures.

Never for what the law sets. What an agency asked for with an extension request is dealt with by this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.actions.change_calendar import EXTENDED, clock_of, reschedule
from gateway.actions.forward import REQUESTED
from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Stated, Subject
from gateway.core.clocks import Due
from gateway.core.duties import UNANSWERED
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import DutyId, MessageId
from gateway.core.officers import TwoOfficers
from gateway.parts import Parts, Work
from gateway.store import duties, holds, messages
from gateway.store.duties import DutyRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Extension:
    """Until when (an aware instant, included), and why: in the officer's words, committed to and kept nowhere in clear.

    One officer extends a duty once; whatever is more takes a second officer.
    """

    duty: DutyId
    until: datetime
    officer: str
    reason: str
    second_officer: str = ""


def extend(tx: Tx, parts: Parts, work: Work, asked: Extension) -> Stated:
    """Move the due instant of an unanswered duty later; the receipt.

    Refused for one officer alone when it was extended before, and when it is answered, statutory, without a limit, or when the instant is past or no later than the one it has. A
    duty that was missed already is open again; that it was missed stays in the ledger.
    """
    duty, incident = duties.find_locked(tx, asked.duty)
    if duty is None or incident is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no duty of this id.")
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at, asked.second_officer)
    if duty.state not in UNANSWERED or incident.state != "open" or duty.due_at is None:
        detail = "This duty is answered, has no limit, or its incident is closed."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    clock = clock_of(tx, duty, work.pack)
    if clock.statutory or work.pack.clocks[duty.clock].statutory:
        raise Refused(ErrorCode.NOT_PERMITTED, detail="The law sets this duty: no officer can extend it.")
    if asked.until <= max(work.at, duty.due_at):
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="The new instant must be later than now and than the old one.",
        )
    if any(change["cause"] == EXTENDED for change in duty.due_changes or ()):
        TwoOfficers(asked.officer, asked.second_officer)
    due = Due(clock, duty.start_at, work.pack.calendar.local(asked.until).date(), asked.until)
    _settle_requests(tx, work, duty, asked.officer)
    subject = Subject(incident.chain, incident.partnership, incident.id, work.key)
    fields = {"officer": asked.officer, "words": asked.reason, "owner": f"{duty.role}@{duty.agency}"}
    fields |= {"second_officer": asked.second_officer} if asked.second_officer else {}
    duties.change(tx, duty.id, due_inclusive=True)  # until 5pm means that 5pm itself is in time
    return reschedule(tx, parts, work, subject, duty, due, EXTENDED, fields)
    # A crash before the commit leaves the duty as it was; the officer asks again.


def _settle_requests(tx: Tx, work: Work, duty: DutyRow, officer: str) -> None:
    """What the agency asked for on this incident waits no longer."""
    for held in holds.open_holds(tx, duty.partnership):
        if held.incident != duty.incident or REQUESTED not in held.reasons:
            continue
        row = messages.find(tx, [duty.partnership], MessageId(held.subject))
        if row is not None and row.agency == duty.agency:
            holds.settle(tx, held.id, work.at, officer, "released")

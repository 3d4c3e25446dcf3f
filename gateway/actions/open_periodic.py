"""Open a matter that comes round, with what is owed on it: a month's learning, a year's report (S0-24, S3-15).

Nobody's message opens it: the calendar does. It is an incident like any other, whose duties are met and chased as all are.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.actions.hold import hold
from gateway.actions.lay_duties import add_duties
from gateway.actions.prove import Said, Subject, prove
from gateway.actions.what_follows import Forwarded
from gateway.core.messages import AgencyId, IncidentId
from gateway.core.periods import Period
from gateway.core.receipts import Event
from gateway.core.routing import Circumstances
from gateway.core.rules import Periodic
from gateway.parts import Parts, Work
from gateway.store import incidents, periods
from gateway.store.incidents import Incident
from gateway.store.transaction import Tx

NOBODY = AgencyId("")


@dataclass(frozen=True, slots=True)
class Opening:
    """`incident` is the id to use; its data key is `Work.key`."""

    rule: Periodic
    period: Period
    incident: IncidentId


def open_periodic(tx: Tx, parts: Parts, work: Work, asked: Opening) -> bool:
    """Open the matter of one period once; False when it is open already."""
    partnership, rule, period = work.pack.partnership, asked.rule, asked.period
    if not periods.take(tx, partnership, rule.id, period.key, period.opens_at, asked.incident):
        return False
    chain = f"inc-{work.supply.take(16).hex()}"
    values = incidents.newly_opened(
        asked.incident, partnership, chain, work.pack.version, work.at, rule.label
    )
    incidents.open_new(tx, values)
    incident = Incident(**values)
    moments = incidents.record_moments(tx, partnership, incident.id, None, {rule.moment: period.at})
    now = Circumstances(NOBODY, deputies=work.pack.deputies, at=work.at)
    result = Forwarded(rule.id)
    for duty in rule.duties:
        add_duties(work, None, incident, duty, moments, now, result)
    result.record(tx)
    incidents.involve(tx, partnership, incident.id, [AgencyId(row["agency"]) for row in result.duties])
    fields = {"periodic": rule.id, "period": period.key, "duties": " ".join(result.duties_in_short)}
    subject = Subject(incident.chain, partnership, incident.id, work.key)
    prove(tx, parts, work, subject, [Said(Event.MATTER_OPENED, fields)])
    for gap in result.gaps:
        hold(tx, work, partnership, incident.id, ("incident", incident.id), (gap,))
    return True
    # A crash before the commit leaves nothing but an unused key; the timetable comes by again.

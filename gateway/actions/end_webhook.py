"""An endpoint is told no more: its agency or two officers remove it, it answers 410 itself, or its asking lapses.

Invariant: nothing is lost by it. What was to be told of waits in the agency's inbox, which the seat goes back to; a notice that is
still to go out finds that, and becomes an item of the inbox (dispatch.carrying).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.actions.enrol_webhook import held, newest_secret, own, say, sealed, standing
from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.core.deliveries import endpoint_digest
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, PartnershipId, Seat
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.core.routing import EVERY_ROLE
from gateway.core.webhooks import OPEN, WebhookState
from gateway.parts import Parts, Work
from gateway.store import directory, webhooks
from gateway.store.transaction import Tx
from gateway.store.webhooks import WebhookRow


@dataclass(frozen=True, slots=True)
class Removal:
    """The agency's own software ends it."""

    webhook: str
    agency: AgencyId
    partnerships: frozenset[str]


@dataclass(frozen=True, slots=True)
class OfficersRemoval:
    webhook: str
    officers: TwoOfficers


def remove_webhook(tx: Tx, parts: Parts, occasion: Occasion, asked: Removal) -> WebhookRow:
    """End one's own; one that has ended stays as it is."""
    row = own(tx, asked.webhook, asked.agency, asked.partnerships)
    return _ended(tx, parts, occasion, row, None) if row.state in OPEN else row


def take_webhook_away(tx: Tx, parts: Parts, occasion: Occasion, asked: OfficersRemoval) -> WebhookRow:
    """Two officers end it; Refused when it has ended."""
    found = webhooks.find(tx, asked.webhook)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no endpoint of this id.")
    row = held(tx, found)
    if row.state not in OPEN:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This endpoint has ended already.")
    return _ended(tx, parts, occasion, row, asked.officers.both)


def close_endpoint(
    tx: Tx, parts: Parts, work: Work, partnership: PartnershipId, seat: Seat, told: str
) -> None:
    """The endpoint answered 410: nobody calls it again. `told` is `endpoint_digest` of where that answer came from, so that an
    endpoint which took its place meanwhile stays."""
    directory.hold_agency(tx, partnership, seat.agency)
    for one in (seat, Seat(seat.agency, EVERY_ROLE)):
        way = directory.way_enrolled(tx, partnership, one)
        if way is None:
            continue
        is_it = way.adapter == "webhook" and way.address is not None
        if not is_it or not hmac.compare_digest(endpoint_digest(way.address or ""), told):
            return
        for row in webhooks.of_agency(tx, seat.agency, [partnership]):
            if row.role == one.role and row.state is WebhookState.IN_FORCE:
                webhooks.change(tx, replace(row, state=WebhookState.GONE, settled_at=work.at, ends_at=None))
        directory.end_way(tx, partnership, one)
        subject = Subject(f"directory-{partnership}", partnership, None, None)
        prove(tx, parts, work, subject, [Said(Event.DIRECTORY_CHANGED, reason="webhook-gone")])
        return


def end_waiting(tx: Tx, parts: Parts, at: datetime, most: int) -> int:
    """Let askings lapse and secrets before the newest end, where their instant has come; how many there were."""
    found = webhooks.ending(tx, at, most)
    for one in found:
        row = held(tx, one)
        if row.ends_at is None or row.ends_at > at:
            webhooks.change(tx, row)  # ended or renewed by somebody meanwhile
        elif row.state is WebhookState.IN_FORCE:
            _end_secret_before(tx, parts, row)
        else:
            webhooks.change(tx, replace(row, state=WebhookState.LAPSED, settled_at=at, ends_at=None))
    return len(found)


def _end_secret_before(tx: Tx, parts: Parts, row: WebhookRow) -> None:
    way = directory.way_enrolled(tx, row.partnership, Seat(row.agency, row.role))
    if way is not None and way.secret is not None:
        newest = sealed(parts, row, newest_secret(parts, row, way.secret))
        directory.set_way(tx, row.partnership, replace(way, secret=newest))
    webhooks.change(tx, replace(row, ends_at=None))


def _ended(tx: Tx, parts: Parts, occasion: Occasion, row: WebhookRow, officers: str | None) -> WebhookRow:
    if standing(tx, row).state is WebhookState.IN_FORCE:
        directory.end_way(tx, row.partnership, Seat(row.agency, row.role))
    removed = replace(
        row,
        state=WebhookState.REMOVED,
        ends_at=None,
        settled_at=occasion.at,
        settled_by=officers,
    )
    say(tx, parts, occasion, row, Event.DIRECTORY_CHANGED, "webhook-removed")
    return webhooks.change(tx, removed)
    # A crash before the commit leaves it in force; the client or the officers ask again.

"""Officers answer an agency's asking for an endpoint that would take the place of another way.

Invariant: it takes two to agree, and it is in force only once the agency has fetched its secret, so no secret is kept for what may
never be. One officer may refuse: nothing changes then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.actions.enrol_webhook import held, say
from gateway.actions.prove import Occasion
from gateway.core.errors import ErrorCode, Refused
from gateway.core.officers import TwoOfficers, tidy_name
from gateway.core.receipts import Event
from gateway.core.webhooks import WAITS, WebhookState
from gateway.parts import Parts
from gateway.store import webhooks
from gateway.store.transaction import Tx
from gateway.store.webhooks import WebhookRow


@dataclass(frozen=True, slots=True)
class Agreement:
    webhook: str
    officers: TwoOfficers


@dataclass(frozen=True, slots=True)
class Refusal:
    webhook: str
    officer: str


def agree_webhook(tx: Tx, parts: Parts, occasion: Occasion, asked: Agreement) -> WebhookRow:
    """Two officers let it take the place of what stands there; Refused unless it still waits."""
    row = _waiting(tx, occasion, asked.webhook)
    agreed = replace(
        row,
        state=WebhookState.AGREED,
        ends_at=occasion.at + WAITS,
        settled_at=occasion.at,
        settled_by=asked.officers.both,
    )
    say(tx, parts, occasion, row, Event.DIRECTORY_CHANGED, "webhook-agreed")
    return webhooks.change(tx, agreed)
    # A crash before the commit leaves it waiting; the officers repeat the command.


def refuse_webhook(tx: Tx, parts: Parts, occasion: Occasion, asked: Refusal) -> WebhookRow:
    """An officer refuses: what stands there stays. Refused unless it still waits."""
    row = _waiting(tx, occasion, asked.webhook)
    by = tidy_name(asked.officer)
    refused = replace(row, state=WebhookState.REFUSED, ends_at=None, settled_at=occasion.at, settled_by=by)
    say(tx, parts, occasion, row, Event.AGREEMENT_REFUSED, "webhook")
    return webhooks.change(tx, refused)


def _waiting(tx: Tx, occasion: Occasion, webhook: str) -> WebhookRow:
    found = webhooks.find(tx, webhook)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no endpoint of this id.")
    row = held(tx, found)
    if row.state is not WebhookState.WAITING or row.ends_at is None or row.ends_at <= occasion.at:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This endpoint does not wait for officers.")
    return row

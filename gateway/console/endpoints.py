"""Agencies' own endpoints in the page: where their software asked to be told of what waits, and officers' word on it.

One that would take the place of another way redirects, and ending one silences it: each waits for a second officer. Refusing leaves
everything as it is, so one officer does it.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from gateway.actions.agree_arrangements import ArrangementAsked, ask_arrangement
from gateway.actions.enrol_webhook import standing
from gateway.actions.settle_webhook import Refusal, refuse_webhook
from gateway.console.arrangements import settled
from gateway.console.door import Console, Visit
from gateway.console.pages import go
from gateway.console.words import Tag
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, PartnershipId
from gateway.core.webhooks import WebhookState
from gateway.store import webhooks
from gateway.store.webhooks import WebhookRow

STATES: Mapping[WebhookState, Tag] = {
    WebhookState.WAITING: Tag("Waits for two officers", "yellow"),
    WebhookState.AGREED: Tag("Agreed: begins when they fetch its secret", "blue"),
    WebhookState.IN_FORCE: Tag("In force", "green"),
    WebhookState.REPLACED: Tag("Replaced"),
}


async def of_agency(console: Console, partnership: PartnershipId, agency: AgencyId) -> list[WebhookRow]:
    """Those that wait, are agreed to or in force."""
    return await console.parts.store.read(
        lambda tx: [standing(tx, row) for row in webhooks.of_agency(tx, agency, [partnership])]
    )


async def post_agree(console: Console, visit: Visit) -> Response:
    """Ask a second officer to let it take the place of another way."""
    return await _ask(console, visit, "agree-webhook")


async def post_end(console: Console, visit: Visit) -> Response:
    """Ask a second officer to end it."""
    return await _ask(console, visit, "end-webhook")


async def post_refuse(console: Console, visit: Visit) -> Response:
    """Refuse one that waits: they are reached as before."""
    row = await _found(console, visit)
    await settled(console, refuse_webhook, Refusal(row.id, visit.signed_in.name))
    return go(f"/partners/{row.partnership}/{row.agency}?done=endpoint-refused")


async def _ask(console: Console, visit: Visit, act: str) -> Response:
    row = await _found(console, visit)
    asked = ArrangementAsked(act, row.partnership, {"webhook": row.id}, visit.signed_in.name)
    await settled(console, ask_arrangement, asked)
    return go("/approvals?done=asked")


async def _found(console: Console, visit: Visit) -> WebhookRow:
    """The endpoint, of the agency in the address and one of the officer's partnerships."""
    partnership, agency = PartnershipId(visit.path("partnership")), AgencyId(visit.path("agency"))
    row = await console.parts.store.read(lambda tx: webhooks.find(tx, visit.path("webhook")))
    is_theirs = row is not None and (row.partnership, row.agency) == (partnership, agency)
    if row is None or not is_theirs or partnership not in visit.signed_in.partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    return row

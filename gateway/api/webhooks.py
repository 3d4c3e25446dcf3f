"""`/v1/webhooks`: an agency's own software says where it is told of what waits for it (Standard Webhooks 1.0.0).

Who may read the inbox may say where it is told of it: all of this needs the scope `messages.read`. An address is refused unless it
is an https URL whose host lies on the public internet; it is looked at again at every call.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.actions.end_webhook import Removal, remove_webhook
from gateway.actions.enrol_webhook import (
    Endpoint,
    Enrolled,
    Renewal,
    enrol_webhook,
    renew_webhook_secret,
    standing,
)
from gateway.actions.settle import settle
from gateway.actions.try_way import trial_parcel
from gateway.api.door import READ, Door, read_said
from gateway.api.problems import HEADERS
from gateway.core.deliveries import Delivered, TryLater, Undeliverable
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.messages import AgencyId, PartnershipId, RoleId, Seat
from gateway.core.routing import EVERY_ROLE
from gateway.core.webhooks import WebhookState
from gateway.core.written_times import written_or_null
from gateway.oauth.resource import Principal
from gateway.partnerships.directory_rows import is_https
from gateway.store import directory, webhooks
from gateway.store.transaction import Tx
from gateway.store.webhooks import WebhookRow

LARGEST_BYTES, SECONDS = 8_192, 10


class WebhookBody(BaseModel):
    """`partnership` may be absent while the client is enrolled in one alone. `role`: one seat of the agency; absent: all of them."""

    model_config = ConfigDict(extra="forbid", strict=True)
    partnership: str | None = Field(None, pattern=r"^[a-z0-9-]{1,64}$")
    url: str = Field(min_length=9, max_length=2000, pattern=r"^[\x21-\x7e]+$")
    role: str | None = Field(None, pattern=r"^[a-z0-9-]{1,64}$")


async def post_webhook(door: Door, request: Request) -> Response:
    """Register an endpoint. In force at once, with its `secret` told this once; `waiting` where it would take the place of another
    way, until two officers agree."""
    principal = await door.reader(request, READ)
    said = await read_said(WebhookBody, request, LARGEST_BYTES, SECONDS)
    asked = Endpoint(
        _partnership(said, principal),
        AgencyId(principal.agency),
        RoleId(said.role or EVERY_ROLE),
        said.url,
        principal.client_id,
    )
    await _must_be_ours(door, principal, asked)
    fault = "not-https" if not is_https(said.url) else await door.parts.check_address(said.url)
    if fault is not None:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError("/url", fault),))
    done = await settle(door.parts, enrol_webhook, asked)
    return _told(done, {"Location": f"/v1/webhooks/{done.row.id}"})


async def get_webhooks(door: Door, request: Request) -> Response:
    """My agency's endpoints that wait or are in force; never a secret."""
    principal = await door.reader(request, READ)
    agency = AgencyId(principal.agency)

    def listed(tx: Tx) -> list[WebhookRow]:
        return [standing(tx, row) for row in webhooks.of_agency(tx, agency, principal.partnerships)]

    found = await door.parts.store.read(listed)
    return JSONResponse({"webhooks": [webhook_document(row) for row in found]}, headers=HEADERS)


async def get_webhook(door: Door, request: Request) -> Response:
    """One of my agency's endpoints and where it stands, also when it has ended."""
    principal = await door.reader(request, READ)
    return JSONResponse(webhook_document(await _own(door, principal, request)), headers=HEADERS)


async def delete_webhook(door: Door, request: Request) -> Response:
    """End one of my agency's endpoints: notices stop, and everything waits in the inbox. A repeat changes nothing."""
    principal = await door.reader(request, READ)
    asked = Removal(request.path_params["webhook"], AgencyId(principal.agency), principal.partnerships)
    row = await settle(door.parts, remove_webhook, asked)
    return JSONResponse(webhook_document(row), headers=HEADERS)


async def post_secret(door: Door, request: Request) -> Response:
    """A new secret, told this once: notices are signed with it and, for a day, with the one before. After officers agreed: the
    first one, which puts the endpoint in force."""
    principal = await door.reader(request, READ)
    key = await door.parts.make_key(None, door.parts.clock())  # where it seals nothing it is swept
    asked = Renewal(request.path_params["webhook"], AgencyId(principal.agency), principal.partnerships, key)
    return _told(await settle(door.parts, renew_webhook_secret, asked), {})


async def post_ping(door: Door, request: Request) -> Response:
    """Send a signed notice of type `webhook.ping` to an endpoint in force, now, and say what came of it."""
    principal = await door.reader(request, READ)
    row = await _own(door, principal, request)
    seat = Seat(row.agency, row.role)
    way = await door.parts.store.read(lambda tx: directory.way_enrolled(tx, row.partnership, seat))
    if row.state is not WebhookState.IN_FORCE or way is None or way.secret is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This endpoint is not in force.")
    parcel = trial_parcel(door.parts, row.partnership, seat, way, row.id)
    outcome = await door.parts.adapter("webhook").deliver(parcel)
    reason = outcome.reason if isinstance(outcome, TryLater | Undeliverable) else None
    status = outcome.evidence.get("status")
    told = {
        "webhook": row.id,
        "taken": isinstance(outcome, Delivered),
        "reason": reason,
        "status": int(status) if status else None,
    }
    return JSONResponse(told, 201, HEADERS)


def webhook_document(row: WebhookRow) -> dict[str, Any]:
    """An endpoint as its agency sees it."""
    return {
        "id": row.id,
        "partnership": row.partnership,
        "role": None if row.role == EVERY_ROLE else row.role,
        "url": row.address,
        "state": row.state.value,
        "asked_at": written_or_null(row.asked_at),
        "waits_until": written_or_null(row.ends_at) if row.state is not WebhookState.IN_FORCE else None,
        "previous_secret_until": written_or_null(row.ends_at) if row.state is WebhookState.IN_FORCE else None,
    }


def _told(done: Enrolled, headers: dict[str, str]) -> Response:
    document = {**webhook_document(done.row), "secret": done.secret}
    return JSONResponse(document, 201, {**HEADERS, "Cache-Control": "no-store", **headers})


def _partnership(said: WebhookBody, principal: Principal) -> PartnershipId:
    """That which is named, or the only one."""
    if said.partnership is not None:
        return PartnershipId(said.partnership)
    if len(principal.partnerships) != 1:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError("/partnership", "required"),))
    (only,) = principal.partnerships
    return PartnershipId(only)


async def _must_be_ours(door: Door, principal: Principal, asked: Endpoint) -> None:
    """A partnership that the client is enrolled in, and a role that its agency holds there."""
    if asked.partnership not in principal.partnerships:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError("/partnership", "unknown"),))
    known = (await door.parts.partnerships.snapshot(asked.partnership)).directory
    if asked.role != EVERY_ROLE and Seat(asked.agency, asked.role) not in known.seats:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError("/role", "unknown"),))


async def _own(door: Door, principal: Principal, request: Request) -> WebhookRow:
    webhook, agency = request.path_params["webhook"], AgencyId(principal.agency)
    found = await door.parts.store.read(lambda tx: webhooks.find(tx, webhook))
    if found is None or found.agency != agency or found.partnership not in principal.partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    return await door.parts.store.read(lambda tx: standing(tx, found))

"""An agency's own software says at which endpoint it is told of what waits, and changes that endpoint's secret.

Invariant: where notices are first told comes into force at once, since the inbox goes on holding everything; what would take the place
of another way redirects, so it waits for two officers (settle_webhook), and it redirects too when that way was removed just before, by
the same software or by officers. A secret is told once, in the answer that puts it in use; while
it is changed, notices are signed with the newest and the one before. The address was checked before (`Parts.check_address`), and is
checked again by whatever calls it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.actions.tell_old_address import owe_notice
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, PartnershipId, RoleId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import EVERY_ROLE, way_label
from gateway.core.sandbox import is_of_sandbox
from gateway.core.webhooks import MOST_OF_AN_AGENCY, OVERLAP, WAITS, WebhookState
from gateway.partnerships.directory_plan import Change
from gateway.parts import Parts
from gateway.store import directory, webhooks
from gateway.store.directory import WayRow
from gateway.store.transaction import Tx
from gateway.store.webhooks import WebhookRow
from keys.sealing import DataKey

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a client asks for. `role` is `*` for every role of its agency."""

    partnership: PartnershipId
    agency: AgencyId
    role: RoleId
    address: str
    client: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """An agency wants a secret for its endpoint: the first one after officers agreed, or a new one.

    `key` seals the word to an e-mail address whose place it takes.
    """

    webhook: str
    agency: AgencyId
    partnerships: frozenset[str]
    key: DataKey


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The registration as it stands now. `secret` is told here and never again; None while it waits for officers."""

    row: WebhookRow
    secret: str | None


def enrol_webhook(tx: Tx, parts: Parts, occasion: Occasion, asked: Endpoint) -> Enrolled:
    """Put the endpoint in force, or have it wait where it would redirect; Refused when it is registered already, or too many are."""
    if not directory.hold_agency(tx, asked.partnership, asked.agency):
        raise Refused(ErrorCode.NOT_PERMITTED, detail="Your agency is not enrolled in this partnership.")
    mine = [standing(tx, row) for row in webhooks.of_agency(tx, asked.agency, [asked.partnership])]
    same_seat = [row for row in mine if row.role == asked.role and row.state is not WebhookState.REPLACED]
    if any(row.address == asked.address for row in same_seat):
        detail = "This endpoint is registered already: ask for a new secret, or remove it first."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    if len(mine) >= MOST_OF_AN_AGENCY:
        detail = f"An agency has at most {MOST_OF_AN_AGENCY} endpoints: remove one."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    row = WebhookRow(
        occasion.supply.id(IdKind.WEBHOOK),
        asked.partnership,
        asked.agency,
        asked.role,
        asked.address,
        asked.client,
        WebhookState.WAITING,
        occasion.at,
        occasion.at + WAITS,
        None,
        None,
    )
    webhooks.add(tx, row)
    if not _redirects(tx, row, mine):
        return _put_in_force(tx, parts, occasion, row)
    for before in same_seat:
        if before.state is not WebhookState.IN_FORCE:
            _replaced(tx, before, occasion)
    say(tx, parts, occasion, row, Event.AGREEMENT_ASKED, "webhook")
    return Enrolled(row, None)
    # A crash before the commit leaves nothing; after it a lost answer means a lost secret: the client asks for another.


def renew_webhook_secret(tx: Tx, parts: Parts, occasion: Occasion, asked: Renewal) -> Enrolled:
    """A new secret for an endpoint that is in force, or the first for one that officers agreed to, which puts it in force."""
    row = own(tx, asked.webhook, asked.agency, asked.partnerships)
    if row.state is WebhookState.AGREED and row.ends_at is not None and occasion.at < row.ends_at:
        _tell_address_before(tx, parts, occasion, row, asked.key)
        return _put_in_force(tx, parts, occasion, row)
    way = directory.way_enrolled(tx, row.partnership, Seat(row.agency, row.role))
    if row.state is not WebhookState.IN_FORCE or way is None or way.secret is None:
        detail = "This endpoint is not in force: officers have not agreed to it, or it has ended."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    secret = _made(occasion)
    both = sealed(parts, row, f"{secret} {newest_secret(parts, row, way.secret)}")
    directory.set_way(tx, row.partnership, replace(way, secret=both))
    renewed = webhooks.change(tx, replace(row, ends_at=occasion.at + OVERLAP))
    say(tx, parts, occasion, row, Event.DIRECTORY_CHANGED, "webhook-secret")
    return Enrolled(renewed, secret)
    # A crash before the commit leaves the secret before; after a lost answer the client asks again, and the one it has still holds.


def own(tx: Tx, webhook: str, agency: AgencyId, partnerships: frozenset[str]) -> WebhookRow:
    """A registration of this agency as it stands, which nobody else changes now; foreign and unknown look the same."""
    found = webhooks.find(tx, webhook)
    if found is None or found.agency != agency or found.partnership not in partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    return held(tx, found)


def held(tx: Tx, row: WebhookRow) -> WebhookRow:
    """The registration as it is once nobody else can change it."""
    directory.hold_agency(tx, row.partnership, row.agency)
    return standing(tx, webhooks.find(tx, row.id) or row)


def standing(tx: Tx, row: WebhookRow) -> WebhookRow:
    """As it stands: replaced, when officers have put another way in its place by a directory file."""
    if row.state is not WebhookState.IN_FORCE:
        return row
    way = directory.way_enrolled(tx, row.partnership, Seat(row.agency, row.role))
    if way is not None and (way.adapter, way.address) == ("webhook", row.address):
        return row
    return replace(row, state=WebhookState.REPLACED, ends_at=None)


def sealed(parts: Parts, row: WebhookRow, secrets: str) -> bytes:
    """An endpoint's secrets as its way in the directory keeps them: the newest first, a space between."""
    return parts.keys.seal_secret(way_label(row.partnership, row.agency), secrets.encode())


def newest_secret(parts: Parts, row: WebhookRow, kept: bytes) -> str:
    """The newest of those that `sealed` made into one."""
    return parts.keys.open_secret(way_label(row.partnership, row.agency), kept).decode().split()[0]


def say(tx: Tx, parts: Parts, occasion: Occasion, row: WebhookRow, event: Event, reason: str) -> None:
    """An entry in the chain of the partnership's directory; it names nobody and no address."""
    subject = Subject(f"directory-{row.partnership}", row.partnership, None, None)
    prove(tx, parts, occasion, subject, [Said(event, reason=reason)])


def _redirects(tx: Tx, row: WebhookRow, mine: Sequence[WebhookRow]) -> bool:
    """Whether what goes another way, to an address, would go here instead: now, once an endpoint of one role is removed, or since one
    was. Whoever holds a client's key could else remove the endpoint that is known, and name another."""
    now = _way_before(tx, row)
    if now is not None and now.adapter != "inbox":
        return True
    if is_of_sandbox(row.agency):
        return False  # developers try things, and there are no officers
    of_roles = (one for one in mine if row.role == EVERY_ROLE and one.state is WebhookState.IN_FORCE)
    if any(one.address != row.address for one in of_roles):
        return True
    before = next(
        (one for one in webhooks.ended(tx, row.agency, row.partnership) if _overlap(one, row)), None
    )
    if before is None or before.state is WebhookState.GONE:
        return False
    return before.address != row.address or before.settled_by is not None


def _overlap(one: WebhookRow, other: WebhookRow) -> bool:
    return one.role == other.role or EVERY_ROLE in (one.role, other.role)


def _way_before(tx: Tx, row: WebhookRow) -> WayRow | None:
    """The way that the seat goes by now: its own, or that of every role of its agency."""
    seats = (Seat(row.agency, row.role), Seat(row.agency, EVERY_ROLE))
    ways = (directory.way_enrolled(tx, row.partnership, seat) for seat in seats)
    return next((way for way in ways if way is not None), None)


def _tell_address_before(tx: Tx, parts: Parts, occasion: Occasion, row: WebhookRow, key: DataKey) -> None:
    """Whoever read e-mail there hears that it stops (architecture section 9)."""
    before = _way_before(tx, row)
    if before is not None and before.adapter == "mail" and before.address is not None:
        change = Change("changed", "way", row.agency, row.role, None, before.address)
        owe_notice(tx, parts, occasion, row.partnership, change, key)


def _put_in_force(tx: Tx, parts: Parts, occasion: Occasion, row: WebhookRow) -> Enrolled:
    secret = _made(occasion)
    for other in webhooks.of_agency(tx, row.agency, [row.partnership]):
        if other.role == row.role and other.id != row.id:
            _replaced(tx, other, occasion)
    way = WayRow(row.agency, row.role, "webhook", row.address, sealed(parts, row, secret))
    directory.set_way(tx, row.partnership, way)
    say(tx, parts, occasion, row, Event.DIRECTORY_CHANGED, "webhook")
    at = occasion.at
    in_force = replace(row, state=WebhookState.IN_FORCE, settled_at=at, ends_at=None, began_at=at)
    return Enrolled(webhooks.change(tx, in_force), secret)


def _replaced(tx: Tx, row: WebhookRow, occasion: Occasion) -> None:
    webhooks.change(tx, replace(row, state=WebhookState.REPLACED, settled_at=occasion.at, ends_at=None))


def _made(occasion: Occasion) -> str:
    """Standard Webhooks, "Signature scheme": between 24 and 64 random bytes."""
    return "whsec_" + base64.b64encode(occasion.supply.take(SECRET_BYTES)).decode()

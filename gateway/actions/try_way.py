"""Send a test to a seat by the way it is reached: it is about nobody, asks nothing, and leaves an entry.

By e-mail it is a delivery of the outbox like any other, to whoever would read a real one now; its state, its repeats and a
notice that it came back are seen where those of all deliveries are. A system is called at once: an agency's endpoint with a
signed notice that says nothing; MESH by asking whether our own mailbox is let in, so that nothing goes to the recipient. An
inbox is collected by its agency, so there is nothing to send.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.actions.say_own import OwnMessage, owe_own, record_own
from gateway.actions.settle import settle
from gateway.core.deliveries import (
    WAY_TEST,
    WEBHOOK_PING,
    Delivered,
    Letter,
    Outcome,
    Parcel,
    Relayed,
    TryLater,
    Undeliverable,
)
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import IdKind, make_id
from gateway.core.messages import AgencyId, DeliveryId, MessageId, PartnershipId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Directory, Way, way_label
from gateway.core.spoken_words import role
from gateway.parts import Parts, Work
from gateway.store import deliveries
from gateway.store.directory import WayRow
from gateway.store.transaction import Tx

BY_MAIL, BY_CALL = "mail", ("webhook", "mesh")
MAY_BE_TRIED = (BY_MAIL, *BY_CALL)
NOT_SO_SOON = timedelta(minutes=1)  # between two tests of one seat by e-mail


@dataclass(frozen=True, slots=True)
class WayTrial:
    """Which seat is tried; `*` is the agency's own way, which has no mailbox."""

    partnership: PartnershipId
    seat: Seat


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it: the delivery to look at, or for a system that was called whether it took the notice and if not why."""

    way: str
    delivery: DeliveryId | None
    is_taken: bool
    reason: str | None


async def try_way(parts: Parts, asked: WayTrial) -> Tried:
    """Send a test by the way that the seat has now; Refused when there is nobody, nothing to send, or one was just sent."""
    directory = (await parts.partnerships.snapshot(asked.partnership)).directory
    way = _way(directory, asked.seat)
    if way.adapter not in parts.adapters:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="That way out is not set up here: the operator's settings turn it on.",
        )
    if way.adapter == BY_MAIL:
        delivery = await parts.perform(write_test, asked, asked.partnership, None)
        return Tried(BY_MAIL, delivery, is_taken=False, reason=None)
    outcome = await parts.adapter(way.adapter).deliver(
        trial_parcel(parts, asked.partnership, asked.seat, way, WAY_TEST)
    )
    reason = outcome.reason if isinstance(outcome, TryLater | Undeliverable) else None
    said = _said(outcome)
    await settle(parts, lambda tx, parts, occasion, asked: _say(tx, parts, occasion, asked, said), asked)
    return Tried(way.adapter, None, reason is None, reason)
    # A crash before the entry: a notice that tells of nothing was sent, and nobody is told what came of it; the officer asks again.


def write_test(tx: Tx, parts: Parts, work: Work, asked: WayTrial) -> DeliveryId:
    """Owe a test letter to the seat. Refused when nobody could be written to, or one was owed a moment ago."""
    seat = asked.seat
    tx.take_turns(f"way-test:{asked.partnership}:{seat.role}@{seat.agency}")
    if work.directory.mail_address(seat, work.at) is None:
        detail = "Nobody of this seat can be written to: no address is enrolled, or all are away."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    since = work.at - NOT_SO_SOON
    if deliveries.owed_by_rule(tx, asked.partnership, seat, WAY_TEST, since):
        detail = "A test was sent to them a moment ago: see what came of it first."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    message = MessageId(work.supply.id(IdKind.MESSAGE))
    own = OwnMessage(
        message,
        asked.partnership,
        None,
        WAY_TEST,
        AgencyId(parts.settings.issuer),
        message,
        WAY_TEST,
        b"{}",
        key=None,
    )
    record_own(tx, parts, work, own, [Said(Event.SUBMISSION_ACCEPTANCE)])
    _say(tx, parts, work, asked, BY_MAIL)
    return owe_own(tx, work, own, (seat.agency, seat.role), WAY_TEST)


def trial_parcel(
    parts: Parts, partnership: PartnershipId, seat: Seat, way: Way | WayRow, about: str
) -> Parcel:
    """What is carried by a way at once to see that it leads somewhere; it tells of nothing but itself."""
    label = way_label(partnership, seat.agency)
    return Parcel(
        DeliveryId(make_id(IdKind.DELIVERY, secrets.token_bytes(16))),
        MessageId(about),
        WEBHOOK_PING if way.adapter == "webhook" else WAY_TEST,
        None,
        seat.agency,
        seat.role,
        way.address,
        1,
        parts.clock(),
        None,
        None if way.secret is None else parts.keys.open_secret(label, way.secret).decode(),
    )


def trial_letter(directory: Directory, seat: Seat) -> Letter:
    """The words of a test. It names a role and an agency, nobody else."""
    agency = directory.agencies.get(seat.agency)
    text = (
        "This is a test of the safeguarding gateway. It is about nobody, and you need not answer it.\n\n"
        f"It was sent to see that e-mail reaches the {role(seat.role)} of {agency.name if agency else seat.agency}. "
        "If that is not you, telephone the partnership's business unit, by a number that you already have.\n"
    )
    return Letter("Safeguarding gateway: a test, nothing is asked of you", text, html="")


def _way(directory: Directory, seat: Seat) -> Way:
    if seat.agency not in directory.agencies:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no agency of this id.")
    if seat not in directory.seats and seat not in directory.ways:
        raise Refused(
            ErrorCode.NOT_FOUND, detail="This agency has no such seat: see who holds which in the directory."
        )
    way = directory.way_to(seat)
    if way.adapter not in MAY_BE_TRIED:
        detail = "They collect for themselves: there is nothing to send."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return way


def _said(outcome: Outcome) -> str:
    match outcome:
        case Delivered() | Relayed():
            return "taken"
        case TryLater(reason=reason) | Undeliverable(reason=reason):
            return reason


def _say(tx: Tx, parts: Parts, occasion: Occasion | Work, asked: WayTrial, reason: str) -> None:
    """An entry in the chain of the partnership's directory; it names nobody and no address."""
    subject = Subject(f"directory-{asked.partnership}", asked.partnership, None, None)
    prove(tx, parts, occasion, subject, [Said(Event.WAY_TRIED, reason=reason)])

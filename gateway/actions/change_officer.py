"""Make somebody an officer, change their roles, suspend them, or invite them to make a passkey.

Invariant: nobody becomes or stays an administrator by one person's word, nobody changes their own roles, gets another way into an
account that has one, or ends their own suspension by one person's word (architecture section 9: what can redirect or silence), and
changed roles never leave nobody who may set officers up. Each change leaves an entry; names stand in none of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.alerts import QuietHours
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId
from gateway.core.officers import TwoOfficers, name_key, tidy_name
from gateway.core.permissions import OfficerRole
from gateway.core.receipts import Event
from gateway.parts import Parts
from gateway.store import officers, sessions
from gateway.store.officers import OfficerRow, TurnRow
from gateway.store.transaction import Tx

INVITATION_LIFE = timedelta(hours=24)
MOST_CHARACTERS = 200
ADDRESS = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,190}")
LONGEST_TURN = timedelta(days=31)
ON_CALL_ROLES = frozenset({OfficerRole.OFFICER, OfficerRole.MANAGER})


@dataclass(frozen=True, slots=True)
class NewOfficer:
    """Whom to add and who says so. `subject`: who they are to the identity provider, its issuer, a space and its name of them."""

    name: str
    roles: frozenset[OfficerRole]
    by: str
    second: str = ""
    email: str | None = None
    subject: str | None = None
    partnerships: tuple[PartnershipId, ...] | None = None


@dataclass(frozen=True, slots=True)
class NewRoles:
    name: str
    roles: frozenset[OfficerRole]
    by: str
    second: str = ""


@dataclass(frozen=True, slots=True)
class Suspension:
    """`lift`: they may sign in again."""

    name: str
    by: str
    second: str = ""
    lift: bool = False


@dataclass(frozen=True, slots=True)
class Invitation:
    """`link`: digest of the secret in the link. `replace`: forget the passkeys that the officer has, and sign them out."""

    name: str
    link: str
    by: str
    second: str = ""
    replace: bool = False


@dataclass(frozen=True, slots=True)
class QuietAsked:
    """`hours` None: as the unit has them."""

    name: str
    hours: QuietHours | None
    by: str


@dataclass(frozen=True, slots=True)
class NewAddress:
    """`email` None: alerts reach them no more."""

    name: str
    email: str | None
    by: str
    second: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """From when until when (aware instants, the end not included) somebody is on call."""

    name: str
    starts_at: datetime
    ends_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class TurnEnd:
    turn: str
    by: str


def add_officer(tx: Tx, parts: Parts, occasion: Occasion, asked: NewOfficer) -> Stated:
    """One more officer; Refused when there is one of that name or that account, or an administrator is made by one person."""
    name = tidy_name(asked.name)
    if not name or len(name) > MOST_CHARACTERS or not asked.roles:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Name the officer, and at least one role.")
    tx.take_turns(f"officer:{name_key(name)}")
    if officers.find(tx, name) is not None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="There is an officer of this name already.")
    if asked.subject is not None and officers.of_subject(tx, asked.subject) is not None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This account is another officer's already.")
    _two_for_an_administrator(asked.roles, asked.by, asked.second)
    values = {
        "roles": officers.roles_as_kept(asked.roles),
        "partnerships": None if asked.partnerships is None else list(asked.partnerships),
        "subject": asked.subject,
        "email": asked.email,
        "state": officers.ACTIVE,
        "source": officers.LIST,
        "added_at": occasion.at,
        "added_by": asked.by,
        "seconded_by": asked.second or None,
    }
    officers.add(tx, name, values)
    return say_officer_changed(tx, parts, occasion, name, "added")


def change_roles(tx: Tx, parts: Parts, occasion: Occasion, asked: NewRoles) -> Stated:
    """Other roles, from the next page on; Refused when an administrator is made, or one's own roles change, by one person, and when
    nobody would be an administrator any more."""
    tx.take_turns("officers:administrators")  # else two could each cease to be one, seeing the other
    row = known_officer(tx, asked.name)
    if not asked.roles:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Name at least one role, or suspend the officer.")
    _two_for_an_administrator(asked.roles, asked.by, asked.second)
    if row.key == name_key(asked.by):  # who may open no incident does not let themselves
        TwoOfficers(asked.by, asked.second)
    if _is_last_administrator(tx, row) and OfficerRole.ADMINISTRATOR not in asked.roles:
        detail = "Nobody else is an administrator: make somebody one first."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    officers.change(tx, row.name, roles=officers.roles_as_kept(asked.roles))
    return say_officer_changed(tx, parts, occasion, row.name, "roles-changed")


def suspend_officer(tx: Tx, parts: Parts, occasion: Occasion, asked: Suspension) -> Stated:
    """Signed out everywhere and let in nowhere, or let in again; letting in an administrator again takes two."""
    row = known_officer(tx, asked.name)
    if asked.lift:
        _two_for_an_administrator(row.roles, asked.by, asked.second)
        if row.key == name_key(asked.by):
            TwoOfficers(asked.by, asked.second)
        officers.change(tx, row.name, state=officers.ACTIVE)
        return say_officer_changed(tx, parts, occasion, row.name, "let-in-again")
    officers.change(tx, row.name, state=officers.SUSPENDED)
    sessions.end_all(tx, row.key)
    sessions.drop_links(tx, row.key, sessions.INVITATION)
    return say_officer_changed(tx, parts, occasion, row.name, "suspended")


def invite_officer(tx: Tx, parts: Parts, occasion: Occasion, asked: Invitation) -> Stated:
    """A link with which the officer makes a passkey once within a day; earlier ones are void.

    Two officers for an administrator, and for anybody who has a passkey: it lets its holder in under their name.
    """
    row = known_officer(tx, asked.name)
    if not row.is_active:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This officer is suspended.")
    if officers.passkeys_of(tx, row.key):
        TwoOfficers(asked.by, asked.second)
    _two_for_an_administrator(row.roles, asked.by, asked.second)
    if asked.replace:
        officers.drop_passkeys(tx, row.key)
        sessions.end_all(tx, row.key)
    sessions.drop_links(tx, row.key, sessions.INVITATION)
    sessions.add_link(tx, asked.link, sessions.INVITATION, row.key, occasion.at + INVITATION_LIFE)
    return say_officer_changed(tx, parts, occasion, row.name, "passkeys-void" if asked.replace else "invited")


def set_quiet_hours(tx: Tx, parts: Parts, occasion: Occasion, asked: QuietAsked) -> Stated:
    """Hours of an officer's own in which alerts wait for the morning, or the unit's again; Refused when they leave too little
    of the day."""
    row = known_officer(tx, asked.name)
    if asked.hours is not None and not asked.hours.is_sound:
        detail = "Quiet hours begin in the evening, end in the morning, and leave six hours or more between."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    officers.set_quiet_hours(tx, row.name, asked.hours)
    return say_officer_changed(tx, parts, occasion, row.name, "quiet-hours")


def change_address(tx: Tx, parts: Parts, occasion: Occasion, asked: NewAddress) -> Stated:
    """Where alerts reach an officer. The first address one may give; another in its place, or none, redirects: two officers."""
    row = known_officer(tx, asked.name)
    if asked.email is not None and not ADDRESS.fullmatch(asked.email):
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="This is no e-mail address.")
    if row.email is not None and row.email != asked.email:
        TwoOfficers(asked.by, asked.second)
    officers.change(tx, row.name, email=asked.email)
    return say_officer_changed(tx, parts, occasion, row.name, "address")


def put_on_call(tx: Tx, parts: Parts, occasion: Occasion, asked: Turn) -> Stated:
    """One turn: at night who is on call is told of what the law sets, and the others in the morning.

    Refused for somebody who cannot be written to, for a past or an empty turn, and for one longer than a month.
    """
    row = known_officer(tx, asked.name)
    if not row.is_active or not row.email or not row.roles & ON_CALL_ROLES:
        detail = "Only an officer or manager who has an address for alerts can be on call."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    if not max(asked.starts_at, occasion.at) < asked.ends_at <= asked.starts_at + LONGEST_TURN:
        detail = "A turn ends after it begins, later than now, and within 31 days."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    made = TurnRow(
        f"turn-{occasion.supply.take(13).hex()}", row.key, asked.starts_at, asked.ends_at, asked.by
    )
    officers.add_turn(tx, made)
    return say_officer_changed(tx, parts, occasion, row.name, "on-call")


def end_turn(tx: Tx, parts: Parts, occasion: Occasion, asked: TurnEnd) -> Stated:
    """Take a turn back; Refused when there is none of this id any more."""
    row = officers.turn(tx, asked.turn)
    if row is None or not officers.end_turn(tx, row.id):
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no such turn on call any more.")
    return say_officer_changed(tx, parts, occasion, row.officer, "off-call")


def known_officer(tx: Tx, name: str) -> OfficerRow:
    """The officer of that name, as the last one left it who changed something there; Refused(not-found) when there is none."""
    tx.take_turns(
        f"officer:{name_key(name)}"
    )  # else two invitations at once would both be good, and a role be judged as it was
    row = officers.find(tx, name)
    if row is None:
        raise Refused(
            ErrorCode.NOT_FOUND, detail="There is no officer of this name: see `gateway officers list`."
        )
    return row


def say_officer_changed(tx: Tx, parts: Parts, occasion: Occasion, name: str, what: str) -> Stated:
    """The entry; its chain names the officer by a keyed digest."""
    ref = f"officer-{parts.keys.fingerprint('officer', name_key(name).encode())[:24]}"
    subject = Subject(ref, None, None, None)
    return prove(tx, parts, occasion, subject, [Said(Event.OFFICER_CHANGED, reason=what)])[0]


def _two_for_an_administrator(roles: frozenset[OfficerRole], by: str, second: str) -> None:
    if OfficerRole.ADMINISTRATOR in roles:
        TwoOfficers(by, second)


def _is_last_administrator(tx: Tx, row: OfficerRow) -> bool:
    role = OfficerRole.ADMINISTRATOR
    others = (one for one in officers.every(tx) if one.key != row.key)
    return (
        row.is_active and role in row.roles and not any(one.is_active and role in one.roles for one in others)
    )

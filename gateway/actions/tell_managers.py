"""Tell people of the unit that something needs their eye: an alert, owed through the outbox like every delivery.

Invariant: an alert names no child, no agency's words and no officer: what kind of thing, a coarse reason, and an address of the
console where those who may see more see more. It is owed in the very transaction in which the thing happens. Who reads it is
resolved when it is sent: the row names a recipient by a keyed digest.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.actions.prove import Said
from gateway.actions.say_own import OwnMessage, owe_own, record_own
from gateway.core.deliveries import Letter
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, Facts, MessageId, PartnershipId, RoleId
from gateway.core.permissions import OfficerRole
from gateway.core.receipts import Event
from gateway.core.spoken_words import role, spoken
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import messages, officers
from gateway.store.officers import OfficerRow
from gateway.store.transaction import Tx

ALERT = "officer-alert"  # of the gateway's own: no agency may send one
UNIT = RoleId("sbu")
KINDS: Mapping[str, str] = {
    "restriction-overridden": "A restricted incident was opened by an officer who is not named on it.",
    "many-searches": "An officer has searched for children more often today than is usual here.",
    "many-openings": "An officer has opened more incidents and messages today than is usual here.",
    "many-exports": "An officer has taken out more evidence and registers today than is usual here.",
    "duty-due": "A duty is due soon and nothing has come yet.",
    "held-by-law": "A message waits for a person's word while a limit of the law runs on what it says.",
    "day": "What the day asks for, as the first page of the console counts it:",
    "test": "This is a test of the alerts. Nothing is wrong.",
}
FACTS: Mapping[str, str] = {
    "expects": "What is owed",
    "owner": "Who owes it",
    "due": "Due",
    "error": "Last trouble with sending",
}
OF_THE_DAY: Mapping[str, tuple[str, str]] = {  # a count, what it counts, and its list
    "overdue": ("Overdue", "/duties/overdue"),
    "due_today": ("Due today", "/duties/due-today"),
    "awaiting_triage": ("Awaiting triage", "/awaiting-triage"),
    "unacknowledged": ("Unacknowledged", "/duties/unacknowledged"),
    "calls": ("Calls to make", "/calls"),
    "held_replies": ("Replies to read", "/held?kind=replies"),
    "held_messages": ("Letters and messages to release", "/held?kind=messages"),
    "approvals": ("Waiting for a second officer", "/approvals"),
    "failed_deliveries": ("Failed deliveries", "/deliveries/failed"),
    "failing_partners": ("Failing partners", "/partners/failing"),
    "breaches": ("Breaches to report or decide on", "/breaches"),
    "same_child": ("Possible duplicates", "/same-child"),
    "guests": ("Guests and transfers not taken up", "/guests"),
    "retention": ("Kept long enough, to be looked at", "/retention"),
}
WEBHOOK = "officer-webhook"  # the unit's own, by the settings: see `adapters.webhook`


@dataclass(frozen=True, slots=True)
class Alert:
    """`kind` is one of KINDS, `reason` a coarse code, `path` where to look in the console: no names in any of them."""

    kind: str
    reason: str = ""
    path: str = "/access"
    facts: Mapping[str, str] = field(default_factory=dict)  # more of it, by its name in the words
    reference: str = ""  # so that it is told once; empty: it is told whenever it happens
    at: datetime | None = None  # not before


def tell_managers(tx: Tx, parts: Parts, work: Work, alert: Alert) -> int:
    """Owe the alert to every manager of the partnership who has an address; to how many."""
    return owe_alert(tx, parts, work, alert, managers(tx, work.pack.partnership))


def managers(tx: Tx, partnership: PartnershipId) -> list[OfficerRow]:
    """Managers who can be written to."""
    return _reached(tx, partnership, frozenset({OfficerRole.MANAGER}))


def the_unit(tx: Tx, partnership: PartnershipId) -> list[OfficerRow]:
    """Officers and managers who can be written to."""
    return _reached(tx, partnership, frozenset({OfficerRole.OFFICER, OfficerRole.MANAGER}))


def _reached(tx: Tx, partnership: PartnershipId, roles: frozenset[OfficerRole]) -> list[OfficerRow]:
    return [
        row
        for row in officers.every(tx)
        if row.is_active
        and row.email
        and row.roles & roles
        and (row.partnerships is None or partnership in row.partnerships)
    ]


def owe_alert(tx: Tx, parts: Parts, work: Work, alert: Alert, to: Sequence[OfficerRow]) -> int:
    """Owe it to each of these by e-mail; to how many. To nobody where no mail is set up."""
    if "mail" not in parts.adapters:
        return 0
    told = 0
    for row in to:
        recipient = recipient_of(parts, row)
        reference = f"{alert.reference}-{recipient}" if alert.reference else ""
        if reference and messages.by_reference(tx, work.pack.partnership, _own(parts), reference):
            continue
        _owe(tx, parts, work, alert, recipient, reference)
        told += 1
    return told


def owe_to_webhook(tx: Tx, parts: Parts, work: Work, alert: Alert) -> int:
    """Owe it to the unit's webhook, where one is set up; whether it was owed. Its system has a rota of its own."""
    if WEBHOOK not in parts.adapters:
        return 0
    reference = f"{alert.reference}-webhook" if alert.reference else ""
    if reference and messages.by_reference(tx, work.pack.partnership, _own(parts), reference):
        return 0
    _owe(tx, parts, work, alert, "webhook", reference, WEBHOOK)
    return 1


def alert_document(
    delivery: str, created_at: datetime, codes: Mapping[str, Sequence[str]], console: str
) -> bytes:
    """What the webhook is told: the same as the letter, as data. The same bytes for every attempt."""
    told = {name: codes[name][0] for name in (*FACTS, *OF_THE_DAY) if name in codes}
    kind, path = codes["kind"][0], codes["path"][0]
    document = {
        "type": f"officer.{kind}",
        "timestamp": written(created_at),
        "id": delivery,
        "partnership": next(iter(codes.get("partnership", ())), ""),
        "told": told,
        "url": f"{console}/console{path}",
    }
    return json.dumps(document, separators=(",", ":")).encode()


def recipient_of(parts: Parts, row: OfficerRow) -> str:
    """How an alert names whom it is for: not by name."""
    return f"officer-{parts.keys.fingerprint('officer', row.key.encode())[:24]}"


def alert_letter(
    parts: Parts, everybody: Sequence[OfficerRow], codes: Mapping[str, Sequence[str]], console: str
) -> tuple[str | None, Letter | None]:
    """The address and the words, as they are when it is sent; no address when the officer is gone or has none."""
    kind, reason, path, to = (
        next(iter(codes.get(name, ())), "") for name in ("kind", "reason", "path", "to")
    )
    address = next((row.email for row in everybody if row.is_active and recipient_of(parts, row) == to), None)
    more = "".join(
        f"\n{words}: {_told(name, codes[name][0])}" for name, words in FACTS.items() if name in codes
    )
    more += "".join(
        f"\n{words}: {codes[name][0]}, {console}/console{where}"
        for name, (words, where) in OF_THE_DAY.items()
        if name in codes
    )
    if kind == "day" and not OF_THE_DAY.keys() & codes.keys():
        more = "\nNothing waits."
    because = f" Reason given: {reason.replace('-', ' ')}." if reason else ""
    text = f"{KINDS.get(kind, 'Something needs your eye.')}{because}{more}\n\nLook here: {console}/console{path}\n"
    return address, Letter("Safeguarding gateway: please look", text, f"<pre>{html.escape(text)}</pre>")


def _told(name: str, code: str) -> str:
    """A fact in words: the webhook is told codes, a person at night is not."""
    if name == "owner":
        seat, of, agency = code.partition(" of ")
        return f"{role(seat)}{of}{agency}"
    return spoken(code) if name in ("expects", "error") else code


def _own(parts: Parts) -> AgencyId:
    return AgencyId(parts.settings.issuer)


def _owe(tx: Tx, parts: Parts, work: Work, alert: Alert, to: str, reference: str, way: str = "mail") -> None:
    """Record and owe it, unsealed: there is nothing in it to seal."""
    message = MessageId(work.supply.id(IdKind.MESSAGE))
    codes = {"kind": (alert.kind,), "reason": (alert.reason,), "path": (alert.path,), "to": (to,)}
    codes["partnership"] = (work.pack.partnership,)
    codes |= {name: (value,) for name, value in alert.facts.items()}
    own = OwnMessage(
        message,
        work.pack.partnership,
        None,
        ALERT,
        _own(parts),
        reference or message,
        ALERT,
        json.dumps(codes).encode(),
        key=None,
        facts=Facts(codes=codes),
    )
    record_own(tx, parts, work, own, [Said(Event.SUBMISSION_ACCEPTANCE)])
    seat = next(iter(work.directory.seats_of(UNIT)), None)
    # To a webhook it goes in the gateway's own name: no agency's inbox is to hold it.
    to_agency = seat.agency if seat and way == "mail" else _own(parts)
    owe_own(tx, work, own, (to_agency, "officer"), ALERT, alert.at, way)

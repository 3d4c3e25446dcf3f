"""Plain words for instants, limits, states and codes: what officers read in place of what the gateway stores.

Times are written as "5pm on Friday 4 December 2026", in the partnership's own zone. A code without words of its own is
shown with its hyphens as spaces: these codes are ours and never hold content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.core import spoken_times
from gateway.core.clocks import Unit
from gateway.core.content_types import ENDINGS
from gateway.core.messages import is_entered_late
from gateway.core.presence import LONDON, end_of, local_day
from gateway.core.receipts import Event
from gateway.core.rules import Pack
from gateway.core.spoken_times import clock_time as clock_time
from gateway.core.spoken_times import day as day
from gateway.core.spoken_words import role as role
from gateway.core.spoken_words import spoken as spoken
from gateway.core.waiting import kind_of_wait
from gateway.core.working_days import Calendar, CalendarEnds, working_days_left
from gateway.store.duties import DutyRow
from gateway.store.holds import HoldRow
from gateway.store.overview import DeliveryLine, DutyLine
from schemas.registry import REGISTRY, body_of

_INSTANT_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Tag:
    """A state in words, and the tone of its box; the words alone carry the meaning."""

    words: str
    tone: str = "grey"  # grey, blue, green, yellow, red


DELIVERY_STATES: Mapping[str, Tag] = {
    "held": Tag("Held for an officer", "yellow"),
    "pending": Tag("Waiting to be sent", "blue"),
    "delivered": Tag("Handed over", "green"),
    "relayed": Tag("Taken by a mail server", "green"),
    "failed-partner": Tag("Failed at the recipient", "red"),
    "failed-system": Tag("Failed here", "red"),
    "cancelled": Tag("Cancelled"),
}
_DELIVERED_BY = {
    "inbox": Tag("Waits to be collected", "blue"),
    "webhook": Tag("Told; waits to be collected", "blue"),
}
DUTY_STATES: Mapping[str, Tag] = {
    "open": Tag("Open", "blue"),
    "met": Tag("Met", "green"),
    "met-late": Tag("Met late", "yellow"),
    "missed": Tag("Missed", "red"),
    "waived": Tag("Waived"),
}
INCIDENT_STATES: Mapping[str, Tag] = {
    "open": Tag("Open", "blue"),
    "erasing": Tag("Being erased", "yellow"),
    "erased": Tag("Erased"),
    "closed": Tag("Closed"),
    "transferred": Tag("Transferred"),
}
ATTACHMENT_STATES: Mapping[str, Tag] = {
    "kept": Tag("Recipients may have it", "green"),
    "withheld": Tag("Withheld", "yellow"),
    "erased": Tag("Erased"),
}
LIKENESS_STATES: Mapping[str, Tag] = {
    "possible": Tag("May be the same child", "yellow"),
    "linked": Tag("Linked", "blue"),
}
BREACH_KINDS: Mapping[str, str] = {
    "misdirected": "It went to the wrong person",
    "unauthorised-access": "Somebody opened it who may not",
    "disclosed": "It was told to somebody who may not know",
    "lost": "It was lost",
    "altered": "It was altered",
    "near-miss": "A near miss: nobody saw it",
}
BREACH_STATES: Mapping[str, Tag] = {
    "open": Tag("To report or decide", "red"),
    "reported": Tag("Reported", "green"),
    "not-reportable": Tag("Not to be reported"),
}
WAYS = {
    "inbox": "Inbox at the gateway",
    "webhook": "Inbox, told by webhook",
    "officer-webhook": "Webhook of the unit",
    "mail": "E-mail",
    "mesh": "NHS MESH",
    "memory": "In process",
}
HELD_SUBJECTS = {
    "delivery": "A letter or message ready to go",
    "failed-delivery": "A delivery that failed",
    "message": "A message that came",
    "mail": "An e-mail that came",
    "attachment": "An attachment that came",
    "incident": "A question about an incident",
}
REASONS = {
    "possible-duplicate": "It may be about the same child as another incident: compare, then link them or tell them apart",
    "same-nhs-number": "The NHS number is the same",
    "same-surname": "A surname is the same",
    "surname-sounds-alike": "A surname sounds alike",
    "names-in-other-order": "The names are the same in the other order",
    "same-date-of-birth": "The date of birth is the same",
    "day-and-month-exchanged": "The date of birth is the same with day and month exchanged",
    "digits-of-date-of-birth-exchanged": "The date of birth is the same with two digits exchanged",
    "same-incident-date": "It happened on the same day",
    "nhs-numbers-differ": "But the NHS numbers differ (twins?)",
    "name-or-date-of-birth-differs": "But name or date of birth differs (a wrong number?)",
    "given-names-differ": "But the given names differ (twins?)",
    "incident-dates-differ": "But it happened on another day",
    "awaits-release": "A person must read this letter before it goes out",
    "unknown-school": "The school is not enrolled in the directory, or nobody there is named",
    "nobody-to-ring": "No adviser with a telephone number is named, whom a school could ring",
    "unknown-agency": "The agency is not enrolled in the directory",
    "do-not-contact": "The message asks that this recipient is not told: find another",
    "excludes-recipients": "It asks that a post or an agency is not told of this incident, and nobody there is from now on: ask the sender why, and tell who must know",
    "opened-by-wrong-recipient": "A wrong recipient may have read it: open a breach record",
    "arose-where-it-came-from": "Something of before its transfer needs an officer: ask the unit it came from, then release",
    "holiday-data-ends": "The list of bank holidays ends before a due date: upload a newer one, then release",
    "duty-ended-before": "More was told after the duty to notify was ended: it is owed again, have it decided",
    "another-council": "A child's home or responsible council is another: invite it as a guest, or tell it yourself",
    "notification-still-owed": "The duty to notify stays: those who decided differ, or somebody in care died: see that it is notified",
    "nothing-decided": "All who decide have answered and asked for more: see that they get it and decide",
    "answer-taken-back": "The sender took an answer back: what it answered is owed again, so telephone",
    "duties-outlive-recall": "The message was recalled, but duties that it laid remain: waive them or leave them",
    "everybody-absent": "Everybody in the seat is away: it goes to the team or its inbox, so telephone",
    "ring-out-of-hours": "Something urgent came out of hours: ring the emergency duty team now",
    "school-closed": "The school is not open, says the register of schools",
    "school-in-holiday": "The school is on holiday by its term dates",
    "dsl-changed": "The letter names another lead than the one who would have it now",
    "address-not-enrolled": "No address is enrolled for this seat",
    "holiday-list-changed": "The list of bank holidays changed",
    "extended": "An officer gave more time",
    "extension-requested": "The agency asks for more time: give it with gateway duties extend, or release",
    "reopened-by-late-arrival": "Something came after it was closed: it is open again",
    "declined": "The recipient declined it",
    "incident-handed-over": "Its incident was handed over: tell who took it over what it says, then refuse it",
    "answers-unknown-message": "It names no message that the sender knows, and the sender owes several answers",
    "police-hold": "The incident is under a police hold: it may go once two officers have lifted that",
    "earlier-start": "It tells that it was known earlier: what the law sets is due sooner, see the duties",
    "first-fan-out": "It is the first of its kind to go out to the agencies of this incident: see that they are the right ones",
    "could-not-be-taken": "Reading it failed several times",
    "data-keys-destroyed": "Its content was erased",
    "auth-failed": "The sender could not be proved to be who it says",
    "different-sender": "It came from an address that is not enrolled",
    "additional-information": "It says more than was asked",
    "attachment": "It has an attachment",
    "attachment-encrypted": "It brings a file that is encrypted: ask the sender for it in the open, or let it go on",
    "attachment-macros": "It brings a Word or Excel file with macros or objects inside",
    "attachment-active-content": "It brings a PDF with script or files inside",
    "attachment-archive": "It brings an archive: see what is in it",
    "attachment-unreadable": "It brings a file that is not built as such files are",
    "attachment-unscannable": "It brings a file that the virus scanner could not look through",
    "attachment-not-scanned": "It brings a file, and no virus scanner is set up",
    "telephone-them": "Nothing else reached anybody: ring them",
    "not-taken-up": "Nobody has collected or answered it in time",
    "not-delivered": "It could not be delivered",
    "letter-came-back": "The letter came back: find another reader, telephone the school",
    "letter-delayed": "The letter is delayed on its way: telephone if it matters today",
    "reader-away": "An automatic reply says that the reader is away: find another reader",
    "wrong-recipient": "It says that the letter reached the wrong person",
    "breach-opened": "A breach record was opened, and its hours run: see Breaches",
    "breach-to-decide": "It may be a breach: decide, and record it on the page of its incident",
    "attachment-infected": "It brings a file in which the virus scanner found something: do not open it",
    "attachment-other-type": "It brings a file of a type that is not taken",
    "too-many-mails": "Its sender has sent more than anyone would in an hour",
    "information-return": "An agency answers a request for information: read it, then take it as their return",
    "submission-unreadable": "It brings a message that is not as the published schema says",
    "submission-not-vouched": "It brings a message, and nothing shows that it is from its sender",
    "several-submissions": "It brings more than one message: each goes in an e-mail of its own",
    "file-type-not-taken": "A file beside its message is of a type that is not taken",
    "scanner-unavailable": "The files beside its message could not be scanned: have it sent again",
    "reference-reused": "Its reference was used before for a message with other content: ask the sender",
    "agency-writes": "An agency writes in its own words: ring if it is urgent, make a message of it",
    "not-by-mail": "It brings a message that is never taken by e-mail, such as a decision",
    "no-letter-matched": "It matches no letter of ours",
    "no-such-letter": "It answers no letter that we sent to that school",
    "incident-closed": "Its incident is closed or erased: answer the school, then refuse it",
    "auto-reply": "It is an automatic reply",
    "incomplete": "An answer is missing",
    "bounce": "A letter came back",
    "reply": "It is a reply that needs a person to read it",
    "unreadable": "It could not be read safely",
    "unrelated": "It does not seem to belong to a letter",
    "unclear-answer": "An answer could not be read with certainty",
    "contradictory-answers": "There are different answers to one question",
    "several-answers": "A question is answered more than once: perhaps two children are meant",
    "never-on-roll": "They say the child was never on their roll",
    "file-transferred": "They say the file went to another school: a letter there may be called for",
    "name-shared": "They say two pupils share the name: telephone the school",
    "new-dsl": "They name another designated safeguarding lead: have the directory changed",
    "several-periods": "They give more than one period on roll",
    "correction": "They correct what they said before",
    "struck-out-text": "Words other than Yes or No are struck out",
    "quoted-answers": "The answers stand in a mail that somebody else wrote",
    "too-long": "It is too long to read by machine",
    "several-forms": "It brings more than one answer form",
    "form-unreadable": "Its PDF cannot be read",
    "form-not-bound": "Its answer form is not certainly the one sent with this letter",
    "forwarded": "It was forwarded: its words may be somebody else's",
    "portal-wrapped": "It is behind a secure-mail portal: open it there",
    "encrypted": "It is encrypted: open it by hand",
    "no-reference": "It names no letter",
    "several-references": "It names more than one letter",
    "reference-check": "The check characters of the reference are wrong",
    "not-enrolled": "No address is enrolled for this letter",
    "misleading-name": "The name shown for the sender is another e-mail address",
    "reply-to-elsewhere": "Answers to it would go to another domain",
    "duplicate-fields": "A header field stands twice",
    "reordered-text": "It holds characters that change the order of reading",
    "bulk-mail": "It was sent as a circular",
    "empty": "It has no text",
    "no-by-officer": "It says No, which this partnership has an officer confirm",
    "answers-differ": "It differs from what the school answered before: the question is open again",
    "sent-again": "This letter was sent before: it is to be sent again",
    "written-by-officer": "An officer wrote this letter to a school that no decision named",
    "previous-school": "It names a previous school: a letter there may be called for",
    "place-outside-partnership": "It names a place outside the partnership",
    "author-not-in-seat": "Its author does not hold the seat that may say this: ask that seat",
    "do-not-contact-person": "It names somebody who must not be contacted",
    "greylisted": "The mail server asked us to try again later",
    "tls": "No safe connection could be made",
    "dns": "The recipient's address was not found on the network",
    "time-out": "The recipient's system did not answer in time",
    "server-error": "The recipient's system reported a fault",
    "refused": "The recipient's system refused it",
    "refused-address": "The recipient's mail server refused the address",
    "refused-connection": "The recipient's system did not take the connection",
    "connection-lost": "The connection broke off",
    "rate-limited": "The recipient's system asked us to slow down",
    "gone": "The recipient's address is closed",
    "our-fault": "A fault on our side: the technical team is needed",
    "mail-policy-hold": "E-mail to this domain is not allowed: tell them by telephone",
    "no-cjsm-gateway": "It may go by CJSM alone, and no CJSM gateway is set up: tell them by telephone",
    "no-certificate": "It must be encrypted, and no certificate of the recipient is enrolled",
    "certificate-out-of-date": "It must be encrypted, and the recipient's certificate is out of date",
    "no-signing-certificate": "It must be encrypted, and we have no certificate to sign it with: the technical team is needed",
    "our-login": "We could not sign in to the mail server: the technical team is needed",
    "nobody-to-write-to": "Nobody present holds this seat with an e-mail address",
    "reopened-by-officer": "Taken up again by an officer",
    "statutory-notified": "What the law asks: notified",
    "statutory-referred": "What the law asks: referred to the partners",
    "statutory-not-required": "What the law asks: not required, with a reason",
    "statutory-not-asked": "The law asks nothing here",
    "released-by-officer": "Released by an officer",
    "refused-by-officer": "Stopped by an officer",
}


WAIT_KINDS: Mapping[str, str] = {
    "calls": "Phone calls to make",
    "replies": "Replies to read",
    "messages": "Messages and letters to decide on",
}
STANDINGS: Mapping[str, Tag] = {
    "met": Tag("Met", "red"),
    "undecided": Tag("A person decides", "yellow"),
    "not-met": Tag("Not met"),
}
NOTIFIERS = {
    "council": "The council",
    "host-council": "The council where it happened",
    "responsible-council": "The council responsible for the young person",
    "person-decides": "A council: a person says which",
}
NOTIFIED = {
    "panel": "the national Panel",
    "ofsted": "Ofsted",
    "secretary-of-state": "the Secretary of State",
    "safeguarding-partners": "the safeguarding partners",
    "other-partners": "the other area's safeguarding partners",
    "host-council": "the council where it happened",
    "home-council": "the child's home council",
    "responsible-council": "the council responsible for the young person",
}


def wait_kind(hold: HoldRow) -> str:
    """Which list a held thing stands in: calls to make, replies to read, or messages and letters to decide on."""
    return kind_of_wait(hold.subject_kind, hold.reasons)


def asked(found: Mapping[str, Any]) -> dict[str, Any]:
    """One criterion of "What the law asks", as the page shows it."""
    due_at = found["due_at"]
    return {
        "title": found["title"],
        "source": found["source"],
        "tag": STANDINGS[found["standing"]],
        "missing": ", ".join(name.replace("-", " ") for name in found["missing"]),
        "notifies": _notifies(found),
        "clock": found["clock"],
        "due_at": datetime.fromisoformat(due_at) if due_at else None,
    }


def _notifies(found: Mapping[str, Any]) -> str:
    if found["by"] is None:
        return "Goes to the safeguarding partners as a serious incident"
    notified = ", ".join(NOTIFIED[each] for each in found["notify"])
    told = ", ".join(NOTIFIED[each] for each in found["tell"])
    return f"{NOTIFIERS[found['by']]}: {notified}" + (f". Told besides: {told}" if told else "")


def when(at: datetime | None) -> str:
    """ "5pm on Friday 4 December 2026": to the minute, in London's time."""
    return "no time set" if at is None else spoken_times.when(at.astimezone(LONDON))


def at_time(at: datetime) -> str:
    """ "5:20pm": the time of day alone, in London's time."""
    return clock_time(at.astimezone(LONDON).time())


def due(at: datetime | None) -> str:
    """As `when`; a limit at midnight is named by the day that it ends."""
    return "no limit" if at is None else spoken_times.limit(at.astimezone(LONDON))


def due_of(duty: DutyLine | DutyRow) -> str:
    """By when a duty is due; one with a limit that the holiday data does not reach has no date yet."""
    return "not counted yet: holiday data ends" if duty.is_uncounted else due(duty.due_at)


def told_due(text: str) -> str:
    """As `due`, of an instant kept as text; empty where there was no limit."""
    return due(datetime.fromisoformat(text) if text else None)


def capital(text: str) -> str:
    """As it begins a sentence or a cell."""
    return text[:1].upper() + text[1:]


def short_day(at: datetime) -> str:
    """ "4 Dec 2026": where a list has no room for more."""
    on = local_day(at)
    return f"{on.day} {on:%b %Y}"


def short_when(at: datetime) -> str:
    """ "4 Dec, 5:20pm"."""
    local = at.astimezone(LONDON)
    return f"{local.day} {local:%b}, {clock_time(local.time())}"


def day_ends_at(now: datetime) -> datetime:
    """The instant at which London's day ends."""
    return end_of(local_day(now)).astimezone(UTC)


def age(now: datetime, at: datetime) -> str:
    """How long ago, in the largest whole unit: "3 hours", "1 day"."""
    minutes = max(0, int((now - at).total_seconds() // 60))
    for size, unit in ((60 * 24, "day"), (60, "hour")):
        if minutes >= size:
            return f"{minutes // size} {unit}{'' if minutes // size == 1 else 's'}"
    return f"{minutes} minute{'' if minutes == 1 else 's'}" if minutes else "just now"


def entered_late(written_at: datetime, arrived_at: datetime) -> str:
    """What is to be said of a message that was written well before it came; nothing of any other."""
    return f"Entered late: written {when(written_at)}" if is_entered_late(written_at, arrived_at) else ""


def left(
    now: datetime, due_at: datetime | None, calendar: Calendar | None, *, is_uncounted: bool = False
) -> Tag:
    """How long is left in working days, or by how much it is overdue (C-15)."""
    if due_at is None:
        return Tag("Not counted yet", "yellow") if is_uncounted else Tag("No limit")
    today = local_day(now)
    due_on = local_day(due_at - _INSTANT_BEFORE)
    try:
        days = working_days_left(calendar, today, due_on) if calendar else 0
    except CalendarEnds:
        days = 0
    if now > due_at:
        return Tag(f"Overdue by {_working_days(-days)}" if days < 0 else "Overdue", "red")
    if today == due_on:
        return Tag("Due today", "yellow")
    return Tag(f"{_working_days(days)} left" if days else "Due before the next working day", "blue")


def left_of(duty: DutyLine | DutyRow, now: datetime, pack: Pack | None) -> Tag:
    """As `left`; in hours where the limit itself counts them, night and day (K21)."""
    clock = pack.clocks.get(duty.clock) if pack else None
    if clock is not None and clock.unit is Unit.HOURS and duty.due_at is not None:
        return hours_left(now, duty.due_at)
    return left(now, duty.due_at, pack.calendar if pack else None, is_uncounted=duty.is_uncounted)


def hours_left(now: datetime, due_at: datetime | None) -> Tag:
    """How many elapsed hours are left, for limits that count them (K21)."""
    if due_at is None:
        return Tag("No limit")
    hours = int(abs((due_at - now).total_seconds()) // 3600)
    told = f"{hours} hour{'' if hours == 1 else 's'}"
    return Tag(f"Overdue by {told}", "red") if now > due_at else Tag(f"{told} left", "yellow")


def delivery_state(row: DeliveryLine) -> Tag:
    """What is known of a delivery and no more: an inbox that holds a message proves no reader."""
    if row.state == "delivered" and row.opened_at is not None:
        return Tag("Collected by its system", "green")
    if row.state == "delivered":
        return _DELIVERED_BY.get(row.adapter, DELIVERY_STATES["delivered"])
    return DELIVERY_STATES[row.state]


OWN_TITLES: Mapping[str, str] = {
    "way-test": "Test of a way",
    "officer-alert": "Alert to an officer",
    "directory-change": "Word that an address was replaced",
    "mail-receipt": "Receipt for an e-mail",
    "mail-refusal": "Word that an e-mail could not be taken",
}


def message_title(slug: str) -> str:
    """The title of a message type, as its schema gives it; what the gateway itself says has words of ours."""
    model = REGISTRY.get((slug, 1))
    return body_of(model).TITLE if model else OWN_TITLES.get(slug, spoken(slug))


def expected(slug: str) -> str:
    return "Acknowledgement by a person" if slug == "acknowledgement" else message_title(slug)


# The names in receipts are those of a standard (decision in core/receipts); a timeline says the same in an officer's words.
EVENTS: Mapping[str, str] = {
    "SubmissionAcceptance": "Taken by the gateway",
    "SubmissionRejection": "Refused by the gateway",
    "RelayToNonERDS": "Taken by a mail server",
    "RelayToNonERDSFailure": "Refused by a mail server, or came back",
    "RelayFailure": "Given up: no system took it",
    "ReceivedFromNonERDS": "Came by e-mail",
    "ContentConsignment": "Ready to be collected",
    "ContentConsignmentFailure": "Could not be laid out to be collected",
    "ConsignmentNotification": "Told that a message waits",
    "ConsignmentNotificationFailure": "Could not be told that a message waits",
    "ContentAccessTracking": "Opened, it seems",
    "ContentHandover": "Collected by its system",
    "ContentHandoverFailure": "Not taken by its system",
    "ConsignmentAcceptance": "Acknowledged by a person",
    "ConsignmentRejection": "Declined by a person",
}


def event_title(text: str) -> str:
    """ "SubmissionAcceptance" as "Taken by the gateway"; as it stands when it is of another release."""
    try:
        return EVENTS.get(text) or Event.named(text).title
    except KeyError:
        return text


def event_meaning(text: str) -> str:
    try:
        return Event.named(text).meaning
    except KeyError:
        return "An event of another release."


def reason(code: str | None) -> str:
    if not code:
        return ""
    if code.startswith("nobody-holds-"):
        return f"Nobody holds the seat of {role(code.removeprefix('nobody-holds-'))}"
    return REASONS.get(code, spoken(code))


def reasons(codes: Iterable[str]) -> str:
    """Several reasons as one line; only the first begins as a sentence does."""
    first, *others = [reason(code) for code in codes] or [""]
    return "; ".join([first, *(one if one[1:2].isupper() else one[:1].lower() + one[1:] for one in others)])


def file_type(media_type: str | None) -> str:
    """ "PDF", "DOCX": as people name it."""
    return ENDINGS.get(media_type or "", "unknown").upper()


def in_words(text: str) -> str:
    """A code or a list of codes as words; anything else as it stands."""
    parts = text.split(", ")
    if all(re.fullmatch("[a-z0-9_-]+", part) for part in parts):
        return ", ".join(spoken(part).lower() if n else spoken(part) for n, part in enumerate(parts))
    return capital(text)


def _working_days(count: int) -> str:
    return f"{count} working day{'' if count == 1 else 's'}"

"""Delivery status notifications and read receipts, told from what a person wrote.

RFC 3464 by the standard library first; a second opinion (flufl.bounce) only for mail that already looks like a machine's.
Both can be forged: they may raise an alarm ("maybe not delivered"), never close a request, and are matched to what was
sent by our envelope id, bounce token or Message-ID, never by the recipient alone. Sources: RFC 3461, 3464, 8098.
"""

from __future__ import annotations

import email.message
import re

from adapters.mail.findings import DeliveryStatus
from adapters.mail.opened import Opened

_WORST = ("failed", "delayed", "expanded", "relayed", "delivered")
_MACHINE = re.compile(
    r"^(?:mailer-daemon|postmaster|mail-daemon|mdaemon|microsoftexchange\w*|bounces?|noreply-dmarc\S*)$",
    re.IGNORECASE,
)
_FAILURE_SUBJECT = re.compile(
    r"undeliver|delivery (?:status|fail|delay|has failed|incomplete|notification)|returned (?:mail|to sender)|"
    r"failure notice|mail (?:delivery )?(?:fail|system error)|non.?remis|could not be delivered|message (?:delayed|not delivered)|"
    r"delivery\W+failure",
    re.IGNORECASE,
)
_READ_SUBJECT = re.compile(r"^\s*(?:read|not read|wedi darllen)\s*:", re.IGNORECASE)
_READ_TEXT = re.compile(
    r"your message\s.{0,400}\b(?:was|has been)\s+(?:read|displayed|deleted without being read)\b",
    re.IGNORECASE | re.DOTALL,
)
_MESSAGE_ID = re.compile(r"^message-id:\s*(<[^<>\s]{3,250}>)", re.IGNORECASE | re.MULTILINE)


def read_bounce(opened: Opened) -> DeliveryStatus | None:
    """What the notification says about delivery, the worst news first, or None when this is no notification."""
    status = _by_standard(opened)
    if status is None and looks_like_machine(opened) and _second_opinion(opened.message):
        status = DeliveryStatus("failed", message_id=_quoted_message_id(opened.message))
    return status


def is_read_receipt(opened: Opened) -> bool:
    """A message disposition notification (RFC 8098), or Exchange's own "Read:" note."""
    if any(part.get_content_type() == "message/disposition-notification" for part in opened.message.walk()):
        return True
    is_note = bool(_READ_SUBJECT.match(opened.one("subject")))
    return is_note and any(_READ_TEXT.search(text) for text in [*opened.plain, *opened.html])


def looks_like_machine(opened: Opened) -> bool:
    """A mail system wrote this: nobody to answer to, or a system's address together with a failure's subject."""
    nobody = any(value.strip() == "<>" for value in opened.all("return-path"))
    local = opened.one("from").rpartition("<")[2].partition("@")[0].strip()
    failing = bool(_FAILURE_SUBJECT.search(opened.one("subject")))
    return (nobody and failing) or bool(_MACHINE.match(local)) or (failing and not opened.one("in-reply-to"))


def _by_standard(opened: Opened) -> DeliveryStatus | None:
    parts = [
        part
        for part in opened.message.walk()
        if part.get_content_type() in {"message/delivery-status", "message/global-delivery-status"}
    ]
    top = opened.message.get_content_type() == "multipart/report" or not opened.forwarded
    if not parts or not top:
        return None
    blocks = [block for part in parts for block in _blocks(part)]
    actions = [(_field(block, "Action").lower(), block) for block in blocks if block.get("Action")]
    known = [(_WORST.index(action), block) for action, block in actions if action in _WORST]
    envelope_id = next(
        (_field(block, "Original-Envelope-Id") for block in blocks if block.get("Original-Envelope-Id")), None
    )
    place, block = min(known, key=lambda one: one[0], default=(0, None))
    status = re.search(r"\b[245]\.\d{1,3}\.\d{1,3}\b", _field(block, "Status")) if block is not None else None
    return DeliveryStatus(
        _WORST[place], status[0] if status else None, envelope_id, _quoted_message_id(opened.message)
    )


def _blocks(part: email.message.Message) -> list[email.message.Message]:
    payload = part.get_payload()
    return (
        [one for one in payload if isinstance(one, email.message.Message)]
        if isinstance(payload, list)
        else []
    )


def _field(block: email.message.Message, name: str) -> str:
    return str(block.get(name, "")).strip()[:200]


def _quoted_message_id(message: email.message.Message) -> str | None:
    """The Message-ID of the mail that the notification quotes."""
    for part in message.walk():
        if part is message or part.get_content_type() not in {"message/rfc822", "text/rfc822-headers"}:
            continue
        payload = part.get_payload()
        if isinstance(payload, list) and payload and isinstance(payload[0], email.message.Message):
            return _field(payload[0], "Message-ID") or None
        if isinstance(payload, str) and (match := _MESSAGE_ID.search(payload[:65536])):
            return match[1]
    return None


def _second_opinion(message: email.message.Message) -> bool:
    from flufl.bounce import all_failures  # costs start-up time; most mail never needs it

    temporary, permanent = all_failures(message)
    return bool(temporary or permanent)

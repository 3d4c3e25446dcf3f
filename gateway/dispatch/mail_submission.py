"""A message that an agency submits by secure e-mail: the published JSON of one message, or its filled form, as a file of a vouched-for
mail; the other files of that mail are attachments of the message.

Invariants: the sender's very address is enrolled (never a domain alone), and a signature shows that the mail is its own: S/MIME
of that address, or an aligned DKIM signature that our mail server found good. It goes through `submit` as by the API, so the
sender's reference makes a repeat safe. Decisions, national records and whatever takes something back are never taken so. Files go
through the attachments' door, one by one, scanned again; a crash before they are named leaves them to be destroyed within a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.actions.keep_attachment import Infected
from gateway.actions.mail_files import with_files
from gateway.actions.message_in_mail import BY_MAIL, UNREADABLE, Brought, message_brought
from gateway.actions.reply import Belonging, Submitted
from gateway.actions.take import Speaker, prepare
from gateway.actions.tell_refusal import NotTaken
from gateway.core.attachments import INFECTED
from gateway.core.errors import FieldError, Refused
from gateway.core.messages import AgencyId
from gateway.core.replies import MailReading, OpenedFile
from gateway.dispatch.belonging import enrolled_as
from gateway.parts import Parts
from gateway.store import directory
from gateway.store.mail import RawMail
from schemas import Envelope, read_message

NOT_BY_MAIL, NOT_VOUCHED, NOT_ENROLLED = "not-by-mail", "submission-not-vouched", "address-not-enrolled"


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of the look: a message to submit, or why it waits for a person; neither where there is none.

    `faults` are the message's own, with pointers and codes and nothing of what was sent: its sender may be told them.
    """

    submitted: Submitted | None = None
    reasons: tuple[str, ...] = ()
    faults: tuple[FieldError, ...] = ()


async def submission_in(
    parts: Parts, raw: RawMail, reading: MailReading, opened: Sequence[OpenedFile]
) -> Looked:
    """The message in a mail that answers no letter."""
    if reading.kind in ("bounce", "auto_reply", "read_receipt", "unreadable"):
        return Looked()
    brought = message_brought(parts, reading.files, opened)
    if brought is None:
        return Looked()
    if reading.vouched_by is None:
        return Looked(None, (NOT_VOUCHED,))
    if isinstance(brought, str):
        return Looked(None, (brought,))
    try:
        if brought.faults:
            return Looked(None, (UNREADABLE,), brought.faults)
        envelope = read_message(brought.document)
    except (Refused, ValueError) as fault:
        return Looked(None, (UNREADABLE,), fault.errors if isinstance(fault, Refused) else ())
    if envelope.type not in BY_MAIL:
        return Looked(None, (NOT_BY_MAIL,))
    return await _prepared(parts, raw, reading, brought, envelope)


async def not_taken_by(
    parts: Parts, reading: MailReading, looked: Looked, belongs: Belonging | None
) -> NotTaken | None:
    """Whom to tell that a message was not taken: the sender, when it is an agency's enrolled address and vouched for."""
    if not looked.reasons or reading.vouched_by is None or reading.sender is None:
        return None
    if belongs is None or belongs.agency is None:
        return None
    key = await parts.make_key(None, parts.clock())
    return NotTaken(belongs.partnership, belongs.agency, reading.sender, looked.reasons, looked.faults, key)


async def _prepared(
    parts: Parts,
    raw: RawMail,
    reading: MailReading,
    brought: Brought,
    envelope: Envelope[Any],
) -> Looked:
    enrolled = await enrolled_as(parts, reading.sender)
    agencies = {agency for partnership, agency in enrolled if partnership == envelope.partnership}
    if len(agencies) != 1 or reading.sender is None:
        return Looked(None, (NOT_ENROLLED,))
    agency: AgencyId = agencies.pop()
    partnerships = await parts.store.read(lambda tx: directory.partnerships_of(tx, agency))
    try:
        submission = await prepare(
            parts, brought.document, envelope, Speaker(agency, partnerships), raw.arrived_at
        )
        submission = await with_files(parts, submission, brought.besides)
    except Infected:
        return Looked(None, (INFECTED,), (FieldError("/attachments", INFECTED),))
    except Refused as refused:
        return Looked(None, (refused.code.slug,), refused.errors)
    key = await parts.make_key(None, parts.clock())
    return Looked(Submitted(submission, reading.sender, key, reading.says_more))

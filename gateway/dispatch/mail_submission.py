"""A message that an agency submits by secure e-mail: the published JSON of one message, or its filled form, as a file of a vouched-for
mail; the other files of that mail are attachments of the message.

Invariants: the sender's very address is enrolled (never a domain alone), and a signature shows that the mail is its own: S/MIME
of that address, or an aligned DKIM signature that our mail server found good. It goes through `submit` as by the API, so the
sender's reference makes a repeat safe. Decisions, national records and whatever takes something back are never taken so. Files go
through the attachments' door, one by one, scanned again; a crash before they are named leaves them to be destroyed within a day.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.actions.keep_attachment import Infected
from gateway.actions.mail_files import MOST_FILES, with_files
from gateway.actions.reply import Belonging, Submitted
from gateway.actions.take import Speaker, prepare
from gateway.actions.tell_refusal import NotTaken
from gateway.core.attachments import INFECTED
from gateway.core.errors import FieldError, Refused
from gateway.core.messages import AgencyId
from gateway.core.replies import MailFile, MailForm, MailReading, OpenedFile
from gateway.dispatch.belonging import enrolled_as
from gateway.parts import Parts
from gateway.store import directory
from gateway.store.mail import RawMail
from schemas import Envelope, read_message
from schemas.filled_form import document_of
from schemas.registry import REGISTRY

BY_MAIL = frozenset(
    {
        "serious-incident-form",
        "call-log",
        "need-to-know",
        "dcs-notification",
        "serious-incident-alert",
        "referral",
        "information-return",
    }
)
NOT_BY_MAIL, NOT_VOUCHED, UNREADABLE = "not-by-mail", "submission-not-vouched", "submission-unreadable"
NOT_ENROLLED, SEVERAL = "address-not-enrolled", "several-submissions"


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of the look: a message to submit, or why it waits for a person; neither where there is none.

    `faults` are the message's own, with pointers and codes and nothing of what was sent: its sender may be told them.
    """

    submitted: Submitted | None = None
    reasons: tuple[str, ...] = ()
    faults: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Brought:
    """The one file that is the message, as a document, and the files beside it."""

    document: bytes
    faults: tuple[FieldError, ...]
    besides: tuple[bytes, ...] = field(repr=False)


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


def message_brought(
    parts: Parts, files: Sequence[MailFile], opened: Sequence[OpenedFile]
) -> Brought | str | None:
    """The one message among the files of a mail, why none can be taken, or None where there is none at all."""
    documents = [file for file in files if _is_json(file)]
    forms = [place for place, one in enumerate(opened) if one.form is not None]
    if not documents and not forms:
        return None
    if len(documents) + len(forms) != 1 or len(files) > MOST_FILES:
        return SEVERAL
    place = documents[0].place if documents else forms[0]
    if len(files) != len(opened):
        return UNREADABLE
    besides = tuple(one.content for at, one in enumerate(opened) if at != place)
    if (form := opened[place].form) is not None:
        return _from_form(form, files[place], besides)
    if files[place].size_bytes > parts.settings.body_limit_bytes:
        return UNREADABLE
    return Brought(opened[place].content, (), besides)


def _from_form(form: MailForm, file: MailFile, besides: tuple[bytes, ...]) -> Brought | str:
    """The document that a filled form comes to. Without a reference of the sender's own its digest is one: the same form sent again is
    the same message."""
    if (form.type, form.version) not in REGISTRY:
        return UNREADABLE
    document, faults = document_of(form.type, form.version, form.values)
    document.setdefault("reference", f"form-{file.sha256[:32]}")
    return Brought(json.dumps(document, ensure_ascii=False).encode(), faults, besides)


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


def _is_json(file: MailFile) -> bool:
    return file.media_type == "application/json" or file.name.lower().endswith(".json")

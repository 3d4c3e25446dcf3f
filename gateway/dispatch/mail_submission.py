"""A message that an agency submits by secure e-mail: the published JSON of one message as the one file of a vouched-for mail.

Invariants: the sender's very address is enrolled (never a domain alone), and a signature shows that the mail is its own: S/MIME
of that address, or an aligned DKIM signature that our mail server found good. It goes through `submit` as by the API, so the
sender's reference makes a repeat safe. Decisions, national records and whatever takes something back are never taken so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.actions.mail_files import file_of
from gateway.actions.reply import Submitted
from gateway.actions.take import Speaker, prepare
from gateway.core.errors import Refused
from gateway.core.messages import AgencyId
from gateway.core.replies import MailReading
from gateway.dispatch.belonging import enrolled_as
from gateway.parts import Parts
from gateway.store import directory
from gateway.store.mail import RawMail
from schemas import Envelope, read_message

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
NOT_ENROLLED, ONE_FILE = "address-not-enrolled", "submission-brings-files"


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of the look: a message to submit, or why it waits for a person; neither where there is none."""

    submitted: Submitted | None = None
    reasons: tuple[str, ...] = ()


async def submission_in(parts: Parts, raw: RawMail, content: bytes, reading: MailReading) -> Looked:
    """The message in a mail that answers no letter."""
    brought = [file for file in reading.files if _is_json(file.media_type, file.name)]
    if not brought or reading.kind in ("bounce", "auto_reply", "read_receipt", "unreadable"):
        return Looked()
    if reading.vouched_by is None:
        return Looked(None, (NOT_VOUCHED,))
    if len(reading.files) != 1 or brought[0].size_bytes > parts.settings.body_limit_bytes:
        return Looked(None, (ONE_FILE,))
    document = await file_of(parts, content, brought[0])
    try:
        envelope = read_message(document or b"")
    except (Refused, ValueError):
        return Looked(None, (UNREADABLE,))
    if envelope.type not in BY_MAIL:
        return Looked(None, (NOT_BY_MAIL,))
    return await _prepared(parts, raw, reading, document or b"", envelope)


async def _prepared(
    parts: Parts, raw: RawMail, reading: MailReading, document: bytes, envelope: Envelope[Any]
) -> Looked:
    enrolled = await enrolled_as(parts, reading.sender)
    agencies = {agency for partnership, agency in enrolled if partnership == envelope.partnership}
    if len(agencies) != 1 or reading.sender is None:
        return Looked(None, (NOT_ENROLLED,))
    agency: AgencyId = agencies.pop()
    partnerships = await parts.store.read(lambda tx: directory.partnerships_of(tx, agency))
    try:
        submission = await prepare(parts, document, envelope, Speaker(agency, partnerships), raw.arrived_at)
    except Refused as refused:
        return Looked(None, (refused.code.slug,))
    return Looked(Submitted(submission, reading.sender, await parts.make_key(None, parts.clock())))


def _is_json(media_type: str, name: str) -> bool:
    return media_type == "application/json" or name.lower().endswith(".json")

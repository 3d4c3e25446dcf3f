"""What an agency wrote in a plain e-mail, as the draft of a message: an officer completes it and records it on the agency's behalf.

A draft is whatever the mail brings: the published JSON or the form that could not be taken by itself (a decision, one with faults, one
that nothing vouches for), else an empty message with the mail's own words at the place of its text. Nothing is recorded before an
officer says so; then it goes through the door of every message, arrived when its mail did, with the mail's files (X-29).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.actions.mail_files import every_file_of, files_of, opened_mail, with_files
from gateway.actions.message_in_mail import Brought, message_brought
from gateway.actions.need_to_know import must_know
from gateway.actions.release import Release, release
from gateway.actions.submit import Accepted, Submission, submit
from gateway.actions.take import Speaker, attach_keys, forget_key, prepare
from gateway.actions.take_return import sender_named
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.messages import AgencyId, MessageId
from gateway.core.replies import MailFile
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import custody, incidents, mail
from gateway.store.holds import HoldRow
from gateway.store.mail import RawMail
from gateway.store.transaction import Tx
from schemas import read_message, strict_json
from schemas.form_fields import Kind, sections_of
from schemas.registry import TYPES

NO_MAIL = "This hold is no e-mail that waits: see `gateway held list`."
MOST_WORDS = 15_000


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as far as the mail says it. `files` are the mail's other files, in their order."""

    document: Mapping[str, Any] = field(repr=False)
    files: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class TakenDraft:
    hold: str
    officer: str
    submission: Submission


async def draft_of(parts: Parts, held: HoldRow, slug: str | None, words: str) -> Draft:
    """The draft in a held mail; `slug` is the type of an empty one, and `words` are what the mail says.

    Refused when the hold is no waiting mail, its content is erased, or nothing says what type it is to be.
    """
    raw = await _waiting(parts, held)
    content, reading = await opened_mail(parts, raw)
    files = _files(reading)
    opened = await files_of(parts, content, files)
    brought = message_brought(parts, files, opened)
    found = _object(brought.document) if isinstance(brought, Brought) else None
    if isinstance(brought, Brought) and found is not None and slug in (None, found.get("type")):
        return Draft({**_envelope(raw, held, str(found["type"])), **found}, brought.besides)
    if slug not in TYPES:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Say what type of message it is to be.")
    directory = (await parts.partnerships.snapshot(held.partnership)).directory
    author = {}
    if raw.agency is not None and raw.agency in directory.agencies:
        author = {"name": sender_named(directory, raw.agency, reading.get("sender")), "post": ""}
    document = {**_envelope(raw, held, slug), "author": author, "body": {}}
    _put(document, _main_text(slug), words[:MOST_WORDS])
    return Draft(document, tuple(one.content for one in opened))


async def take_draft(
    parts: Parts,
    held: HoldRow,
    agency: AgencyId | None,
    document: bytes,
    officer: str,
    *,
    brings_files: bool = True,
) -> Accepted:
    """The completed draft, recorded as the agency's own message; Refused, or Infected for such a file of its mail."""
    raw = await _waiting(parts, held)
    whose = agency or raw.agency
    if whose is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Say which agency's message it is.")
    envelope = read_message(document)
    if envelope.partnership != held.partnership:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError("/partnership", "not-of-this-mail"),))
    if held.incident is not None and envelope.incident != held.incident:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError("/incident", "not-of-this-mail"),))
    speaker = Speaker(whose, frozenset({held.partnership}), recorded_by=officer)
    submission = await prepare(parts, document, envelope, speaker, raw.arrived_at)
    if brings_files:
        content, reading = await opened_mail(parts, raw)
        files = _files(reading)
        opened = await every_file_of(parts, content, files)
        brought = message_brought(parts, files, opened)
        besides = brought.besides if isinstance(brought, Brought) else tuple(one.content for one in opened)
        submission = await with_files(parts, submission, besides)
    return await _recorded(parts, held, raw, submission, officer)


async def _recorded(
    parts: Parts, held: HoldRow, raw: RawMail, submission: Submission, officer: str
) -> Accepted:
    message = submission.message
    asked = TakenDraft(held.id, officer, submission)
    try:
        taken = await parts.perform(
            take_draft_out, asked, held.partnership, message.incident, new_key_for=submission.opens
        )
    except Refused:
        await forget_key(parts, submission)
        raise
    if taken.is_repeat:
        await forget_key(parts, submission)
    await attach_keys(parts, held.partnership, MessageId(taken.id), taken.incident)
    if (key := raw.data_key) is not None:
        await parts.custody.transact(lambda tx: custody.attach(tx, key, taken.incident))
    return taken


def take_draft_out(tx: Tx, parts: Parts, work: Work, asked: TakenDraft) -> Accepted:
    """Record the draft of a held mail on an officer's word; Refused when somebody already dealt with it."""
    message = asked.submission.message
    if message.incident is not None:
        incidents.lock(tx, message.partnership, message.incident)
        must_know(tx, message.partnership, message.incident, asked.officer, work.at)
    held = release(tx, parts, work, Release(asked.hold, asked.officer))
    outcome = submit(tx, parts, work, asked.submission)
    if not isinstance(outcome, Accepted):
        raise Refused(outcome.code, (FieldError(outcome.pointer, outcome.code.slug),))
    mail.change_raw(
        tx,
        held.subject,
        message=outcome.id,
        partnership=message.partnership,
        incident=outcome.incident,
        agency=message.agency,
    )
    return outcome
    # A crash before the commit leaves the hold; the files that were kept for it are unnamed and destroyed within a day.


async def _waiting(parts: Parts, held: HoldRow) -> RawMail:
    raw = await parts.store.read(lambda tx: mail.find_raw(tx, held.subject))
    if held.subject_kind != "mail" or raw is None or held.settled_at is not None or raw.message is not None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=NO_MAIL)
    return raw


def _files(reading: Mapping[str, Any]) -> tuple[MailFile, ...]:
    return tuple(
        MailFile(place, one["name"], one["media_type"], one["size_bytes"], one["sha256"])
        for place, one in enumerate(reading.get("files") or ())
    )


def _object(document: bytes) -> dict[str, Any] | None:
    """A message that need not be whole, but must be of a type that there is; None for anything else."""
    try:
        found = strict_json.parse(document)
    except Refused:
        return None
    return found if found.get("type") in TYPES else None


def _envelope(raw: RawMail, held: HoldRow, slug: str) -> dict[str, Any]:
    return {
        "type": slug,
        "version": 1,
        "partnership": held.partnership,
        "reference": f"mail-{raw.id}",
        "incident": held.incident,
        "created_at": written(raw.arrived_at),
        "marking": "OFFICIAL-SENSITIVE",
        "attachments": [],
        "do_not_contact": [],
    }


def _main_text(slug: str) -> str:
    """The pointer of the field that says what happened, in the sender's words."""
    texts = [one for part in sections_of(slug) for one in part.fields if one.kind is Kind.TEXT]
    inside = [one for one in texts if one.pointer.startswith("/body/")]
    return max(inside, key=lambda one: (one.is_required, one.most_characters)).pointer if inside else ""


def _put(document: dict[str, Any], pointer: str, words: str) -> None:
    at: Any = document
    *path, last = pointer.strip("/").split("/")
    for part in path:
        at = at.setdefault(part, {})
    if pointer and words.strip() and not any(part.isdigit() for part in path):
        at[last] = words.strip()

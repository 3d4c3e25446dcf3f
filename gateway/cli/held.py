"""`gateway held`: what waits for an officer, what it says, and the officer's word on it.

Invariant: nothing held is opened without an entry in the ledger that says who opened it; lists carry ids and reasons only.
"""

from __future__ import annotations

import email
import email.policy
import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.ask_the_law import limit_of_held
from gateway.actions.index_children import POSSIBLE_DUPLICATE
from gateway.actions.keep_attachment import opened_attachment
from gateway.actions.misdirection import MISDIRECTIONS, standing_against
from gateway.actions.release import Release
from gateway.actions.release import release as release_one
from gateway.actions.reply import OfficersAnswer, answer_held_mail
from gateway.actions.ring_out_of_hours import whom_to_ring
from gateway.actions.take_held_return import take_held_return
from gateway.actions.take_return import RETURN_KINDS, Judged
from gateway.actions.view_held import Viewing, view_held
from gateway.cli.session import JsonFlag, Officer, answer, opened, run
from gateway.core import written_times
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, DeliveryId, MessageId
from gateway.dispatch.intake import confirmation
from gateway.parts import Parts
from gateway.store import attachments, deliveries, holds, mail, messages
from gateway.store.holds import HoldRow
from gateway.store.mail import LetterRow, RawMail
from gateway.store.messages import MessageRow

MOST_SHOWN = 20_000
ANSWERS = ("roll_from", "roll_to", "previous_school", "records_held")
KINDS = {
    "message": "a message",
    "delivery": "a delivery",
    "mail": "an e-mail",
    "attachment": "an attachment",
    "failed-delivery": "a delivery that failed",
    "incident": "an incident",
}
REASONS = {
    "possible-duplicate": "it may be about the same child as another incident: compare, then link them or tell them apart",
    "same-nhs-number": "the NHS number is the same",
    "same-surname": "a surname is the same",
    "surname-sounds-alike": "a surname sounds alike",
    "names-in-other-order": "the names are the same in the other order",
    "same-date-of-birth": "the date of birth is the same",
    "day-and-month-exchanged": "the date of birth is the same with day and month exchanged",
    "digits-of-date-of-birth-exchanged": "the date of birth is the same with two digits exchanged",
    "same-incident-date": "it happened on the same day",
    "nhs-numbers-differ": "but the NHS numbers differ (twins?)",
    "name-or-date-of-birth-differs": "but name or date of birth differs (a wrong number?)",
    "given-names-differ": "but the given names differ (twins?)",
    "incident-dates-differ": "but it happened on another day",
    "awaits-release": "a person must read this letter before it goes out",
    "unknown-school": "the school is not enrolled in the directory, or nobody there is named",
    "nobody-to-ring": "no adviser with a telephone number is named, whom a school could ring",
    "unknown-agency": "the agency is not enrolled in the directory",
    "do-not-contact": "the message asks that this recipient is not told: find another",
    "excludes-recipients": "it asks that a post or an agency is not told of this incident, and nobody there is from now on: ask the sender why, and tell who must know",
    "opened-by-wrong-recipient": "a wrong recipient may have read it: open a breach record",
    "arose-where-it-came-from": "something of before its transfer needs an officer: ask the unit it came from, then release",
    "holiday-data-ends": "the list of bank holidays ends before a due date: upload a newer one with gateway calendar upload",
    "duty-ended-before": "more was told after the duty to notify was ended: it is owed again, have it decided",
    "another-council": "a child's home or responsible council is another: invite it as a guest, or tell it yourself",
    "notification-still-owed": "the duty to notify stays: those who decided differ, or somebody in care died: see that it is notified",
    "nothing-decided": "all who decide have answered and asked for more: see that they get it and decide",
    "answer-taken-back": "the sender took an answer back: what it answered is owed again, so telephone",
    "duties-outlive-recall": "the message was recalled, but duties that it laid remain: waive them or leave them",
    "everybody-absent": "everybody in the seat is away: it goes to the team or its inbox, so telephone",
    "ring-out-of-hours": "something urgent came out of hours: ring the emergency duty team now",
    "school-closed": "the school is not open, says the register of schools",
    "school-in-holiday": "the school is on holiday by its term dates",
    "dsl-changed": "the letter names another lead than the one who would have it now",
    "address-not-enrolled": "no address is enrolled for this seat",
    "author-not-in-seat": "its author does not hold the seat that may say this: ask that seat before you release it",
    "extension-requested": "the agency asks for more time: give it with gateway duties extend, or release",
    "reopened-by-late-arrival": "something came after it was closed: it is open again",
    "declined": "the recipient declined it",
    "no-letter-matched": "it belongs to none of our letters",
    "no-such-letter": "it answers none of the letters we sent that school",
    "incident-closed": "its incident is closed or erased: answer the school, then refuse it",
    "incident-handed-over": "its incident was handed over: tell who took it over what it says, then refuse it",
    "answers-unknown-message": "it names no message that the sender knows, and the sender owes several answers",
    "police-hold": "the incident is under a police hold: it may go once two officers have lifted that",
    "earlier-start": "it tells that it was known earlier: what the law sets is due sooner, see the duties",
    "first-fan-out": "it is the first of its kind to go out to the agencies of this incident: are they the right ones?",
    "could-not-be-taken": "reading it failed several times",
    "auth-failed": "that it comes from who it says could not be shown",
    "different-sender": "it comes from another address than the enrolled one",
    "additional-information": "the school says more than was asked: read it",
    "attachment": "it brings a file",
    "attachment-encrypted": "it brings a file that is encrypted: ask the sender for it in the open, or let it go on",
    "attachment-macros": "it brings a Word or Excel file with macros or objects inside",
    "attachment-active-content": "it brings a PDF with script or files inside",
    "attachment-archive": "it brings an archive: see what is in it",
    "attachment-unreadable": "it brings a file that is not built as such files are",
    "attachment-unscannable": "it brings a file that the virus scanner could not look through",
    "attachment-not-scanned": "it brings a file, and no virus scanner is set up",
    "telephone-them": "nothing else reached anybody: ring them, see gateway tasks",
    "not-taken-up": "nobody has collected or answered it in time",
    "not-delivered": "it could not be delivered",
    "letter-came-back": "the letter came back: find another reader, telephone the school",
    "letter-delayed": "the letter is delayed on its way: telephone if it matters today",
    "reader-away": "an automatic reply says that the reader is away: find another reader",
    "wrong-recipient": "it says that the letter reached the wrong person",
    "breach-opened": "a breach record was opened, and its hours run: see gateway breach list",
    "breach-to-decide": "it may be a breach: decide, and record it with gateway breach open",
    "attachment-infected": "it brings a file in which the virus scanner found something: do not open it",
    "attachment-other-type": "it brings a file of a type that is not taken",
    "too-many-mails": "its sender has sent more than anyone would in an hour",
    "information-return": "an agency answers a request for information: read it, then take it with gateway held take-return",
    "submission-unreadable": "it brings a message that is not as the published schema says",
    "submission-not-vouched": "it brings a message, and nothing shows that it is from its sender",
    "several-submissions": "it brings more than one message: each goes in an e-mail of its own",
    "file-type-not-taken": "a file beside its message is of a type that is not taken",
    "reference-reused": "its reference was used before for a message with other content: ask the sender",
    "scanner-unavailable": "the files beside its message could not be scanned: have it sent again",
    "agency-writes": "an agency writes in its own words: ring if it is urgent, make a message of it",
    "not-by-mail": "it brings a message that is never taken by e-mail, such as a decision",
    "reply": "a reply",
    "unreadable": "it could not be read",
    "unrelated": "it looks unrelated",
    "unclear-answer": "an answer could not be read with certainty",
    "contradictory-answers": "there are different answers to one question",
    "several-answers": "a question is answered more than once: perhaps two children are meant",
    "incomplete": "an answer is missing",
    "never-on-roll": "they say the child was never on their roll",
    "file-transferred": "they say the file went to another school: a letter there may be called for",
    "name-shared": "they say two pupils share the name: telephone the school",
    "new-dsl": "they name another designated safeguarding lead: have the directory changed",
    "several-periods": "they give more than one period on roll",
    "correction": "they correct what they said before",
    "struck-out-text": "words other than Yes or No are struck out",
    "quoted-answers": "the answers stand in a mail that somebody else wrote",
    "too-long": "it is too long to read by machine",
    "several-forms": "it brings more than one answer form",
    "form-unreadable": "its PDF cannot be read",
    "form-not-bound": "its answer form is not certainly the one sent with this letter",
    "forwarded": "it was forwarded: its words may be somebody else's",
    "portal-wrapped": "it is behind a secure-mail portal: open it there",
    "encrypted": "it is encrypted: open it by hand",
    "no-reference": "it names no letter",
    "several-references": "it names more than one letter",
    "reference-check": "the check characters of the reference are wrong",
    "not-enrolled": "no address is enrolled for this letter",
    "misleading-name": "the name shown for the sender is another e-mail address",
    "reply-to-elsewhere": "answers to it would go to another domain",
    "duplicate-fields": "a header field stands twice",
    "reordered-text": "it holds characters that change the order of reading",
    "bulk-mail": "it was sent as a circular",
    "empty": "it has no text",
    "no-by-officer": "it says No, which this partnership has an officer confirm",
    "answers-differ": "it differs from what the school answered before: the question is open again",
    "sent-again": "this letter was sent before: it is to be sent again",
    "written-by-officer": "an officer wrote this letter to a school that no decision named",
    "previous-school": "it names a previous school: a letter there may be called for",
    "bounce": "our letter came back",
    "mail-policy-hold": "e-mail to this domain is not allowed: tell them by telephone",
    "no-cjsm-gateway": "it may go by CJSM alone, and no CJSM gateway is set up: tell them by telephone",
    "no-certificate": "it must be encrypted, and no certificate of the recipient is enrolled",
    "certificate-out-of-date": "it must be encrypted, and the recipient's certificate is out of date",
    "no-signing-certificate": "it must be encrypted, and we have no certificate to sign it with: the technical team is needed",
}

app = typer.Typer(help="What waits for an officer.", no_args_is_help=True)

Hold = Annotated[str, typer.Argument(metavar="HOLD", help="The hold's id, as listed.")]


def _who_is_here() -> str:
    """The account that runs this command, when no officer is named."""
    try:
        return f"account {getpass.getuser()}"
    except (KeyError, OSError):
        return "account without a name"


@app.command("list")
def list_holds(as_json: JsonFlag = False) -> None:
    """List everything that waits for an officer, oldest first: ids and reasons, no content.

    Example: gateway held list
    """
    found = run(_list())
    lines = [
        f"{one['id']}  {KINDS.get(one['subject_kind'], one['subject_kind'])} of {one['incident'] or 'no incident yet'}, "
        f"since {one['held_at']}: {'; '.join(one['in_words'])}{_compared(one)}"
        for one in found
    ]
    answer({"holds": found}, lines or ["Nothing waits for an officer."], as_json)


@app.command()
def show(
    hold: Hold,
    officer: Annotated[
        str | None,
        typer.Option("--officer", metavar="NAME", help="Who reads it; else the account that runs this."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write a held attachment: it may be dangerous."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Open what is held and show what it says. This leaves an entry in the ledger.

    A held attachment is written to a file only when --out names one: look at it on a machine made for that.

    Example: gateway held show hld-… --officer "W. Stave"
    """
    told = run(_show(hold, officer or _who_is_here(), out))
    lines = [f"{name}: {_printable(value)}" for name, value in told.items() if value is not None]
    answer(told, lines, as_json)


@app.command()
def release(
    hold: Hold,
    officer: Officer,
    confirm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REASON", help="A reason against sending that you answer for, as `held show` has it."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Let what is held go on: send the letter, route the message, lay the e-mail aside as read.

    A letter to a school that is closed or on holiday, to another lead than it names, to no enrolled address or to
    somebody who must not be contacted goes only when each such reason is confirmed.

    Example: gateway held release hld-… --officer "W. Stave" --confirm school-in-holiday
    """
    confirmed = frozenset(confirm or ())
    if confirmed - set(MISDIRECTIONS):
        raise typer.BadParameter(f"--confirm is one of {', '.join(MISDIRECTIONS)}")
    told = run(_settle(Release(hold, officer, confirmed=confirmed)))
    answer(told, [f"{hold} is released"], as_json)


@app.command()
def refuse(
    hold: Hold,
    officer: Officer,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with the incident.")],
    as_json: JsonFlag = False,
) -> None:
    """End a hold without letting anything go on.

    Example: gateway held refuse hld-… --officer "W. Stave" --reason "Sent to the wrong school"
    """
    told = run(_settle(Release(hold, officer, refuse=True, reason=reason)))
    answer(told, [f"{hold} is refused"], as_json)


@app.command("answer")
def answer_mail(
    hold: Hold,
    officer: Officer,
    roll_from: Annotated[
        str | None, typer.Option(metavar="DATE", help="2025, 2025-09 or 2025-09-03.")
    ] = None,
    roll_to: Annotated[str | None, typer.Option(metavar="DATE", help="The same, or: present.")] = None,
    previous_school: Annotated[str | None, typer.Option(metavar="NAME", help="Or: not_applicable.")] = None,
    records_held: Annotated[
        str | None, typer.Option(metavar="yes|no", help="Does the school hold records?")
    ] = None,
    never_on_roll: Annotated[
        bool, typer.Option("--never-on-roll", help="The child was never on roll.")
    ] = False,
    as_suggested: Annotated[
        bool,
        typer.Option("--as-suggested", help="Take what the reading suggests where nothing else is said."),
    ] = False,
    letter: Annotated[
        str | None, typer.Option(metavar="SG-…", help="Which letter it answers, when none was matched.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Record what a school answered, on an officer's word, as the school's confirmation.

    Example: gateway held answer hld-… --officer "W. Stave" --as-suggested --records-held yes
    """
    if records_held not in (None, "yes", "no"):
        raise typer.BadParameter("--records-held is yes or no")
    records = None if records_held is None else records_held == "yes"
    said = dict(zip(ANSWERS, (roll_from, roll_to, previous_school, records), strict=True))
    if never_on_roll:
        said["never_on_roll"] = True
    told = run(_answer(hold, officer, said, as_suggested, letter))
    answer(told, [f"The answer is recorded as {told['message']}, receipt {told['receipt']}"], as_json)


@app.command("take-return")
def take_return_of_agency(
    hold: Hold,
    officer: Officer,
    kind: Annotated[str, typer.Option(metavar="KIND", help="full, partial or nil: how fully it answers.")],
    words: Annotated[
        str, typer.Option(metavar="TEXT", help="In place of a pointer to the files; for nil, its statement.")
    ] = "",
    records: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A record that was searched; may be given again.")
    ] = None,
    answers: Annotated[
        str | None,
        typer.Option(metavar="MESSAGE", help="The request, where the agency owes several returns."),
    ] = None,
    agency: Annotated[
        str | None, typer.Option(metavar="AGENCY", help="Whose return it is, when its address told none.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Record an agency's answer to a request for information that came by e-mail, with its files, as of its arrival.

    Example: gateway held take-return hld-… --officer "W. Stave" --kind full
    """
    if kind not in RETURN_KINDS:
        raise typer.BadParameter(f"--kind is one of {', '.join(RETURN_KINDS)}")
    judged = Judged(kind, words, tuple(records or ()), answers)
    told = run(_take_return(hold, officer, judged, agency))
    answer(told, [f"The return is recorded as {told['message']}, receipt {told['receipt']}"], as_json)


@app.command()
def draft(
    hold: Hold,
    officer: Officer,
    out: Annotated[
        Path, typer.Option(metavar="FILE.json", help="Where the draft goes; a file that is there stays.")
    ],
    message_type: Annotated[
        str | None,
        typer.Option(
            "--type", metavar="TYPE", help="What it is to become, such as referral; else what it brings."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write what an agency sent by e-mail as the draft of a message, to be completed. Opening it leaves an entry in the ledger.

    A message that it brings and that could not be taken by itself is the draft; else its words stand in an empty message.

    Example: gateway held draft hld-… --officer "W. Stave" --type referral --out draft.json
    """
    from gateway.cli import held_drafts

    told = run(held_drafts.write_draft(hold, officer, message_type, out))
    answer(told, [f"Wrote {out}: complete it, then gateway held submit {hold} --message {out}"], as_json)


@app.command()
def submit(
    hold: Hold,
    officer: Officer,
    message: Annotated[Path, typer.Option(metavar="FILE.json", help="The completed message.", exists=True)],
    agency: Annotated[
        str | None, typer.Option(metavar="AGENCY", help="Whose message it is, when its address told none.")
    ] = None,
    without_files: Annotated[
        bool, typer.Option("--without-files", help="Leave the e-mail's files out of it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Record the completed draft of a held e-mail as its agency's message, as of the e-mail's arrival, with its files.

    Example: gateway held submit hld-… --officer "W. Stave" --message draft.json
    """
    from gateway.cli import held_drafts

    told = run(held_drafts.submit_draft(hold, officer, message.read_bytes(), agency, not without_files))
    answer(told, [f"Recorded as {told['message']} of {told['incident']}, receipt {told['receipt']}"], as_json)


async def _take_return(hold: str, officer: str, judged: Judged, agency: str | None) -> dict[str, Any]:
    async with opened() as parts:
        held = await find_hold(parts, hold)
        taken = await take_held_return(parts, held, AgencyId(agency) if agency else None, judged, officer)
    return {"hold": hold, "message": taken.id, "incident": taken.incident, "receipt": taken.receipt_id}


async def _list() -> list[dict[str, Any]]:
    async with opened() as parts:
        return [_document(row) for row in await parts.store.read(holds.open_holds)]


def _document(row: HoldRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "partnership": row.partnership,
        "incident": row.incident,
        "subject_kind": row.subject_kind,
        "subject": row.subject,
        "reasons": list(row.reasons),
        "in_words": [in_words(reason) for reason in row.reasons],
        "held_at": row.held_at.isoformat(),
        "settled_as": row.settled_as,
    }


def _compared(one: Mapping[str, Any]) -> str:
    """Which incident it may be a duplicate of."""
    return f" [{one['subject']}]" if POSSIBLE_DUPLICATE in one["reasons"] else ""


def in_words(reason: str) -> str:
    """A coarse reason as a person reads it."""
    if reason.startswith("nobody-holds-"):
        return f"nobody holds the role {reason.removeprefix('nobody-holds-')}"
    return REASONS.get(reason, reason.replace("-", " "))


async def _show(hold: str, officer: str, out: Path | None) -> dict[str, Any]:
    async with opened() as parts:
        held = await find_hold(parts, hold)
        stated = await parts.perform(view_held, Viewing(hold, officer), held.partnership, held.incident)
        content = await _content(parts, held, out)
        against = await standing_against(parts, held)
        ring = [asdict(one) for one in await whom_to_ring(parts, held)]
        by_law = await _by_law(parts, held)
    to_confirm = {"to_confirm": list(against), "to_confirm_in_words": [in_words(one) for one in against]}
    extra = (to_confirm if against else {}) | ({"ring": ring} if ring else {}) | by_law
    return {**_document(held), **extra, **content, "receipt": stated.id}


async def _by_law(parts: Parts, held: HoldRow) -> dict[str, Any]:
    """The law's limit on what a held message tells, where there is one: its clock runs while the message waits."""
    row = await parts.store.read(lambda tx: _message_of(tx, held))
    if row is None:
        return {}
    snapshot = await parts.partnerships.snapshot(held.partnership)
    at = limit_of_held(snapshot.pack, snapshot.directory, row)
    return {"by_law_at": written_times.written(at)} if at else {}


async def _content(parts: Parts, held: HoldRow, out: Path | None) -> dict[str, Any]:
    """What is held, opened: a mail's reading and words, a letter as it would be sent, a message's document, a file."""
    if held.subject_kind == "attachment":
        return await _attachment(parts, held, out)
    if held.subject_kind == "mail":
        raw = await parts.store.read(lambda tx: mail.find_raw(tx, held.subject))
        return {} if raw is None else await mail_shown(parts, raw)
    message = await parts.store.read(lambda tx: _message_of(tx, held))
    if message is None:
        return {}
    key = await parts.key_by_id(message.data_key)
    if key is None or message.sealed is None:
        return {"message": message.id, "type": message.type, "document": None}
    document = json.loads(key.open(f"message:{message.id}", message.sealed))
    letter = None
    if message.type == "dsl-letter":
        templates = (await parts.partnerships.snapshot(message.partnership)).pack.letters
        letter = parts.compose(templates, document, None)
    return {
        "message": message.id,
        "type": message.type,
        "letter_subject": letter.subject if letter else None,
        "letter_text": letter.text if letter else None,
        "document": document,
    }


async def _attachment(parts: Parts, held: HoldRow, out: Path | None) -> dict[str, Any]:
    """What a file is; its content goes into `out`, private to its owner."""
    file = await parts.store.read(lambda tx: attachments.find(tx, held.partnership, held.subject))
    if file is None:
        return {}
    told = {"message": file.message, "media_type": file.media_type, "size_bytes": file.size_bytes}
    if out is None:
        return told
    key = await parts.key_by_id(file.data_key)
    if key is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This attachment has been erased.")
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            async for chunk in opened_attachment(parts, file, key):
                written.write(chunk)
    except OSError as fault:
        typer.echo(f"{out} cannot be written: {fault.strerror}", err=True)
        raise typer.Exit(2) from None
    return told | {"file": str(out)}


def _message_of(tx: Any, held: HoldRow) -> MessageRow | None:
    """The message itself, or the one that a held or failed delivery carries."""
    message = MessageId(held.subject)
    if held.subject_kind in ("delivery", "failed-delivery"):
        delivery = deliveries.find(tx, DeliveryId(held.subject))
        if delivery is None:
            return None
        message = delivery.message
    return messages.find(tx, [held.partnership], message)


async def mail_shown(parts: Parts, raw: RawMail) -> dict[str, Any]:
    content, reading = await _opened_mail(parts, raw)
    return {
        "kind": raw.kind,
        "arrived_at": raw.arrived_at.isoformat(),
        "letter": raw.letter,
        "sender": reading.get("sender"),
        "why": list(reading.get("reasons", ())),
        "suggested": reading.get("suggested"),
        "vouched_by": reading.get("vouched_by"),
        "files": reading.get("files") or [],
        "text": (reading.get("opened_text") or _text(content, raw.kind))[:MOST_SHOWN],
        "raw": content.decode("utf-8", "replace")[:MOST_SHOWN],
    }


async def _opened_mail(parts: Parts, raw: RawMail) -> tuple[bytes, dict[str, Any]]:
    """Raw bytes and reading of a kept mail, under the labels that intake sealed them with."""
    key = await parts.key_by_id(raw.data_key)
    if key is None or raw.sealed is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The content of this mail has been erased.")
    content = key.open(f"raw-mail:{raw.id}", raw.sealed)
    reading = json.loads(key.open(f"reading:{raw.id}", raw.sealed_reading)) if raw.sealed_reading else {}
    return content, reading


def _text(content: bytes, kind: str | None) -> str:
    """The plain words of a mail for a person's eyes; nothing is decided from them. What the child could not read stays shut."""
    if kind == "unreadable":
        return ""
    try:
        parsed = email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)
        body = parsed.get_body(("plain", "html"))
        return str(body.get_content()) if body else ""
    except Exception:  # a hostile mail may break any parser: the raw text is shown besides
        return ""


def _printable(value: object) -> str:
    """Without what could steer the terminal: another person wrote it."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else str(value)
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


async def _settle(asked: Release) -> dict[str, Any]:
    async with opened() as parts:
        held = await find_hold(parts, asked.hold)
        await parts.perform(release_one, asked, held.partnership, held.incident)
    return {
        "id": held.id,
        "subject_kind": held.subject_kind,
        "subject": held.subject,
        "settled_as": "refused" if asked.refuse else "released",
    }


async def _answer(
    hold: str, officer: str, said: Mapping[str, Any], as_suggested: bool, reference: str | None
) -> dict[str, Any]:
    async with opened() as parts:
        held = await find_hold(parts, hold)
        raw = await parts.store.read(lambda tx: mail.find_raw(tx, held.subject))
        if held.subject_kind != "mail" or raw is None:
            raise Refused(
                ErrorCode.NOT_ACCEPTABLE_STATE, detail="This hold is no e-mail: release or refuse it."
            )
        letter = await _letter(parts, raw, reference)
        suggested = (await _opened_mail(parts, raw))[1].get("suggested") or {} if as_suggested else {}
        answers = {**suggested, **{name: value for name, value in said.items() if value is not None}}
        submission = await confirmation(parts, letter, answers, raw.arrived_at, f"mail-{raw.id}", officer)
        asked = OfficersAnswer(hold, officer, submission, letter)
        taken = await parts.perform(answer_held_mail, asked, letter.partnership, letter.incident)
    return {"hold": hold, "message": taken.id, "incident": taken.incident, "receipt": taken.receipt_id}


async def _letter(parts: Parts, raw: RawMail, reference: str | None) -> LetterRow:
    """The letter that the officer names, else the one that the mail was matched to."""
    wanted = reference or raw.letter
    if wanted is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="No letter was matched: say which with --letter SG-….")
    found = await parts.store.read(lambda tx: mail.letter_by_reference(tx, wanted))
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no letter of this reference.")
    return found


async def find_hold(parts: Parts, hold: str) -> HoldRow:
    row = await parts.store.read(lambda tx: holds.find(tx, hold))
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no hold of this id.")
    return row

"""What waits for an officer: the list, one held item, its words on request, and the officer's word on it.

The console has no powers of its own: `release` and `answer_held_mail` are the same actions that the command line calls.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from email.message import EmailMessage
from typing import Any

import quotequail
from starlette.responses import Response

from gateway.actions.ask_the_law import limit_of_held
from gateway.actions.confirm_for_school import confirmation
from gateway.actions.message_in_mail import BY_MAIL
from gateway.actions.misdirection import MISDIRECTIONS, standing_against
from gateway.actions.release import Release, release
from gateway.actions.reply import OfficersAnswer, answer_held_mail
from gateway.actions.ring_out_of_hours import whom_to_ring
from gateway.actions.take_return import returns_owed
from gateway.actions.view_held import Viewing, view_held
from gateway.console import reading, words
from gateway.console.door import Console, Visit
from gateway.console.pages import go, page
from gateway.console.reading import HeldRead
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.parts import Parts
from gateway.store import mail
from gateway.store.duties import DutyRow
from gateway.store.mail import LetterRow
from gateway.store.transaction import Tx

MOST_ROWS = 100
MOST_CHARACTERS = 20_000
MOST_REASON_CHARACTERS = 500
LETTERS = frozenset({"dsl-letter"})  # shown as they would be sent, whatever way they go
NOTICES = {
    "released": "Released. It goes on its way now.",
    "refused": "Stopped. It goes no further.",
    "answered": "The answer is recorded.",
    "returned": "Recorded as the agency's return, with its files, as of the moment at which the e-mail arrived.",
}
RETURN_CHOICES = (
    ("full", "In full"),
    ("partial", "In part: more is to come"),
    ("nil", "A nil return: the agency was not involved"),
)
ANSWER_SLIPS: Mapping[str, str] = {
    "letter_reference": "Write the reference of our letter to that school, such as SG-7K3M-9QPX-2D",
    "roll_from": "Write from when: a day, a month or a year, such as 06/09/2021, 09/2021 or 2021",
    "roll_to": "Write until when: a day, a month or a year, such as 06/09/2021, 09/2021 or 2021, or “present”",
    "previous_school": "Write the name of the previous school, or “not applicable”",
    "additional_information": "Write less, or leave it empty",
    "records_held": "Choose Yes, No or Not answered",
}
UNFIT = "The answers do not fit together. Check each of them"
NOT_APPLICABLE = frozenset({"not applicable", "not_applicable", "n/a", "none"})
_SLASHED, _STORED = re.compile(r"(?:(\d{1,2})/)?(\d{1,2})/(\d{4})"), re.compile(r"\d{4}-\d\d(?:-\d\d)?")
ANSWER_FIELDS = ("roll_from", "roll_to", "previous_school", "additional_information")
YES_NO = {"yes": True, "no": False}


VOUCHED: Mapping[str | None, str] = {
    "signature": "Signed by its sender, and the signature holds.",
    "domain": "The sender's domain vouches for it. That says nothing about who sat at the keyboard.",
    None: "Nothing shows that it is from its sender: telephone before you rely on it.",
}
NOT_SHOWN = "This e-mail cannot be shown safely. Ask the technical team to look at it."


@dataclass(frozen=True, slots=True)
class Words:
    """What a held item says. `suggested` is what the reader found in an e-mail, for the officer to check; `rests_on` are the
    words behind each suggestion, `proposals` what may be called for next, `folded` the text in pieces, True for what was
    newly written and False for what is quoted: to show, never to read answers from."""

    heading: str = ""
    text: str = ""
    document: Mapping[str, Any] | None = None
    sender: str | None = None
    suggested: Mapping[str, Any] | None = None
    reasons: tuple[str, ...] = ()
    is_gone: bool = False
    rests_on: tuple[tuple[str, str], ...] = ()
    proposals: tuple[tuple[str, str], ...] = ()
    folded: tuple[tuple[bool, str], ...] = ()
    vouched: str = ""
    raw: str = ""
    files: tuple[str, ...] = ()


async def get_held(console: Console, visit: Visit) -> Response:
    """What waits, the longest first: everything, or one kind of it."""
    officer, kind = visit.signed_in, visit.request.query_params.get("kind", "")
    if kind and kind not in words.WAIT_KINDS:
        raise Refused(ErrorCode.NOT_FOUND)
    waiting = await console.parts.store.read(lambda tx: reading.held_list(tx, officer))
    kinds = [words.wait_kind(hold) for hold in waiting]
    figures = {each: kinds.count(each) for each in words.WAIT_KINDS}
    rows = [hold for hold, of in zip(waiting, kinds, strict=True) if not kind or of == kind]
    notice = NOTICES.get(visit.request.query_params.get("done", ""))
    left_out = max(0, len(rows) - MOST_ROWS)
    return page(
        visit,
        "held.html",
        here="held",
        rows=rows[:MOST_ROWS],
        left_out=left_out,
        kind=kind,
        figures=figures,
        notice=notice,
    )


async def get_held_item(console: Console, visit: Visit) -> Response:
    """Why it is held and what it is, without its content."""
    return await shown_item(console, visit, await found(console, visit), None)


async def post_words(console: Console, visit: Visit) -> Response:
    """The same with its content, once the opening is durable."""
    read = await found(console, visit)
    return await shown_item(console, visit, read, await opened_words(console, visit, read))


async def post_release(console: Console, visit: Visit) -> Response:
    return await _settle(console, visit, refuse=False)


async def post_refuse(console: Console, visit: Visit) -> Response:
    return await _settle(console, visit, refuse=True)


async def post_answer(console: Console, visit: Visit) -> Response:
    """Record what the school answered, as the officer read it; on a slip the page comes back with what was typed."""
    read = await found(console, visit)
    if read.mail is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This is no e-mail: release it or stop it.")
    officer, parts = visit.signed_in.name, console.parts
    try:
        letter = read.letter or await _letter_named(console, visit)
        submission = await confirmation(
            parts, letter, _answers(visit.form), read.mail.arrived_at, f"mail-{read.mail.id}", officer
        )
    except Refused as refused:
        said = await opened_words(console, visit, read)
        return await shown_item(console, visit, read, said, refused.errors or (FieldError("", "invalid"),))
    asked = OfficersAnswer(read.hold.id, officer, submission, letter)
    await parts.perform(answer_held_mail, asked, letter.partnership, letter.incident)
    return go("/held?done=answered")


async def _letter_named(console: Console, visit: Visit) -> LetterRow:
    """The letter that the officer says it answers; Refused when there is none that they may see."""
    reference = visit.form.get("letter_reference", "").strip()
    found = await console.parts.store.read(lambda tx: mail.letter_by_reference(tx, reference))
    if found is None or found.partnership not in visit.signed_in.partnerships:
        raise Refused(ErrorCode.INVALID_MESSAGE, (FieldError("/letter_reference", "no-such-letter"),))
    return found


async def _settle(console: Console, visit: Visit, *, refuse: bool) -> Response:
    read = await found(console, visit)
    why = visit.form.get("reason", "").strip()[:MOST_REASON_CHARACTERS]
    if refuse and not why:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Say why in a few words. Go back and try again.")
    confirmed = frozenset(reason for reason in MISDIRECTIONS if visit.form.get(f"confirm-{reason}") == "yes")
    said = why if refuse else ""
    asked = Release(read.hold.id, visit.signed_in.name, refuse=refuse, reason=said, confirmed=confirmed)
    await console.parts.perform(release, asked, read.hold.partnership, read.hold.incident)
    return go("/held?done=" + ("refused" if refuse else "released"))


async def found(console: Console, visit: Visit) -> HeldRead:
    officer, wanted, now = visit.signed_in, visit.path("hold"), console.parts.clock()
    return await console.parts.store.read(lambda tx: reading.held(tx, officer, wanted, now))


async def shown_item(
    console: Console,
    visit: Visit,
    read: HeldRead,
    said: Words | None,
    errors: tuple[FieldError, ...] = (),
    slips: Mapping[str, str] | None = None,
) -> Response:
    """One held thing; `errors` of the form for a school's answer, `slips` of that for an agency's return."""
    snapshot = await console.parts.partnerships.snapshot(read.hold.partnership)
    shown: dict[str, Any] = {
        "read": read,
        "ring": await whom_to_ring(console.parts, read.hold),
        "against": await standing_against(console.parts, read.hold),
        "said": said,
        "names": reading.agency_names(snapshot.directory),
        "by_law_at": limit_of_held(snapshot.pack, snapshot.directory, read.message) if read.message else None,
        "typed": dict(visit.form) if errors or slips else _typed(said),
        "errors": {name: ANSWER_SLIPS.get(name, UNFIT) for name in _fields(errors)},
        "found": slips or {},
        "owed": await console.parts.store.read(lambda tx: owed_returns(tx, read)),
        "return_kinds": RETURN_CHOICES,
        "draft_types": [(slug, words.message_title(slug)) for slug in sorted(BY_MAIL)] if read.mail else [],
    }
    return page(visit, "held_item.html", 422 if errors or slips else 200, here="held", **shown)


async def opened_words(console: Console, visit: Visit, read: HeldRead) -> Words:
    """State the opening, then unseal."""
    hold, asked = read.hold, Viewing(read.hold.id, visit.signed_in.name)
    await console.parts.perform(view_held, asked, hold.partnership, hold.incident)
    if read.mail is not None:
        return await words_of_mail(console.parts, read)
    document = await reading.content(console.parts, read.message) if read.message else None
    if document is None:
        return Words(is_gone=True)
    if read.message is None or read.message.type not in LETTERS:
        return Words(document=document)
    pack = (await console.parts.partnerships.snapshot(hold.partnership)).pack
    letter = console.parts.compose(pack.letters, document, None)
    return Words(letter.subject, letter.text)


async def words_of_mail(parts: Parts, read: HeldRead) -> Words:
    """What a held e-mail says, unsealed; the caller has stated the opening."""
    raw = read.mail
    key = await parts.key_by_id(raw.data_key) if raw else None
    if raw is None or raw.sealed is None or key is None:
        return Words(is_gone=True)
    content = key.open(f"raw-mail:{raw.id}", raw.sealed)
    found = json.loads(key.open(f"reading:{raw.id}", raw.sealed_reading)) if raw.sealed_reading else {}
    subject, text = await asyncio.to_thread(plain_words, content, raw.kind)
    text = found.get("opened_text") or text
    suggested = {**found.get("suggested", {}), **_known(found.get("answers", {}))}
    shown = Words(subject, text, None, found.get("sender"), suggested, tuple(found.get("reasons", ())))
    proposed = [(one["kind"], one["school"] or "") for one in found.get("proposals", ())]
    return replace(
        shown,
        rests_on=tuple(found.get("rests_on", {}).items()),
        proposals=tuple(proposed),
        folded=await asyncio.to_thread(folded, text),
        vouched=VOUCHED.get(found.get("vouched_by"), ""),
        raw="" if raw.kind == "unreadable" else content[:MOST_CHARACTERS].decode("utf-8", "replace"),
        files=tuple(str(one.get("name", "")) for one in found.get("files") or ()),
    )


def owed_returns(tx: Tx, read: HeldRead) -> list[DutyRow]:
    """What an agency's mail may answer."""
    raw = read.mail
    if raw is None or raw.partnership is None or raw.incident is None:
        return []
    return returns_owed(tx, raw.partnership, raw.incident, raw.agency)


def folded(text: str) -> tuple[tuple[bool, str], ...]:
    """A mail's text with its quoted parts apart; whole where they cannot be told."""
    try:
        return tuple(
            (is_new, piece.strip("\n")) for is_new, piece in quotequail.quote(text[:MOST_CHARACTERS])
        )
    except Exception:  # a display library, given hostile text: the officer sees the text unfolded
        return ((True, text),)


def plain_words(raw: bytes, kind: str | None = None) -> tuple[str, str]:
    """The subject and the plain text of an e-mail, cut at 20,000 characters; never its HTML, never its attachments.

    What the limited child could not read is not opened here either: it may be built to take all memory.
    """
    if kind == "unreadable":
        return "", NOT_SHOWN
    try:
        found = email.message_from_bytes(raw, policy=email.policy.default)
        body = found.get_body(("plain",)) if isinstance(found, EmailMessage) else None
        text = body.get_content() if body is not None else "This e-mail has no plain text."
        subject = str(found.get("subject", ""))
    except (
        Exception
    ):  # hostile mail breaks parsers in many ways; the officer is told instead of shown an error
        return "", NOT_SHOWN
    return subject[:200], str(text)[:MOST_CHARACTERS]


def _fields(errors: Iterable[FieldError]) -> list[str]:
    """The form's fields in which something is wrong, each once; "" for what is wrong with all of them together."""
    named = [error.pointer.rpartition("/")[2] for error in errors]
    return list(dict.fromkeys(name if name in ANSWER_SLIPS else "" for name in named))


def _answers(form: Mapping[str, str]) -> dict[str, Any]:
    """The form's answers as members of a `dsl-confirmation`; what was left empty is absent."""
    typed = {name: form[name].strip() for name in ANSWER_FIELDS if form.get(name, "").strip()}
    for name in typed.keys() & {"roll_from", "roll_to"}:
        typed[name] = _stored_day(typed[name])
    if typed.get("previous_school", "").casefold() in NOT_APPLICABLE:
        typed["previous_school"] = "not_applicable"
    records = YES_NO.get(form.get("records_held", ""))
    never = {"never_on_roll": True} if form.get("never_on_roll") == "yes" else {}
    return {**typed, **({} if records is None else {"records_held": records}), **never}


def _stored_day(text: str) -> str:
    """ "06/09/2021", "09/2021" and "Present" as the message keeps them; anything else as it was typed."""
    if (found := _SLASHED.fullmatch(text)) is None:
        return "present" if text.casefold() == "present" else text
    day, month, year = found.groups()
    return "-".join([year, f"{month:0>2}", *([f"{day:0>2}"] if day else [])])


def _shown_day(text: str) -> str:
    """A day as people write it: "2021-09-06" as "06/09/2021"."""
    return "/".join(reversed(text.split("-"))) if _STORED.fullmatch(text) else text


def _typed(said: Words | None) -> dict[str, str]:
    """What stands in the form at first: what the reader suggests, but for the answer that an officer must choose."""
    suggested = _known(said.suggested or {}) if said else {}
    found = {
        name: ("yes" if value else "no") if isinstance(value, bool) else _shown_day(str(value))
        for name, value in suggested.items()
        if name != "records_held"  # never chosen beforehand: a false "No" hides a child at risk
    }
    if found.get("previous_school") == "not_applicable":
        found["previous_school"] = "not applicable"
    return found


def _known(answers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answers.items() if value is not None}

"""From an opened mail to a verdict: what may be recorded without a person, and what a person must look at, and why.

THE RULE: only answers to all three labelled questions, each with exactly one value by the strict grammar, from the
enrolled address, vouched for by our own mail server, with nothing else beside them, are recorded without a person. Any
doubt goes to a person with suggestions that nobody has confirmed. "No records held" is never taken from prose: a false
"No" hides a child at risk. Sources: S2-22, X-28, contract section 2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.mail import kinds, references
from adapters.mail.answers import Question, Sheet, label_spans, read_sheet
from adapters.mail.authenticity import Sender, aligned, the_sender
from adapters.mail.bounces import is_read_receipt, read_bounce
from adapters.mail.findings import Answers, Expected, Kind, Reading, Verdict
from adapters.mail.known_letter import known_lines
from adapters.mail.lines import Page, page, plain_lines
from adapters.mail.markup import html_lines
from adapters.mail.opened import Opened, addresses
from adapters.mail.roll_dates import Roll
from adapters.mail.secured import vouched
from adapters.mail.surroundings import additional_lines, telling

Doubt = tuple[str, str]  # a flag and the reason in plain words

_SPECIAL = (
    ("never_on_roll", "They say that the child was never on their roll.",
     r"\bnever\s+(?:been\s+)?(?:on|at|attended|a\s+pupil)|\bnot\s+(?:been\s+)?(?:on\s+(?:our\s+|the\s+)?roll|a\s+pupil|known\s+to)|\bno\s+(?:trace|record)\s+of\s+(?:this|the|a)\s+(?:child|pupil)"),
    ("file_transferred", "They say that the file went to another school.",
     r"\b(?:file|records?)\s+(?:was|were|has|have|went|had)\b.{0,60}\b(?:sent|transferred|passed|forwarded|to)\b|\b(?:sent|transferred|passed)\s+(?:the\s+)?(?:file|records?)\s+(?:on\s+)?to\b"),
    ("name_shared", "They say that more than one pupil has this name.",
     r"\b(?:two|2|several|more\s+than\s+one)\s+(?:pupils|children|students)\b|\bsame\s+name\b|\bwhich\s+(?:pupil|child|student|one)\b"),
    ("wrong_recipient", "They say that the letter reached the wrong person.",
     r"\bwrong\s+(?:person|school|recipient|address)\b|\bno\s+longer\s+(?:work|the\b|at\b|here)|\b(?:am|i'm|is)\s+not\s+the\s+(?:dsl|designated)|\bhas\s+left\s+(?:the|our)\s+school\b|\bleft\s+the\s+school\b"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Body:
    """One body read: its lines, its labels, and what the writer added beside them."""

    page: Page
    sheet: Sheet
    added: tuple[str, ...]


def read_opened(opened: Opened, expected: Expected) -> Reading:
    """The reading of one mail; raises only for what makes a mail unreadable (the caller turns it into that)."""
    pages = _pages(opened)
    sender = the_sender(opened.headers)
    found = _references(opened, pages)
    base = Reading(
        Kind.UNRELATED,
        Verdict.NOT_AN_ANSWER,
        reference=found[0] if found else None,
        sender=sender.address if sender else None,
        token=references.token_in([*_recipients(opened), *expected.envelope_to]),
        answers_to=tuple(_message_ids(opened)[:20]),
        message_id=next((value[:300] for value in opened.all("message-id")), None),
        attachments=tuple(opened.files[:100]),
    )
    machine = _machine(opened, base)
    if machine is not None:
        return machine
    bodies = [_body(one, opened, expected, sender) for one in pages]
    unasked = None if _labelled(bodies) else _unasked(opened, base, pages)
    if unasked is not None:
        return unasked
    return _person(
        opened, expected, replace(base, kind=_kind(opened, expected, base, bodies, pages)), bodies, found
    )


def _machine(opened: Opened, base: Reading) -> Reading | None:
    """The reading of a mail that a machine wrote, told by its form; None when a person may have written it."""
    if is_read_receipt(opened):
        return replace(base, kind=Kind.READ_RECEIPT, reasons=("This is a read receipt, not an answer.",))
    bounce = read_bounce(opened)
    if bounce is not None:
        flag = {"failed": "delivery_failed", "delayed": "delivery_delayed"}.get(
            bounce.action, "delivery_confirmed"
        )
        reason = f"This is a delivery notice ({bounce.action}), not an answer."
        return replace(base, kind=Kind.BOUNCE, delivery=bounce, flags=(flag,), reasons=(reason,))
    return _automatic(base) if kinds.is_declared_auto_reply(opened) else None


def _unasked(opened: Opened, base: Reading, pages: Sequence[Page]) -> Reading | None:
    """The reading of a circular or an automatic answer that only its words give away; nothing is filled in there."""
    if kinds.is_list_mail(opened):
        answers_us = base.reference is not None or base.token is not None  # old responders answer "in bulk"
        return (
            _automatic(base) if answers_us else replace(base, reasons=("This is a circular, not an answer.",))
        )
    return _automatic(base) if kinds.is_auto_reply(opened, _written(pages)) else None


def _automatic(base: Reading) -> Reading:
    return replace(
        base, kind=Kind.AUTO_REPLY, reasons=("This is an automatic answer, nobody has read the letter.",)
    )


def _kind(
    opened: Opened, expected: Expected, base: Reading, bodies: Sequence[_Body], pages: Sequence[Page]
) -> Kind:
    if base.reference is not None and base.reference.startswith("SI-") and not _labelled(bodies):
        return Kind.RETURN
    if (
        base.reference is not None
        or base.token is not None
        or any(body.sheet.answers for body in bodies if _full(body))
    ):
        return Kind.REPLY
    known = base.sender is not None and base.sender in _enrolled(expected)
    texts = [opened.one("subject"), *("\n".join(line.text for line in one.lines) for one in pages)]
    on_topic = kinds.is_on_topic(texts) or kinds.is_wrapped(opened) or opened.encrypted
    return Kind.REPLY if known and on_topic else Kind.UNRELATED


def _person(
    opened: Opened, expected: Expected, base: Reading, bodies: Sequence[_Body], found: Sequence[str]
) -> Reading:
    """The verdict on a mail that a person wrote."""
    if base.kind is Kind.UNRELATED:
        return replace(base, reasons=("Nothing in this mail names a letter or a request of ours.",))
    doubts = [
        *_about_sender(opened, expected, base),
        *_about_reference(base, found),
        *_about_form(opened, bodies),
    ]
    if base.kind is Kind.RETURN:
        doubts.insert(
            0, ("information_return", "An answer to a request for information: a person takes it in.")
        )
        return _reviewed(base, Answers(), doubts)
    answers, about_answers = _agreed(bodies)
    doubts += about_answers
    doubts += _about_additions(bodies, opened)
    doubts += _about_quotation(bodies, opened, expected)
    if telling(_beside_reference(opened.one("subject"))):
        doubts.append(("additional_information", "The subject says more than it was asked: please read it."))
    if not doubts and answers.whole():
        reading = replace(base, verdict=Verdict.COMPLETE, answers=answers)
        return reading if _reference_fits(base) else replace(reading, flags=("reference_check",))
    return _reviewed(base, answers, doubts)


def _reviewed(base: Reading, suggested: Answers, doubts: Sequence[Doubt]) -> Reading:
    flags = dict.fromkeys(flag for flag, _ in doubts)
    if not _reference_fits(base):
        flags["reference_check"] = None
    return replace(
        base,
        verdict=Verdict.NEEDS_REVIEW,
        suggested=suggested,
        flags=tuple(flags),
        reasons=tuple(dict.fromkeys(reason for _, reason in doubts)),
    )


def _reference_fits(base: Reading) -> bool:
    return base.reference is None or references.well_typed(base.reference)


# --- the bodies -------------------------------------------------------------------------------------------------------


def _pages(opened: Opened) -> list[Page]:
    """One page for all plain texts and one for all HTML: the two alternatives must tell the same."""
    plain = [line for text in opened.plain for line in plain_lines(text)]
    html = [line for text in opened.html for line in html_lines(text)]
    return [page(lines) for lines in (plain, html) if any(line.text.strip() for line in lines)]


def _body(one: Page, opened: Opened, expected: Expected, sender: Sender | None) -> _Body:
    known = known_lines(one, expected.letters)
    sheet = read_sheet(one, known, opened.written_on())
    names = f"{sender.shown_name} {sender.address.partition('@')[0]}" if sender else ""
    words = frozenset(re.findall(r"[^\W\d_]+", (names + " " + opened.one("from").partition("<")[0]).lower()))
    added = additional_lines(one, sheet.rest, words)
    return _Body(one, sheet, (*added, *_slipped_in(one, sheet)))


def _slipped_in(one: Page, sheet: Sheet) -> list[str]:
    """Words written into the quoted letter: between answered labels, or telling ones after an answer given there."""
    inside = [
        answer for answer in sheet.answers if answer.quoted and answer.text and answer.value is not None
    ]
    if not inside or sheet.last_label is None:
        return []
    first = min(answer.place for answer in inside)
    held = [answer.place for answer in inside if answer.question is Question.HELD]
    added: list[str] = []
    for place in sheet.rest:
        line = one.lines[place]
        if not line.quoted or line.introduces or place < first:
            continue
        if place < sheet.last_label or (held and place > min(held) and telling(line.text)):
            added.append(line.text)
    return added


def _full(body: _Body) -> bool:
    return bool(label_spans("\n".join(line.text for line in body.page.lines)))


def _labelled(bodies: Sequence[_Body]) -> bool:
    """Whether any label of the letter has something written behind it."""
    return any(
        answer.value is not None or answer.doubtful for body in bodies for answer in body.sheet.answers
    )


def _written(pages: Sequence[Page]) -> str:
    return "\n".join(
        line.text for one in pages for line in one.lines if not line.quoted and not line.introduces
    )


# --- the answers ------------------------------------------------------------------------------------------------------


def _agreed(bodies: Sequence[_Body]) -> tuple[Answers, list[Doubt]]:
    """One value per question over all bodies, and every doubt about them."""
    doubts: list[Doubt] = []
    roll = _one_value(bodies, Question.ROLL, "dates on roll", doubts)
    school = _one_value(bodies, Question.PREVIOUS, "previous school", doubts)
    held = _one_value(bodies, Question.HELD, "records held", doubts)
    if isinstance(roll, Roll) and roll.last is None:
        doubts.append(("incomplete", "Dates on roll: only one date could be read."))
    answers = Answers(
        roll.first if isinstance(roll, Roll) else None,
        roll.last if isinstance(roll, Roll) else None,
        school if isinstance(school, str) else None,
        held if isinstance(held, bool) else None,
    )
    return answers, doubts


def _one_value(
    bodies: Sequence[_Body], question: Question, name: str, doubts: list[Doubt]
) -> Roll | str | bool | None:
    answers = [
        (body, answer) for body in bodies for answer in body.sheet.answers if answer.question is question
    ]
    unread = [answer for _, answer in answers if answer.doubtful and answer.value is None]
    values = {answer.value for _, answer in answers if answer.value is not None}
    if unread:
        doubts.append(("unclear_answer", f"The answer about {name} could not be read with certainty."))
    if len(values) > 1:
        doubts.append(("contradictory_answers", f"There are different answers about {name}."))
    if any(_repeated(body, question) for body in bodies):
        doubts.append(("several_answers", f"The question about {name} is answered more than once."))
    if not values and not unread:
        doubts.append(("incomplete", f"There is no answer about {name}."))
    return values.pop() if len(values) == 1 and not unread else None


def _repeated(body: _Body, question: Question) -> bool:
    """Answered twice by the same hand: perhaps two children are meant."""
    depths = [
        answer.depth
        for answer in body.sheet.answers
        if answer.question is question and answer.value is not None
    ]
    return len(depths) != len(set(depths))


# --- the doubts -------------------------------------------------------------------------------------------------------


def _about_sender(opened: Opened, expected: Expected, base: Reading) -> list[Doubt]:
    doubts: list[Doubt] = []
    verdict = vouched(opened, expected)
    if not verdict.passed:
        doubts.append(("auth_failed", verdict.reason or "The sender could not be checked."))
    enrolled = _enrolled(expected)
    if not enrolled:
        doubts.append(
            ("not_enrolled", "No address is enrolled for this letter, so nobody's answer can be recorded.")
        )
    elif base.sender not in enrolled:
        doubts.append(
            ("different_sender", "The mail is not from the address that is enrolled for this letter.")
        )
    shown = the_sender(opened.headers)
    if shown and any(
        found != shown.address
        for found in re.findall(r"[^\s<>\"']+@[^\s<>\"']+", opened.one("from").rpartition("<")[0].lower())
    ):
        doubts.append(("misleading_name", "The name shown for the sender is another e-mail address."))
    reply_domains = {address.lower().rpartition("@")[2] for address in addresses(opened.all("reply-to"))}
    if shown and reply_domains - {shown.domain}:
        doubts.append(
            ("reply_to_elsewhere", "Answers to this mail would go to another domain than the sender's.")
        )
    return doubts


def _about_reference(base: Reading, found: Sequence[str]) -> list[Doubt]:
    if base.reference is None:
        return [("no_reference", "The mail does not name the letter's reference.")]
    letters = [reference for reference in found if reference[:2] == base.reference[:2]]
    if len(letters) > 1:
        return [("several_references", "The mail names more than one reference.")]
    return []


def _about_form(opened: Opened, bodies: Sequence[_Body]) -> list[Doubt]:
    doubts: list[Doubt] = []
    if kinds.is_wrapped(opened):
        doubts.append(
            ("portal_wrapped", "The reply is behind a secure-mail portal: a person has to open it.")
        )
    if opened.encrypted:
        doubts.append(("encrypted", "The reply is encrypted: a person has to open it."))
    if kinds.is_forwarded(opened) or any(body.page.forwarded for body in bodies):
        doubts.append(("forwarded", "The mail was forwarded: its words may be somebody else's."))
    if opened.files or opened.forwarded:
        doubts.append(("attachment", "Something is attached."))
    if any(
        len(opened.all(name)) > 1
        for name in ("subject", "content-type", "to", "date", "message-id", "mime-version")
    ):
        doubts.append(("duplicate_fields", "A header field that may stand once stands twice."))
    if any(body.page.reordered for body in bodies):
        doubts.append(("reordered_text", "The text holds characters that change the order of reading."))
    if kinds.is_list_mail(opened):
        doubts.append(("bulk_mail", "The mail was sent as a circular, yet it holds answers."))
    if not bodies:
        doubts.append(("empty", "The mail has no text."))
    return doubts


def _about_additions(bodies: Sequence[_Body], opened: Opened) -> list[Doubt]:
    doubts: list[Doubt] = []
    added = [line for body in bodies for line in body.added]
    if added:
        doubts.append(("additional_information", "They wrote more than the three answers: please read it."))
    harmless = re.compile(r"[\s/]*(?:yes|no)?[\s/]*(?:yes|no)?[\s/.]*", re.IGNORECASE)
    if any(not harmless.fullmatch(piece) for body in bodies for piece in body.page.struck):
        doubts.append(("struck_out_text", "Words other than Yes or No are struck out."))
    if len(opened.pictures) > 8 or any(picture.size_bytes > 150_000 for picture in opened.pictures):
        doubts.append(("attachment", "There is a large picture in the mail."))
    unread = [answer.text for body in bodies for answer in body.sheet.answers if answer.value is None]
    said = " \n".join([*added, *unread])
    doubts += [
        (flag, reason) for flag, reason, pattern in _SPECIAL if re.search(pattern, said, re.IGNORECASE)
    ]
    return doubts


def _about_quotation(bodies: Sequence[_Body], opened: Opened, expected: Expected) -> list[Doubt]:
    """Answers that stand in a quotation count only when the quoted mail is ours: else they are somebody else's."""
    ours = [address.rpartition("@")[2] for address in (*_recipients(opened), *expected.envelope_to)]
    ours += [expected.authserv_id] if expected.authserv_id else []
    for body in bodies:
        for answer in body.sheet.answers:
            if answer.value is None or not answer.quoted:
                continue
            writer = _quoted_writer(body.page, answer.place)
            if answer.depth > 1 or (writer and not any(aligned(writer, domain) for domain in ours)):
                return [("quoted_answers", "The answers stand in a mail that somebody else wrote.")]
    return []


def _quoted_writer(page: Page, place: int) -> str | None:
    """The domain of whoever wrote the quotation around this line; None when its introduction shows no address."""
    for line in reversed(page.lines[:place]):
        if line.introduces and re.search(r"^\W*(?:from|oddi wrth|o)\s*:|:\s*$", line.text, re.IGNORECASE):
            found = re.search(r"[^\s<>\"'\[\]():]+@([^\s<>\"'\[\]():,;]+)", line.text)
            return found[1].lower().rstrip(".") if found else None
    return None


def _beside_reference(subject: str) -> str:
    """What the subject says besides our own words, the usual prefixes and the reference."""
    own = r"private and confidential|confirmation needed|reference|(?:\b\w{2,3}\s*:\s*)|\[[^\]]{1,40}\]|S[GI]-[0-9A-Z-]{10,14}"
    return re.sub(own, " ", subject, flags=re.IGNORECASE)


# --- references -------------------------------------------------------------------------------------------------------


def _references(opened: Opened, pages: Sequence[Page]) -> list[str]:
    """Every reference named, the surest place first: the address it came to, the thread, the subject, the text."""
    text = "\n".join(line.text for one in pages for line in one.lines)
    found = [
        *references.in_addresses(_plus_parts(opened)),
        *references.in_addresses(_message_ids(opened)),
        *references.in_text(opened.one("subject")),
        *references.in_text(text),
    ]
    found = list(dict.fromkeys(found))
    return [
        *(one for one in found if one.startswith("SG-")),
        *(one for one in found if one.startswith("SI-")),
    ]


def _recipients(opened: Opened) -> list[str]:
    names = ("delivered-to", "x-original-to", "envelope-to", "to", "cc")
    return addresses([value for name in names for value in opened.all(name)])


def _plus_parts(opened: Opened) -> list[str]:
    return [found.partition("@")[0] for found in _recipients(opened) if "+" in found.partition("@")[0]]


def _message_ids(opened: Opened) -> list[str]:
    values = [*opened.all("in-reply-to"), *opened.all("references")]
    return list(dict.fromkeys(one for value in values for one in re.findall(r"<[^<>\s]{3,300}>", value)))


def _enrolled(expected: Expected) -> frozenset[str]:
    return frozenset(address.strip().lower() for address in expected.enrolled)

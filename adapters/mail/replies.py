"""From an opened mail to a verdict: what may be recorded without a person, and what a person must look at, and why.

THE RULE: only answers to all three labelled questions, each with exactly one value by the strict grammar, from the
enrolled address, vouched for by our own mail server, with nothing else beside them, are recorded without a person. Any
doubt goes to a person with suggestions that nobody has confirmed. "No records held" is never taken from prose: a false
"No" hides a child at risk. Sources: S2-22, X-28, contract section 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from adapters.mail import kinds, misgivings, references
from adapters.mail.answers import Answer
from adapters.mail.authenticity import the_sender
from adapters.mail.bounces import is_read_receipt, read_bounce
from adapters.mail.findings import LONGEST_WORD, Answers, Expected, Kind, Reading, Verdict
from adapters.mail.labels import Question
from adapters.mail.lines import Page
from adapters.mail.opened import Opened
from adapters.mail.roll_dates import Roll, count_dates
from adapters.mail.secured import vouched_by
from adapters.mail.sources import Body, Doubt, FormRead, body_of, form_of, is_full, pages_of, written
from adapters.mail.suggestions import from_prose, proposals, special_doubts

_TOO_LONG: Doubt = ("too_long", "The text is too long to read by machine.")


def read_opened(opened: Opened, expected: Expected) -> Reading:
    """The reading of one mail; raises only for what makes a mail unreadable (the caller turns it into that)."""
    pages = pages_of(opened)
    sender = the_sender(opened.headers)
    found = _references(opened, pages or [])
    base = Reading(
        Kind.UNRELATED,
        Verdict.NOT_AN_ANSWER,
        reference=found[0] if found else None,
        sender=sender.address if sender else None,
        token=references.token_in([*misgivings.recipients(opened), *expected.envelope_to]),
        answers_to=tuple(_message_ids(opened)[:20]),
        message_id=next((value[:300] for value in opened.all("message-id")), None),
        attachments=tuple(opened.files[:100]),
        vouched_by=vouched_by(opened, expected),
        opened_text="\n".join(opened.plain)[:LONGEST_WORD] if opened.is_hidden else None,
    )
    machine = _machine(opened, base)
    if machine is not None:
        return machine
    if pages is None:
        return _reviewed(replace(base, kind=Kind.REPLY, says_more=True), Answers(), [_TOO_LONG])
    bodies = [body_of(one, opened, expected, sender) for one in pages]
    form = form_of(opened, expected)
    unasked = None if _labelled(bodies) or form.answers else _unasked(opened, base, pages)
    if unasked is not None:
        return unasked
    base = replace(
        base,
        kind=_kind(opened, expected, base, bodies, form, pages),
        says_more=misgivings.says_more(bodies),
    )
    return _person(opened, expected, base, bodies, form, found)


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
    return _automatic(base) if kinds.is_auto_reply(opened, written(pages)) else None


def _automatic(base: Reading) -> Reading:
    return replace(
        base, kind=Kind.AUTO_REPLY, reasons=("This is an automatic answer, nobody has read the letter.",)
    )


def _kind(
    opened: Opened,
    expected: Expected,
    base: Reading,
    bodies: Sequence[Body],
    form: FormRead,
    pages: Sequence[Page],
) -> Kind:
    if base.reference is not None and base.reference.startswith("SI-") and not _labelled(bodies):
        return Kind.RETURN
    answered = form.answers or any(body.sheet.answers for body in bodies if is_full(body))
    if base.reference is not None or base.token is not None or answered:
        return Kind.REPLY
    known = base.sender is not None and base.sender in misgivings.enrolled(expected)
    texts = [opened.one("subject"), *("\n".join(line.text for line in one.lines) for one in pages)]
    on_topic = kinds.is_on_topic(texts) or kinds.is_wrapped(opened) or opened.encrypted
    return Kind.REPLY if known and on_topic else Kind.UNRELATED


def _person(
    opened: Opened,
    expected: Expected,
    base: Reading,
    bodies: Sequence[Body],
    form: FormRead,
    found: Sequence[str],
) -> Reading:
    """The verdict on a mail that a person wrote."""
    if base.kind is Kind.UNRELATED:
        return replace(base, reasons=("Nothing in this mail names a letter or a request of ours.",))
    doubts = [
        *misgivings.about_sender(opened, expected, base),
        *misgivings.about_reference(base, found),
        *misgivings.about_shape(opened, bodies, form),
    ]
    if base.kind is Kind.RETURN:
        doubts.insert(
            0, ("information_return", "An answer to a request for information: a person takes it in.")
        )
        return _reviewed(base, Answers(), doubts)
    answers, rests_on, about_answers = _agreed(bodies, form)
    doubts += about_answers
    doubts += misgivings.about_additions(bodies, opened, form)
    doubts += special_doubts(_said(bodies))
    doubts += _about_periods(bodies)
    doubts += misgivings.about_quotation(bodies, opened, expected, base.sender or "")
    doubts += misgivings.about_subject(opened.one("subject"))
    flags = [flag for flag, _ in doubts]
    if not doubts and answers.whole():
        done = replace(base, verdict=Verdict.COMPLETE, answers=answers)
        done = replace(
            done, rests_on=tuple(rests_on.items()), proposals=tuple(proposals("", (), answers, ""))
        )
        return done if _reference_fits(base) else replace(done, flags=("reference_check",))
    said = _said(bodies) or written([body.page for body in bodies])
    if not {"quoted_answers", "contradictory_answers", "several_answers"} & set(flags):
        answers = from_prose(_prose(bodies), answers, rests_on, opened.written_on())
    proposed = proposals(said, flags, answers, form.file_sent_to)
    base = replace(base, rests_on=tuple(rests_on.items()), proposals=tuple(proposed[:10]))
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


def _labelled(bodies: Sequence[Body]) -> bool:
    """Whether any label of the letter has something written behind it."""
    return any(
        answer.value is not None or answer.doubtful for body in bodies for answer in body.sheet.answers
    )


def _about_periods(bodies: Sequence[Body]) -> list[Doubt]:
    unread = [
        a.text for b in bodies for a in b.sheet.answers if a.question is Question.ROLL and a.value is None
    ]
    several = any(count_dates(text) > 2 for text in unread)
    return [("several_periods", "They state more than one period on roll.")] if several else []


def _said(bodies: Sequence[Body]) -> str:
    """What was written that is neither a clear answer nor harmless."""
    unread = [answer.text for body in bodies for answer in body.sheet.answers if answer.value is None]
    return " \n".join(dict.fromkeys([*(line for body in bodies for line in body.added), *unread]))


def _prose(bodies: Sequence[Body]) -> str:
    """The sentences that suggestions may come from: one body's, for the other says the same."""
    texts = (
        [
            *body.said,
            *(answer.text for answer in body.sheet.answers if answer.value is None and not answer.quoted),
        ]
        for body in bodies
    )
    return max(("\n".join(one) for one in texts), key=len, default="")


# --- the answers ------------------------------------------------------------------------------------------------------


def _agreed(bodies: Sequence[Body], form: FormRead) -> tuple[Answers, dict[str, str], list[Doubt]]:
    """One value per question over all bodies and the form, the words they rest on, and every doubt about them."""
    doubts: list[Doubt] = []
    rests_on: dict[str, str] = {}
    sources = [body.sheet.answers for body in bodies] + [form.answers]
    values = {
        question: _one_value(sources, question, name, doubts, rests_on)
        for question, name in (
            (Question.ROLL, "dates on roll"),
            (Question.PREVIOUS, "previous school"),
            (Question.HELD, "records held"),
        )
    }
    roll, school, held = values[Question.ROLL], values[Question.PREVIOUS], values[Question.HELD]
    if (
        isinstance(roll, Roll)
        and roll.last is None
        and not any(flag == "unclear_answer" for flag, _ in doubts)
    ):
        doubts.append(("incomplete", "Dates on roll: only one date could be read."))
    answers = Answers(
        roll.first if isinstance(roll, Roll) else None,
        roll.last if isinstance(roll, Roll) else None,
        school if isinstance(school, str) else None,
        held if isinstance(held, bool) else None,
    )
    return answers, rests_on, doubts


_KEYS = {Question.ROLL: "roll", Question.PREVIOUS: "previous_school", Question.HELD: "records_held"}


def _one_value(
    sources: Sequence[Sequence[Answer]],
    question: Question,
    name: str,
    doubts: list[Doubt],
    rests_on: dict[str, str],
) -> Roll | str | bool | None:
    answers = [answer for source in sources for answer in source if answer.question is question]
    unread = [answer for answer in answers if answer.doubtful and answer.value is None]
    values = {answer.value for answer in answers if answer.value is not None}
    guesses = {answer.guess for answer in answers if answer.value is None} - {None}
    if unread:
        doubts.append(("unclear_answer", f"The answer about {name} could not be read with certainty."))
    if len(values) > 1:
        doubts.append(("contradictory_answers", f"There are different answers about {name}."))
    if any(_repeated(source, question) for source in sources):
        doubts.append(("several_answers", f"The question about {name} is answered more than once."))
    if not values and not unread:
        doubts.append(("incomplete", f"There is no answer about {name}."))
    telling = (answer for answer in answers if answer.value is not None or answer.doubtful)
    if words := next((answer.text for answer in telling if answer.text), None):
        rests_on[_KEYS[question]] = words[:300]
    if len(values) == 1 and not unread:
        return values.pop()
    all_said = values | guesses
    silent = [answer for answer in unread if answer.guess is None]
    return all_said.pop() if len(all_said) == 1 and not silent else None


def _repeated(source: Sequence[Answer], question: Question) -> bool:
    """Answered twice by the same hand: perhaps two children are meant."""
    depths = [answer.depth for answer in source if answer.question is question and answer.value is not None]
    return len(depths) != len(set(depths))


# --- references -------------------------------------------------------------------------------------------------------


def _references(opened: Opened, pages: Sequence[Page]) -> list[str]:
    """Every reference named, the surest place first: the address it came to, the thread, the subject, the text."""
    text = "\n".join(line.text for one in pages for line in one.lines)
    found: Iterable[str] = [
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


def _plus_parts(opened: Opened) -> list[str]:
    found = misgivings.recipients(opened)
    return [one.partition("@")[0] for one in found if "+" in one.partition("@")[0]]


def _message_ids(opened: Opened) -> list[str]:
    values = [*opened.all("in-reply-to"), *opened.all("references")]
    return list(dict.fromkeys(one for value in values for one in re.findall(r"<[^<>\s]{3,300}>", value)))

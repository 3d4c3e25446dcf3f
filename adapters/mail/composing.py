"""A message as an e-mail: the pack's letter with its answer form, or a notice without content that something waits.

Invariant: only a letter to a school carries words of a message; every other mail is the same whatever its message holds.
Sources: contract section 6; S0-26, S2-21, S2-26, S4-19.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.mail.letter import (
    LetterFacts,
    as_html,
    dsl_letter_subject,
    dsl_letter_text,
    notice_subject,
    receipt_subject,
    written_out,
)
from adapters.mail.paper import AnswerForm, paper
from gateway.core.deliveries import NOTICE, Letter, LetterFile

FormMac = Callable[[str, str], str]  # of a letter's token and reference

_WAITS = "Safeguarding gateway: a message waits, incident"
_NOTICES = {
    "need-to-know": "Need To Know",
    "chase": "Safeguarding gateway: a reminder waits, incident",
}  # S0-26: these words, then only the incident's id
_SAYS = "A message about a safeguarding incident waits for your agency in the gateway."
_SAID = {
    "chase": "A reminder waits for your agency in the gateway: an answer that is owed has not come, or is due soon."
}
_ANSWER = (
    "If we wrote you a letter by e-mail, with a reference that begins SG-, answer that letter: reply to it, or telephone the "
    "number in it. Nothing else is needed. For anything else:\n\n"
)
_TOLD = "For your information"
_RECEIVED = "received-"  # before a letter's reference: the gateway's own receipt for a reply
_TAKING_BACK = frozenset({"withdraw", "recall-misdirected"})


def compose_letter(
    templates: Mapping[str, str],
    document: Mapping[str, Any],
    token: str | None,
    form_mac: FormMac | None = None,
) -> Letter:
    """The e-mail for a message. With `token` and `form_mac` a letter to a school carries its answer form (PDF)."""
    if document["type"] == "dsl-letter":
        return _dsl_letter(templates, document, token, form_mac)
    if document["type"] == "correction" and document["body"]["action"] in _TAKING_BACK:
        return _taken_back(document)
    if document["type"] == "acknowledgement" and str(document.get("reference", "")).startswith(_RECEIVED):
        return _receipt(str(document["reference"]).removeprefix(_RECEIVED))
    if document["type"] == NOTICE:
        return _told_alone(document)
    subject = notice_subject(_NOTICES.get(document["type"], _WAITS), document["incident"])
    text = (
        f"{_SAID.get(document['type'], _SAYS)}\n\nIncident: {document['incident']}\n\n"
        f"{_ANSWER if document['type'] == 'chase' else ''}Please collect it with your agency's system. If your agency has none, "
        "telephone the council or the Safeguarding Business Unit, on a number that you already have, and name the incident: "
        "they tell you what it says.\n\nThis e-mail carries no details on purpose.\n"
    )
    return Letter(subject, text, as_html(text))


def _told_alone(document: Mapping[str, Any]) -> Letter:
    """To someone who is to know of a matter and reads nothing of it: an elected member (S0-30)."""
    text = (
        f"The gateway holds a message of this kind: {document['of']}.\n\nIncident: {document['incident']}\n\n"
        "You are told so that you know of it. It carries no details on purpose, and nothing is asked of you. "
        "Whom to ask is in the council's own arrangements; please do not ask by e-mail.\n"
    )
    return Letter(notice_subject(_TOLD, document["incident"]), text, as_html(text))


def _receipt(letter: str) -> Letter:
    """To a school whose reply came. It says that it came and not that it is enough: a person may still have to read it."""
    text = (
        f"Thank you. A reply to our letter {letter} has reached us.\n\n"
        "If anything in it is unclear we will telephone you. You need do nothing more unless we do.\n\n"
        "If nobody at your school replied to this letter, telephone us at once, on the number in the letter or one that you "
        "already have.\n\nThis e-mail is sent automatically and carries no details on purpose.\n"
    )
    return Letter(receipt_subject(letter), text, as_html(text), is_receipt=True)


def _taken_back(document: Mapping[str, Any]) -> Letter:
    """To someone who had a message by e-mail: there may be no system to collect with, so the mail says what to do."""
    text = (
        f"A message about incident {document['incident']} that was sent to you has been taken back.\n\n"
        "Please do not use it. Delete it and every copy, also from the deleted items, and destroy prints.\n"
        "Then tell the council or the Safeguarding Business Unit, on a number that you already have, that this "
        "is done, and whether anyone has read it.\n\nThis e-mail carries no details on purpose.\n"
    )
    subject = notice_subject("Safeguarding gateway: a message was taken back, incident", document["incident"])
    return Letter(subject, text, as_html(text))


def _dsl_letter(
    templates: Mapping[str, str], document: Mapping[str, Any], token: str | None, form_mac: FormMac | None
) -> Letter:
    facts = _facts(document)
    template = templates["dsl-letter.txt"]
    text = dsl_letter_text(template, facts)
    subject = dsl_letter_subject(templates["dsl-letter.subject.txt"], facts.reference)
    files: tuple[LetterFile, ...] = ()
    if token is not None and form_mac is not None:
        form = AnswerForm(facts.reference, form_mac(token, facts.reference), _child(template, facts))
        content = paper(text, facts.reference, form)
        files = (LetterFile(f"{facts.reference}.pdf", "application/pdf", content),)
    return Letter(subject, text, as_html(text), files, token)


def _facts(document: Mapping[str, Any]) -> LetterFacts:
    body = document["body"]
    born_on = body.get("child_date_of_birth")
    return LetterFacts(
        reference=body["letter_reference"],
        date_on=datetime.fromisoformat(document["created_at"]).astimezone(ZoneInfo("Europe/London")).date(),
        council=body["council"],
        school=body["school_name"],
        dsl_names=(body["dsl_name"],) if body.get("dsl_name") else (),
        child_name=body["child_name"],
        child_born_on=date.fromisoformat(born_on) if born_on else None,
        adviser_name=body["adviser"]["name"],
        adviser_post=document["author"]["post"],
        adviser_telephone=body["adviser"]["telephone"],
    )


def _child(template: str, facts: LetterFacts) -> str:
    """The child as the pack's letter names it: with the date of birth only where the pack's wording gives it."""
    name = " ".join(facts.child_name.split())
    born_on = facts.child_born_on
    return f"{name}, born on {written_out(born_on)}" if born_on and "child_born_on" in template else name

"""A letter as an e-mail: pure building of its words and its bytes.

Invariants: no header field carries personal data (the subject holds a reference, files are named by id); the same letter
and delivery give the same bytes on every attempt, Message-ID included; nothing in it can break a line of SMTP.
Sources: RFC 5322, 3461 (delivery status), 3834 (automatic mail), contract section 6, S2-21, S2-24.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from gateway.core.deliveries import Letter
from gateway.core.identifiers import is_incident_id

_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,253}$)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9-]{1,63}")
_ONE_LINE_FIELDS = policy.SMTP.clone(max_line_length=300)  # some servers dislike a folded Subject
_TOKEN = re.compile(r"[A-Za-z0-9._=-]{1,200}")
_REFERENCE = re.compile(r"\bS[GI]-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}\b")


class Unsendable(ValueError):
    """The address or letter cannot be put into a mail safely; says which part, never its content."""


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Our own side of every letter: the council's mail domain and the name and address it writes from."""

    domain: str
    from_address: str
    from_name: str


@dataclass(frozen=True, slots=True)
class Posting:
    """One e-mail ready for SMTP: the envelope, the bytes with CRLF lines, and the ids to match answers with."""

    envelope_from: str
    recipient: str
    content: bytes
    message_id: str
    envelope_id: str


def check_address(address: str) -> str:
    """The address unchanged, or Unsendable: one ASCII local part (RFC 6531 mail is lost silently) and a host name."""
    local, at, domain = address.rpartition("@")
    dotted = local.startswith(".") or local.endswith(".") or ".." in local
    if not at or not _LOCAL.fullmatch(local) or dotted or not _DOMAIN.fullmatch(domain):
        raise Unsendable("the address is not a plain e-mail address")
    return address


def build_posting(
    letter: Letter,
    delivery: str,
    recipient: str,
    ours: Correspondence,
    written_at: datetime,
    subject_tag: str = "",
) -> Posting:
    """The e-mail for one letter; `delivery` is the delivery's id and `written_at` an instant that never changes.

    A receipt has no envelope sender, so that nothing ever answers it. Raises Unsendable when an address, token or subject is not safe.
    """
    check_address(recipient)
    token = letter.reply_token or delivery
    if not _TOKEN.fullmatch(token) or not _TOKEN.fullmatch(delivery):
        raise Unsendable("the token is not safe in an address")
    if not letter.subject.isprintable() or not letter.subject.isascii() or len(letter.subject) > 200:
        raise Unsendable("the subject is not one plain line")
    bounces_to = check_address(f"bounce+{token}@{ours.domain}")
    message = _headed(letter, delivery, recipient, ours, written_at, token)
    if subject_tag:
        message.replace_header("Subject", f"[{subject_tag}] {letter.subject}")
    _fill(message, letter)
    _fix_boundaries(message, delivery)
    return Posting(
        "" if letter.is_receipt else bounces_to,
        recipient,
        message.as_bytes(policy=_ONE_LINE_FIELDS),
        str(message["Message-ID"]),
        delivery,
    )


def _headed(
    letter: Letter, delivery: str, recipient: str, ours: Correspondence, written_at: datetime, token: str
) -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP)
    local, _, domain = check_address(ours.from_address).rpartition("@")
    message["From"] = Address(ours.from_name, local, domain)
    message["To"] = recipient
    message["Reply-To"] = check_address(f"reply+{token}@{ours.domain}")
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(written_at)
    message["Message-ID"] = f"<{delivery}@{ours.domain}>"
    message["Auto-Submitted"] = "auto-replied" if letter.is_receipt else "auto-generated"
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    return message


def _fill(message: EmailMessage, letter: Letter) -> None:
    message.set_content(letter.text, charset="utf-8", cte="quoted-printable")
    message.add_alternative(
        letter.html or as_html(letter.text), subtype="html", charset="utf-8", cte="quoted-printable"
    )
    for file in letter.files:
        kind, _, subtype = file.media_type.partition("/")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,120}", file.name) or not subtype:
            raise Unsendable("a file's name is not an id")
        message.add_attachment(file.content, maintype=kind, subtype=subtype, filename=file.name)


def _fix_boundaries(message: EmailMessage, delivery: str) -> None:
    """Boundaries from the delivery id, so that every attempt has the same bytes."""
    for place, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary("=_" + hashlib.sha256(f"{delivery}/{place}".encode()).hexdigest()[:40])


def as_html(text: str) -> str:
    """The same letter as simple, accessible HTML: a heading and paragraphs, no styles, no pictures, nothing fetched."""
    paragraphs = [
        block.strip("\n") for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")) if block.strip()
    ]
    body = "\n".join(map(_as_element, paragraphs))
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Letter</title>'
    return f'<!DOCTYPE html>\n<html lang="en-GB"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _as_element(block: str) -> str:
    words = html.escape(block, quote=False).replace("\n", "<br>\n")
    return f"<h1>{words}</h1>" if block.isupper() else f"<p>{words}</p>"


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """What the letter to a designated safeguarding lead states. It discloses nothing about the incident (S2-21)."""

    reference: str
    date_on: date
    council: str
    school: str
    dsl_names: tuple[str, ...]
    child_name: str
    child_born_on: date | None
    adviser_name: str
    adviser_post: str
    adviser_telephone: str


def dsl_letter_text(template: str, facts: LetterFacts) -> str:
    """The letter's words from a rule pack's template; a placeholder that the facts lack is an error, never a gap."""
    return _render(template, _values(facts)).strip() + "\n"


def dsl_letter_subject(template: str, reference: str) -> str:
    """The letter's subject: a reference and no personal data."""
    if not _REFERENCE.fullmatch(reference):
        raise Unsendable("the reference is not in its canonical form")
    return " ".join(_render(template, {"reference": reference}).split())


def receipt_subject(reference: str) -> str:
    """The subject of a receipt for a reply; Unsendable when the reference is not a letter's."""
    if not _REFERENCE.fullmatch(reference):
        raise Unsendable("the reference is not in its canonical form")
    return f"We received your reply, reference {reference}"


def notice_subject(words: str, incident: str) -> str:
    """The subject of a notice: fixed words of ours and the incident's id, and nothing that a sender wrote (S4-19).

    Raises Unsendable when the id is not an incident's: whatever else came in its place could be personal.
    """
    if not is_incident_id(incident):
        raise Unsendable("the subject would not hold an incident's id")
    return f"{words} {incident}"


def _render(template: str, values: Mapping[str, object]) -> str:
    return _compiled(template).render(values)


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    """A pack's template, compiled once for all its letters: it holds nobody's data."""
    jinja = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    return jinja.from_string(template)


def _values(facts: LetterFacts) -> dict[str, object]:
    born = facts.child_born_on
    return {
        "reference": facts.reference,
        "date_on": written_out(facts.date_on),
        "council": _line(facts.council),
        "school": _line(facts.school),
        "dsl_names": " and ".join(_line(name) for name in facts.dsl_names) or "Designated Safeguarding Lead",
        "child_name": _line(facts.child_name),
        "child_born_on": written_out(born) if born else None,
        "adviser_name": _line(facts.adviser_name),
        "adviser_post": _line(facts.adviser_post),
        "adviser_telephone": _line(facts.adviser_telephone),
    }


def written_out(day: date) -> str:
    """A date as people write it: 5 October 2026."""
    return f"{day.day} {day:%B %Y}"


def _line(text: str) -> str:
    """One line: a name with a line break could add a line that looks like the letter's own."""
    return " ".join(text.split())

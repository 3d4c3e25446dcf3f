"""One e-mail opened: headers, bodies and files, from raw bytes.

Only for use inside the limited child process, after the byte-level look of `reading.py`: the standard library's parser can
be driven to gigabytes by a hostile header, so headers are read with the old `compat32` policy and decoded one by one,
bounded. Sources: RFC 5322, RFC 2045-2049.
"""

from __future__ import annotations

import email
import email.header
import email.message
import email.policy
import email.utils
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from adapters.mail.findings import Attached
from adapters.mail.form import FilledForm, Unfit, read_form
from adapters.mail.signed import Signature

_LONGEST_FIELD = 8 * 1024
_LONGEST_BODY = 256 * 1024
_MOST_FORMS = 3
_SIGNATURE_TYPES = frozenset(
    {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}
)
_OF_MACHINES = frozenset(  # RFC 3464, 8098 and 6533: told by other readers
    {
        "message/delivery-status",
        "message/disposition-notification",
        "message/global-delivery-status",
        "message/global-disposition-notification",
        "message/global-headers",
    }
)


class Malformed(ValueError):
    """The mail breaks a rule in a way that makes reading it by machine unsafe."""


@dataclass(slots=True)
class Opened:
    """What is in the mail. Bodies are the texts to read; files are everything else, inline pictures apart."""

    message: email.message.Message
    headers: tuple[tuple[str, str], ...]
    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    files: list[Attached] = field(default_factory=list)
    pictures: list[Attached] = field(default_factory=list)
    forms: list[tuple[Attached, FilledForm | Unfit]] = field(
        default_factory=list
    )  # of the PDFs among the files
    encrypted: bool = False  # and not opened
    forwarded: bool = False  # a whole mail is attached
    raw: bytes = field(default=b"", repr=False)
    signature: Signature = Signature.ABSENT
    is_hidden: bool = (
        False  # its text does not stand in the bytes that came: it was encrypted, or signed as one piece
    )
    parts_of_files: list[email.message.Message] = field(default_factory=list, repr=False)

    def all(self, name: str) -> list[str]:
        """The raw values of every field of that name, in order, unfolded."""
        return [value for field_name, value in self.headers if field_name == name.lower()]

    def one(self, name: str) -> str:
        """The first field of that name, decoded for reading; "" when absent."""
        values = self.all(name)
        return decoded(values[0]) if values else ""

    def content_of(self, place: int) -> bytes:
        """The bytes of the file at this place in `files`."""
        return _content(self.parts_of_files[place])

    def written_on(self) -> date | None:
        """The latest day that the Date field or our own server's Received line states, in their own zones."""
        stated = [self.one("date"), *(value.rpartition(";")[2] for value in self.all("received")[:1])]
        days = [day for day in map(_day, stated) if day is not None]
        return max(days, default=None)


def open_mail(raw: bytes, entity: bytes | None = None) -> Opened:
    """The parts of one mail; raises Malformed or what the parser raises (the child turns all into "unreadable").

    `entity` is what to read in place of the mail's own body: what was signed, or what was inside an encryption. The header
    stays the mail's own.
    """
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    headers = tuple((name.lower(), _unfolded(value)) for name, value in message.raw_items())
    if entity is not None:
        message = email.message_from_bytes(entity, policy=email.policy.compat32)
    opened = Opened(message, headers, raw=raw)
    for part, within in _leaves(message, frozenset()):
        _sort(part, within, opened)
    return opened


def decoded(value: str) -> str:
    """A header value with its encoded words decoded (RFC 2047); bounded, and never raises for bad encodings."""
    if len(value) > _LONGEST_FIELD:
        raise Malformed("a header field is too long")
    try:
        pieces = email.header.decode_header(value)
    except (ValueError, TypeError, email.errors.HeaderParseError):
        return value
    return "".join(
        piece if isinstance(piece, str) else _text(piece, charset or "ascii") for piece, charset in pieces
    )


def addresses(values: list[str]) -> list[str]:
    """Every address that stands in these raw fields, as written (a token may have capitals)."""
    return [address for _, address in email.utils.getaddresses(values) if "@" in address]


def _day(text: str) -> date | None:
    try:
        return email.utils.parsedate_to_datetime(text.strip()).date()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _unfolded(value: object) -> str:
    text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return re.sub(r"\r?\n(?=[ \t])", "", text).replace("\r", " ").replace("\n", " ").strip()


def _leaves(
    message: email.message.Message, within: frozenset[str]
) -> Iterator[tuple[email.message.Message, frozenset[str]]]:
    """The parts that hold no others, each with the kinds of multipart that it stands in."""
    payload = message.get_payload()
    if message.get_content_maintype() == "multipart" and isinstance(payload, list):
        inside = within | {message.get_content_subtype()}
        for part in payload:
            if isinstance(part, email.message.Message):
                yield from _leaves(part, inside)
    else:
        yield message, within


def _sort(part: email.message.Message, within: frozenset[str], opened: Opened) -> None:
    kind = part.get_content_type()
    if kind in _OF_MACHINES or (kind in _SIGNATURE_TYPES and _is_signature(part, within)):
        return
    if kind in {"application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"}:
        opened.encrypted = True
        return
    if kind == "text/rfc822-headers":
        return
    if kind.startswith(
        "message/"
    ):  # whole mails, or parts or places of them (RFC 2046, RFC 6532): somebody else's words
        opened.forwarded = True
        return
    name = _file_name(part)
    is_text = (
        kind in {"text/plain", "text/html"} and part.get_content_disposition() != "attachment" and not name
    )
    content = _content(part)
    if is_text:
        text = _text(content, part.get_content_charset() or "utf-8")
        if kind == "text/plain" and str(part.get_param("format", "")).lower() == "flowed":
            text = _unflowed(text, str(part.get_param("delsp", "")).lower() == "yes")
        (opened.plain if kind == "text/plain" else opened.html).append(text)
        return
    if not content and not name:
        return
    attached = Attached(name or "unnamed", kind[:100], len(content), hashlib.sha256(content).hexdigest())
    inline = "related" in within and kind.startswith("image/") and part.get("Content-ID") is not None
    if inline:
        opened.pictures.append(attached)
    else:
        opened.files.append(attached)
        opened.parts_of_files.append(part)
    if content[:1024].lstrip().startswith(b"%PDF-") and len(opened.forms) < _MOST_FORMS:
        opened.forms.append((attached, read_form(content)))


def _is_signature(part: email.message.Message, within: frozenset[str]) -> bool:
    """A signature where signatures stand, or by the name that they have; anything else of their type is a file to be opened."""
    name = _file_name(part).lower()
    return "signed" in within or not name or name.endswith((".p7s", ".asc", ".sig"))


def _unflowed(text: str, joins_words: bool) -> str:
    """Soft line breaks taken out (RFC 3676): a line that ends in a space goes on in the next of the same depth."""
    lines: list[str] = []
    flows = False
    for line in text.replace("\r\n", "\n").split("\n"):
        marks, _, words = re.fullmatch(r"(>*)( ?)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
        if flows and lines and marks == re.match(r">*", lines[-1])[0]:  # type: ignore[index]
            lines[-1] = (lines[-1][:-1] if joins_words else lines[-1]) + words
        else:
            lines.append(line)
        flows = line.endswith(" ") and words != "-- "
    return "\n".join(lines)


def _content(part: email.message.Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _file_name(part: email.message.Message) -> str:
    """The file's name for showing only: no path, no control characters."""
    try:
        name = decoded(part.get_filename() or "")
    except (Malformed, ValueError, TypeError, LookupError):
        return "unnamed"
    return re.sub(r"[\x00-\x1f\x7f/\\]", "", name)[:150]


def _text(content: bytes, charset: str) -> str:
    """Bytes as text: the declared character set where it is a safe one, else UTF-8, else Windows Latin."""
    if len(content) > _LONGEST_BODY:
        raise Malformed("a text is too long to read by machine")
    named = charset.lower().replace("_", "-")
    if named in {"utf-7", "unicode-1-1-utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape"}:
        named = "ascii"  # characters that mean others: never interpreted
    for candidate in (named, "utf-8", "cp1252"):
        try:
            return content.decode(candidate)
        except (LookupError, ValueError):
            continue
    return content.decode("latin-1")

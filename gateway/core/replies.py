"""One received mail as it was read: what the actions see of it, whichever way in it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class MailExpected:
    """What a reader is told: the addresses enrolled for the letter, our own addresses it came to, our letters' texts.

    `form` is the letter's reference and the MAC that its answer form carries; None when no letter is known yet.
    """

    enrolled: tuple[str, ...] = ()
    envelope_to: tuple[str, ...] = ()
    letters: tuple[str, ...] = field(default=(), repr=False)
    form: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file that came with a mail, at its place among them. `name` is for showing to a person, never a path."""

    place: int
    name: str = field(repr=False)
    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MailForm:
    """A filled form of a message that came as a file: its type and version, and what stands in its fields by their names."""

    type: str
    version: int
    values: Mapping[str, str | bool] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file taken out of a mail, and the message form in it if it is one."""

    content: bytes = field(repr=False)
    form: MailForm | None = None


@dataclass(frozen=True, slots=True)
class MailReading:
    """`kind` and `verdict` are the words of `gateway mail read`. `answers` hold only what may be recorded without a person.

    `document` is the whole reading, with suggestions and reasons, to be kept sealed for the officer.
    """

    kind: str
    verdict: str
    reference: str | None
    token: str | None
    answers: Mapping[str, Any]
    flags: tuple[str, ...]
    reasons: tuple[str, ...]
    document: Mapping[str, Any]
    sender: str | None = field(default=None, repr=False)
    vouched_by: str | None = None  # "signature" (S/MIME) or "domain" (an aligned DKIM signature), or nobody
    files: tuple[MailFile, ...] = ()
    says_more: bool = False  # beside files and answers its text says something that is not certainly harmless

    @property
    def is_complete(self) -> bool:
        return self.kind == "reply" and self.verdict == "complete"

"""A message names files that its agency sent before: each is given to it, once, in the transaction that records it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.actions.prove import Said
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.messages import Message
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import attachments
from gateway.store.attachments import AttachmentRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Named:
    """A file as the message names it; `sha256` in lower-case hexadecimal."""

    id: str
    sha256: str


def name_attachments(
    tx: Tx, parts: Parts, work: Work, message: Message, named: Sequence[Named]
) -> list[AttachmentRow]:
    """The files, which are this message's from now on; Refused with one answer for whatever is wrong with a file.

    Unknown, another agency's, other content, named before and expired look the same. In the order of their ids, so that two
    messages that name the same files do not wait for each other.
    """
    assert message.incident is not None
    whose = (message.partnership, message.incident, message.id)
    files = []
    for place, one in sorted(enumerate(named), key=lambda pair: (pair[1].id, pair[0])):
        digest = attachment_fingerprint(parts, one.sha256)
        file = attachments.claim(tx, one.id, message.agency, digest, work.at, whose)
        if file is None:
            raise Refused(
                ErrorCode.INVALID_MESSAGE, (FieldError(f"/attachments/{place}", "unknown-attachment"),)
            )
        files.append(file)
    return files


def attachment_fingerprint(parts: Parts, sha256: str) -> str:
    """What is kept in place of a file's digest: whoever lacks the key cannot try guesses against it."""
    return parts.keys.fingerprint("attachment", sha256.encode())


def withheld(files: Iterable[AttachmentRow]) -> Iterator[Said]:
    """What is stated of files that an officer must look at first."""
    return (
        Said(Event.HELD, {"attachment": file.id}, reason=reason) for file in files for reason in file.reasons
    )

"""The message that an e-mail brings as a file: its published JSON, or its form filled in, told apart from the files beside it.

Nothing here says that it may be taken: who sent it and what may come by e-mail is for whoever submits it to say.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.actions.mail_files import MOST_FILES
from gateway.core.errors import FieldError
from gateway.core.replies import MailFile, MailForm, OpenedFile
from gateway.parts import Parts
from schemas.filled_form import document_of
from schemas.registry import REGISTRY

BY_MAIL = frozenset(
    {
        "serious-incident-form",
        "call-log",
        "need-to-know",
        "dcs-notification",
        "serious-incident-alert",
        "referral",
        "information-return",
    }
)
UNREADABLE, SEVERAL = "submission-unreadable", "several-submissions"


@dataclass(frozen=True, slots=True)
class Brought:
    """The one file that is the message, as a document, and the files beside it."""

    document: bytes
    faults: tuple[FieldError, ...]
    besides: tuple[bytes, ...] = field(repr=False)


def message_brought(
    parts: Parts, files: Sequence[MailFile], opened: Sequence[OpenedFile]
) -> Brought | str | None:
    """The one message among the files of a mail, why none can be taken, or None where there is none at all."""
    documents = [file for file in files if _is_json(file)]
    forms = [place for place, one in enumerate(opened) if one.form is not None]
    if not documents and not forms:
        return None
    if len(documents) + len(forms) != 1 or len(files) > MOST_FILES:
        return SEVERAL
    place = documents[0].place if documents else forms[0]
    if len(files) != len(opened):
        return UNREADABLE
    besides = tuple(one.content for at, one in enumerate(opened) if at != place)
    if (form := opened[place].form) is not None:
        return _from_form(form, files[place], besides)
    if files[place].size_bytes > parts.settings.body_limit_bytes:
        return UNREADABLE
    return Brought(opened[place].content, (), besides)


def _from_form(form: MailForm, file: MailFile, besides: tuple[bytes, ...]) -> Brought | str:
    """The document that a filled form comes to. Without a reference of the sender's own its digest is one: the same form sent again is
    the same message."""
    if (form.type, form.version) not in REGISTRY:
        return UNREADABLE
    document, faults = document_of(form.type, form.version, form.values)
    document.setdefault("reference", f"form-{file.sha256[:32]}")
    return Brought(json.dumps(document, ensure_ascii=False).encode(), faults, besides)


def _is_json(file: MailFile) -> bool:
    return file.media_type == "application/json" or file.name.lower().endswith(".json")

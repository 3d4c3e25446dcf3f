"""The answer form of a letter (PDF): the names of its fields, and reading it back as a school filled it in.

Invariants: whatever a PDF holds, `read_form` gives a `FilledForm` or says in one word why not, and raises nothing; a value is
taken from a field's value alone, never from what a page shows; a form that is not bound to the letter it answers (`is_bound`)
is a person's to read. What may run, fetch or hide other files is refused unread. Use it in the limited child process only.
Sources: ISO 32000-1 sections 12.6 and 12.7; S2-22, X-28; contract section 4 (the hidden field carries a MAC).
"""

from __future__ import annotations

import hmac
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

MOST_BYTES = 5 * 1024 * 1024
MOST_PAGES = 20
MOST_OBJECTS = 20_000
MOST_UNPACKED_BYTES = 8 * 1024 * 1024  # of one stream of the file
LONGEST_VALUE = 1000

REFERENCE, MAC = "REF", "MAC"
TEXTS: Mapping[str, str] = {
    "ROLL-FROM": "roll_from",
    "ROLL-TO": "roll_to",
    "PREVIOUS-SCHOOL": "previous_school",
    "FILE-SENT-TO": "file_sent_to",
    "ANSWERED-BY": "answered_by",
}
BOXES: Mapping[str, str] = {
    "STILL-ON-ROLL": "still_on_roll",
    "NEVER-ON-ROLL": "never_on_roll",
    "NO-PREVIOUS-SCHOOL": "no_previous_school",
    "RECORDS-YES": "records_yes",
    "RECORDS-NO": "records_no",
    "TWO-PUPILS": "two_pupils",
    "WRONG-PERSON": "wrong_person",
}
TICKED = "Yes"  # the one "on" state of every box

_LIMITS: Mapping[str, Any] = {
    "zlib_maximum_output_length": MOST_UNPACKED_BYTES,
    "lzw_maximum_output_length": MOST_UNPACKED_BYTES,
    "run_length_maximum_output_length": MOST_UNPACKED_BYTES,
    "jbig2dec_binary": None,
    "page_tree_maximum_entries": 1000,
}
_ACTIVE_KEYS = frozenset({"/JS", "/XFA", "/EmbeddedFile", "/EmbeddedFiles", "/EF", "/RichMediaContent"})
_ACTIVE_NAMES = frozenset(
    {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToE", "/Rendition", "/EmbeddedFile",
     "/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D"}
)  # fmt: skip


class Unfit(Enum):
    """Why a PDF gives no answers: coarse words for flags and screens."""

    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"
    ENCRYPTED = "encrypted"
    TOO_MANY_PAGES = "too-many-pages"
    ACTIVE_CONTENT = "active-content"
    NO_FORM = "no-form"  # a flattened or printed form, or another PDF altogether
    CHANGED = "changed"  # ours by its names, but fields are missing or hold what they cannot


@dataclass(frozen=True, slots=True)
class FilledForm:
    """What stands in the fields, spaces at the ends aside. Nothing here is judged: texts are as the school typed them."""

    reference: str
    mac: str
    roll_from: str = ""
    roll_to: str = ""
    previous_school: str = ""
    file_sent_to: str = ""
    answered_by: str = ""
    still_on_roll: bool = False
    never_on_roll: bool = False
    no_previous_school: bool = False
    records_yes: bool = False
    records_no: bool = False
    two_pupils: bool = False
    wrong_person: bool = False


def is_bound(form: FilledForm, reference: str, mac: str) -> bool:
    """Whether the form is the very one sent with this letter: `mac` is `KeyRing.form_mac` of its token. Constant time.

    It binds the form to the letter and authenticates nobody: the caller must still know who sent it.
    """
    is_same_letter = hmac.compare_digest(form.reference.encode(), reference.encode())
    return hmac.compare_digest(form.mac.encode(), mac.encode()) and is_same_letter and bool(mac)


def read_form(content: bytes) -> FilledForm | Unfit:
    """The filled form in a PDF, or why there is none to be read. Never raises; bounded by the child's limits besides."""
    found = fields_in(content)
    if isinstance(found, Unfit):
        return found
    if REFERENCE not in found and MAC not in found:
        return Unfit.NO_FORM
    try:
        return _filled(found)
    except Exception:  # a field may hold anything
        return Unfit.UNREADABLE


def fields_in(content: bytes, most: int = 200) -> Mapping[str, Any] | Unfit:
    """Every form field of a PDF by its name, at most so many, or why it is not read. Never raises; for the child process only."""
    if len(content) > MOST_BYTES:
        return Unfit.TOO_LARGE
    try:
        return _fields(content, most)
    except Exception:  # a damaged or hostile PDF breaks a parser in many ways (RecursionError, TypeError, …)
        return Unfit.UNREADABLE


def typed(found: Any) -> str | None:
    """What stands in a text field, as it was typed; None when it is no text."""
    value = found.get("/V", "")
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value) if found.get("/FT") == "/Tx" and isinstance(value, str) else None


def ticked(found: Any) -> bool | None:
    """Whether a box is ticked; None when it is no box, or neither on nor off."""
    if found.get("/FT") != "/Btn":
        return None
    state = str(found.get("/V", "/Off")).removeprefix("/")
    return {TICKED: True, "Off": False, "": False}.get(state)


def _fields(content: bytes, most: int) -> Mapping[str, Any] | Unfit:
    from pypdf import PdfReader, apply_configuration  # slow to load, and most mails bring no PDF

    with apply_configuration(**_LIMITS, form_fields_maximum_entries=most):
        reader = PdfReader(io.BytesIO(content), strict=False)
        if reader.is_encrypted:
            return Unfit.ENCRYPTED
        if len(reader.pages) > MOST_PAGES:
            return Unfit.TOO_MANY_PAGES
        if _is_active(reader.trailer):
            return Unfit.ACTIVE_CONTENT
        return reader.get_fields() or {}


def _is_active(trailer: Any) -> bool:
    """Whether anything that the file reaches could run, fetch, send or carry another file."""
    for seen, node in enumerate(_nodes(trailer)):
        if seen > MOST_OBJECTS:
            raise ValueError("too many objects")
        if not isinstance(node, dict):
            continue
        if _ACTIVE_KEYS & node.keys():
            return True
        if {str(node.get("/S")), str(node.get("/Subtype")), str(node.get("/Type"))} & _ACTIVE_NAMES:
            return True
    return False


def _nodes(start: Any) -> Iterator[Any]:
    """Every dictionary and array that can be reached, each once; no recursion, for a file may be nested at will."""
    waiting, visited = [start], set()
    while waiting:
        node = waiting.pop()
        if hasattr(node, "idnum"):
            if (node.idnum, node.generation) in visited:
                continue
            visited.add((node.idnum, node.generation))
            node = node.get_object()
        yield node
        if isinstance(node, dict):
            waiting.extend(dict.values(node))  # as they lie there: a reference is followed above, once
        elif isinstance(node, list):
            waiting.extend(list.__iter__(node))


def _filled(found: Mapping[str, Any]) -> FilledForm | Unfit:
    if any(name not in found for name in (REFERENCE, MAC, *TEXTS, *BOXES)):
        return Unfit.CHANGED
    texts = {attribute: _text(found[name]) for name, attribute in TEXTS.items()}
    boxes = {attribute: ticked(found[name]) for name, attribute in BOXES.items()}
    reference, mac = _text(found[REFERENCE]), _text(found[MAC])
    values = (reference, mac, *texts.values(), *boxes.values())
    if reference is None or mac is None or any(value is None for value in values):
        return Unfit.CHANGED
    known: dict[str, Any] = {**texts, **boxes}
    return FilledForm(reference, mac, **known)


def _text(found: Any) -> str | None:
    """A text field's value in one line; None when it is no text or far too long."""
    value = typed(found)
    return None if value is None or len(value) > LONGEST_VALUE else " ".join(value.split())

"""From bytes to one typed message, and back.

The invariant: whatever `read_message` answers has been read strictly, and whatever it refuses is refused with pointers
and coarse codes that show nothing of what was sent: neither a value nor a member's name that is not ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.core.errors import ErrorCode, FieldError, Refused
from schemas import strict_json
from schemas.envelope import Envelope
from schemas.fields import BIDI, CONTROLS, LINE_PATTERN, TEXT_PATTERN
from schemas.model import Body
from schemas.registry import REGISTRY, TYPES

MOST_ERRORS = 20


def read_message(raw: bytes) -> Envelope[Any]:
    """The one typed message in these bytes, whose size the caller has checked.

    Raises `Refused(MALFORMED_JSON)` when they are not strict JSON, and `Refused(INVALID_MESSAGE)` with at most 20
    faults when the message does not meet its schema; an unknown type or version is a fault at `/type` or `/version`.
    """
    return read_object(strict_json.parse(raw))


def read_object(message: dict[str, Any]) -> Envelope[Any]:
    """The one typed message in a strictly read JSON object."""
    model = _model_of(message)
    try:
        return model.model_validate(message)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=True)
        raise Refused(ErrorCode.INVALID_MESSAGE, field_errors(faults)) from None


def write_message(message: Envelope[Body]) -> bytes:
    """The bytes of a message that the gateway itself makes; `read_message` reads them back to an equal value."""
    return message.model_dump_json().encode("utf-8")


def _model_of(message: dict[str, Any]) -> type[Envelope[Any]]:
    slug, version = message.get("type"), message.get("version")
    if type(slug) is not str or slug not in TYPES:
        raise _invalid("/type", "unknown-type" if "type" in message else "required")
    if type(version) is not int or (slug, version) not in REGISTRY:  # True == 1 must not pass for a version
        raise _invalid("/version", "unknown-version" if "version" in message else "required")
    return REGISTRY[slug, version]


def _invalid(pointer: str, code: str) -> Refused:
    return Refused(ErrorCode.INVALID_MESSAGE, (FieldError(pointer, code),))


def field_errors(faults: Iterable[ErrorDetails]) -> tuple[FieldError, ...]:
    """What a model of ours found, as pointers and coarse codes, without anything that was sent."""
    found = dict.fromkeys(FieldError(_pointer(fault), _code(fault)) for fault in faults)
    return tuple(found)[:MOST_ERRORS]


def _pointer(fault: ErrorDetails) -> str:
    """RFC 6901. An unknown member is reported at the object that holds it: its name is the sender's own text."""
    at = fault["loc"][:-1] if fault["type"] == "extra_forbidden" else fault["loc"]
    parts = (*at, *fault.get("ctx", {}).get("at", ()))
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _code(fault: ErrorDetails) -> str:
    kind = fault["type"]
    if kind == "string_pattern_mismatch":
        return _text_code(fault)
    if kind.endswith("_type"):
        return "wrong-type"
    return _CODES.get(kind, kind if "at" in fault.get("ctx", {}) else "invalid")


def _text_code(fault: ErrorDetails) -> str:
    if fault["ctx"]["pattern"] not in {LINE_PATTERN, TEXT_PATTERN}:
        return "bad-format"
    if BIDI.search(fault["input"]) is not None:
        return "bidi-control"
    text = fault["input"]
    if fault["ctx"]["pattern"] == TEXT_PATTERN:
        text = text.replace("\t", "").replace("\n", "")
    return "control-character" if CONTROLS.search(text) is not None else "blank"


_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown-member",
    "enum": "not-in-vocabulary",
    "literal_error": "not-in-vocabulary",
    "string_too_long": "too-long",
    "string_too_short": "too-short",
    "too_long": "too-many",
    "too_short": "too-few",
    "greater_than_equal": "out-of-range",
    "less_than_equal": "out-of-range",
}

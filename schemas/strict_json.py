"""JSON as it is taken here: one reading only, or none (RFC 8259 with the restrictions of I-JSON, RFC 7493).

Two readers that disagree about the same bytes could show an officer another child than the one that was routed. So:
UTF-8 without a byte order mark, no member twice, no NaN or infinity, no number beyond what every reader holds exactly,
no NUL and no lone surrogate in a string, at most 32 levels. The caller has checked the size.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from gateway.core.errors import ErrorCode, FieldError, Refused

DEEPEST_LEVEL = 32
LARGEST_INTEGER = 2**53 - 1  # RFC 7493 section 2.2

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # NUL, or one half of a pair of surrogates
_UNWANTED = re.compile("[\x00\ud800-\udfff]")


def parse(raw: bytes) -> dict[str, Any]:
    """The one object in these bytes; else `Refused(MALFORMED_JSON)` with a coarse code and never the content.

    Codes: `byte-order-mark`, `not-utf-8`, `not-json`, `duplicate-member`, `number-out-of-range`, `nul-character`,
    `lone-surrogate`, `too-deep`, `not-an-object`.
    """
    if raw.startswith(_BYTE_ORDER_MARK):
        raise malformed("byte-order-mark")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("not-utf-8") from None
    value = _decode(text)
    if type(value) is not dict:
        raise malformed("not-an-object")
    if text.count("{") + text.count("[") > DEEPEST_LEVEL:
        _refuse_depth(value)
    if _SUSPECT_ESCAPE.search(text) is not None:  # nothing else brings in what UTF-8 and the grammar keep out
        _refuse_unwanted(value)
    return value


def malformed(code: str) -> Refused:
    """The refusal of a body that is not strict JSON."""
    return Refused(ErrorCode.MALFORMED_JSON, (FieldError("", code),))


def _decode(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise malformed("too-deep") from None
    except ValueError:
        raise malformed("not-json") from None


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        raise malformed("duplicate-member")
    return value


def _bounded(digits: str) -> int:
    if (
        len(digits) > 17 or abs(int(digits)) > LARGEST_INTEGER
    ):  # the length first: int() of a long text is slow
        raise malformed("number-out-of-range")
    return int(digits)


def _finite(digits: str) -> float:
    """A whole number is an integer however it is written: 14.0 is 14, as JSON Schema has it (2020-12, section 6.1.1)."""
    value = float(digits)
    if not math.isfinite(value):
        raise malformed("number-out-of-range")
    return int(value) if value.is_integer() and abs(value) <= LARGEST_INTEGER else value


def _not_a_number(_name: str) -> NoReturn:
    raise malformed("not-json")


def _refuse_depth(value: dict[str, Any]) -> None:
    level: list[Any] = [value]
    for _ in range(DEEPEST_LEVEL):
        level = [child for parent in level for child in _children(parent) if type(child) in (dict, list)]
        if not level:
            return
    raise malformed("too-deep")


def _refuse_unwanted(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if type(item) is str:
            found = _UNWANTED.search(item)
            if found is not None:
                raise malformed("nul-character" if found[0] == "\x00" else "lone-surrogate")
        elif type(item) in (dict, list):
            pending.extend(_children(item))
            if type(item) is dict:
                pending.extend(item)


def _children(parent: Any) -> Any:
    return parent.values() if type(parent) is dict else parent


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_bounded, parse_float=_finite, parse_constant=_not_a_number
)

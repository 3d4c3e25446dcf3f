"""The public contract is strict, closed, published and stable; shared pieces for its tests."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from gateway.core.errors import ErrorCode, Refused
from schemas import example_path, read_message

ABSENT = object()


def example(slug: str) -> dict[str, Any]:
    """The published example of a type, as a fresh JSON object."""
    value: dict[str, Any] = json.loads(example_path(slug).read_bytes())
    return value


def changed(slug: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The example with members at JSON pointers set to other values, or left out where the value is ABSENT."""
    message = example(slug)
    for pointer, value in changes.items():
        put(message, pointer, value)
    return message


def put(message: dict[str, Any], pointer: str, value: Any) -> None:
    """Set, add or leave out the member at a JSON pointer, in place."""
    *parents, last = [int(part) if part.isdigit() else part for part in pointer.split("/")[1:]]
    holder: Any = message
    for part in parents:
        holder = holder[part]
    if value is ABSENT:
        del holder[last]
    else:
        holder[last] = copy.deepcopy(value)


def as_bytes(message: Any) -> bytes:
    """A JSON value as bytes."""
    return json.dumps(message, ensure_ascii=False).encode("utf-8")


def refusal(raw: bytes) -> Refused | None:
    """The refusal of these bytes, or None when they are taken."""
    try:
        read_message(raw)
    except Refused as refused:
        return refused
    return None


def faults(message: Any) -> list[tuple[str, str]]:
    """Pointer and code of everything that is wrong with a message that is strict JSON; empty when it is taken."""
    refused = refusal(as_bytes(message))
    assert refused is None or refused.code is ErrorCode.INVALID_MESSAGE
    return [] if refused is None else [(error.pointer, error.code) for error in refused.errors]


def places(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every place in a JSON value, with its pointer, below the top."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield f"{at}/{key}", child
        yield from places(child, f"{at}/{key}")

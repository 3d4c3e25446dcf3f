"""From a filled form to the document of a message: what was typed and ticked, at the places that its names say.

The invariants: nothing is guessed (two ticks where one counts, or a day that does not exist, are faults with a pointer and a coarse
code, as `read_message` gives them), and nothing typed is left out without a fault. Days are British or ISO 8601; a time without an
offset is London's. Whether the message is whole is for `read_message` to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from gateway.core.errors import FieldError
from schemas.fields import LONDON
from schemas.form_fields import MOST_PLACES, FormField, Kind, fields_by_pattern

Values = Mapping[
    str, str | bool
]  # by a field's pointer; a box by its field's pointer, "#" and the value it stands for

_DAY = re.compile(r"(?P<day>\d{1,2})[/.-](?P<month>\d{1,2})[/.-](?P<year>\d{4})")
_MOMENT = re.compile(
    r"(?P<on>\S+?)(?:\s*,?\s+(?:at\s+)?|T)(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?::(?P<second>\d{2}))?"
)
_YES_NO = {"yes": True, "no": False}
_PLACE = re.compile(r"/(\d{1,2})(?=/|$)")


def document_of(slug: str, version: int, values: Values) -> tuple[dict[str, Any], tuple[FieldError, ...]]:
    """The document as far as it can be made, and each fault of it. Empty fields are left out."""
    known = fields_by_pattern(slug, version)
    faults: list[FieldError] = []
    found: dict[str, Any] = {}
    for pointer, given in _by_pointer(values).items():
        field = known.get(_PLACE.sub("/0", pointer))
        if field is None or any(int(place) >= MOST_PLACES for place in _PLACE.findall(pointer)):
            faults.append(FieldError("", "unknown-member"))  # its name is the sender's own text
            continue
        try:
            found[pointer] = _value(field, given)
        except _Unfit as unfit:
            faults.append(FieldError(pointer, unfit.code))
    document: dict[str, Any] = {"type": slug, "version": version}
    for pointer in sorted(found, key=_in_order):
        _put(document, pointer.split("/")[1:], found[pointer])
    return {name: _listed(value) for name, value in document.items()}, tuple(dict.fromkeys(faults))


def values_of(document: Mapping[str, Any]) -> dict[str, str]:
    """A document as a form shows it: each leaf by its pointer, with a list of words one on a line."""
    found: dict[str, str] = {}
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        pointer, node = waiting.pop()
        if isinstance(node, Mapping):
            waiting.extend((f"{pointer}/{name}", value) for name, value in node.items())
        elif isinstance(node, list) and any(isinstance(one, Mapping) for one in node):
            waiting.extend((f"{pointer}/{place}", value) for place, value in enumerate(node))
        elif isinstance(node, list):
            found[pointer] = "\n".join(map(str, node))
        elif isinstance(node, bool):
            found[pointer] = "yes" if node else "no"
        elif node is not None:
            found[pointer] = str(node)
    return found


class _Unfit(ValueError):
    """A value that its field cannot hold. `code` is a coarse one of a field fault."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _by_pointer(values: Values) -> dict[str, list[str]]:
    """What was given for each field: the words typed, or the values whose boxes are ticked."""
    given: dict[str, list[str]] = {}
    for name, value in values.items():
        pointer, is_box, choice = name.partition("#")
        if is_box and value is True:
            given.setdefault(pointer, []).append(choice)
        elif isinstance(value, str) and value.strip():
            given.setdefault(pointer, []).append(value.replace("\r\n", "\n").replace("\r", "\n").strip())
    return given


def _value(field: FormField, given: list[str]) -> Any:
    if field.kind is Kind.CHOICES:
        return [_choice(field, one) for typed in given for one in re.split(r"[\n,;]", typed) if one.strip()]
    if len(given) != 1:
        raise _Unfit("one-of")
    typed = given[0]
    match field.kind:
        case Kind.LINES:
            return [_fitted(field, line.strip()) for line in typed.split("\n") if line.strip()]
        case Kind.CHOICE:
            return _choice(field, typed)
        case Kind.YES_NO:
            return _YES_NO[_choice(field, typed)]
        case Kind.DATE:
            return _day(typed).isoformat()
        case Kind.INSTANT:
            return _instant(typed)
        case Kind.NUMBER:
            return _number(typed)
        case Kind.TEXT:
            return typed
        case _:
            return _fitted(field, " ".join(typed.split()))


def _choice(field: FormField, typed: str) -> str:
    wanted = _folded(typed)
    found = [choice for choice in field.choices if _folded(choice) == wanted]
    if len(found) != 1:
        raise _Unfit("not-in-vocabulary")
    return found[0]


def _folded(value: str) -> str:
    return re.sub(r"[\s_-]+", "-", value.strip().casefold())


def _fitted(field: FormField, typed: str) -> str:
    """The value in the spelling that its pattern asks for, where capitals and spaces alone keep it from that."""
    bare = re.sub(r"\s", "", typed)
    for candidate in (typed, typed.upper(), bare, bare.upper()):
        if field.pattern is not None and re.search(field.pattern, candidate):
            return candidate
    return typed


def _day(typed: str) -> date:
    british = _DAY.fullmatch(typed)
    try:
        if british is not None:
            return date(int(british["year"]), int(british["month"]), int(british["day"]))
        return date.fromisoformat(typed)
    except ValueError:
        raise _Unfit("bad-date") from None


def _instant(typed: str) -> str:
    """An instant with its offset. London's own time is taken only where it names one moment, and not two or none."""
    try:
        stated = datetime.fromisoformat(typed)
    except ValueError:
        stated = None
    if stated is not None and stated.tzinfo is not None:
        return stated.isoformat()
    moment = _MOMENT.fullmatch(typed)
    if moment is None:
        raise _Unfit("bad-instant")
    try:
        on = _day(moment["on"])
        clock = (int(moment["hour"]), int(moment["minute"]), int(moment["second"] or 0))
        first = datetime(on.year, on.month, on.day, *clock, tzinfo=LONDON)
    except ValueError:
        raise _Unfit("bad-instant") from None
    if first.utcoffset() != first.replace(fold=1).utcoffset():
        raise _Unfit("bad-instant")  # the hour that comes twice, or never: its offset must be said
    return first.isoformat()


def _number(typed: str) -> int:
    if not re.fullmatch(r"\d{1,6}", typed):
        raise _Unfit("wrong-type")
    return int(typed)


def _in_order(pointer: str) -> list[tuple[bool, int, str]]:
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in pointer.split("/")]


def _put(document: dict[str, Any], path: list[str], value: Any) -> None:
    """The value at its place; a list is a mapping by number until all of it is there."""
    at = document
    for part in path[:-1]:
        at = at.setdefault(part, {})
    at[path[-1]] = value


def _listed(value: Any) -> Any:
    """Mappings by number made lists; a place that was left out closes up."""
    if not isinstance(value, dict):
        return value
    inside = {name: _listed(one) for name, one in value.items()}
    return list(inside.values()) if inside and all(name.isdigit() for name in inside) else inside

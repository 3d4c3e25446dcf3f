"""A form for any message, made from the fields of its published schema, and what was typed made into the message again.

Invariant: the form holds every member that an author may give and no other; nothing is guessed: what is left empty is absent, and
whether the whole may be sent is for `schemas.read_message` alone to say. Members are named by their path, such as
`body.incident.aware_at`, so that a fault's pointer finds its field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from gateway.console.words import LONDON, spoken
from schemas.registry import schema_path

BY_HOUSE = frozenset(
    {"type", "version", "partnership", "reference", "incident", "in_reply_to", "created_at", "marking"}
    | {"attachments"}
)
LONG = 1_000  # from so many characters on, a text has a field of several lines
DEEPEST = 8
YES_NO = (("yes", "Yes"), ("no", "No"))
_SOURCE = re.compile(r" ?\((?:[SKMXGC]\d*-?\d[^)]*|[^)]*section [^)]*)\)")
SLIPS = {
    "required": "This is needed",
    "too-few": "At least one is needed",
    "not-allowed-here": "This does not go with the other answers: leave it empty",
    "one-of": "Give one of these and leave the others empty",
    "bad-date": "This is not a day: write it as 2026-11-02",
    "bad-instant": "This is not a time: give the day and the time",
    "in-the-future": "This has not happened yet",
    "wrong-check-digit": "A figure is wrong: check it with whoever gave it",
    "unknown-value": "Choose one of the list",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One answer. `kind` is line, text, date, instant, choice, choices (several of a list), lines (one each) or number."""

    name: str
    label: str
    hint: str
    kind: str
    is_needed: bool = False
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Answers that belong together; `is_needed` when the message cannot do without it."""

    name: str
    title: str
    hint: str
    parts: tuple[Field | Group, ...]
    is_needed: bool = False


@cache
def form_of(slug: str, entries: int = 1, deeper: int = 1) -> Group:
    """The form of a message type; `entries` is how many of each list of things (children, attendance) it has room for, `deeper` how
    many of each list inside those (a child's family)."""
    room = (entries, deeper)
    schema = json.loads(schema_path(slug).read_bytes())
    kept = {name: node for name, node in schema["properties"].items() if name not in BY_HOUSE}
    needed = set(schema.get("required", ()))
    found = tuple(
        part
        for name, node in kept.items()
        if (part := _part(schema.get("$defs", {}), name, node, name in needed, room, 1)) is not None
    )
    return Group("", "", "", found, is_needed=True)


def message_of(form: Group, typed: Mapping[str, str]) -> dict[str, Any]:
    """What was typed, as the members of a message; what is empty is absent."""
    found = {part.name: value for part in form.parts if (value := _value(part, typed)) not in (None, [], {})}
    return _unflatten(found)


def slips_of(faults: Iterable[tuple[str, str]], form: Group) -> dict[str, str]:
    """A fault's pointer and code as the field's name and what to do; what has no field of its own stands at its group."""
    names = dict(_names(form))
    slips: dict[str, str] = {}
    for pointer, code in faults:
        path = pointer.strip("/").replace("/", ".")
        while path and path not in names:
            path = path.rpartition(".")[0]
        told = SLIPS.get(code, f"Check this: {spoken(code).lower()}")
        slips.setdefault(
            path or "body", f"{names[path]}: {told[:1].lower()}{told[1:]}" if names.get(path) else told
        )
    return slips


def _part(
    defs: Mapping[str, Any],
    name: str,
    node: Mapping[str, Any],
    needed: bool,
    room: tuple[int, int],
    depth: int,
) -> Field | Group | None:
    node = _resolved(defs, node)
    title = spoken(name.rpartition(".")[2]) if not name.rpartition(".")[2].isdecimal() else ""
    hint = _SOURCE.sub("", str(node.get("description", "")).partition("\n\n")[0]).replace("`", "")
    match node.get("type"):
        case "object" if depth < DEEPEST:
            inner = _members(defs, name, node, room, depth)
            return Group(name, title, hint, inner, needed)
        case "array":
            return _list(defs, name, node, (title, hint, needed), room, depth)
        case "boolean":
            return Field(name, title, hint, "yes-no", needed, YES_NO)
        case "integer":
            return Field(name, title, hint, "number", needed)
        case "string":
            return _text(name, node, title, hint, needed)
    return None


def _members(
    defs: Mapping[str, Any], name: str, node: Mapping[str, Any], room: tuple[int, int], depth: int
) -> tuple[Field | Group, ...]:
    needed = set(node.get("required", ()))
    found = (
        _part(defs, f"{name}.{member}", inner, member in needed, room, depth + 1)
        for member, inner in node.get("properties", {}).items()
    )
    return tuple(part for part in found if part is not None)


def _list(
    defs: Mapping[str, Any],
    name: str,
    node: Mapping[str, Any],
    told: tuple[str, str, bool],
    room: tuple[int, int],
    depth: int,
) -> Field | Group | None:
    title, hint, needed = told
    item = _resolved(defs, node["items"])
    if "enum" in item:
        choices = tuple((value, spoken(value)) for value in item["enum"])
        return Field(name, title, hint, "choices", needed, choices)
    if item.get("type") == "string":
        return Field(name, title, f"{hint} One a line.".strip(), "lines", needed)
    several = max(room[depth > 2], int(node.get("minItems", 0)))
    inner = (_part(defs, f"{name}.{at}", node["items"], at == 0, room, depth + 1) for at in range(several))
    return Group(name, title, hint, tuple(part for part in inner if part is not None), needed)


def _text(name: str, node: Mapping[str, Any], title: str, hint: str, needed: bool) -> Field:
    if "enum" in node:
        choices = tuple((value, spoken(value)) for value in node["enum"])
        return Field(name, title, hint, "choice", needed, choices)
    kind = {"date": "date", "date-time": "instant"}.get(node.get("format", ""), "line")
    if kind == "line" and int(node.get("maxLength", 0)) >= LONG:
        kind = "text"
    return Field(name, title, hint, kind, needed)


def _resolved(defs: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A member's own node: what it refers to, with what it says itself; of "something or null", the something."""
    if "$ref" in node:
        own = {key: value for key, value in node.items() if key != "$ref"}
        return {**_resolved(defs, defs[node["$ref"].rpartition("/")[2]]), **own}
    if "anyOf" in node:
        real = [one for one in node["anyOf"] if one.get("type") != "null"]
        own = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        return {**_resolved(defs, real[0]), **own}
    return node


def _value(part: Field | Group, typed: Mapping[str, str]) -> Any:
    if isinstance(part, Group):
        inner = {one.name: value for one in part.parts if (value := _value(one, typed)) not in (None, [], {})}
        if part.parts and all(one.name == f"{part.name}.{at}" for at, one in enumerate(part.parts)):
            return list(inner.values())
        return inner
    if part.kind == "choices":
        return [value for value, _ in part.choices if typed.get(f"{part.name}~{value}") == "yes"]
    text = typed.get(part.name, "").strip()
    if not text:
        return None
    match part.kind:
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case "yes-no":
            return {"yes": True, "no": False}.get(text, text)
        case "number":
            return int(text) if text.isdecimal() and len(text) < 10 else text
        case "instant":
            return instant_of(text)
    return text


def instant_of(text: str) -> str:
    """A day and a time as the browser gives them, in London's time; anything else stays as it was typed and is refused."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at if at.tzinfo else at.replace(tzinfo=LONDON)).isoformat()


def _unflatten(found: Mapping[str, Any]) -> dict[str, Any]:
    """Members by their own names in place of their paths."""
    return {name.rpartition(".")[2]: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _unflatten(value)
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _names(part: Field | Group) -> Iterator[tuple[str, str]]:
    """Every field and group by its path, with what it is called."""
    if part.name:
        yield part.name, part.title if isinstance(part, Group) else part.label
    for inner in part.parts if isinstance(part, Group) else ():
        yield from _names(inner)

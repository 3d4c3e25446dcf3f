"""A form for any message, made from the fields of its published schema, and what was typed made into the message again.

Invariant: the form holds every member that an author may give and no other; nothing is guessed: what is left empty is absent, and
whether the whole may be sent is for `schemas.read_message` alone to say. Members are named by their path, such as
`body.incident.aware_at`, so that a fault's pointer finds its field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from gateway.console.words import spoken
from gateway.core.errors import ErrorCode, Refused
from gateway.core.presence import LONDON
from gateway.core.working_days import TimeFault, read_instant, read_wall_time
from schemas.form_fields import FormField, Kind, Part, parts_of

BY_HOUSE = frozenset(
    {"type", "version", "partnership", "reference", "incident", "in_reply_to", "created_at", "marking"}
    | {"attachments"}
)
LONG = 1_000  # from so many characters on, a text has a field of several lines
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
    asked = parts_of(slug, 1, lambda at, fewest: max(entries if len(at) <= 2 else deeper, fewest))
    found = tuple(_spoken(part) for part in asked.parts if _name(part) not in BY_HOUSE)
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


def _spoken(part: FormField | Part) -> Field | Group:
    """A part of the form in the words of a page."""
    name = _name(part)
    last = name.rpartition(".")[2]
    title = "" if last.isdecimal() else spoken(last)
    hint = _SOURCE.sub("", part.told.partition("\n\n")[0]).replace("`", "")
    if isinstance(part, Part):
        return Group(name, title, hint, tuple(map(_spoken, part.parts)), part.is_required)
    if part.kind is Kind.LINES:
        hint = f"{hint} One a line.".strip()
    is_short = part.kind is Kind.TEXT and part.most_characters < LONG
    kind = Kind.LINE if is_short else part.kind
    choices = tuple((value, spoken(value)) for value in part.choices)
    return Field(name, title, hint, kind.value, part.is_required, choices)


def _name(part: FormField | Part) -> str:
    return part.pointer.removeprefix("/").replace("/", ".")


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
    """A day and a time as the browser gives them, in London's time; anything else stays as it was typed and is refused.

    So does a time that the spring change leaves out; in the hour that comes twice it is the first pass, so that whatever is counted
    from it is due sooner and never later (C-14).
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is not None:
        return at.isoformat()
    read = read_wall_time(at, LONDON.key, fold=0)
    return text if isinstance(read, TimeFault) else read.astimezone(LONDON).isoformat()


def typed_instant(instant: str) -> str:
    """The inverse: an instant as the browser's field holds it, London's day and time; what is none stays as it is."""
    read = read_instant(instant)
    return instant if isinstance(read, TimeFault) else read.astimezone(LONDON).strftime("%Y-%m-%dT%H:%M")


def local_instant(on: str, at: str, ask: str) -> datetime:
    """A day and a time of London from two fields, as an instant in UTC; Refused with what to give when they are none."""
    read = read_instant(instant_of(f"{on}T{at}"))
    if isinstance(read, TimeFault):
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=f"{ask} Go back and try again.")
    return read


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

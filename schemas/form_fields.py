"""What a form for a message asks: the fields of its published schema, one after the other, for paper and for pages.

The invariant: nothing is asked that the schema does not have, and nothing that it has is left out but the names of files (those
come beside the form). A field is named by its JSON pointer (RFC 6901), so that a filled form needs no table to be read back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any

from schemas.registry import schema_path

SEVERAL = {"children": 2, "related_people": 2}  # lists of which a form has more than one place
MOST_PLACES = 8
MOST_CHOICES = 12  # of more values the list is told, and one is typed
FIXED = frozenset({"type", "version"})
_LEFT_OUT = frozenset({"attachments"})


class Kind(Enum):
    """How a field is filled in."""

    LINE = "line"
    TEXT = "text"
    LINES = "lines"  # several values, one on each line
    DATE = "date"
    INSTANT = "instant"
    NUMBER = "number"
    YES_NO = "yes-no"
    CHOICE = "choice"
    CHOICES = "choices"  # as many as apply


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `is_required` is said only where nothing else decides whether it is."""

    pointer: str
    label: str
    told: str
    kind: Kind
    choices: tuple[str, ...] = ()
    most_characters: int = 200
    pattern: str | None = None
    is_required: bool = False

    @property
    def is_boxed(self) -> bool:
        """Whether it is answered by ticking and not by typing."""
        return self.kind in (Kind.CHOICE, Kind.CHOICES, Kind.YES_NO) and len(self.choices) <= MOST_CHOICES


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together, under a heading such as "Children 1: Related people"."""

    title: str
    fields: tuple[FormField, ...]


@cache
def sections_of(slug: str, version: int = 1, children: int = SEVERAL["children"]) -> tuple[Section, ...]:
    """The whole form for a message of this type, in the order of its schema."""
    schema = json.loads(schema_path(slug, version).read_text("utf-8"))
    asked = _Asked(schema.get("$defs", {}), {**SEVERAL, "children": children})
    grouped: dict[str, list[FormField]] = {}
    for title, field in asked.fields(schema, (), "Your message", True):
        grouped.setdefault(title, []).append(field)
    return tuple(Section(title, tuple(fields)) for title, fields in grouped.items())


@cache
def fields_by_pattern(slug: str, version: int = 1) -> Mapping[str, FormField]:
    """Every field by its pointer with 0 in place of each number: whatever place a form has it at."""
    found = (field for section in sections_of(slug, version, 1) for field in section.fields)
    return {field.pointer: field for field in found}


@dataclass(frozen=True, slots=True)
class _Asked:
    """A walk through one schema: `defs` are its named parts, `several` says how many places a list has."""

    defs: Mapping[str, Any]
    several: Mapping[str, int]

    def fields(
        self, schema: Mapping[str, Any], at: tuple[str, ...], title: str, is_required: bool
    ) -> Iterator[tuple[str, FormField]]:
        schema = self._plain(schema)
        if "properties" in schema:
            yield from self._members(schema, at, title, is_required)
        elif schema.get("type") == "array" and "properties" in self._plain(schema["items"]):
            for place in range(self.several.get(at[-1], 1)):
                heading = f"{title} {place + 1}" if at[-1] in self.several else title
                needed = is_required and place == 0
                yield from self.fields(schema["items"], (*at, str(place)), heading, needed)
        else:
            yield title, replace(self._leaf(schema, at), is_required=is_required)

    def _members(
        self, schema: Mapping[str, Any], at: tuple[str, ...], title: str, is_required: bool
    ) -> Iterator[tuple[str, FormField]]:
        required = frozenset(schema.get("required", ()))
        plain = {name: self._plain(one) for name, one in schema["properties"].items()}
        names = [name for name in plain if at or name not in FIXED | _LEFT_OUT]
        # What stands by itself comes before what has a heading of its own.
        for name in sorted(names, key=lambda one: self._is_group(plain[one])):
            needed = is_required and name in required and "default" not in schema["properties"][name]
            inside = _heading(title, at, name) if self._is_group(plain[name]) else title
            yield from self.fields(plain[name], (*at, name), inside, needed)

    def _is_group(self, schema: Mapping[str, Any]) -> bool:
        items = self._plain(schema["items"]) if schema.get("type") == "array" else schema
        return "properties" in items

    def _plain(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """A schema with its reference followed and without "or null"."""
        if "$ref" in schema:
            rest = {name: value for name, value in schema.items() if name != "$ref"}
            schema = {**self.defs[schema["$ref"].rpartition("/")[2]], **rest}
        if "anyOf" in schema and "properties" not in schema:
            kept = [one for one in schema["anyOf"] if one.get("type") != "null"]
            if len(kept) != 1:
                raise ValueError("a form cannot ask for one of several shapes")
            rest = {name: value for name, value in schema.items() if name != "anyOf"}
            return self._plain({**kept[0], **rest})
        return schema

    def _leaf(self, schema: Mapping[str, Any], at: tuple[str, ...]) -> FormField:
        pointer, label = "".join(f"/{part}" for part in at), _words(at[-1])
        told = str(schema.get("description", ""))
        field = FormField(pointer, label, told, Kind.LINE, pattern=schema.get("pattern"))
        if schema.get("type") == "array":
            items = self._plain(schema["items"])
            if choices := _choices(items):
                return replace(field, kind=Kind.CHOICES, choices=choices)
            return replace(field, kind=Kind.LINES, most_characters=4000, pattern=items.get("pattern"))
        if choices := _choices(schema):
            return replace(field, kind=Kind.CHOICE, choices=choices)
        if schema.get("type") == "boolean":
            return replace(field, kind=Kind.YES_NO, choices=("yes", "no"))
        if schema.get("type") in ("integer", "number"):
            return replace(field, kind=Kind.NUMBER, most_characters=10)
        kind = {"date": Kind.DATE, "date-time": Kind.INSTANT}.get(schema.get("format", ""), Kind.LINE)
        most = int(schema.get("maxLength", 200))
        return replace(field, kind=Kind.TEXT if most > 200 else kind, most_characters=most)


def _heading(title: str, at: tuple[str, ...], name: str) -> str:
    if at in ((), ("body",)):
        return "What you tell" if name == "body" else _words(name)
    return f"{title}: {_words(name)}"


def _choices(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, schema["enum"])) if "enum" in schema else ()


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()

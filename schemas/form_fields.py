"""What a form for a message asks: the fields of its published schema, one after the other, for paper and for pages.

The invariant: nothing is asked that the schema does not have, and nothing that it has is left out but the names of files (those
come beside the form). A field is named by its JSON pointer (RFC 6901), so that a filled form needs no table to be read back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
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
    """One field. In a section `is_required` is said only where nothing else decides whether it is."""

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


@dataclass(frozen=True, slots=True)
class Part:
    """What belongs together: the members of an object, or the places of a list of such objects, each named by its number."""

    pointer: str
    told: str
    parts: tuple[FormField | Part, ...]
    is_required: bool = False


Places = Callable[[tuple[str, ...], int], int]  # for how many a list has room: its path, and its fewest


def parts_of(slug: str, version: int, places: Places) -> Part:
    """The whole form for a message of this type as its schema nests it; `is_required` is told within what holds each."""
    schema = json.loads(schema_path(slug, version).read_text("utf-8"))
    return _Walk(schema.get("$defs", {}), places).group(schema, (), True)


@cache
def sections_of(slug: str, version: int = 1, children: int = SEVERAL["children"]) -> tuple[Section, ...]:
    """The same in the order of paper: one after the other, what stands by itself before what has a heading of its own."""
    several = {**SEVERAL, "children": children}
    form = parts_of(slug, version, lambda at, _: several.get(at[-1], 1))
    grouped: dict[str, list[FormField]] = {}
    for title, field in _in_sections(form, "Your message", True):
        grouped.setdefault(title, []).append(field)
    return tuple(Section(title, tuple(fields)) for title, fields in grouped.items())


@cache
def fields_by_pattern(slug: str, version: int = 1) -> Mapping[str, FormField]:
    """Every field by its pointer with 0 in place of each number: whatever place a form has it at."""
    found = (field for section in sections_of(slug, version, 1) for field in section.fields)
    return {field.pointer: field for field in found}


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk through one schema, whose named parts are `defs`."""

    defs: Mapping[str, Any]
    places: Places

    def group(self, schema: Mapping[str, Any], at: tuple[str, ...], is_required: bool) -> Part:
        required = frozenset(schema.get("required", ()))
        members = tuple(
            self._part(one, (*at, name), name in required)
            for name, one in schema["properties"].items()
            if at or name not in FIXED | _LEFT_OUT
        )
        return Part(
            _pointer(at), _for_people(str(schema.get("description", ""))), members, is_required=is_required
        )

    def _part(self, schema: Mapping[str, Any], at: tuple[str, ...], is_required: bool) -> FormField | Part:
        schema = self._plain(schema)
        if "properties" in schema:
            return self.group(schema, at, is_required)
        told = _for_people(str(schema.get("description", "")))
        if schema.get("type") == "array" and "properties" in self._plain(schema["items"]):
            several = range(self.places(at, int(schema.get("minItems", 0))))
            listed = tuple(self._part(schema["items"], (*at, str(place)), place == 0) for place in several)
            return Part(_pointer(at), told, listed, is_required=is_required)
        field = FormField(_pointer(at), _words(at[-1]), told, Kind.LINE, is_required=is_required)
        return self._leaf(schema, field)

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

    def _leaf(self, schema: Mapping[str, Any], field: FormField) -> FormField:
        if schema.get("type") == "array":
            items = self._plain(schema["items"])
            if choices := _choices(items):
                return replace(field, kind=Kind.CHOICES, choices=choices)
            return replace(field, kind=Kind.LINES, most_characters=4000, pattern=items.get("pattern"))
        field = replace(field, pattern=schema.get("pattern"))
        if choices := _choices(schema):
            return replace(field, kind=Kind.CHOICE, choices=choices)
        if schema.get("type") == "boolean":
            return replace(field, kind=Kind.YES_NO, choices=("yes", "no"))
        if schema.get("type") in ("integer", "number"):
            return replace(field, kind=Kind.NUMBER, most_characters=10)
        kind = {"date": Kind.DATE, "date-time": Kind.INSTANT}.get(schema.get("format", ""), Kind.LINE)
        most = int(schema.get("maxLength", 200))
        return replace(field, kind=Kind.TEXT if most > 200 else kind, most_characters=most)


def _in_sections(part: Part, title: str, is_needed: bool) -> Iterator[tuple[str, FormField]]:
    for one in sorted(part.parts, key=lambda each: isinstance(each, Part)):
        needed = is_needed and one.is_required
        if isinstance(one, Part):
            yield from _in_sections(one, _heading(title, one.pointer), needed)
        else:
            yield title, replace(one, is_required=needed)


def _heading(title: str, pointer: str) -> str:
    *above, name = pointer.split("/")[1:]
    if name.isdigit():
        return f"{title} {int(name) + 1}" if above[-1] in SEVERAL else title
    if above in ([], ["body"]):
        return "What you tell" if name == "body" else _words(name)
    return f"{title}: {_words(name)}"


def _for_people(told: str) -> str:
    """A schema's description as a form tells it: what is said to developers alone is said otherwise or left out."""
    return re.sub(r"\bslug(s?)\b", r"short name\1", told.replace(": RFC 3339 with offset", ""))


def _pointer(at: tuple[str, ...]) -> str:
    return "".join(f"/{name}" for name in at)


def _choices(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, schema["enum"])) if "enum" in schema else ()


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()

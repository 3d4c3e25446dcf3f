"""What rules may read of each message type, from its schema: the names of its codes, and their values where they are listed.

A type's published example states every code that it can have (a test holds it to that); the values of a code stand in the
body's model, under the code's own name or its plural. A code that is worked out has no list here, and its values go unchecked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, get_args

from schemas import REGISTRY, TYPES, example_path, facts, read_message
from schemas.model import Model
from schemas.registry import body_of
from schemas.review_decision import OUTCOMES, ReviewDecision

YES_OR_NO = frozenset({"yes", "no"})
OF_EVERY_MESSAGE = "do_not_contact"

Values = frozenset[str] | None  # None: not listed


@cache
def codes_of(slug: str) -> Mapping[str, Values] | None:
    """The codes of a message type by name, with the values that each may have; None for a type without a schema."""
    if slug not in TYPES:
        return None
    listed: dict[str, frozenset[str]] = {}
    for name, values in _fields(body_of(REGISTRY[slug, 1])):
        listed[name] = listed.get(name, frozenset()) | values
    names = facts(read_message(example_path(slug).read_bytes())).codes
    found: dict[str, Values] = {name: listed.get(name, listed.get(f"{name}s")) for name in names}
    return {**found, OF_EVERY_MESSAGE: None}


def outcomes_of(slug: str, reviews: Collection[str]) -> frozenset[str] | None:
    """What these reviews can come to; None where a type says nothing of it, or no review is named."""
    if slug != ReviewDecision.TYPE or not reviews:
        return None
    return frozenset(str(one) for review in OUTCOMES if review in reviews for one in OUTCOMES[review])


def _fields(model: type[Model]) -> Iterator[tuple[str, frozenset[str]]]:
    """Every member that takes words of a list, at any depth, with the list."""
    for name, field in model.model_fields.items():
        for kind in _kinds(field.annotation):
            if issubclass(kind, StrEnum):
                yield name, frozenset(str(word) for word in kind)
            elif issubclass(kind, bool):
                yield name, YES_OR_NO
            elif issubclass(kind, Model):
                yield from _fields(kind)


def _kinds(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)

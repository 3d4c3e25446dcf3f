"""How a message reads in another version of its type: data, one step between each version and the next (contract section 4).

A recipient is shown `content` in the version that its client chose; the sender's exact bytes stay beside it, and they alone are
evidence. Invariant: what cannot be said in the version asked for is named by a pointer, or the message is shown as it was sent;
nothing is left out in silence. No version beyond the first is released, so the table is empty; a test proves the mechanism with
an invented one, and another that every version in the registry can be reached from the one before it and back.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]  # members from the message down; "*" is each element of a list
Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Renamed:
    """A member that has another name in the higher version, in the same place."""

    at: Path
    higher: str


@dataclass(frozen=True, slots=True)
class Added:
    """A member that only the higher version has; `default` is what it says of older messages (None: nothing, it stays away)."""

    at: Path
    default: Any = None


@dataclass(frozen=True, slots=True)
class Recoded:
    """A member whose codes changed: lower to higher. `down` are codes that only the higher version has."""

    at: Path
    codes: Mapping[str, str]
    down: Mapping[str, str]


Step = tuple[Renamed | Added | Recoded, ...]  # as they are applied upwards

STEPS: Mapping[tuple[str, int], Step] = {}  # (type, lower version): what changes between it and the next


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as a recipient reads it. `sent_version` is set when it was converted; `left_out` are RFC 6901 pointers to
    what could not be said: as they stand in the version above the one that lacks it.
    """

    content: Node
    sent_version: int | None = None
    left_out: tuple[str, ...] = ()


class _CannotBeSaid(Exception):
    """A code without a counterpart, or a version that no step leads to."""


def in_version(message: Node, wanted: int | None, steps: Mapping[tuple[str, int], Step] = STEPS) -> Shown:
    """The message in the version wanted (None: as it was sent), or as it was sent where no whole conversion is possible."""
    sent = message["version"]
    if wanted is None or wanted == sent:
        return Shown(message)
    content, left_out = copy.deepcopy(message), []
    try:
        while content["version"] != wanted:
            if content["version"] < wanted:
                _raise(content, _step(steps, content["type"], content["version"]))
            else:
                left_out += _lower(content, _step(steps, content["type"], content["version"] - 1))
    except _CannotBeSaid:
        return Shown(message)
    return Shown(content, sent, tuple(left_out))


def _step(steps: Mapping[tuple[str, int], Step], slug: str, lower: int) -> Step:
    try:
        return steps[slug, lower]
    except KeyError:
        raise _CannotBeSaid from None


def _raise(content: Node, step: Step) -> None:
    for change in step:
        *_, name = change.at
        for _, holder in _holders(content, change.at):
            match change:
                case Renamed(higher=higher) if name in holder:
                    holder[higher] = holder.pop(name)
                case Added(default=default) if default is not None:
                    holder[name] = copy.deepcopy(default)
                case Recoded(codes=codes) if holder.get(name) is not None:
                    holder[name] = _recoded(holder[name], codes)
    content["version"] += 1


def _lower(content: Node, step: Step) -> list[str]:
    left_out: list[str] = []
    for change in reversed(step):
        *_, name = change.at
        for pointer, holder in _holders(content, change.at):
            match change:
                case Renamed(higher=higher) if higher in holder:
                    holder[name] = holder.pop(higher)
                case Added(default=default) if name in holder:
                    if holder.pop(name) not in (None, default):
                        left_out.append(f"{pointer}/{name}")
                case Recoded(codes=codes, down=down) if holder.get(name) is not None:
                    back = {higher: lower for lower, higher in codes.items()}
                    before, holder[name] = holder[name], _recoded(holder[name], {**down, **back})
                    left_out += [f"{pointer}/{name}"] if before in down else []
    content["version"] -= 1
    return left_out


def _recoded(code: Any, codes: Mapping[str, str]) -> str:
    if not isinstance(code, str) or code not in codes:
        raise _CannotBeSaid
    return codes[code]


def _holders(node: Any, path: Path, pointer: str = "") -> Iterator[tuple[str, Node]]:
    """The objects that may hold a path's last member, each with the pointer to it."""
    if len(path) == 1:
        if isinstance(node, dict):
            yield pointer, node
        return
    name, *rest = path
    if name == "*" and isinstance(node, list):
        for number, element in enumerate(node):
            yield from _holders(element, tuple(rest), f"{pointer}/{number}")
    elif isinstance(node, dict) and name in node:
        yield from _holders(node[name], tuple(rest), f"{pointer}/{name}")

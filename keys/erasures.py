"""Which erasures were made, in a file beside the keys: a back-up of either database that is restored cannot lose them.

One JSON document a line: an incident, its partnership, the data keys that were destroyed with it, when. Ids only. A line is on the
disk before the keys are destroyed, so whatever was destroyed stands here; it is only ever added to. A line that a crash tore says
nothing and had destroyed nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

FILE = "erasures.jsonl"


@dataclass(frozen=True, slots=True)
class Erased:
    """One erasure: never to be undone by a restore."""

    incident: str
    partnership: str
    keys: frozenset[str]
    at: datetime


def record(directory: Path, made: Iterable[Erased]) -> None:
    """Add to the file, and return when that is durable."""
    lines = "".join(f"{_line(one)}\n" for one in made)
    if not lines:
        return
    descriptor = os.open(directory / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"\n{lines}".encode())  # the first newline ends a line that a crash tore
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def recorded(directory: Path) -> dict[str, Erased]:
    """Every erasure by its incident; what was written twice is one, with the keys of both. OSError if it cannot be read."""
    file = directory / FILE
    if not file.exists():
        return {}
    found: dict[str, Erased] = {}
    for line in file.read_text("utf-8").splitlines():
        one = _read(line)
        if one is not None:
            found = united(found, {one.incident: one})
    return found


def united(first: Mapping[str, Erased], second: Mapping[str, Erased]) -> dict[str, Erased]:
    """Both records as one: of an incident in both, the keys of both and the earlier instant."""
    both = {**first, **second}
    for incident in first.keys() & second.keys():
        one, other = first[incident], second[incident]
        both[incident] = Erased(incident, one.partnership, one.keys | other.keys, min(one.at, other.at))
    return both


def _line(one: Erased) -> str:
    members = {"incident": one.incident, "partnership": one.partnership, "keys": sorted(one.keys)}
    return json.dumps(members | {"at": one.at.isoformat()}, sort_keys=True)


def _read(line: str) -> Erased | None:
    try:
        document = json.loads(line)
        at = datetime.fromisoformat(document["at"])
        return Erased(document["incident"], document["partnership"], frozenset(document["keys"]), at)
    except (ValueError, KeyError, TypeError):
        return None

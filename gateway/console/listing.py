"""Lists that go on by place: the address of the next page names where this one ended, never a number of rows to leave out.

What stands in an address is an instant and an id of ours: nothing personal. An address that was tampered with is not found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from gateway.console.door import Visit
from gateway.core.errors import ErrorCode, Refused
from gateway.store.overview import MOST_COUNTED, ROWS, Place

_PLACE = re.compile(r"(?P<at>-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)~(?P<id>[A-Za-z0-9-]{1,64})")


@dataclass(frozen=True, slots=True)
class Total:
    """How many there are; counted no further than a thousand."""

    count: int

    @property
    def words(self) -> str:
        return f"{MOST_COUNTED:,} or more" if self.count >= MOST_COUNTED else f"{self.count:,}"


@dataclass(frozen=True, slots=True)
class Onward:
    """What stands below a list: how much is shown, and the links to the first page and the next."""

    shown: int
    total: Total
    first: str
    next: str | None
    is_first: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """One filter in use, and the address of the list without it."""

    words: str
    without: str


def place(visit: Visit, name: str = "after") -> Place | None:
    """Where the page before ended; Refused(not-found) for an address that is none of ours."""
    text = visit.request.query_params.get(name)
    if text is None:
        return None
    found = _PLACE.fullmatch(text)
    try:
        if found is not None:
            at = None if found["at"] == "-" else datetime.fromisoformat(found["at"])
            return Place(at, found["id"])
    except ValueError:
        pass
    raise Refused(ErrorCode.NOT_FOUND)


def written(place: Place) -> str:
    """A place as it stands in an address."""
    at = "-" if place.at is None else place.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"{at}~{place.id}"


def address(path: str, query: Mapping[str, str | None]) -> str:
    """`path` with those of `query` that have a value."""
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def onward(
    visit: Visit, path: str, rows: Sequence[Any], last: Place | None, total: int, **query: str | None
) -> Onward:
    """The words and links below a list. `rows` may hold one more than a page: then there is a next one, after `last`."""
    more = len(rows) > ROWS and last is not None
    forward = address(path, {**query, "after": written(last)}) if more and last else None
    shown = min(len(rows), ROWS)
    return Onward(
        shown, Total(total), address(path, query), forward, "after" not in visit.request.query_params
    )

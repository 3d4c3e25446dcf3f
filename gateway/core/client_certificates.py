"""How long what is registered of a client's certificates lasts (RFC 8705).

An entry holds `begins` and `ends`, the certificate's own dates, and `exp` once a renewal set an end to it: whole seconds
since 1970. What else stands in it is told in `gateway.oauth.certificates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

WARNED_BEFORE = timedelta(days=30)


def end_of(entry: Mapping[str, Any]) -> datetime:
    """The instant from which it lets nobody in."""
    return datetime.fromtimestamp(min(entry["ends"], entry.get("exp", entry["ends"])), UTC)


def last_end(entries: Iterable[Mapping[str, Any]]) -> datetime | None:
    """When the last of them ends, which is when the client is shut out; None without any."""
    return max((end_of(entry) for entry in entries), default=None)


def cut_short(entry: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The entry as it ends at `at`, or earlier if it did already."""
    ends_at = int(at.timestamp())
    return {**entry, "exp": min(ends_at, entry.get("exp", ends_at))}

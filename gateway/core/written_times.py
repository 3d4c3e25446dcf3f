"""An instant as documents and the ledger write it: ISO 8601 in UTC with a final Z, as in `2026-12-04T17:00:00Z` (RFC 3339).

How people are told a time stands in `spoken_times`.
"""

from __future__ import annotations

from datetime import UTC, datetime


def written(at: datetime) -> str:
    """The instant in UTC, to the microsecond where it has any; a naive datetime is refused as a bug."""
    if at.tzinfo is None:
        raise ValueError("an instant carries its offset")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def written_or_null(at: datetime | None) -> str | None:
    """As `written`; None where there is no instant."""
    return None if at is None else written(at)

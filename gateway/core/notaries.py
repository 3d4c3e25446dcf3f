"""What a witness of the log or a time-stamping authority answered, as it is handed from the adapter to those who check it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

COSIGNATURES, STAMP_QUERY = "text/plain; charset=utf-8", "application/timestamp-query"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer's status and whole body; or `fault`, a coarse code for why there is none. A stranger's bytes."""

    status: int = 0
    body: bytes = field(default=b"", repr=False)
    fault: str | None = None


AskNotary = Callable[
    [str, bytes | None, str], Awaitable[Told]
]  # address, what is posted (None: it is asked for), its media type

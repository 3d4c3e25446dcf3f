"""Where a client may publish its keys, and what a look there brought. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

LARGEST_BYTES = 65_536
LOOK_EVERY = timedelta(minutes=15)
LOOK_AGAIN = timedelta(minutes=5)  # after a look that brought nothing
LONGEST_ADDRESS = 500


@dataclass(frozen=True, slots=True)
class Fetched:
    """The body that came, or a coarse code for why none did; exactly one of the two is there."""

    body: bytes | None = field(default=None, repr=False)
    fault: str | None = None


def may_publish_at(address: str, hosts: Collection[str]) -> bool:
    """Is it an https address without user, query or fragment, on a host of the list (`host`, or `host:port` as written)?"""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    plain = parts.scheme == "https" and "@" not in parts.netloc and not parts.query and not parts.fragment
    if not plain or host is None or not address.isascii() or not address.isprintable() or "#" in address:
        return False
    named = host if port in (None, 443) else f"{host}:{port}"
    return len(address) <= LONGEST_ADDRESS and named in {one.lower() for one in hosts}


def is_due(tried_at: datetime | None, has_fault: bool, at: datetime) -> bool:
    """Is it time to look again?"""
    return tried_at is None or at - tried_at >= (LOOK_AGAIN if has_fault else LOOK_EVERY)

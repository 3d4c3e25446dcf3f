"""Fetches the key set that a client publishes (`jwks_uri`, RFC 7517 section 5), by the one guarded fetch.

Invariant: what comes back is a stranger's bytes, at most 64 KiB and whole, from a public address over TLS, without a
redirect; or a coarse code that holds nothing of the address.
"""

from __future__ import annotations

from adapters.fetch import Fetcher, FetchFailed
from gateway.core.published_keys import LARGEST_BYTES, Fetched

TYPES = frozenset({"application/json", "application/jwk-set+json"})
TOTAL_SECONDS = 5.0


async def fetch_key_set(fetcher: Fetcher, address: str) -> Fetched:
    """One look at the address."""
    try:
        answer = await fetcher.request(
            "GET",
            address,
            headers={"Accept": "application/jwk-set+json, application/json"},
            body_limit_bytes=LARGEST_BYTES,
        )
    except FetchFailed as failed:
        return Fetched(fault=failed.reason)
    if 300 <= answer.status < 400:
        return Fetched(fault="redirect-refused")
    if answer.status != 200:
        return Fetched(fault=f"status-{answer.status}")
    if not answer.complete:
        return Fetched(fault="too-large")
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() not in TYPES:
        return Fetched(fault="not-json")
    return Fetched(answer.body)

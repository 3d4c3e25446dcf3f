"""Talks to witnesses of the log and to time-stamping authorities: posts bytes, hands back bytes, believes nothing.

Addresses come from the operator's own settings, never from a partner, and may be inside a health or police network: these
hosts alone are excepted from the guarded fetch's rule of public addresses. Authorities mostly answer without TLS (RFC 3161
section 3.4): what they sign needs none. Every other rule holds: no redirect, one time limit, a limit of size.
"""

from __future__ import annotations

from adapters.fetch import Fetcher, FetchFailed
from gateway.core.notaries import Told

LARGEST_BYTES = 65_536
TOTAL_SECONDS = 10.0


async def ask_notary(fetcher: Fetcher, address: str, content: bytes | None, media_type: str) -> Told:
    """One question and the answer to it; without content it is a GET."""
    try:
        answer = await fetcher.request(
            "GET" if content is None else "POST",
            address,
            headers={} if content is None else {"Content-Type": media_type},
            body=content or b"",
            body_limit_bytes=LARGEST_BYTES,
        )
    except FetchFailed as failed:
        return Told(fault=failed.reason)
    if not answer.complete:
        return Told(fault="too-large")
    return Told(answer.status, answer.body)

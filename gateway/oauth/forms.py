"""One strict reader of form bodies: RFC 6749 section 3.2 and appendix B.

Invariant: what comes out is at most 20 printable ASCII parameters, each given once, from a body of at most 16
KiB that arrived within 10 seconds. Parameters in the query string are refused, since addresses end up in
logs.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from gateway.oauth.reasons import Reason, Rejected

LONGEST_BODY_BYTES = 16 * 1024
SLOWEST_BODY_SECONDS = 10.0
MOST_PARAMETERS = 20

_PLAIN = re.compile(r"[\x20-\x7e]*\Z")


async def read_form(request: Request) -> dict[str, str]:
    """The parameters of a form post; Rejected when the request is not strictly one."""
    if request.scope.get("query_string"):
        raise Rejected(Reason.FORM_IN_QUERY)
    types = request.headers.getlist("content-type")
    media_type = types[0].split(";")[0].strip().lower() if len(types) == 1 else ""
    if media_type != "application/x-www-form-urlencoded" or "content-encoding" in request.headers:
        raise Rejected(Reason.FORM_MEDIA_TYPE)
    return parse_form(await _read_body(request))


def parse_form(body: bytes) -> dict[str, str]:
    """Parse a form body; Rejected when a parameter is repeated, empty-named or holds anything but printable
    ASCII. One without a value counts as not sent (RFC 6749 section 3.2).
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        raise Rejected(Reason.FORM_MALFORMED) from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Rejected(Reason.FORM_REPEATED)
    if not all(name and _PLAIN.match(name) and _PLAIN.match(value) for name, value in pairs):
        raise Rejected(Reason.FORM_MALFORMED)
    return {name: value for name, value in pairs if value}


async def _read_body(request: Request) -> bytes:
    """Counts while streaming: a declared length is not believed, a missing one is no way round the limit."""
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LONGEST_BODY_BYTES:
                    raise Rejected(Reason.FORM_TOO_LARGE)
    except TimeoutError:
        raise Rejected(Reason.FORM_TOO_SLOW) from None
    except ClientDisconnect:
        raise Rejected(Reason.FORM_MALFORMED) from None
    return bytes(body)

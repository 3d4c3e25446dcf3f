"""Pages of a list: at most so many at once, and a cursor that names the last of them. It says nothing but instant and id."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta

from starlette.requests import Request

from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import IdKind, is_id

PAGE, MOST = 25, 100
FORM = "^[A-Za-z0-9_-]{40,200}={0,2}$"  # of a cursor, for those who would make one up

Cursor = tuple[datetime, str]


def limit(request: Request) -> int:
    """`limit`, from 1 to 100 and 25 when none is sent; Refused when it is anything else."""
    text = request.query_params.get("limit")
    if text is None:
        return PAGE
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= MOST:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="`limit` is a whole number from 1 to 100.")
    return int(text)


def after(request: Request, kind: IdKind) -> Cursor | None:
    """`after`, when it was sent: where the page before ended; Refused when it was not given out for such a list."""
    text = request.query_params.get("after")
    if text is None:
        return None
    try:
        at, _, last = base64.b64decode(text.encode(), b"-_", validate=True).decode().partition(" ")
        instant = datetime.fromisoformat(at)
    except (ValueError, binascii.Error):
        raise _no_such_page() from None
    if instant.utcoffset() != timedelta(0) or not is_id(kind, last):
        raise _no_such_page()
    return instant, last


def following(last: Cursor) -> str:
    """What `after` of the next page is."""
    return base64.urlsafe_b64encode(f"{last[0].isoformat()} {last[1]}".encode()).decode()


def _no_such_page() -> Refused:
    return Refused(ErrorCode.MALFORMED_REQUEST, detail="`after` is not a page that was given out.")

"""Check a notice that the gateway posts to your web server (Standard Webhooks 1.0.0). Python's own library is enough."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_SECONDS = 300


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether the notice was signed with our secret (`whsec_…`), lately. `body` is the bytes as received.

    What you must still do: answer 2xx within 15 seconds, and do nothing twice for the same `webhook-id`.
    """
    id_, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(signed).decode()
    return any(hmac.compare_digest(one, expected) for one in headers["webhook-signature"].split(" "))

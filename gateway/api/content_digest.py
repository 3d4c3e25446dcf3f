"""`Content-Digest` (RFC 9530): what the sender says of the bytes, held against the bytes that came.

Invariant: every digest of an algorithm that we know must fit, and at least one must be of such an algorithm. What cannot be
compared is refused: a digest is sent to be checked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from starlette.requests import Request

from gateway.core.errors import ErrorCode, Refused

ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}  # the active ones of RFC 9530 section 5
FORM = "^sha-(256=:[A-Za-z0-9+/]{43}=|512=:[A-Za-z0-9+/]{86}==):$"  # as it is published; several may stand beside each other

_PARAMETERS = r"(?:;[ ]*[a-z*][a-z0-9_.*-]*(?:=[^,;]*)?)*"
_MEMBER = re.compile(rf"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):{_PARAMETERS}[ \t]*(?:,[ \t]*|\Z)")


class ContentDigest:
    """The digests that a request announces, and those of its body as it comes."""

    def __init__(self, request: Request) -> None:
        """Refused(digest-mismatch) when the header is no dictionary of byte sequences (RFC 9651 section 3.2)."""
        sent = request.headers.getlist("content-digest")
        self._announced = _members(", ".join(sent)) if sent else []
        self._sums = {name: ALGORITHMS[name]() for name, _ in self._announced if name in ALGORITHMS}
        if sent and not self._sums:
            raise Refused(ErrorCode.DIGEST_MISMATCH)

    def update(self, piece: bytes) -> None:
        for one in self._sums.values():
            one.update(piece)

    def check(self) -> None:
        """Refused(digest-mismatch) unless every digest that we can work out is as announced; nothing without the header."""
        for name, announced in self._announced:
            if name in self._sums:
                found = base64.b64encode(self._sums[name].digest()).decode()
                if not hmac.compare_digest(found, announced):
                    raise Refused(ErrorCode.DIGEST_MISMATCH)


def _members(text: str) -> list[tuple[str, str]]:
    """Algorithms with their digests in base64, repeats kept."""
    found, at = [], 0
    while at < len(text):
        match = _MEMBER.match(text, at)
        if match is None:
            raise Refused(ErrorCode.DIGEST_MISMATCH)
        found.append((match[1], match[2]))
        at = match.end()
    return found

"""Nonces of ours in DPoP proofs, where the operator asks for them: RFC 9449 sections 8, 8.2 and 9.

A proof then cannot be made in advance by somebody who holds a key for a moment, and a client whose clock is a little off learns
of it by nothing worse than one more request. Invariant: nothing is stored. A nonce is a keyed digest of the time slice that it
was given out in; every process with the same keys gives out and takes the same ones.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from datetime import datetime

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SLICE_SECONDS = 60
HEADER = "DPoP-Nonce"

_TAKEN = (0, -1, -2, 1)  # slices from the present one: the next is for a host whose clock is ahead of ours
_DIGEST_BYTES = 18


class Nonces:
    """Gives out a nonce for each time slice, and knows those of the last two to three minutes again."""

    __slots__ = ("_key", "_made")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._made: dict[int, str] = {}

    def current(self, now: float) -> str:
        """The one to give out at an instant, in seconds since 1970."""
        return self._of(int(now // SLICE_SECONDS))

    def knows(self, nonce: object, now: float) -> bool:
        """Whether a proof's `nonce` was given out lately."""
        if not isinstance(nonce, str) or not nonce.isascii():
            return False
        present = int(now // SLICE_SECONDS)
        return any(hmac.compare_digest(nonce, self._of(present + away)) for away in _TAKEN)

    def _of(self, number: int) -> str:
        made = self._made.get(number)
        if made is None:
            digest = hmac.digest(self._key, b"%d" % number, "sha256")[:_DIGEST_BYTES]
            made = base64.urlsafe_b64encode(digest).decode()
            self._made = {one: text for one, text in self._made.items() if abs(one - number) < 8}
            self._made[number] = made
        return made


class NoncesTold:
    """Names the present nonce in every answer at a path where a proof is asked for, good or bad (section 8.2): who goes on
    asking is never sent back for want of one."""

    def __init__(
        self, app: ASGIApp, nonces: Nonces, clock: Callable[[], datetime], is_protected: Callable[[str], bool]
    ) -> None:
        self._app = app
        self._nonces = nonces
        self._clock = clock
        self._is_protected = is_protected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = self._nonces.current(self._clock().timestamp())
            await send(message)

        is_told = scope["type"] == "http" and self._is_protected(scope["path"])
        await self._app(scope, receive, tell if is_told else send)

"""Access tokens for a mailbox that takes no passwords: OAuth 2.0 client credentials (RFC 6749 section 4.4), then XOAUTH2.

Invariant: a token is kept in memory only, used until shortly before it ends, and fetched by the one guarded fetch: over TLS,
from a public address, without a redirect. No token and no secret is ever in a fault.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import urlencode

from adapters.fetch import Answer, Fetcher, FetchFailed

EARLIER_SECONDS = 120.0  # a token is not used in its last moments
USUAL_LIFE_SECONDS = 300.0  # where the server does not say (RFC 6749 section 5.1)
LARGEST_ANSWER_BYTES = 64 * 1024


class NoToken(OSError):
    """The authorization server gave no token. `args` hold a coarse code and nothing of the answer."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Who asks for a token, where, and for what."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str


class AccessTokens:
    """Gives a token that is good for a sign-in now. Blocks for one fetch at most: call it in a thread without an event loop."""

    def __init__(self, credentials: Callable[[], ClientCredentials], fetcher: Callable[[], Fetcher]) -> None:
        self._credentials = credentials
        self._fetcher = fetcher
        self._lock = threading.Lock()
        self._token: str | None = None
        self._ends_at = 0.0

    def __call__(self) -> str:
        """The token; NoToken when none could be had."""
        with self._lock:
            if self._token is None or monotonic() >= self._ends_at:
                self._token, life = _read(asyncio.run(self._fetch()))
                self._ends_at = monotonic() + max(0.0, life - EARLIER_SECONDS)
            return self._token

    async def _fetch(self) -> Answer:
        asked = self._credentials()
        form = {
            "grant_type": "client_credentials",
            "client_id": asked.client_id,
            "client_secret": asked.client_secret,
            "scope": asked.scope,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        fetcher = self._fetcher()
        try:
            return await fetcher.request(
                "POST",
                asked.token_url,
                headers=headers,
                body=urlencode(form).encode("ascii"),
                body_limit_bytes=LARGEST_ANSWER_BYTES,
            )
        except FetchFailed as failed:
            raise NoToken(failed.reason) from None
        finally:
            await fetcher.aclose()


def _read(answer: Answer) -> tuple[str, float]:
    """The token and its life in seconds (RFC 6749 section 5.1)."""
    if answer.status != 200 or not answer.complete:
        raise NoToken(f"status-{answer.status}")
    try:
        said = json.loads(answer.body)
        token, life = said["access_token"], float(said.get("expires_in", USUAL_LIFE_SECONDS))
        bearer = str(said.get("token_type", "")).lower() == "bearer"
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NoToken("not-a-token") from None
    # A token goes into the SASL string as it is: nothing that could end the string early (RFC 6750 section 2.1).
    if (
        not bearer
        or not isinstance(token, str)
        or not token.isascii()
        or not token.isprintable()
        or " " in token
    ):
        raise NoToken("not-a-token")
    return token, life

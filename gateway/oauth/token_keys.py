"""The keys that sign access tokens, as they are in force now: the current one, the next one, and those retired lately.

Invariant: a key is published before it signs, and until the last token that it signed has expired; so a rotation refuses
nobody (RFC 7517, RFC 8414 section 2 `jwks_uri`). What lies in the keys directory is looked at again every minute: no process
needs to be restarted. When it cannot be read, what was read last stays in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gateway.core.errors import Misconfigured, place_of
from gateway.oauth.access_tokens import TOKEN_LIFETIME_SECONDS
from gateway.oauth.jose import PublicKey
from gateway.oauth.key_policy import public_key
from keys.custody import TimedKeys
from keys.signing import Signer

LOOK_EVERY = timedelta(seconds=60)
PUBLISHED_BEFORE = timedelta(hours=24)  # a new key is seen by every cache before it signs
KEY_SET_CACHED = timedelta(seconds=300)
OUTLIVES = timedelta(seconds=TOKEN_LIFETIME_SECONDS) + KEY_SET_CACHED

_log = structlog.get_logger()

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class InForce:
    """What signs now, what is published with it, and what a token may be signed with."""

    signer: Signer
    others: tuple[Mapping[str, str], ...]
    verifying: Mapping[str, PublicKey]


class SigningKeys:
    """The keys in force, looked at again every minute. One per process; `read` raises when there is nothing whole."""

    def __init__(self, read: Callable[[], TimedKeys], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._keys = read()
        self._looked_at = clock()
        self._in_force = in_force(self._keys, self._looked_at)
        self._worked_out_at = self._looked_at

    def now(self) -> InForce:
        """What is in force at this instant."""
        at = self._clock()
        if not timedelta(0) <= at - self._looked_at < LOOK_EVERY:
            self._look(at)
        if at - self._worked_out_at >= timedelta(seconds=1) or at < self._worked_out_at:
            self._in_force = in_force(self._keys, at)
            self._worked_out_at = at
        return self._in_force

    def _look(self, at: datetime) -> None:
        self._looked_at = at
        try:
            found = self._read()
            self._in_force = in_force(found, at)
        except (OSError, ValueError, Misconfigured) as fault:
            _log.error("oauth.token_keys_unreadable", fault=type(fault).__name__, where=place_of(fault))
            return
        self._keys, self._worked_out_at = found, at


def always(signer: Signer, others: Iterable[Mapping[str, str]] = ()) -> Callable[[], InForce]:
    """One signer for good, with other public keys beside it: where no directory stands behind."""
    made = _checked(signer, tuple(others))
    return lambda: made


def in_force(keys: TimedKeys, at: datetime) -> InForce:
    """The current key, then the next ones, then those whose last token may still live; Misconfigured when two share a kid."""
    following = [signer.public_jwk() for signer, _ in keys.following(at)]
    lately = [
        signer.public_jwk()
        for signer, ended_at in keys.retired(at)
        if ended_at is not None and at < ended_at + OUTLIVES
    ]
    return _checked(keys.current(at), (*following, *lately))


def _checked(signer: Signer, others: tuple[Mapping[str, str], ...]) -> InForce:
    if signer.algorithm != "ES256":
        raise Misconfigured("tokens are signed with ES256: give the token signer a P-256 key")
    published = (signer.public_jwk(), *others)
    verifying = {jwk["kid"]: public_key(jwk) for jwk in published}
    if len(verifying) != len(published):
        raise Misconfigured("two token keys have the same kid: rename one")
    return InForce(signer, others, verifying)

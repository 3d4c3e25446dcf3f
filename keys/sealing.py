"""Data keys: what seals content, and what is destroyed when an incident is erased.

Each sealed row names a data key (AES-256-GCM, NIST SP 800-38D). The row's own label is authenticated with it, so that a
sealed value moved to another row does not open. Data keys are kept only wrapped under the master key. GCM does not commit
to its key, so the ledger commits to the plaintext's digest besides.

What is too large to hold in memory is sealed as a stream of chunks (STREAM: Hoang, Reyhanitabar, Rogaway, Vizár, 2015, in the
shape of C2SP age): each chunk is AES-256-GCM under a key derived for this one stream, and its nonce is the chunk's number (11
bytes, big-endian) with one byte that is 1 on the last chunk and 0 before. So no chunk can be changed, exchanged, repeated or
left out, and nothing can be cut off or added at the end, without its not opening.
"""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
CHUNK_BYTES = 256 * 1024  # of a stream's content; every chunk but the last is exactly so long


class CannotOpen(Exception):
    """Sealed content does not open: wrong key, moved or changed. Nothing of it is shown."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """An unwrapped data key. Lives no longer than the request that needs it."""

    id: str
    secret: bytes = field(repr=False)

    def seal(self, label: str, content: bytes) -> bytes:
        """Nonce ‖ ciphertext ‖ tag, bound to `label` (table, row and column)."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.secret).encrypt(nonce, content, label.encode())

    def open(self, label: str, sealed: bytes) -> bytes:
        """The content, or CannotOpen."""
        try:
            return AESGCM(self.secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], label.encode())
        except (InvalidTag, ValueError) as fault:
            raise CannotOpen("sealed content does not open under this key and label") from fault

    def stream(self, label: str) -> StreamKey:
        """What seals or opens the chunks of the one stream that `label` names. Seal under one label once only."""
        secret = hmac.digest(self.secret, b"stream:" + label.encode(), "sha256")
        return StreamKey(AESGCM(secret), label.encode())


@dataclass(frozen=True, slots=True)
class StreamKey:
    """The key of one stream, derived from a data key: no other stream has it, so a chunk's number may be its nonce."""

    _cipher: AESGCM = field(repr=False)
    _label: bytes

    def seal(self, number: int, chunk: bytes, is_last: bool) -> bytes:
        """Ciphertext ‖ tag of chunk `number`, counted from 0."""
        return self._cipher.encrypt(_place(number, is_last), chunk, self._label)

    def open(self, number: int, sealed: bytes, is_last: bool) -> bytes:
        """The chunk, or CannotOpen: changed, of another place or stream, or the last where it should not be."""
        try:
            return self._cipher.decrypt(_place(number, is_last), sealed, self._label)
        except (InvalidTag, ValueError) as fault:
            raise CannotOpen("a sealed chunk does not open in this place") from fault


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as the custody store keeps it."""

    id: str
    wrapped: bytes
    master: str


def new_secret() -> bytes:
    """32 random bytes for AES-256."""
    return secrets.token_bytes(32)


def _place(number: int, is_last: bool) -> bytes:
    return number.to_bytes(NONCE_BYTES - 1, "big") + bytes([is_last])

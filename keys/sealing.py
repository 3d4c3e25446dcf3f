"""Data keys: what seals content, and what is destroyed when an incident is erased.

Each sealed row names a data key (AES-256-GCM, NIST SP 800-38D). The row's own label is authenticated with it, so that a
sealed value moved to another row does not open. Data keys are kept only wrapped under the master key. GCM does not commit
to its key, so the ledger commits to the plaintext's digest besides.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


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


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as the custody store keeps it."""

    id: str
    wrapped: bytes
    master: str


def new_secret() -> bytes:
    """32 random bytes for AES-256."""
    return secrets.token_bytes(32)

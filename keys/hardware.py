"""A hardware module as the master key's home: what `master.key` says is sealed under a key that never leaves the module (PKCS#11).

Invariant: the module is asked when `master.key` is read or written, and never for a message: its content is remembered in memory, as a
file's would be, so that a module's slowness or silence holds up no transaction. Without the module `master.key` opens nothing; its
shares in escrow still do. The key is AES-256 in the module, not extractable; sealing is AES-GCM (NIST SP 800-38D) by the module itself.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NONCE_BYTES, TAG_BITS = 12, 128
LABEL = "gateway-master-home"


class ModuleTrouble(ValueError):
    """The module cannot be reached or refuses; says how to mend it and never shows the PIN."""


@dataclass(slots=True)
class HardwareHome:
    """One token of one module. The PIN stands in a file of its own and is read each time."""

    module: Path
    token: str
    pin_file: Path
    _known: dict[bytes, bytes] = field(default_factory=dict, repr=False)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def make_key(self) -> bool:
        """Make the key in the token; False when it is there already."""
        from pkcs11 import Attribute, KeyType, ObjectClass

        with self._session() as session:
            if list(session.get_objects({Attribute.LABEL: LABEL, Attribute.CLASS: ObjectClass.SECRET_KEY})):
                return False
            kept = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
            session.generate_key(KeyType.AES, 256, label=LABEL, store=True, template=kept)
        return True

    def seal(self, content: bytes) -> bytes:
        """Nonce ‖ ciphertext ‖ tag."""
        from pkcs11 import GCMParams, Mechanism

        nonce = os.urandom(NONCE_BYTES)
        with self._key() as key:
            sealed = key.encrypt(
                content, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(nonce, None, TAG_BITS)
            )
        return nonce + bytes(sealed)

    def open(self, sealed: bytes) -> bytes:
        """The content; asks the module once for each sealing."""
        digest = hashlib.sha256(sealed).digest()
        if digest not in self._known:
            self._known = {digest: self._opened(sealed)}
        return self._known[digest]

    def _opened(self, sealed: bytes) -> bytes:
        from pkcs11 import GCMParams, Mechanism

        params = GCMParams(sealed[:NONCE_BYTES], None, TAG_BITS)
        with self._key() as key:
            return bytes(
                key.decrypt(sealed[NONCE_BYTES:], mechanism=Mechanism.AES_GCM, mechanism_param=params)
            )

    @contextmanager
    def _key(self) -> Iterator[Any]:
        from pkcs11 import KeyType, ObjectClass

        with self._session() as session:
            yield session.get_key(object_class=ObjectClass.SECRET_KEY, key_type=KeyType.AES, label=LABEL)

    @contextmanager
    def _session(self) -> Iterator[Any]:
        import pkcs11
        from pkcs11.exceptions import PKCS11Error

        with self._one_at_a_time:
            try:
                pin = self.pin_file.read_text("utf-8").strip()
                token = pkcs11.lib(str(self.module)).get_token(token_label=self.token)
                with token.open(rw=True, user_pin=pin) as session:
                    yield session
            except (PKCS11Error, RuntimeError, OSError) as fault:
                advice = "look at GATEWAY_PKCS11_MODULE, GATEWAY_PKCS11_TOKEN and GATEWAY_PKCS11_PIN_FILE"
                raise ModuleTrouble(
                    f"the hardware module refuses ({type(fault).__name__}): {advice}"
                ) from None

"""A hardware module (PKCS#11): the home of the master key, and a signer whose private keys never leave it.

Invariant: nothing is asked of the module inside a transaction, so that its slowness or silence holds up no writer. As a home it is
asked when `master.key` is read or written: what that says is sealed under a key in the module, and its content is remembered in
memory, as a file's would be. As a signer it is asked before or after a transaction, never within one (`keys.outside`). Keys are not
extractable; sealing is AES-GCM (NIST SP 800-38D), signing ECDSA on P-256 (raw r and s, over our SHA-256) and Ed25519 (RFC 8032), all by
the module itself. Without the module `master.key` opens nothing; its shares in escrow still do. Keys that sign have no copy: lost
ones are replaced, and what they signed stays good.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keys import outside
from keys.signing import Algorithm, b64url, write_secret

NONCE_BYTES, TAG_BITS = 12, 128
LABEL = "gateway-master-home"
EDWARDS = b"\x13\x0cedwards25519"  # the curve's name, as PKCS#11 3.0 section 2.3.5 has it
SUFFIX = ".module"  # of a key's file whose private half lies in the module


class ModuleTrouble(ValueError):
    """The module cannot be reached or refuses; says how to mend it and never shows the PIN."""


@dataclass(slots=True)
class HardwareHome:
    """One token of one module. The PIN stands in a file of its own and is read at each session's beginning.

    `signs` are the purposes whose next keys are made in the module; `seconds` is how long a signature is waited for.
    """

    module: Path
    token: str
    pin_file: Path
    signs: frozenset[str] = frozenset()
    seconds: float = 10.0
    _known: dict[bytes, bytes] = field(default_factory=dict, repr=False)

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

    def make_signing_key(self, kid: str, algorithm: Algorithm, file: Path) -> None:
        """Make a key pair in the module, and the file that names it: its public half, and nothing that is secret."""
        from pkcs11 import Attribute, KeyType, Mechanism
        from pkcs11.util.ec import encode_named_curve_parameters

        label = f"{kid}-{secrets.token_hex(4)}"  # a key staged before under this id is no obstacle
        kept = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True}
        with self._session() as session:
            if algorithm == "ES256":
                kind, how, curve = KeyType.EC, None, encode_named_curve_parameters("secp256r1")
            else:
                kind, how, curve = KeyType.EC_EDWARDS, Mechanism.EC_EDWARDS_KEY_PAIR_GEN, EDWARDS
            parameters = session.create_domain_parameters(kind, {Attribute.EC_PARAMS: curve}, local=True)
            public, _ = parameters.generate_keypair(
                mechanism=how, label=label, store=True, private_template=kept
            )
            point = bytes(public[Attribute.EC_POINT])
        document = {"label": label, "jwk": _jwk(kid, algorithm, point)}
        write_secret(file, json.dumps(document).encode())

    def sign(self, label: str, algorithm: Algorithm, data: bytes) -> bytes:
        """64 bytes. The session stays open between two signatures; one that broke is opened anew once."""
        with suppress(ModuleTrouble):
            return self._sign_once(label, algorithm, data)
        return self._sign_once(label, algorithm, data)

    def _sign_once(self, label: str, algorithm: Algorithm, data: bytes) -> bytes:
        with self._session(kept=True) as session:
            return _signature(session, label, algorithm, data)

    def leave(self) -> None:
        """End this process's session; the next use begins one."""
        with _ONE_AT_A_TIME:
            _end_session((str(self.module), self.token))

    @contextmanager
    def _session(self, *, kept: bool = False) -> Iterator[Any]:
        """A session of this process; with `kept` it stays open, until one breaks. A token knows one sign-in a process: all share it."""
        import pkcs11
        from pkcs11.exceptions import PKCS11Error

        place = (str(self.module), self.token)
        with _ONE_AT_A_TIME:
            stays = kept or place in _OPEN
            try:
                if place not in _OPEN:
                    pin = self.pin_file.read_text("utf-8").strip()
                    token = pkcs11.lib(str(self.module)).get_token(token_label=self.token)
                    _OPEN[place] = token.open(rw=True, user_pin=pin)
                yield _OPEN[place]
            except (PKCS11Error, RuntimeError, OSError) as fault:
                stays = False
                advice = "look at GATEWAY_PKCS11_MODULE, GATEWAY_PKCS11_TOKEN and GATEWAY_PKCS11_PIN_FILE"
                raise ModuleTrouble(
                    f"the hardware module refuses ({type(fault).__name__}): {advice}"
                ) from None
            finally:
                if not stays:
                    _end_session(place)


class HardwareSigner:
    """A signer whose private key is in the module. In a transaction it gives what was signed before, or takes a note."""

    __slots__ = ("_home", "_jwk", "_label", "algorithm", "kid")

    def __init__(self, kid: str, label: str, jwk: dict[str, str], home: HardwareHome) -> None:
        self.kid = kid
        self.algorithm: Algorithm = "Ed25519" if jwk["kty"] == "OKP" else "ES256"
        self._label, self._jwk, self._home = label, jwk, home

    @classmethod
    def load(cls, path: Path, home: HardwareHome | None) -> HardwareSigner:
        """The key that a file names; ValueError when it is not one, or no module is set up. Asks nothing of the module."""
        if home is None:
            raise ValueError("a key lies in a hardware module: set GATEWAY_PKCS11_MODULE and its companions")
        document = json.loads(path.read_bytes())
        return cls(path.stem, document["label"], document["jwk"], home)

    def sign(self, data: bytes) -> bytes:
        noted = outside.signature(self, data)
        return self.sign_now(data) if noted is None else noted

    def sign_now(self, data: bytes) -> bytes:
        """Ask the module; ModuleTrouble when it refuses, or has not answered in time.

        A module that hangs keeps the one thread that asks it, and no thread that others need: whoever waits is let go.
        """
        asked = _asking().submit(self._home.sign, self._label, self.algorithm, data)
        try:
            return asked.result(self._home.seconds)
        except TimeoutError:
            asked.cancel()
            raise ModuleTrouble(
                "the hardware module does not answer: look at it and at its network"
            ) from None

    def public_jwk(self) -> dict[str, str]:
        return dict(self._jwk)

    def __repr__(self) -> str:
        return f"HardwareSigner({self.kid!r})"


_ONE_AT_A_TIME = threading.RLock()
_ASKING: dict[int, ThreadPoolExecutor] = {}  # by process: a forked one has none of its parent's threads
_OPEN: dict[tuple[str, str], Any] = {}  # sessions, by module and token


def _asking() -> ThreadPoolExecutor:
    """The one thread of this process that asks for signatures: a module takes one at a time anyway."""
    here = os.getpid()
    return _ASKING.get(here) or _ASKING.setdefault(here, ThreadPoolExecutor(1, "module"))


def _end_session(place: tuple[str, str]) -> None:
    from pkcs11.exceptions import PKCS11Error

    session = _OPEN.pop(place, None)
    if session is not None:
        with suppress(PKCS11Error, RuntimeError):
            session.close()


def _signature(session: Any, label: str, algorithm: Algorithm, data: bytes) -> bytes:
    from pkcs11 import Mechanism, ObjectClass

    key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=label)
    if algorithm == "ES256":
        return bytes(key.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA))
    return bytes(key.sign(data, mechanism=Mechanism.EDDSA))


def _jwk(kid: str, algorithm: Algorithm, point: bytes) -> dict[str, str]:
    """The public key out of PKCS#11's EC_POINT, whose last bytes are the point itself."""
    shared = {"kid": kid, "alg": algorithm, "use": "sig"}
    if algorithm == "Ed25519":
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(point[-32:])} | shared
    x, y = point[-64:-32], point[-32:]
    return {"kty": "EC", "crv": "P-256", "x": b64url(x), "y": b64url(y)} | shared

"""Signers: what can sign a receipt, a checkpoint or a token without showing its private key.

`Signer` is one of the house's three abstractions with more than one implementation: a key file now, PKCS#11 for a
hardware module. ES256 signatures are raw r‖s (RFC 7518 section 3.4) and deterministic (RFC 6979), so that a repeat of a
statement has the same signature; Ed25519 is RFC 8032.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Literal, Protocol

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Algorithm = Literal["ES256", "Ed25519"]
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

DEVELOPMENT_PREFIX = "development-"


class Signer(Protocol):
    """Signs bytes under one named key."""

    @property
    def kid(self) -> str: ...

    @property
    def algorithm(self) -> Algorithm: ...

    def sign(self, data: bytes) -> bytes:
        """64 bytes: raw r‖s for ES256, RFC 8032 for Ed25519."""
        ...

    def public_jwk(self) -> dict[str, str]:
        """The public half as a JWK (RFC 7517), with `kid`, `alg` and `use`."""
        ...


class FileSigner:
    """A signer whose private key lies in an unencrypted PKCS#8 file readable by its owner alone."""

    __slots__ = ("_ecdsa", "_key", "algorithm", "kid")

    def __init__(self, kid: str, key: PrivateKey) -> None:
        self.kid = kid
        self._key = key
        self.algorithm: Algorithm = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "Ed25519"
        self._ecdsa = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)

    @classmethod
    def generate(cls, kid: str, algorithm: Algorithm) -> FileSigner:
        """A new key pair; `kid` should carry `DEVELOPMENT_PREFIX` when it is not made for production."""
        if algorithm == "ES256":
            return cls(kid, ec.generate_private_key(ec.SECP256R1()))
        return cls(kid, ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> FileSigner:
        """Read the key whose id is the file's stem; OSError or ValueError when it is not there or not one."""
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return cls(path.stem, key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return cls(path.stem, key)
        raise ValueError("only P-256 and Ed25519 keys are used here")

    def save(self, path: Path) -> None:
        """Write the private key with mode 0600; an existing file is never overwritten."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_secret(path, pem)

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(data)
        r, s = decode_dss_signature(self._key.sign(data, self._ecdsa))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def public_jwk(self) -> dict[str, str]:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            raw = self._key.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
            shape = {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw)}
        else:
            numbers = self._key.public_key().public_numbers()
            shape = {
                "kty": "EC",
                "crv": "P-256",
                "x": b64url(numbers.x.to_bytes(32, "big")),
                "y": b64url(numbers.y.to_bytes(32, "big")),
            }
        return {**shape, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def private_jwk(self) -> dict[str, str]:
        """The whole key as a JWK: for an agency's own client key, which its software keeps; never for ours."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            secret = self._key.private_bytes_raw()
        else:
            secret = self._key.private_numbers().private_value.to_bytes(32, "big")
        return {**self.public_jwk(), "d": b64url(secret)}

    def __repr__(self) -> str:
        return f"FileSigner({self.kid!r})"


def signer_from_jwk(jwk: dict[str, str]) -> FileSigner:
    """The agency's side: a signer from a private JWK (P-256 or Ed25519); ValueError or KeyError when it is not one."""
    secret = _unb64url(jwk["d"])
    kid = jwk.get("kid") or jwk_thumbprint(jwk)
    if jwk.get("crv") == "Ed25519":
        return FileSigner(kid, ed25519.Ed25519PrivateKey.from_private_bytes(secret))
    if jwk.get("crv") == "P-256":
        return FileSigner(kid, ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()))
    raise ValueError("only P-256 and Ed25519 keys are used here")


def jwk_thumbprint(jwk: dict[str, str]) -> str:
    """The SHA-256 thumbprint of a public key (RFC 7638), base64url without padding."""
    members = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}[
        jwk["kty"]
    ]
    canonical = json.dumps({name: jwk[name] for name in members}, separators=(",", ":"), sort_keys=True)
    return b64url(hashlib.sha256(canonical.encode()).digest())


def write_secret(path: Path, content: bytes) -> None:
    """Create `path` readable by its owner alone; FileExistsError rather than overwrite a key."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""The private keys with which encrypted mail to us is opened (S/MIME, RFC 8551): they give content keys and nothing else.

Layout: `<keys>/mail/<name>.pem` holds one private key (RSA or a NIST curve) and its certificate. Invariant: a private key is
used here and nowhere else, and whatever is wrong with what it is asked to open gives a key that opens nothing (random bytes),
never a reason: a reason would be an oracle (Bleichenbacher; RFC 3218). The hostile structure around it is read elsewhere.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

FOLDER = "mail"
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A content key as one recipient of a mail was given it. `recipient` names the certificate (`names_of`).

    `key_bytes` is how long the content key is. By RSA: `oaep` are the digests of label and mask (None: PKCS #1 v1.5). By key
    agreement (RFC 5753): `originator` is the point of the sender's ephemeral key, `shared_info` what the derivation takes in.
    """

    recipient: str
    encrypted: bytes
    key_bytes: int
    oaep: tuple[str, str] | None = None
    originator: bytes | None = None
    agreement_hash: str = ""
    shared_info: bytes = b""
    wrap_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MailKeys:
    """The keys by the names of their certificates."""

    _keys: Mapping[str, PrivateKey] = field(repr=False)

    def opens(self, recipient: str) -> bool:
        return recipient in self._keys

    def content_key(self, wrapped: Wrapped) -> bytes:
        """The content key; as many random bytes when it cannot be had, for whatever reason."""
        instead = secrets.token_bytes(wrapped.key_bytes)
        try:
            found = _unwrapped(self._keys[wrapped.recipient], wrapped)
        except Exception:  # one uniform end: nobody learns from outside what was wrong
            return instead
        return found if len(found) == wrapped.key_bytes else instead


def load_mail_keys(directory: Path) -> MailKeys:
    """The keys in `directory`, none when the folder is not there; ValueError naming the file that is not whole."""
    keys: dict[str, PrivateKey] = {}
    for path in sorted((directory / FOLDER).glob("*.pem")):
        content = path.read_bytes()
        try:
            key = serialization.load_pem_private_key(content, None)
            certificate = x509.load_pem_x509_certificate(content)
        except (ValueError, TypeError):
            raise ValueError(f"{path.name} does not hold a private key and its certificate") from None
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or (
            key.public_key() != certificate.public_key()
        ):
            raise ValueError(f"{path.name}: the private key is not the certificate's")
        keys |= dict.fromkeys(names_of(certificate), key)
    return MailKeys(keys)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """How a mail names a recipient's certificate: by issuer and serial number, or by its key identifier."""
    issuer = hashlib.sha256(certificate.issuer.public_bytes()).hexdigest()
    names = [f"serial:{issuer}:{certificate.serial_number:x}"]
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        names.append(f"key:{identifier.hex()}")
    except x509.ExtensionNotFound:
        pass
    return tuple(names)


def _unwrapped(key: PrivateKey, wrapped: Wrapped) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        if wrapped.oaep is None:
            return key.decrypt(wrapped.encrypted, padding.PKCS1v15())
        digest, mask = (_HASHES[name]() for name in wrapped.oaep)
        return key.decrypt(wrapped.encrypted, padding.OAEP(padding.MGF1(mask), digest, None))
    ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, wrapped.originator or b"")
    shared = key.exchange(ec.ECDH(), ephemeral)
    derived = X963KDF(_HASHES[wrapped.agreement_hash](), wrapped.wrap_bytes, wrapped.shared_info).derive(
        shared
    )
    return aes_key_unwrap(derived, wrapped.encrypted)

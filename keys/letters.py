"""The keys with which our outgoing e-mail is signed: DKIM keys, and an S/MIME identity where the deployment has one.

Layout of `<keys directory>/letters`: `dkim/<selector>.pem` (RSA of 2048 bits or more, or Ed25519; every one signs each mail, so
take an old one away only a week after its DNS record's successor is seen everywhere), `smime.pem` (RSA key) with `smime.crt`
(its certificate first, then its authorities'). Private keys do not leave this room. Sources: RFC 6376, RFC 8463, RFC 8551.
"""

from __future__ import annotations

import base64
import hashlib
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from keys.signing import write_secret

LEAST_RSA_BITS = 2048
DKIM_SHAPES = {"rsa": "rsa-sha256", "ed25519": "ed25519-sha256"}


class DkimKey:
    """One DKIM key under its selector."""

    __slots__ = ("_key", "selector")

    def __init__(self, selector: str, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self.selector = selector
        self._key = key

    @property
    def algorithm(self) -> str:
        """The `a=` tag: rsa-sha256 or ed25519-sha256."""
        return DKIM_SHAPES["rsa" if isinstance(self._key, rsa.RSAPrivateKey) else "ed25519"]

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`; an Ed25519 key signs its SHA-256 digest (RFC 8463 section 3)."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(hashlib.sha256(data).digest())

    def record(self) -> str:
        """The text of the DNS record `<selector>._domainkey.<domain>`."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            shape, public = "rsa", self._key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )  # fmt: skip
        else:
            shape, public = "ed25519", self._key.public_key().public_bytes_raw()
        return f"v=DKIM1; k={shape}; p={base64.b64encode(public).decode()}"

    def __repr__(self) -> str:
        return f"DkimKey({self.selector!r})"


@dataclass(frozen=True, slots=True)
class MailIdentity:
    """Our own S/MIME certificate with its key."""

    certificate: x509.Certificate
    authorities: tuple[x509.Certificate, ...]
    _key: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, entity: bytes) -> bytes:
        """The MIME entity (CRLF lines) within multipart/signed, its own header first. SHA-256, RSA."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(entity)
        builder = builder.add_signer(self.certificate, self._key, hashes.SHA256())
        for authority in self.authorities:
            builder = builder.add_certificate(authority)
        signed = builder.sign(
            serialization.Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
        )
        return _multipart_signed(entity, signed)


@dataclass(frozen=True, slots=True)
class LetterKeys:
    """What signs our mail; empty where another system does."""

    dkim: tuple[DkimKey, ...] = ()
    identity: MailIdentity | None = None


def load_letter_keys(directory: Path) -> LetterKeys:
    """The keys under `<directory>/letters`. OSError or ValueError, naming no key material, when one is not as it should be."""
    folder = directory / "letters"
    dkim = tuple(_dkim_key(path) for path in sorted((folder / "dkim").glob("*.pem")))
    return LetterKeys(dkim, _identity(folder))


def make_dkim_keys(directory: Path, stem: str) -> tuple[str, ...]:
    """Make one RSA and one Ed25519 key with selectors `<stem>r` and `<stem>e`; FileExistsError rather than overwrite."""
    folder = directory / "letters" / "dkim"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: dict[str, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey] = {
        f"{stem}r": rsa.generate_private_key(65537, LEAST_RSA_BITS),
        f"{stem}e": ed25519.Ed25519PrivateKey.generate(),
    }
    for selector, key in made.items():
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_secret(folder / f"{selector}.pem", pem)
    return tuple(made)


def _dkim_key(path: Path) -> DkimKey:
    key = serialization.load_pem_private_key(_private_bytes(path), password=None)
    if isinstance(key, ed25519.Ed25519PrivateKey) or (
        isinstance(key, rsa.RSAPrivateKey) and key.key_size >= LEAST_RSA_BITS
    ):
        return DkimKey(path.stem, key)
    raise ValueError(f"the DKIM key {path.stem} is neither Ed25519 nor RSA of {LEAST_RSA_BITS} bits")


def _identity(folder: Path) -> MailIdentity | None:
    if not (folder / "smime.pem").exists():
        return None
    key = serialization.load_pem_private_key(_private_bytes(folder / "smime.pem"), password=None)
    certificate, *authorities = x509.load_pem_x509_certificates((folder / "smime.crt").read_bytes())
    if not isinstance(key, rsa.RSAPrivateKey) or certificate.public_key() != key.public_key():
        raise ValueError("smime.pem is not the RSA key of the first certificate in smime.crt")
    return MailIdentity(certificate, tuple(authorities), key)


def _private_bytes(path: Path) -> bytes:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ValueError(f"{path.name} must be readable by its owner alone (chmod 600)")
    return path.read_bytes()


def _multipart_signed(entity: bytes, signature: bytes) -> bytes:
    """RFC 8551 section 3.5.3. The boundary comes from what it encloses and cannot stand in it by chance."""
    boundary = b"=_" + hashlib.sha256(signature + entity).hexdigest()[:40].encode()
    lines = base64.encodebytes(signature).replace(b"\n", b"\r\n")
    head = (
        b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256;\r\n boundary="'
        + boundary
        + b'"\r\n\r\n'
    )
    return (
        head + b"--" + boundary + b"\r\n" + entity + b"\r\n--" + boundary + b"\r\n"
        b'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\nContent-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename="smime.p7s"\r\n\r\n' + lines + b"--" + boundary + b"--\r\n"
    )  # fmt: skip

"""Does the caller hold the certificate? Mutual TLS: RFC 8705 sections 2 (client authentication) and 3 (bound tokens).

Invariant: a certificate that is accepted signed the TLS handshake of this very connection, is within its own dates, and is
what two officers registered for this client and no other: that certificate itself by its SHA-256 (section 2.2), or one that
the registered authority issued, under the registered name (section 2.1). The handshake is the proxy's word, given over a hop
that nobody else can speak on; everything else is checked here again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from hmac import compare_digest
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.core.client_certificates import end_of
from gateway.core.errors import GatewayError
from gateway.oauth.jose import encode
from gateway.oauth.key_policy import KeyRefused, public_key
from gateway.oauth.reasons import Reason, Rejected
from gateway.oauth.recent import Recent
from gateway.oauth.revocation_lists import RevocationLists

LONGEST_PEM_CHARACTERS = 16_384

_CURVES = ("secp256r1", "secp384r1")
_HASHES = ("sha256", "sha384", "sha512")


class CertificateFault(Enum):
    """Why a certificate cannot be registered, in words for the officers."""

    UNREADABLE = "the file holds no certificate in PEM form"
    MANY = "the file holds more than one certificate: give the client's own alone"
    KEY = "its key is neither a sound RSA key of 2048 to 4096 bits, nor P-256, P-384 or Ed25519"
    SIGNATURE = "it is signed with a hash that is not taken: SHA-256, SHA-384 or SHA-512"
    OVER = "it has expired"
    PURPOSE = "its extended key usage does not include client authentication"
    NO_AUTHORITY = "it is no authority's: a certificate that may sign others is needed"
    CHAIN = "the authority's chain is broken: issuing authority first, each signed by the next"


class CertificateRefused(GatewayError):
    """A certificate or chain breaks the policy."""

    def __init__(self, fault: CertificateFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Presented:
    """A certificate from the TLS handshake. `is_verified`: the proxy found a path to an authority of its list."""

    certificate: x509.Certificate
    thumbprint: str
    is_verified: bool


@dataclass(frozen=True, slots=True)
class Window:
    """When something registered may be used: a certificate's own dates, cut short by a renewal or a revocation."""

    begins_at: datetime
    ends_at: datetime

    def holds(self, at: datetime) -> bool:
        return self.begins_at <= at < self.ends_at


@dataclass(frozen=True, slots=True)
class Pinned:
    """One certificate, by the SHA-256 of its DER form (`x5t#S256`)."""

    thumbprint: str
    window: Window


@dataclass(frozen=True, slots=True)
class IssuedBy:
    """Whatever this authority issued under this name: `kind` is `uri` or `dns`."""

    authority: x509.Certificate
    kind: str
    name: str
    window: Window


ClientCertificates = tuple[Pinned | IssuedBy, ...]
CertificatesSeen = Recent[str, tuple[x509.Certificate, str]]


def presented(scope: Mapping[str, Any], seen: CertificatesSeen) -> Presented | None:
    """The certificate of an ASGI scope's TLS extension, or None; Rejected when it is no certificate."""
    told = (scope.get("extensions") or {}).get("tls") or {}
    chain = told.get("client_cert_chain") or ()
    if not chain:
        return None
    pem = chain[0]
    known = seen.get(pem)
    if known is None:
        known = _opened(pem)
        seen.put(pem, known)
    return Presented(*known, is_verified=told.get("client_cert_error") is None)


def check_certificate(
    shown: Presented, registered: ClientCertificates, at: datetime, revoked: RevocationLists | None = None
) -> None:
    """Rejected unless the certificate is one of those registered, at this instant.

    1. within its own dates   2. pinned, and the pin in force; or   3. verified by the proxy, 4. signed by a registered
    authority in force, 5. no authority itself, made for clients, 6. bearing the registered name and no other way of writing it,
    7. and, where revocation lists are kept, not taken back by its authority.
    """
    own = shown.certificate
    if not Window(own.not_valid_before_utc, own.not_valid_after_utc).holds(at):
        raise Rejected(Reason.CERTIFICATE_TIME)
    fitting = next((one for one in registered if one.window.holds(at) and _fits(shown, one)), None)
    if fitting is None:
        raise Rejected(Reason.CERTIFICATE_OTHER)
    if revoked is not None and isinstance(fitting, IssuedBy):
        revoked.check(own, fitting.authority)


def thumbprint_of(certificate: x509.Certificate) -> str:
    """`x5t#S256`: the SHA-256 of the DER form in base64url (RFC 8705 section 3.1)."""
    return encode(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()).decode()


def same(one: str, other: str) -> bool:
    """Whether two thumbprints are equal, in constant time."""
    return compare_digest(one.encode(), other.encode())


def client_certificates(entries: Iterable[Mapping[str, Any]]) -> ClientCertificates:
    """The stored entries: `x5t#S256`, `begins` and `ends` (the certificate's own), `exp` (after a renewal); for an
    authority `chain` (PEM, issuing first) and `uri` or `dns`. CertificateRefused when an authority cannot be read.
    """
    return tuple(_registered(entry) for entry in entries)


def pin_entry(pem: bytes, at: datetime) -> dict[str, Any]:
    """What is stored of a client's own certificate; CertificateRefused when it breaks the policy at `at`."""
    certificates = _all_in(pem)
    if len(certificates) > 1:
        raise CertificateRefused(CertificateFault.MANY)
    _check_policy(certificates[0], at)
    if not _is_for_clients(certificates[0]):
        raise CertificateRefused(CertificateFault.PURPOSE)
    return _entry(certificates[0])


def authority_entry(pem: bytes, kind: str, name: str, at: datetime) -> dict[str, Any]:
    """What is stored of an issuing authority and the name that it must have certified; CertificateRefused as above.

    The chain goes up to a root where it can: the proxy needs one to verify.
    """
    chain = _all_in(pem)
    for certificate in chain:
        _check_policy(certificate, at)
        if not _is_authority(certificate):
            raise CertificateRefused(CertificateFault.NO_AUTHORITY)
    if not all(_issued(lower, upper) for lower, upper in pairwise(chain)):
        raise CertificateRefused(CertificateFault.CHAIN)
    text = [certificate.public_bytes(Encoding.PEM).decode() for certificate in chain]
    return {**_entry(chain[0]), "chain": text, kind: name}


def _opened(pem: str) -> tuple[x509.Certificate, str]:
    try:
        if len(pem) > LONGEST_PEM_CHARACTERS:
            raise ValueError
        certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
        certificate.not_valid_after_utc, certificate.extensions  # noqa: B018 - both are read lazily, and may be malformed
    except Exception:  # the parser has errors of its own for each way of being malformed
        raise Rejected(Reason.CERTIFICATE_MALFORMED) from None
    return certificate, thumbprint_of(certificate)


def _fits(shown: Presented, one: Pinned | IssuedBy) -> bool:
    if isinstance(one, Pinned):
        return same(shown.thumbprint, one.thumbprint)
    certificate = shown.certificate
    return (
        shown.is_verified
        and _issued(certificate, one.authority)
        and not _is_authority(certificate)
        and _is_for_clients(certificate)
        and one.name in _names(certificate, one.kind)
    )


def _issued(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _names(certificate: x509.Certificate, kind: str) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    if kind == "uri":
        return names.get_values_for_type(x509.UniformResourceIdentifier)
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_for_clients(certificate: x509.Certificate) -> bool:
    """Without the extension a certificate is for every purpose (RFC 5280 section 4.2.1.12)."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _check_policy(certificate: x509.Certificate, at: datetime) -> None:
    hashed = certificate.signature_hash_algorithm
    if not _is_strong(certificate.public_key()):
        raise CertificateRefused(CertificateFault.KEY)
    if hashed is not None and hashed.name not in _HASHES:  # Ed25519 names none
        raise CertificateRefused(CertificateFault.SIGNATURE)
    if at >= certificate.not_valid_after_utc:
        raise CertificateRefused(CertificateFault.OVER)


def _is_strong(key: object) -> bool:
    match key:
        case rsa.RSAPublicKey():
            return _is_taken_as_jwk(key.public_numbers())
        case ec.EllipticCurvePublicKey():
            return key.curve.name in _CURVES
    return isinstance(key, ed25519.Ed25519PublicKey)


def _is_taken_as_jwk(numbers: rsa.RSAPublicNumbers) -> bool:
    """An RSA key meets the policy of every other RSA key here: size, exponent, generator."""
    members = {"n": numbers.n, "e": numbers.e}
    written = {
        name: encode(v.to_bytes((v.bit_length() + 7) // 8, "big")).decode() for name, v in members.items()
    }
    try:
        public_key({"kty": "RSA", **written})
    except KeyRefused:
        return False
    return True


def _all_in(pem: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
        for certificate in found:
            certificate.public_key(), certificate.extensions, certificate.not_valid_after_utc
    except Exception:
        raise CertificateRefused(CertificateFault.UNREADABLE) from None
    return found


def _entry(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "x5t#S256": thumbprint_of(certificate),
        "begins": int(certificate.not_valid_before_utc.timestamp()),
        "ends": int(certificate.not_valid_after_utc.timestamp()),
    }


def _registered(entry: Mapping[str, Any]) -> Pinned | IssuedBy:
    window = Window(datetime.fromtimestamp(entry["begins"], UTC), end_of(entry))
    if "chain" not in entry:
        return Pinned(str(entry["x5t#S256"]), window)
    kind = "uri" if "uri" in entry else "dns"
    return IssuedBy(_all_in(entry["chain"][0].encode())[0], kind, str(entry[kind]), window)

"""A time-stamping authority of the tests' own: makes RFC 3161 responses at any instant, sound or with one thing wrong.

`openssl ts` makes them only for now and only with sound certificates; it is the far end of the tests of the notary.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

REFUSAL = bytes.fromhex("30053003020102")  # status rejection, and no token
POLICY = "1.3.6.1.4.1.99999.1"
LIFE = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


class Authority:
    """A root and a stamping certificate under it; `purpose` None leaves the extended key usage out."""

    def __init__(
        self,
        life: tuple[datetime, datetime] = LIFE,
        purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.TIME_STAMPING,
    ) -> None:
        self._root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self._root = _certificate("Invented root", self._root_key, "Invented root", self._root_key, LIFE)
        self._certificate = _certificate(
            "Invented stamps", self._key, "Invented root", self._root_key, life, purpose, is_root=False
        )

    @property
    def root(self) -> str:
        """The root certificate, PEM."""
        return self._root.public_bytes(serialization.Encoding.PEM).decode()

    def stamp(self, data: bytes, at: datetime, policy: str = POLICY, status: str = "granted") -> bytes:
        """A response over `data` at an aware instant of whole seconds."""
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": policy,
                "message_imprint": {
                    "hash_algorithm": {"algorithm": "sha256"},
                    "hashed_message": hashlib.sha256(data).digest(),
                },
                "serial_number": x509.random_serial_number(),
                "gen_time": core.GeneralizedTime(at.astimezone(UTC)),
            }
        ).dump()
        token = cms.ContentInfo({"content_type": "signed_data", "content": self._signed(info, at)})
        return bytes(tsp.TimeStampResp({"status": {"status": status}, "time_stamp_token": token}).dump())

    def _signed(self, info: bytes, at: datetime) -> cms.SignedData:
        own = asn1_x509.Certificate.load(self._certificate.public_bytes(serialization.Encoding.DER))
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(info).digest()]}),
            ]
        )
        signature = self._key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
        digest = algos.DigestAlgorithm({"algorithm": "sha256"})
        signer = {
            "version": "v1",
            "sid": {
                "issuer_and_serial_number": {"issuer": own.issuer, "serial_number": own.serial_number},
            },
            "digest_algorithm": digest,
            "signed_attrs": attributes,
            "signature_algorithm": {"algorithm": "sha256_ecdsa"},
            "signature": signature,
        }
        return cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [digest],
                "encap_content_info": {
                    "content_type": "tst_info",
                    "content": core.ParsableOctetString(info),
                },
                "certificates": [own],
                "signer_infos": [signer],
            }
        )


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    life: tuple[datetime, datetime],
    purpose: x509.ObjectIdentifier | None = None,
    *,
    is_root: bool = True,
) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(life[0] - timedelta(0))
        .not_valid_after(life[1])
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    return builder.sign(signer, hashes.SHA256())

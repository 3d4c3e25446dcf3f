"""The stage: a fresh deployment in a folder of its own, with development keys, certificates and an invented partnership."""

from __future__ import annotations

import ipaddress
import secrets
import ssl
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.moving_clock import MovingClock
from gateway.settings import Settings
from gateway.store import migrations
from keys import custody
from keys.signing import DEVELOPMENT_PREFIX

OWN_MAIL_SERVER = "mail.council.example"
ISSUER = "demonstration.gateway.example"


@dataclass(frozen=True, slots=True)
class Certificates:
    """A development authority and one certificate for the loopback, as files."""

    authority: Path
    certificate: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one demonstration plays. `settings_file` lets the command line join it."""

    folder: Path
    settings: Settings
    settings_file: Path
    certificates: Certificates
    clock: MovingClock
    webhook_secret: str


@dataclass(frozen=True, slots=True)
class Ports:
    gateway: int
    operator: int
    school_mail: int
    webhook: int


def prepare_folder(folder: Path, start_at: datetime, real: datetime) -> Certificates:
    """Keys and certificates in an empty folder."""
    folder.mkdir(mode=0o700, parents=True)
    custody.create(folder / "keys", DEVELOPMENT_PREFIX)
    return make_certificates(folder, min(start_at, real) - timedelta(days=1), real + timedelta(days=30))


def set_up(folder: Path, ports: Ports, certificates: Certificates, clock: MovingClock) -> Stage:
    """Write the settings and make the databases."""
    values = {
        "mode": "development",
        "clock": "development",
        "issuer": ISSUER,
        "public_url": f"https://localhost:{ports.gateway}",
        "console_url": f"http://localhost:{ports.operator}",
        "var_dir": str(folder),
        "keys_dir": str(folder / "keys"),
        "listen": f"127.0.0.1:{ports.gateway}",
        "operator_listen": f"127.0.0.1:{ports.operator}",
        "tls_cert_file": str(certificates.certificate),
        "tls_key_file": str(certificates.key),
        "smtp_url": f"smtp://localhost:{ports.school_mail}",
        "smtp_ca_file": str(certificates.authority),
        "mail_from": "South Tyneside Council <safeguarding@council.example>",
        "mail_domain": "reply.council.example",
        "mail_authserv_id": OWN_MAIL_SERVER,
        "fetch_ca_file": str(certificates.authority),
        "fetch_development_hosts": [f"localhost:{ports.webhook}"],
        "sweep_interval_seconds": 0.1,
        "seal_interval_seconds": 0.1,
    }
    settings_file = folder / "gateway.toml"
    settings_file.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in values.items()))
    settings = Settings(**values)  # type: ignore[arg-type]
    migrations.migrate(settings.book_url, "book")
    migrations.migrate(settings.keys_book_url, "custody")
    secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
    return Stage(folder, settings, settings_file, certificates, clock, secret)


def make_certificates(folder: Path, not_before_at: datetime, not_after_at: datetime) -> Certificates:
    """An authority for development and a certificate for localhost, both P-256."""
    issuer_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Demonstration authority: trust nothing")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    life = (not_before_at, not_after_at)
    authority = _certificate(issuer, issuer, issuer_key, issuer_key, life, is_authority=True)
    leaf = _certificate(subject, issuer, key, issuer_key, life, is_authority=False)
    made = Certificates(folder / "authority.pem", folder / "tls.pem", folder / "tls.key")
    made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.key.touch(mode=0o600)
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signing_key: ec.EllipticCurvePrivateKey,
    life: tuple[datetime, datetime],
    *,
    is_authority: bool,
) -> x509.Certificate:
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(life[0])
        .not_valid_after(life[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), False)
    )
    if is_authority:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    return builder.sign(signing_key, hashes.SHA256())


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value) if isinstance(value, float) else f'"{value}"'

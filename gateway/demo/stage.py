"""The stage: a fresh deployment in a folder of its own, with development keys, certificates and an invented partnership."""

from __future__ import annotations

import secrets
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.moving_clock import MovingClock
from gateway.settings import Settings
from gateway.store import migrations
from keys import custody
from keys.development import Certificates, make_certificates
from keys.signing import DEVELOPMENT_PREFIX

OWN_MAIL_SERVER = "mail.council.example"
ISSUER = "demonstration.gateway.example"


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
    console: int


def prepare_folder(folder: Path, start_at: datetime, real: datetime) -> Certificates:
    """Keys and certificates in an empty folder."""
    custody.create(folder / "keys", DEVELOPMENT_PREFIX)
    return make_certificates(folder, min(start_at, real) - timedelta(days=1), real + timedelta(days=30))


def set_up(folder: Path, ports: Ports, certificates: Certificates, clock: MovingClock) -> Stage:
    """Write the settings and make the databases."""
    values = {
        "mode": "development",
        "clock": "development",
        "issuer": ISSUER,
        "public_url": f"https://localhost:{ports.gateway}",
        "console_url": f"http://localhost:{ports.console}",
        "console_listen": f"127.0.0.1:{ports.console}",
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


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value) if isinstance(value, float) else f'"{value}"'

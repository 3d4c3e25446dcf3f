"""Every setting of one deployment: typed, its unit in its name, safe when absent.

A setting comes from the environment (`GATEWAY_<NAME>`), else from the settings file (TOML: `GATEWAY_SETTINGS_FILE`, or
`var/gateway.toml` when that is there), else it has its default. An unknown name in the file is refused. Invariant:
neither an error nor a listing shows the value of a secret; passwords stand in files of their own and never in a setting.

`Settings.check` says what is unsafe together; `serve` and `work` start only when nothing that it finds `refuses`.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "GATEWAY_"
FILE_VARIABLE = "GATEWAY_SETTINGS_FILE"
DEFAULT_FILE = Path("var/gateway.toml")
LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
PRIVATE_KEYS = ("*.key", "*/*.key", "receipts/*-*", "tokens/*-*", "log/*-*")
DEVELOPMENT_PREFIX = "development-"  # as in keys.signing: the name of a key that was made for development

Mode = Literal["development", "production"]
Origin = Literal["environment", "file", "default"]
Words = Annotated[tuple[str, ...], NoDecode]  # in the environment: separated by commas


SIGNED_IN_A_MODULE = frozenset(["receipts", "log", "tokens"])


class SettingsUnreadable(ValueError):
    """A setting is unknown or has an impossible value: names the setting and never shows the value."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` is one line; `refuses` means that nothing may be served."""

    check: str
    ok: bool
    advice: str
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One setting as `gateway doctor` shows it: the variable, what it means, its value without secrets, its origin."""

    variable: str
    means: str
    value: str
    origin: Origin


class Settings(BaseSettings):
    """The settings in force. Make one with `load`; field descriptions are what `gateway init` and `doctor` print."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    # --- what kind of deployment this is
    mode: Mode = Field(
        "production", description="development or production; production refuses what is unsafe"
    )
    clock: Literal["system", "development"] = Field(
        "system", description="development: a clock that can be moved, for demonstrations only"
    )
    issuer: str = Field(
        "gateway.example",
        description="name of this deployment: issuer of receipts and tokens, origin of the log",
    )
    public_url: str = Field("https://localhost:8443", description="the address partners use")
    console_url: str | None = Field(None, description="the address officers use; absent: the public address")

    # --- where things are kept
    var_dir: Path = Field(Path("var"), description="directory for the databases and working files")
    database_url: str | None = Field(
        None, repr=False, description="database of the book; absent: SQLite in the var directory"
    )
    custody_url: str | None = Field(
        None,
        repr=False,
        description="database of wrapped data keys; absent: a SQLite file beside the book; PostgreSQL needs one",
    )
    broker_url: str | None = Field(
        None, repr=False, description="Valkey or Redis for several workers; absent: work is done in process"
    )
    keys_dir: Path = Field(
        Path("var/keys"), description="directory of private keys, readable by its owner alone"
    )

    custody_backup_days: PositiveInt = Field(
        14,
        description="days after which the last back-up of the custody store is destroyed; said in each erasure",
    )
    unmatched_mail_days: PositiveInt = Field(
        365, description="days after which mail that belongs to no incident is destroyed"
    )

    pkcs11_module: Path | None = Field(
        None,
        description="PKCS#11 library of a hardware module that is the master key's home; absent: the file alone",
    )
    pkcs11_token: str | None = Field(None, description="label of the token in it")
    pkcs11_pin_file: Path | None = Field(None, description="file with the token's PIN")
    pkcs11_signs: Words = Field(
        (), description="whose next keys are made in it: receipts, log, tokens; absent: key files sign"
    )

    # --- how the gateway listens
    listen: str = Field("127.0.0.1:8443", description="host:port, or unix:/path behind a proxy that ends TLS")
    tls_cert_file: Path | None = Field(
        None, description="certificate chain (PEM) when listening on host:port"
    )
    tls_key_file: Path | None = Field(None, description="its private key (PEM), readable by its owner alone")
    proxy_secret_file: Path | None = Field(
        None, description="file with the secret that the proxy sends along; what comes without it is refused"
    )
    mtls_url: str | None = Field(
        None, description="address where the proxy asks partners for certificates; absent: no mutual TLS"
    )
    client_crl_dir: Path | None = Field(
        None,
        description="folder with revocation lists (.crl) of the authorities of --ca; then each such certificate must be on none",
    )
    dpop_nonces: bool = Field(
        False, description="ask for a nonce of ours in every DPoP proof; it lives two to three minutes"
    )
    operator_listen: str = Field(
        "127.0.0.1:8444", description="host:port of health checks and metrics; loopback"
    )
    console_listen: str | None = Field(
        None, description="host:port where development serves the console without TLS, on loopback"
    )
    body_limit_bytes: PositiveInt = Field(1_048_576, description="largest request body")
    request_timeout_seconds: PositiveFloat = Field(30.0, description="longest time to read one request")
    address_requests_per_second: PositiveFloat = Field(
        100.0, description="requests that one address may make in the long run, before it is known who asks"
    )
    address_burst_requests: PositiveInt = Field(
        1000, description="requests that one address may make at once"
    )
    client_requests_per_second: PositiveFloat = Field(
        50.0, description="requests that one client may make in the long run"
    )
    client_burst_requests: PositiveInt = Field(500, description="requests that one client may make at once")
    drain_seconds: PositiveFloat = Field(20.0, description="time that running requests get at shutdown")

    # --- the store and dispatch
    store_queue_length: PositiveInt = Field(1000, description="transactions that may wait; beyond it 503")
    store_connections: PositiveInt = Field(8, description="connections of the PostgreSQL pool")
    lease_seconds: PositiveFloat = Field(
        120.0, description="how long a claimed delivery is left to its worker"
    )
    sweep_interval_seconds: PositiveFloat = Field(2.0, description="how often due work is looked for")
    deliveries_at_once: PositiveInt = Field(
        32, description="deliveries that one worker carries at the same time"
    )

    # --- the ledger
    seal_interval_seconds: PositiveFloat = Field(
        0.5, description="how often receipts are sealed into the log"
    )

    witnesses: Words = Field(
        (), description="partners' witnesses of the log, each as `VKEY URL`; absent: nobody watches the log"
    )
    witness_quorum: PositiveInt | None = Field(
        None, description="how many witnesses must sign a checkpoint; absent: more than half"
    )
    timestamp_urls: Words = Field(
        (), description="one or two time-stamping authorities (RFC 3161); absent: times are our own claim"
    )
    timestamp_roots_file: Path | None = Field(
        None, description="roots of these authorities (PEM), taken from them on another path"
    )
    timestamp_policies: Words = Field(
        (), description="policies (OIDs) under which these authorities must stamp"
    )
    anchor_interval_seconds: float = Field(
        60.0, gt=0, le=3600, description="how often the log is witnessed and stamped, on a fixed rhythm"
    )
    log_leaves_per_anchoring: int = Field(
        8,
        ge=0,
        le=1024,
        description="how many leaves the log that others see grows by at each anchoring, whatever happens; 0: as it comes",
    )
    heartbeat_interval_seconds: float = Field(
        3600.0, ge=60, description="how often the log grows by a heartbeat, on a fixed rhythm"
    )

    # --- tokens and the console
    session_idle_seconds: PositiveInt = Field(
        900, description="an officer's idle time before signing in again"
    )
    session_lifetime_seconds: PositiveInt = Field(28_800, description="an officer's longest session")

    oidc_issuer: str | None = Field(
        None, description="OpenID Connect provider at which officers sign in; absent: passkeys of our own"
    )
    oidc_client_id: str | None = Field(None, description="our name at the provider")
    oidc_client_secret_file: Path | None = Field(
        None, description="file with our secret at the provider; absent: a public client, with PKCE as always"
    )
    oidc_ca_file: Path | None = Field(
        None,
        description="authorities that the provider's certificate may have, in place of the machine's own",
    )
    oidc_scopes: Words = Field(("openid", "profile"), description="what the provider is asked for")
    oidc_officer_claim: str = Field(
        "sub", description="claim by which an officer's account is known; one that is never given to another"
    )
    oidc_name_claim: str = Field("name", description="claim with the name that receipts give")
    oidc_roles_claim: str | None = Field(
        None, description="claim with groups that give roles; absent: officers are those that were added here"
    )
    oidc_roles: Words = Field(
        (), description="which value of that claim gives which role: value=officer, value=manager, …"
    )
    oidc_required_acr: Words = Field((), description="one of these acr values is required of every sign-in")
    oidc_required_amr: Words = Field((), description="all of these amr values are required: mfa, hwk, …")
    override_seconds: PositiveInt = Field(
        14_400, description="how long an officer who opens a restricted incident without being named may"
    )
    alert_quiet_from: time = Field(
        time(18, 0), description="from when in the evening officers are alerted only of what the law sets"
    )
    alert_quiet_until: time = Field(
        time(8, 0), description="until when in the morning; the rest waits till then, and over closed days"
    )
    alert_day_begins: bool = Field(
        True, description="whether the unit's people are told each working morning what the day asks for"
    )
    alert_webhook_url: str | None = Field(
        None, description="address of the unit's own system that is told of alerts too, signed; https"
    )
    alert_webhook_secret_file: Path | None = Field(
        None, description="file with the secret that signs them: whsec_ and base64 (Standard Webhooks)"
    )
    alert_searches_per_day: PositiveInt = Field(
        20, description="searches of one officer in a day at which the managers are told"
    )
    alert_openings_per_day: PositiveInt = Field(
        200, description="incidents, messages and held things of one officer in a day at which they are told"
    )
    alert_exports_per_day: PositiveInt = Field(
        10, description="exports of one officer in a day at which the managers are told"
    )

    # --- letters by e-mail
    smtp_url: str | None = Field(
        None, description="smtp://user@host:port of the mail relay; STARTTLS is required"
    )
    smtp_password_file: Path | None = Field(None, description="file with the SMTP password")
    smtp_ca_file: Path | None = Field(
        None, description="authorities that the mail server's certificate may have"
    )
    smtp_timeout_seconds: PositiveFloat = Field(
        60.0, description="longest wait for one answer of the mail server"
    )
    smtp_connections: PositiveInt = Field(
        4, description="connections to the mail server that are kept open, at most"
    )
    mail_policy_file: Path | None = Field(
        None, description="how e-mail may leave, by the recipient's domain (TOML); absent: gov-secure for all"
    )
    mail_from: str | None = Field(
        None, description="address that letters come from, in the council's own domain"
    )
    mail_from_name: str = Field("Safeguarding Business Unit", description="name that letters come from")
    mail_domain: str | None = Field(None, description="domain of reply and bounce addresses")
    mail_authserv_id: str | None = Field(
        None, description="name of the server whose Authentication-Results are trusted"
    )
    mail_stamped_below: bool = Field(
        False, description="our mail server writes its verdict beneath its own Received line"
    )
    mail_resolver: str | None = Field(
        None,
        description="system, or address:port: where senders' DKIM keys are looked up, so that each signature is checked again",
    )
    mail_smime_roots_file: Path | None = Field(
        None, description="authorities (PEM) whose signed e-mail (S/MIME) is believed"
    )
    mail_smime_crl_dir: Path | None = Field(
        None,
        description="folder with their revocation lists (.crl); then each certificate must be on none of them",
    )
    mail_sender_mails_per_hour: PositiveInt = Field(
        60, description="mails of one sender in an hour; what comes beyond that waits for a person"
    )
    imap_url: str | None = Field(None, description="imaps://user@host:port, or imap:// with STARTTLS")
    imap_password_file: Path | None = Field(None, description="file with the IMAP password")
    imap_ca_file: Path | None = Field(None, description="authorities that the mailbox's certificate may have")
    imap_interval_seconds: PositiveFloat = Field(
        15.0, description="how often the mailbox is read even if the server reports nothing"
    )
    imap_token_url: str | None = Field(
        None,
        description="https address of the token endpoint, for a mailbox that wants XOAUTH2, not a password",
    )
    imap_client_id: str | None = Field(None, description="our client id at that token endpoint")
    imap_client_secret_file: Path | None = Field(None, description="file with the secret of that client")
    imap_scope: str | None = Field(None, description="scope that the token must have")

    # --- NHS MESH
    mesh_url: str | None = Field(None, description="address of MESH; absent: nothing goes or comes by it")
    mesh_mailbox: str | None = Field(None, description="our mailbox there")
    mesh_workflow: str | None = Field(None, description="workflow id agreed with NHS England")
    mesh_password_file: Path | None = Field(None, description="file with the mailbox's password")
    mesh_shared_key_file: Path | None = Field(
        None, description="file with the shared key of this environment of MESH"
    )
    mesh_cert_file: Path | None = Field(None, description="our certificate for MESH (PEM)")
    mesh_key_file: Path | None = Field(None, description="its private key (PEM), readable by its owner alone")
    mesh_ca_file: Path | None = Field(
        None, description="authorities that MESH's certificate may have; absent: those of NHS England"
    )
    mesh_timeout_seconds: PositiveFloat = Field(60.0, description="longest wait for one answer of MESH")
    mesh_interval_seconds: PositiveFloat = Field(30.0, description="how often our MESH mailbox is read")

    # --- webhooks, fetches and scanning
    scanner_url: str | None = Field(
        None, description="unix:/path or tcp://host:port of clamd; without it production takes no attachments"
    )
    scanner_timeout_seconds: PositiveFloat = Field(
        120.0, description="longest wait for the scanner, also for its verdict"
    )
    upload_timeout_seconds: float = Field(
        600.0, gt=0, le=1800, description="longest time for one attachment, in all"
    )
    attachments_unnamed_limit_bytes: PositiveInt = Field(
        4_294_967_296, description="largest sum of an agency's attachments that no message has named yet"
    )
    webhook_timeout_seconds: PositiveFloat = Field(15.0, description="longest time for one webhook, in all")
    fetch_ca_file: Path | None = Field(
        None, description="authorities for fetches in place of the machine's own"
    )
    fetch_development_hosts: Words = Field(
        (), description="host or host:port that may be private or without TLS; development only"
    )

    client_key_hosts: Words = Field(
        (), description="hosts at which clients may publish their keys, host or host:port; absent: none may"
    )

    @field_validator(
        "fetch_development_hosts",
        "client_key_hosts",
        "oidc_scopes",
        "oidc_roles",
        "oidc_required_acr",
        "oidc_required_amr",
        "witnesses",
        "timestamp_urls",
        "timestamp_policies",
        "pkcs11_signs",
        mode="before",
    )
    @classmethod
    def _split_on_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("smtp_url", "imap_url")
    @classmethod
    def _names_a_mail_server_and_no_password(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        url, schemes = urlsplit(value), {"smtp"} if info.field_name == "smtp_url" else {"imaps", "imap"}
        if url.scheme not in schemes or not url.hostname or url.query:
            raise ValueError(f"not an address of the form {max(schemes)}://user@host:port")
        if url.password is not None:
            raise ValueError("a password does not belong here but in a file of its own (…_PASSWORD_FILE)")
        return value

    @field_validator("scanner_url")
    @classmethod
    def _is_a_scanner(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value)
        if (url.scheme == "unix" and url.path.startswith("/")) or (url.scheme == "tcp" and url.hostname):
            return value
        raise ValueError("neither unix:/path nor tcp://host:port")

    @field_validator("public_url", "console_url", "mtls_url")
    @classmethod
    def _is_a_web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value)
        if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.username:
            raise ValueError("not a web address")
        return value.rstrip("/")

    @field_validator("listen", "operator_listen", "console_listen")
    @classmethod
    def _can_be_listened_on(cls, value: str | None) -> str | None:
        if value is None:
            return None
        host, colon, port = value.rpartition(":")
        if value.startswith("unix:/") or (colon and host and port.isdecimal() and int(port) < 65_536):
            return value
        raise ValueError("neither host:port nor unix:/path")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())

    # --- what follows from the settings

    @property
    def book_url(self) -> str:
        """Where the book is: `database_url`, or SQLite in the var directory."""
        return self.database_url or f"sqlite:///{self.var_dir / 'gateway.sqlite3'}"

    @property
    def keys_book_url(self) -> str:
        """Where wrapped data keys are: `custody_url`, or a SQLite file beside the book; PostgreSQL shares one database."""
        if self.custody_url or not self.is_on_sqlite:
            return self.custody_url or self.book_url
        return self.book_url.removesuffix(".sqlite3") + "-custody.sqlite3"

    @property
    def console_address(self) -> str:
        """The web address officers use, without the path."""
        if self.console_url:
            return self.console_url
        if self.console_listen and not self.is_production:
            return f"http://localhost:{self.console_listen.rpartition(':')[2]}"
        return self.public_url

    @property
    def is_on_sqlite(self) -> bool:
        return self.book_url.startswith("sqlite")

    @property
    def steady_growth(self) -> int:
        """How many leaves the log that others see grows by at each anchoring; 0 where nobody else sees it, or it is not wanted."""
        return self.log_leaves_per_anchoring if self.is_anchored else 0

    @property
    def is_anchored(self) -> bool:
        """Do others confirm the log: witnesses, time-stamping authorities, or both?"""
        return bool(self.witnesses or self.timestamp_urls)

    @property
    def quorum(self) -> int:
        """How many witnesses must sign: as set, else more than half; 0 without witnesses."""
        if not self.witnesses:
            return 0
        return self.witness_quorum or len(self.witnesses) // 2 + 1

    @property
    def is_production(self) -> bool:
        return self.mode == "production"

    # --- what is unsafe together

    def check(self) -> list[Finding]:
        """Everything that was looked at, sound or not. What `refuses` stops `serve` and `work`."""
        return [*self._checks_of_every_mode(), *(self._checks_of_production() if self.is_production else ())]

    def refusals(self) -> list[Finding]:
        return [finding for finding in self.check() if finding.refuses and not finding.ok]

    def _checks_of_every_mode(self) -> Iterator[Finding]:
        yield _must(
            "one process on SQLite",
            not (self.is_on_sqlite and self.broker_url),
            "SQLite serves one process: set GATEWAY_DATABASE_URL to PostgreSQL for workers on a broker",
        )
        yield self._keys_are_apart()
        yield from self._checks_of_doors()
        yield from self._checks_of_the_log()
        yield from self._checks_of_keys()
        yield from self._checks_of_others()

    def _checks_of_doors(self) -> Iterator[Finding]:
        yield _must(
            "certificate and key go together",
            (self.tls_cert_file is None) == (self.tls_key_file is None),
            "set both GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE, or neither",
        )
        yield _must(
            "the console without TLS stays on this machine",
            self.console_listen is None
            or (not self.is_production and self.console_listen.rpartition(":")[0] in LOOPBACK),
            "GATEWAY_CONSOLE_LISTEN is a loopback address, in development only: production serves it over TLS",
        )
        yield _must(
            "certificates are taken from the proxy alone",
            self.mtls_url is None or self._is_behind_a_proxy(),
            "GATEWAY_MTLS_URL begins with https:, and needs GATEWAY_LISTEN=unix:/path and GATEWAY_PROXY_SECRET_FILE",
        )

    def _checks_of_the_log(self) -> Iterator[Finding]:
        yield _must(
            "enough witnesses for the quorum",
            (self.witness_quorum or 0) <= len(self.witnesses),
            "GATEWAY_WITNESS_QUORUM is at most the number of GATEWAY_WITNESSES",
        )
        yield _must(
            "time-stamps can be checked",
            not self.timestamp_urls
            or (
                len(self.timestamp_urls) <= 2
                and bool(self.timestamp_policies)
                and self.timestamp_roots_file is not None
            ),
            "GATEWAY_TIMESTAMP_URLS names one or two, and needs _TIMESTAMP_ROOTS_FILE and _TIMESTAMP_POLICIES",
        )

    def _checks_of_keys(self) -> Iterator[Finding]:
        yield self._private("keys_dir", 0o077)
        yield self._private_keys()
        hardware = (self.pkcs11_module, self.pkcs11_token, self.pkcs11_pin_file)
        yield _must(
            "a hardware module is named whole",
            all(hardware) or not any(hardware),
            "set GATEWAY_PKCS11_MODULE, GATEWAY_PKCS11_TOKEN and GATEWAY_PKCS11_PIN_FILE, or none of them",
        )
        yield _must(
            "what a hardware module signs",
            not self.pkcs11_signs or (all(hardware) and set(self.pkcs11_signs) <= SIGNED_IN_A_MODULE),
            "GATEWAY_PKCS11_SIGNS names receipts, log or tokens, and needs GATEWAY_PKCS11_MODULE and its companions",
        )
        for name in (
            "tls_key_file",
            "pkcs11_pin_file",
            "smtp_password_file",
            "alert_webhook_secret_file",
            "imap_password_file",
            "imap_client_secret_file",
            "oidc_client_secret_file",
            "mesh_password_file",
            "mesh_shared_key_file",
            "mesh_key_file",
        ):
            yield self._private(name, 0o007)

    def _checks_of_others(self) -> Iterator[Finding]:
        """Whom we sign in to, and who signs our officers in."""
        yield _must(
            "the mailbox is signed in to in one way",
            self._signs_in_one_way(),
            "GATEWAY_IMAP_TOKEN_URL begins with https:, needs GATEWAY_IMAP_CLIENT_ID, GATEWAY_IMAP_CLIENT_SECRET_FILE and "
            "GATEWAY_IMAP_SCOPE, and takes the place of GATEWAY_IMAP_PASSWORD_FILE",
        )
        yield _must(
            "MESH is named whole",
            self._names_mesh(),
            "GATEWAY_MESH_URL begins with https: and needs GATEWAY_MESH_MAILBOX, _WORKFLOW, _PASSWORD_FILE, _SHARED_KEY_FILE, "
            "_CERT_FILE and _KEY_FILE",
        )
        yield _must(
            "officers sign in at one provider, over TLS",
            self._names_a_provider(),
            "GATEWAY_OIDC_ISSUER begins with https: and needs GATEWAY_OIDC_CLIENT_ID; GATEWAY_OIDC_ROLES_CLAIM needs "
            "GATEWAY_OIDC_ROLES: value=officer, value=manager",
        )

        url = urlsplit(self.alert_webhook_url or "")
        yield _must(
            "the unit's webhook is named whole",
            (self.alert_webhook_url is None and self.alert_webhook_secret_file is None)
            or (
                self.alert_webhook_secret_file is not None
                and bool(url.hostname)
                and url.username is None
                and (url.scheme == "https" or (url.scheme == "http" and not self.is_production))
            ),
            "GATEWAY_ALERT_WEBHOOK_URL begins with https: and needs GATEWAY_ALERT_WEBHOOK_SECRET_FILE",
        )
        yield _must(
            "somebody is told by day",
            self._leaves_a_day(),
            "GATEWAY_ALERT_QUIET_UNTIL is a morning, GATEWAY_ALERT_QUIET_FROM an evening, six hours or more apart",
        )

    def _leaves_a_day(self) -> bool:
        """As `core.alerts.QuietHours.is_sound` asks of an officer's own."""
        starts, ends = self.alert_quiet_from, self.alert_quiet_until
        return starts == ends or (starts.hour - ends.hour) * 60 + starts.minute - ends.minute >= 360

    def _signs_in_one_way(self) -> bool:
        """By password, or by a token that a client of ours is given; never a token fetched in clear."""
        besides = (self.imap_client_id, self.imap_client_secret_file, self.imap_scope)
        if self.imap_token_url is None:
            return not any(besides)
        host = urlsplit(self.imap_token_url)
        is_tls = host.scheme == "https" or (
            host.netloc in self.fetch_development_hosts and not self.is_production
        )
        return is_tls and all(besides) and self.imap_password_file is None

    def _names_mesh(self) -> bool:
        """All that it needs, or nothing of it; without TLS on this machine alone, in development."""
        named = (self.mesh_mailbox, self.mesh_workflow, self.mesh_password_file, self.mesh_shared_key_file)
        certified = (self.mesh_cert_file, self.mesh_key_file)
        if self.mesh_url is None:
            return not any((*named, *certified))
        url = urlsplit(self.mesh_url)
        is_here = not self.is_production and url.scheme == "http" and url.hostname in LOOPBACK
        return all(named) and (is_here or (url.scheme == "https" and all(certified)))

    def _names_a_provider(self) -> bool:
        """All that sign-in needs, or nothing of it; without TLS on this machine alone, in development."""
        if self.oidc_issuer is None:
            return self.oidc_client_id is None and self.oidc_roles_claim is None
        url = urlsplit(self.oidc_issuer)
        is_here = not self.is_production and url.hostname in LOOPBACK
        is_sound = bool(url.hostname) and not url.query and not url.fragment
        is_tls = url.scheme == "https" or (url.scheme == "http" and is_here)
        gives_roles = all("=" in each for each in self.oidc_roles)
        has_roles = (self.oidc_roles_claim is None) == (not self.oidc_roles)
        return is_sound and is_tls and bool(self.oidc_client_id) and gives_roles and has_roles

    def _is_behind_a_proxy(self) -> bool:
        """Nobody but a proxy that ends TLS and knows the secret can hand on a certificate."""
        is_other = self.mtls_url not in (self.public_url, self.console_url)
        is_tls = urlsplit(self.mtls_url or "").scheme == "https"
        return is_other and is_tls and self.listen.startswith("unix:") and self.proxy_secret_file is not None

    def _keys_are_apart(self) -> Finding:
        """In one database with the book, a back-up of it would keep erased incidents readable for as long as it lasts."""
        apart = self.keys_book_url != self.book_url
        advice = "set GATEWAY_CUSTODY_URL to a database of its own, with a short back-up retention of its own"
        return Finding(
            "data keys and book are apart", apart, "" if apart else advice, self.is_production and not apart
        )

    def _private(self, name: str, forbidden: int) -> Finding:
        """No access for those in `forbidden` (permission bits). What is not there yet harms nobody."""
        path: Path | None = getattr(self, name)
        try:
            sound = path is None or not stat.S_IMODE(path.stat().st_mode) & forbidden
        except FileNotFoundError:
            sound = True
        except OSError:
            sound = False
        return _must(
            f"{PREFIX}{name.upper()} is private",
            sound,
            f"others on this machine can read it, or you cannot: chmod {'go=' if forbidden == 0o077 else 'o='} it",
        )

    def _private_keys(self) -> Finding:
        """Every private key in the keys directory, retired ones too; certificates and schedules say nothing secret."""
        try:
            found = [path for kind in PRIVATE_KEYS for path in self.keys_dir.glob(kind)]
            loose = sorted(path.name for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077)
        except OSError:
            loose = []  # the check of the directory itself says so
        advice = f"others on this machine can read {', '.join(loose)}: chmod go= each"
        return _must("every key is private to its owner", not loose, advice)

    def _checks_of_production(self) -> Iterator[Finding]:
        yield _must(
            "system clock", self.clock == "system", "production runs on the system clock: unset GATEWAY_CLOCK"
        )
        yield _must(
            "no development keys",
            not any(self.keys_dir.glob(f"*/{DEVELOPMENT_PREFIX}*")),
            "GATEWAY_KEYS_DIR holds keys made for development: make others with `gateway init --production`",
        )
        yield _must(
            "partners reach the gateway over TLS",
            all(urlsplit(url).scheme == "https" for url in (self.public_url, self.console_url) if url),
            "GATEWAY_PUBLIC_URL and GATEWAY_CONSOLE_URL begin with https:// in production",
        )
        yield _must(
            "the listener is a socket or has a certificate",
            self.listen.startswith("unix:") or self.tls_cert_file is not None,
            "listen on unix:/path behind the TLS proxy, or set GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE",
        )
        yield _must(
            "nothing comes round the proxy",
            not self.listen.startswith("unix:") or self.proxy_secret_file is not None,
            "set GATEWAY_PROXY_SECRET_FILE, and have the proxy send it: see deploy/nginx.conf",
        )
        yield _must(
            "health and metrics stay inside",
            self.operator_listen.rpartition(":")[0] in LOOPBACK or self.operator_listen.startswith("unix:"),
            "GATEWAY_OPERATOR_LISTEN is a loopback address or a socket",
        )
        yield from self._checks_of_others_in_production()

    def _checks_of_others_in_production(self) -> Iterator[Finding]:
        yield _must(
            "fetches go to public hosts over TLS only",
            not self.fetch_development_hosts,
            "production has no development hosts: unset GATEWAY_FETCH_DEVELOPMENT_HOSTS",
        )
        yield _must(
            "witnesses are asked over TLS",
            all(" https://" in one for one in self.witnesses),
            "an address in GATEWAY_WITNESSES begins with https:// in production: a stranger could see the log grow",
        )
        yield _must(
            "the deployment has a name of its own",
            not self.issuer.endswith((".example", "localhost")),
            "set GATEWAY_ISSUER to the name that stands in receipts, a domain of yours",
        )
        yield _must(
            "the trusted mail server is named",
            self.imap_url is None or self.mail_authserv_id is not None,
            "without GATEWAY_MAIL_AUTHSERV_ID no e-mail can be found authentic",
        )
        is_checked = self.imap_url is None or self.mail_resolver is not None
        advice = "set GATEWAY_MAIL_RESOLVER to system: a second check of DKIM can only lower what the mail server says"
        yield Finding("senders' signatures are checked again", is_checked, "" if is_checked else advice)

    # --- listing

    def listing(self) -> list[Listed]:
        """Every setting in the order of this file, its value without secrets and where it came from."""
        origins, file = _origins(), settings_file()
        where: Origin = "environment" if os.environ.get(FILE_VARIABLE) else "default"
        return [
            Listed(FILE_VARIABLE, "the settings file in force, if any", str(file or ""), where),
            *(
                Listed(
                    variable=PREFIX + name.upper(),
                    means=field.description or "",
                    value=_shown(getattr(self, name)),
                    origin=origins.get(name, "default"),
                )
                for name, field in type(self).model_fields.items()
            ),
        ]

    @classmethod
    def load(cls) -> Self:
        """The settings in force; SettingsUnreadable naming what to mend, without its value."""
        try:
            return cls()
        except ValidationError as fault:
            said = "; ".join(
                f"{PREFIX}{'_'.join(str(part) for part in error['loc']).upper()}: {error['msg']}"
                for error in fault.errors(include_input=False, include_context=False, include_url=False)
            )
            raise SettingsUnreadable(said) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            raise SettingsUnreadable("the settings file is not TOML") from None
        except OSError as fault:
            raise SettingsUnreadable(f"the settings file cannot be read ({fault.strerror})") from None


def settings_file() -> Path | None:
    """The settings file: as the environment names it (it must then be there), else the usual one if it is there."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        path = Path(named)
        if not path.is_file():
            raise SettingsUnreadable(f"{FILE_VARIABLE} names a file that is not there")
        return path
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """`GATEWAY_…` names in the environment that are no setting: slips of the pen, shown by `gateway doctor`."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {FILE_VARIABLE}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def _must(check: str, ok: bool, advice: str) -> Finding:
    return Finding(check, ok, "" if ok else advice, refuses=not ok)


def _origins() -> dict[str, Origin]:
    origins: dict[str, Origin] = {}
    if path := settings_file():
        origins.update(dict.fromkeys(tomllib.loads(path.read_text()), "file"))
    for name in Settings.model_fields:
        if os.environ.get(PREFIX + name.upper()):
            origins[name] = "environment"
    return origins


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(_without_credentials(str(word)) for word in value)
    return _without_credentials(str(value))


def _without_credentials(text: str) -> str:
    """An address without its password, user or query: credentials hide in each of them."""
    url = urlsplit(text)
    if not url.netloc:
        return text.partition("?")[0]
    host = url.netloc.rpartition("@")[2]
    return urlunsplit(SplitResult(url.scheme, host, url.path, "", ""))

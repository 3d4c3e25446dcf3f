"""Every setting of one deployment: typed, its unit in its name, safe when absent.

A setting comes from the environment (`GATEWAY_<NAME>`), else from the settings file (TOML: `GATEWAY_SETTINGS_FILE`, or
`var/gateway.toml` when that is there), else it has its default. An unknown name in the file is refused. Invariant:
neither an error nor a listing shows the value of a secret; passwords stand in files of their own and never in a setting.

`settings.checks` says what is unsafe together, and `settings.listing` shows every setting with its origin.
"""

from __future__ import annotations

import os
import tomllib
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
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
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})

Mode = Literal["development", "production"]
Words = Annotated[tuple[str, ...], NoDecode]  # in the environment: separated by commas


class SettingsUnreadable(ValueError):
    """A setting is unknown or has an impossible value: names the setting and never shows the value."""


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
    listen: str = Field(
        "127.0.0.1:8443",
        description="host:port, or unix:/path behind a proxy that ends TLS; in development the port of a public_url on this machine",
    )
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
        32, description="deliveries that one worker carries at the same time, to one agency a quarter of them"
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
    attachments_at_once: PositiveInt = Field(
        4, description="attachments of one agency that may be on their way together: each holds the scanner"
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

    @model_validator(mode="before")
    @classmethod
    def _listens_where_it_is_called(cls, said: dict[str, Any]) -> dict[str, Any]:
        """In development a public address on this machine is where the gateway is: no proxy is expected before it."""
        url = urlsplit(str(said.get("public_url", "")))
        try:
            is_here = url.hostname in LOOPBACK_NAMES and url.port is not None
        except ValueError:  # a port that is none: the public address itself is refused
            is_here = False
        if said.get("mode") != "development" or "listen" in said or not is_here:
            return said
        host = "[::1]" if url.hostname == "::1" else "127.0.0.1"
        return {**said, "listen": f"{host}:{url.port}"}

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
    def wants_development_tls(self) -> bool:
        """Whether it calls itself https on this machine and nobody has a certificate: development makes one."""
        url = urlsplit(self.public_url)
        is_here = url.hostname in LOOPBACK_NAMES and self.listen.rpartition(":")[0] in LOOPBACK
        has_none = self.tls_cert_file is None and self.proxy_secret_file is None
        return not self.is_production and url.scheme == "https" and is_here and has_none

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


def is_set_up() -> bool:
    """Whether anybody has said anything here: without a file and without a variable there is nothing to go by."""
    return settings_file() is not None or any(name.startswith(PREFIX) for name in os.environ)

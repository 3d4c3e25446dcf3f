"""What is unsafe or incomplete in the settings taken together: one finding for each thing that was looked at.

Invariant: `serve` and `work` start only when `refusals` is empty, and `gateway doctor` shows every finding. Nothing here
shows the value of a secret. What only production demands stands last: development and demonstrations may do without.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.settings import LOOPBACK, PREFIX, Settings

PRIVATE_KEYS = ("*.key", "*/*.key", "receipts/*-*", "tokens/*-*", "log/*-*")
SECRET_FILES = (
    "_key_file",
    "_password_file",
    "_secret_file",
    "_pin_file",
)  # settings that name a file with a secret
DEVELOPMENT_PREFIX = "development-"  # as in keys.signing: the name of a key that was made for development
SIGNED_IN_A_MODULE = frozenset(["receipts", "log", "tokens"])


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` is one line; `refuses` means that nothing may be served."""

    check: str
    ok: bool
    advice: str
    refuses: bool = False


def check(settings: Settings) -> list[Finding]:
    """Everything that was looked at, sound or not. What `refuses` stops `serve` and `work`."""
    return [
        *_checks_of_every_mode(settings),
        *(_checks_of_production(settings) if settings.is_production else ()),
    ]


def refusals(settings: Settings) -> list[Finding]:
    """What is wrong and must be mended before anything is served; empty when `serve` and `work` may start."""
    return [finding for finding in check(settings) if finding.refuses and not finding.ok]


def _checks_of_every_mode(settings: Settings) -> Iterator[Finding]:
    yield _must(
        "one process on SQLite",
        not (settings.is_on_sqlite and settings.broker_url),
        "SQLite serves one process: set GATEWAY_DATABASE_URL to PostgreSQL for workers on a broker",
    )
    yield _keys_are_apart(settings)
    yield _named_files(settings)
    yield from _checks_of_doors(settings)
    yield from _checks_of_the_log(settings)
    yield from _checks_of_keys(settings)
    yield from _checks_of_sign_ins(settings)
    yield from _checks_of_alerts(settings)


def _checks_of_doors(settings: Settings) -> Iterator[Finding]:
    yield _must(
        "certificate and key go together",
        (settings.tls_cert_file is None) == (settings.tls_key_file is None),
        "set both GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE, or neither",
    )
    yield _must(
        "the console without TLS stays on this machine",
        settings.console_listen is None
        or (not settings.is_production and settings.console_listen.rpartition(":")[0] in LOOPBACK),
        "GATEWAY_CONSOLE_LISTEN is a loopback address, in development only: production serves it over TLS",
    )
    yield _must(
        "certificates are taken from the proxy alone",
        settings.mtls_url is None or _is_behind_a_proxy(settings),
        "GATEWAY_MTLS_URL begins with https:, and needs GATEWAY_LISTEN=unix:/path and GATEWAY_PROXY_SECRET_FILE",
    )


def _checks_of_the_log(settings: Settings) -> Iterator[Finding]:
    yield _must(
        "enough witnesses for the quorum",
        (settings.witness_quorum or 0) <= len(settings.witnesses),
        "GATEWAY_WITNESS_QUORUM is at most the number of GATEWAY_WITNESSES",
    )
    yield _must(
        "time-stamps can be checked",
        not settings.timestamp_urls
        or (
            len(settings.timestamp_urls) <= 2
            and bool(settings.timestamp_policies)
            and settings.timestamp_roots_file is not None
        ),
        "GATEWAY_TIMESTAMP_URLS names one or two, and needs _TIMESTAMP_ROOTS_FILE and _TIMESTAMP_POLICIES",
    )


def _checks_of_keys(settings: Settings) -> Iterator[Finding]:
    yield _private(settings, "keys_dir", 0o077)
    yield _private_keys(settings)
    hardware = (settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin_file)
    yield _must(
        "a hardware module is named whole",
        all(hardware) or not any(hardware),
        "set GATEWAY_PKCS11_MODULE, GATEWAY_PKCS11_TOKEN and GATEWAY_PKCS11_PIN_FILE, or none of them",
    )
    yield _must(
        "what a hardware module signs",
        not settings.pkcs11_signs or (all(hardware) and set(settings.pkcs11_signs) <= SIGNED_IN_A_MODULE),
        "GATEWAY_PKCS11_SIGNS names receipts, log or tokens, and needs GATEWAY_PKCS11_MODULE and its companions",
    )
    for name in Settings.model_fields:
        if name.endswith(SECRET_FILES):
            yield _private(settings, name, 0o007)


def _checks_of_sign_ins(settings: Settings) -> Iterator[Finding]:
    """Where the gateway signs in itself (mailbox, MESH), and who signs its officers in."""
    yield _must(
        "the mailbox is signed in to in one way",
        _signs_in_one_way(settings),
        "GATEWAY_IMAP_TOKEN_URL begins with https:, needs GATEWAY_IMAP_CLIENT_ID, GATEWAY_IMAP_CLIENT_SECRET_FILE and "
        "GATEWAY_IMAP_SCOPE, and takes the place of GATEWAY_IMAP_PASSWORD_FILE",
    )
    yield _must(
        "MESH is named whole",
        _names_mesh(settings),
        "GATEWAY_MESH_URL begins with https: and needs GATEWAY_MESH_MAILBOX, _WORKFLOW, _PASSWORD_FILE, _SHARED_KEY_FILE, "
        "_CERT_FILE and _KEY_FILE",
    )
    yield _must(
        "officers sign in at one provider, over TLS",
        _names_a_provider(settings),
        "GATEWAY_OIDC_ISSUER begins with https: and needs GATEWAY_OIDC_CLIENT_ID; GATEWAY_OIDC_ROLES_CLAIM needs "
        "GATEWAY_OIDC_ROLES: value=officer, value=manager",
    )


def _checks_of_alerts(settings: Settings) -> Iterator[Finding]:
    yield _must(
        "the unit's webhook is named whole",
        _names_a_webhook(settings),
        "GATEWAY_ALERT_WEBHOOK_URL begins with https: and needs GATEWAY_ALERT_WEBHOOK_SECRET_FILE",
    )
    yield _must(
        "somebody is told by day",
        _leaves_a_day(settings),
        "GATEWAY_ALERT_QUIET_UNTIL is a morning, GATEWAY_ALERT_QUIET_FROM an evening, six hours or more apart",
    )


def _names_a_webhook(settings: Settings) -> bool:
    """Address and secret, or neither; without TLS in development alone."""
    if settings.alert_webhook_url is None or settings.alert_webhook_secret_file is None:
        return settings.alert_webhook_url is None and settings.alert_webhook_secret_file is None
    url = urlsplit(settings.alert_webhook_url)
    is_tls = url.scheme == "https" or (url.scheme == "http" and not settings.is_production)
    return is_tls and bool(url.hostname) and url.username is None


def _leaves_a_day(settings: Settings) -> bool:
    """As `core.alerts.QuietHours.is_sound` asks of an officer's own."""
    starts, ends = settings.alert_quiet_from, settings.alert_quiet_until
    return starts == ends or (starts.hour - ends.hour) * 60 + starts.minute - ends.minute >= 360


def _signs_in_one_way(settings: Settings) -> bool:
    """By password, or by a token that a client of ours is given; never a token fetched in clear."""
    besides = (settings.imap_client_id, settings.imap_client_secret_file, settings.imap_scope)
    if settings.imap_token_url is None:
        return not any(besides)
    host = urlsplit(settings.imap_token_url)
    is_tls = host.scheme == "https" or (
        host.netloc in settings.fetch_development_hosts and not settings.is_production
    )
    return is_tls and all(besides) and settings.imap_password_file is None


def _names_mesh(settings: Settings) -> bool:
    """All that it needs, or nothing of it; without TLS on this machine alone, in development."""
    named = (
        settings.mesh_mailbox,
        settings.mesh_workflow,
        settings.mesh_password_file,
        settings.mesh_shared_key_file,
    )
    certified = (settings.mesh_cert_file, settings.mesh_key_file)
    if settings.mesh_url is None:
        return not any((*named, *certified))
    url = urlsplit(settings.mesh_url)
    is_here = not settings.is_production and url.scheme == "http" and url.hostname in LOOPBACK
    return all(named) and (is_here or (url.scheme == "https" and all(certified)))


def _names_a_provider(settings: Settings) -> bool:
    """All that sign-in needs, or nothing of it; without TLS on this machine alone, in development."""
    if settings.oidc_issuer is None:
        return settings.oidc_client_id is None and settings.oidc_roles_claim is None
    url = urlsplit(settings.oidc_issuer)
    is_here = not settings.is_production and url.hostname in LOOPBACK
    is_sound = bool(url.hostname) and not url.query and not url.fragment
    is_tls = url.scheme == "https" or (url.scheme == "http" and is_here)
    gives_roles = all("=" in each for each in settings.oidc_roles)
    has_roles = (settings.oidc_roles_claim is None) == (not settings.oidc_roles)
    return is_sound and is_tls and bool(settings.oidc_client_id) and gives_roles and has_roles


def _is_behind_a_proxy(settings: Settings) -> bool:
    """Nobody but a proxy that ends TLS and knows the secret can hand on a certificate."""
    is_other = settings.mtls_url not in (settings.public_url, settings.console_url)
    is_tls = urlsplit(settings.mtls_url or "").scheme == "https"
    return (
        is_other and is_tls and settings.listen.startswith("unix:") and settings.proxy_secret_file is not None
    )


def _keys_are_apart(settings: Settings) -> Finding:
    """In one database with the book, a back-up of it would keep erased incidents readable for as long as it lasts."""
    apart = settings.keys_book_url != settings.book_url
    advice = "set GATEWAY_CUSTODY_URL to a database of its own, with a short back-up retention of its own"
    return Finding(
        "data keys and book are apart", apart, "" if apart else advice, settings.is_production and not apart
    )


def _named_files(settings: Settings) -> Finding:
    """What is not there yet stops no other command: the guide names a file before it makes it."""
    files = (name for name in type(settings).model_fields if name.endswith(("_file", "_crl_dir")))
    named = {name: path for name in files if (path := getattr(settings, name)) is not None}
    missing = [f"{PREFIX}{name.upper()} ({path})" for name, path in named.items() if not os.path.exists(path)]
    advice = f"not there, or not for this account to read: {', '.join(missing)}" if missing else ""
    return Finding("every file that a setting names is there", not missing, advice)


def _private(settings: Settings, name: str, forbidden: int) -> Finding:
    """No access for those in `forbidden` (permission bits). What is not there yet harms nobody."""
    path: Path | None = getattr(settings, name)
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


def _private_keys(settings: Settings) -> Finding:
    """Every private key in the keys directory, retired ones too; certificates and schedules say nothing secret."""
    try:
        found = [path for kind in PRIVATE_KEYS for path in settings.keys_dir.glob(kind)]
        loose = sorted(path.name for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        loose = []  # the check of the directory itself says so
    advice = f"others on this machine can read {', '.join(loose)}: chmod go= each"
    return _must("every key is private to its owner", not loose, advice)


def _checks_of_production(settings: Settings) -> Iterator[Finding]:
    yield _must(
        "system clock", settings.clock == "system", "production runs on the system clock: unset GATEWAY_CLOCK"
    )
    yield _must(
        "no development keys",
        not any(settings.keys_dir.glob(f"*/{DEVELOPMENT_PREFIX}*")),
        "GATEWAY_KEYS_DIR holds keys made for development: make others with `gateway init --production`",
    )
    yield _must(
        "partners reach the gateway over TLS",
        all(urlsplit(url).scheme == "https" for url in (settings.public_url, settings.console_url) if url),
        "GATEWAY_PUBLIC_URL and GATEWAY_CONSOLE_URL begin with https:// in production",
    )
    yield _must(
        "the listener is a socket or has a certificate",
        settings.listen.startswith("unix:") or settings.tls_cert_file is not None,
        "listen on unix:/path behind the TLS proxy, or set GATEWAY_TLS_CERT_FILE and GATEWAY_TLS_KEY_FILE",
    )
    yield _must(
        "nothing comes round the proxy",
        not settings.listen.startswith("unix:") or settings.proxy_secret_file is not None,
        "set GATEWAY_PROXY_SECRET_FILE, and have the proxy send it: see deploy/nginx.conf",
    )
    yield _must(
        "health and metrics stay inside",
        settings.operator_listen.rpartition(":")[0] in LOOPBACK
        or settings.operator_listen.startswith("unix:"),
        "GATEWAY_OPERATOR_LISTEN is a loopback address or a socket",
    )
    yield from _checks_of_production_with_others(settings)


def _checks_of_production_with_others(settings: Settings) -> Iterator[Finding]:
    yield _must(
        "fetches go to public hosts over TLS only",
        not settings.fetch_development_hosts,
        "production has no development hosts: unset GATEWAY_FETCH_DEVELOPMENT_HOSTS",
    )
    yield _must(
        "witnesses are asked over TLS",
        all(" https://" in one for one in settings.witnesses),
        "an address in GATEWAY_WITNESSES begins with https:// in production: a stranger could see the log grow",
    )
    yield _must(
        "the deployment has a name of its own",
        not settings.issuer.endswith((".example", "localhost")),
        "set GATEWAY_ISSUER to the name that stands in receipts, a domain of yours",
    )
    yield _must(
        "the trusted mail server is named",
        settings.imap_url is None or settings.mail_authserv_id is not None,
        "without GATEWAY_MAIL_AUTHSERV_ID no e-mail can be found authentic",
    )
    is_checked = settings.imap_url is None or settings.mail_resolver is not None
    advice = (
        "set GATEWAY_MAIL_RESOLVER to system: a second check of DKIM can only lower what the mail server says"
    )
    yield Finding("senders' signatures are checked again", is_checked, "" if is_checked else advice)


def _must(check: str, ok: bool, advice: str) -> Finding:
    return Finding(check, ok, "" if ok else advice, refuses=not ok)

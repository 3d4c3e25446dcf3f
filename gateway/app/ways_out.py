"""What goes out: the registry of ways out, and whatever else asks somebody over the network."""

from __future__ import annotations

import ssl
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from adapters.fetch import Fetcher, FetchFailed
from adapters.inbox import InboxAdapter
from adapters.key_sets import TOTAL_SECONDS as KEY_SET_SECONDS
from adapters.key_sets import fetch_key_set
from adapters.mail.connections import is_there, relay_from_url
from adapters.notary import TOTAL_SECONDS as NOTARY_SECONDS
from adapters.notary import ask_notary
from adapters.scanner import ClamdScanner
from adapters.webhook import UnitWebhook, WebhookAdapter, decode_secret
from gateway.app.correspondence import mail_adapter
from gateway.core.deliveries import Adapter
from gateway.core.errors import Misconfigured
from gateway.core.notaries import AskNotary, Told
from gateway.core.published_keys import Fetched
from gateway.ledger.anchoring import Notaries, read_witness
from gateway.ledger.verify import NOBODY_STAMPS, read_stampers
from gateway.parts import CheckAddress, Clock, FarEnd, FetchKeys
from gateway.settings import Settings

REACH_SECONDS = 3.0  # longest time to find out whether a far end answers
ADDRESS_SECONDS = 5.0  # longest time to find out where an address leads


def adapters_of(settings: Settings, clock: Clock) -> dict[str, Adapter]:
    """The registry of ways out. A way that is not set up is absent, and the rules' check says so."""
    fetcher = fetcher_of(settings, settings.webhook_timeout_seconds)
    found: dict[str, Adapter] = {
        "inbox": InboxAdapter(),
        "webhook": WebhookAdapter(fetcher, clock, settings.public_url),
    }
    if settings.smtp_url:
        found["mail"] = mail_adapter(settings, clock)
    if settings.alert_webhook_url:
        found[UnitWebhook.name] = _unit_webhook(settings, settings.alert_webhook_url, clock)
    if settings.mesh_url:
        found["mesh"] = _mesh_adapter(settings, settings.mesh_url)
    return found


def _unit_webhook(settings: Settings, url: str, clock: Clock) -> Adapter:
    """Its host stands in the settings, so it may be inside."""
    assert settings.alert_webhook_secret_file is not None  # the settings are checked: both or neither
    try:
        secret = settings.alert_webhook_secret_file.read_text("ascii").strip()
        decode_secret(secret)
    except (OSError, ValueError):
        detail = "GATEWAY_ALERT_WEBHOOK_SECRET_FILE holds no secret: whsec_ and base64 of 24 to 64 bytes"
        raise Misconfigured(detail) from None
    tls = _trusted(settings.fetch_ca_file)
    hosts = (urlsplit(url).netloc.lower(),)
    fetcher = Fetcher(tls=tls, development_hosts=hosts, total_seconds=settings.webhook_timeout_seconds)
    return UnitWebhook(fetcher, clock, settings.public_url, url, secret)


def _mesh_adapter(settings: Settings, url: str) -> Adapter:
    """Loaded only where it is set up: few deployments have it, and its client takes a while to import."""
    from adapters.mesh import Account, MeshAdapter

    assert settings.mesh_mailbox is not None  # the settings are checked: it is named whole
    assert settings.mesh_workflow is not None
    assert settings.mesh_password_file is not None
    assert settings.mesh_shared_key_file is not None
    pair = (settings.mesh_cert_file, settings.mesh_key_file)
    return MeshAdapter(
        Account(
            url,
            settings.mesh_mailbox,
            settings.mesh_workflow,
            settings.mesh_password_file,
            settings.mesh_shared_key_file,
            (str(pair[0]), str(pair[1])) if all(pair) else None,
            str(settings.mesh_ca_file) if settings.mesh_ca_file else None,
            settings.mesh_timeout_seconds,
        )
    )


def scanner_of(settings: Settings) -> ClamdScanner | None:
    if settings.scanner_url is None:
        return None
    return ClamdScanner(settings.scanner_url, settings.scanner_timeout_seconds)


def fetcher_of(settings: Settings, total_seconds: float) -> Fetcher:
    tls = _trusted(settings.fetch_ca_file)
    hosts = settings.fetch_development_hosts
    return Fetcher(tls=tls, development_hosts=hosts, total_seconds=total_seconds)


def _trusted(authorities: Path | None) -> ssl.SSLContext | None:
    """TLS that trusts the authorities in a file; None: those of this machine, which the fetcher looks for when it first calls."""
    return ssl.create_default_context(cafile=str(authorities)) if authorities else None


def key_fetcher(settings: Settings) -> FetchKeys:
    """Looks at clients' key sets; so seldom that no connection is kept open between two looks."""

    async def fetch(address: str) -> Fetched:
        fetcher = fetcher_of(settings, KEY_SET_SECONDS)
        try:
            return await fetch_key_set(fetcher, address)
        finally:
            await fetcher.aclose()

    return fetch


def far_ends_of(settings: Settings) -> dict[str, FarEnd]:
    """What `/readyz` asks after, besides the databases."""
    found: dict[str, FarEnd] = {}
    if settings.scanner_url:
        found["scanner"] = ClamdScanner(settings.scanner_url, REACH_SECONDS).is_there
    if settings.smtp_url:
        relay = replace(relay_from_url(settings.smtp_url), timeout_seconds=REACH_SECONDS)
        found["mail"] = partial(is_there, relay)
    return found


def address_checker(settings: Settings) -> CheckAddress:
    async def check(address: str) -> str | None:
        try:
            await fetcher_of(settings, ADDRESS_SECONDS).check(address)
        except FetchFailed as failed:
            return failed.reason
        return None

    return check


def notaries_of(settings: Settings) -> Notaries:
    """Who confirms the log; Misconfigured when a setting about them cannot be read."""
    roots = _roots(settings.timestamp_roots_file)
    try:
        witnesses = tuple(read_witness(one) for one in settings.witnesses)
    except ValueError:
        raise Misconfigured(
            "GATEWAY_WITNESSES: each is a witness's key, a space and its address (`gateway witness show` prints it)"
        ) from None
    try:
        stampers = (
            read_stampers(roots, settings.timestamp_policies) if settings.timestamp_urls else NOBODY_STAMPS
        )
    except ValueError:
        raise Misconfigured(
            "GATEWAY_TIMESTAMP_ROOTS_FILE holds certificates (PEM) and GATEWAY_TIMESTAMP_POLICIES object identifiers"
        ) from None
    return Notaries(witnesses, settings.quorum, settings.timestamp_urls, stampers, roots)


def _roots(file: Path | None) -> str:
    try:
        return "" if file is None else file.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured("GATEWAY_TIMESTAMP_ROOTS_FILE cannot be read") from None


def notary_of(settings: Settings, notaries: Notaries) -> AskNotary:
    """Asks witnesses and authorities; their hosts stand in the settings, so they may be inside (see `adapters.notary`)."""
    addresses = [*(one.url for one in notaries.witnesses), *notaries.stamp_urls]
    hosts = tuple(urlsplit(address).netloc.lower() for address in addresses)
    tls = _trusted(settings.fetch_ca_file)

    async def ask(address: str, content: bytes | None, media_type: str) -> Told:
        fetcher = Fetcher(tls=tls, development_hosts=hosts, total_seconds=NOTARY_SECONDS)
        try:
            return await ask_notary(fetcher, address, content, media_type)
        finally:
            await fetcher.aclose()

    return ask

"""The composition root: settings become parts. The only file that names adapters.

Also the only place where the time is read: every other room is given the clock.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from email.utils import parseaddr
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import structlog

from adapters.fetch import Fetcher, FetchFailed
from adapters.inbox import InboxAdapter
from adapters.key_sets import TOTAL_SECONDS as KEY_SET_SECONDS
from adapters.key_sets import fetch_key_set
from adapters.mail.access import AccessTokens, ClientCredentials
from adapters.mail.composing import compose_letter
from adapters.mail.connections import Relay, is_there, relay_from_url
from adapters.mail.dkim_records import records_of, resolver
from adapters.mail.findings import Expected, Vouching
from adapters.mail.letter import Correspondence
from adapters.mail.mailbox import Account, Mailbox, RawMail, account_from_url, hand_over, watch
from adapters.mail.policy import Policy, PolicyUnreadable, read_policy
from adapters.mail.reading import read_files, read_mail
from adapters.mail.sending import MailAdapter, Manner
from adapters.mail.signed import revocation_lists
from adapters.notary import TOTAL_SECONDS as NOTARY_SECONDS
from adapters.notary import ask_notary
from adapters.scanner import ClamdScanner
from adapters.webhook import UnitWebhook, WebhookAdapter, decode_secret
from gateway.core.deliveries import Adapter, Letter, Posted
from gateway.core.errors import Misconfigured, Unavailable, place_of
from gateway.core.notaries import AskNotary, Told
from gateway.core.published_keys import Fetched
from gateway.core.replies import MailExpected, MailFile, MailReading
from gateway.dispatch import intake, mesh_intake
from gateway.ledger.anchoring import Notaries, read_witness
from gateway.ledger.verify import NOBODY_STAMPS, read_stampers
from gateway.moving_clock import MovingClock
from gateway.parts import CheckAddress, Clock, Compose, FarEnd, FetchKeys, Partnerships, Parts, ReadMailFiles
from gateway.settings import Settings
from gateway.store import mail as mail_rows
from gateway.store import tables
from gateway.store.transaction import Store, Tx
from keys import outside
from keys.hardware import HardwareHome, ModuleTrouble
from keys.letters import LetterKeys, load_letter_keys
from keys.live import LiveRing
from keys.opening import MailKeys, load_mail_keys

if TYPE_CHECKING:
    from adapters.mesh import MeshAdapter

MAILBOX, MESH = "mailbox", "mesh"
REACH_SECONDS = 3.0  # longest time to find out whether a far end answers
ADDRESS_SECONDS = 5.0  # longest time to find out where an address leads
TOKEN_SECONDS = 15.0  # longest time for one token of the mailbox's authorization server

_log = structlog.get_logger()


def system_clock() -> datetime:
    """The time now, aware UTC."""
    return datetime.now(UTC)


def clock_of(settings: Settings) -> Clock:
    """The system's clock, or in development one that can be moved."""
    if settings.clock == "development" and not settings.is_production:
        return MovingClock(settings.var_dir / "clock", system_clock)
    return system_clock


def local_today() -> date:
    return datetime.now(ZoneInfo("Europe/London")).date()


def build_parts(settings: Settings, clock: Clock | None = None) -> Parts:
    """Open keys, stores and adapters; Misconfigured with one line when something is unsafe or missing."""
    _log_to_standard_error()
    clock = clock or clock_of(settings)
    refusals = settings.refusals()
    if refusals:
        raise Misconfigured(f"{refusals[0].check}: {refusals[0].advice}")
    try:
        ring = LiveRing(settings.keys_dir, clock, home_of(settings))
    except ModuleTrouble as fault:
        raise Misconfigured(str(fault)) from None
    except (OSError, ValueError, KeyError):
        raise Misconfigured(f"no usable keys in {settings.keys_dir}: run `gateway init`") from None
    if ring.now().are_for_development:
        _log.warning(
            "keys.for_development",
            advice="anyone who can read them can forge receipts; never use them for real",
        )
    adapters = _adapters(settings, clock)  # what refuses to be set up does so before anything is opened
    notaries = notaries_of(settings)
    book = Store.open(
        settings.book_url,
        tables.book,
        queue_limit=settings.store_queue_length,
        writers=settings.store_connections,
    )
    if ring.home is not None:
        book.signing = _sign_outside
    custody_store = Store.open(
        settings.keys_book_url, tables.custody, queue_limit=settings.store_queue_length, readers=1
    )
    return Parts(
        settings=settings,
        clock=clock,
        store=book,
        custody=custody_store,
        ring=ring,
        partnerships=Partnerships(book, clock),
        adapters=adapters,
        compose=_composer(ring),
        read_mail=_mail_reader(settings),
        read_mail_files=_mail_file_reader(settings),
        scan=_scanner(settings),
        fetch_keys=_key_fetcher(settings),
        check_address=_address_checker(settings),
        far_ends=_far_ends(settings),
        notaries=notaries,
        ask_notary=_notary(settings, notaries),
    )


async def _sign_outside(transact: Callable[..., Awaitable[Any]], fn: Callable[[Tx], Any]) -> Any:
    """What a hardware module signs is signed between two runs of the transaction; Unavailable while it does not answer."""
    try:
        return await outside.signing_outside(transact, fn)
    except ModuleTrouble as fault:
        _log.error("module.trouble", advice=str(fault))
        raise Unavailable("the hardware module does not sign") from None
    except outside.NeverTheSame:
        raise Unavailable("too much happens at once to sign it") from None


def home_of(settings: Settings) -> HardwareHome | None:
    """The hardware module that is the master key's home; None: `master.key` is a file like any other."""
    module, token, pin_file = settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin_file
    signs = frozenset(settings.pkcs11_signs)
    return HardwareHome(module, token, pin_file, signs) if module and token and pin_file else None


def _log_to_standard_error() -> None:
    """One JSON line a fact on standard error: standard output belongs to what a command answers."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: structlog.WriteLogger(
            sys.stderr
        ),  # a line in one write: processes share it
    )


async def close(parts: Parts) -> None:
    for adapter in parts.adapters.values():
        await adapter.aclose()
    await parts.store.aclose()
    await parts.custody.aclose()


def _adapters(settings: Settings, clock: Clock) -> dict[str, Adapter]:
    """The registry of ways out. A way that is not set up is absent, and the rules' check says so."""
    fetcher = _fetcher(settings, settings.webhook_timeout_seconds)
    found: dict[str, Adapter] = {
        "inbox": InboxAdapter(),
        "webhook": WebhookAdapter(fetcher, clock, settings.public_url),
    }
    if settings.smtp_url:
        found["mail"] = _mail_adapter(settings, clock)
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
    tls = ssl.create_default_context(cafile=str(settings.fetch_ca_file) if settings.fetch_ca_file else None)
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


def _scanner(settings: Settings) -> ClamdScanner | None:
    if settings.scanner_url is None:
        return None
    return ClamdScanner(settings.scanner_url, settings.scanner_timeout_seconds)


def _fetcher(settings: Settings, total_seconds: float) -> Fetcher:
    tls = _trusted(settings.fetch_ca_file)
    hosts = settings.fetch_development_hosts
    return Fetcher(tls=tls, development_hosts=hosts, total_seconds=total_seconds)


def _trusted(authorities: Path | None) -> ssl.SSLContext:
    """TLS that trusts the authorities in a file, or those of this machine."""
    return ssl.create_default_context(cafile=str(authorities)) if authorities else _trusted_by_the_machine()


@cache
def _trusted_by_the_machine() -> ssl.SSLContext:
    """Read once: it takes longer than anything else at the start."""
    return ssl.create_default_context()


def _key_fetcher(settings: Settings) -> FetchKeys:
    """Looks at clients' key sets; so seldom that no connection is kept open between two looks."""

    async def fetch(address: str) -> Fetched:
        fetcher = _fetcher(settings, KEY_SET_SECONDS)
        try:
            return await fetch_key_set(fetcher, address)
        finally:
            await fetcher.aclose()

    return fetch


def _far_ends(settings: Settings) -> dict[str, FarEnd]:
    """What `/readyz` asks after, besides the databases."""
    found: dict[str, FarEnd] = {}
    if settings.scanner_url:
        found["scanner"] = ClamdScanner(settings.scanner_url, REACH_SECONDS).is_there
    if settings.smtp_url:
        relay = replace(relay_from_url(settings.smtp_url), timeout_seconds=REACH_SECONDS)
        found["mail"] = partial(is_there, relay)
    return found


def _address_checker(settings: Settings) -> CheckAddress:
    async def check(address: str) -> str | None:
        try:
            await _fetcher(settings, ADDRESS_SECONDS).check(address)
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


def _notary(settings: Settings, notaries: Notaries) -> AskNotary:
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


def _mail_adapter(settings: Settings, clock: Clock) -> MailAdapter:
    if not settings.mail_domain or not settings.mail_from:
        raise Misconfigured("GATEWAY_SMTP_URL needs GATEWAY_MAIL_DOMAIN and GATEWAY_MAIL_FROM besides")
    policy = mail_policy(settings)
    manner = Manner(
        policy,
        letter_keys(settings),
        {
            mail_class: _relay(settings, rules.relay_url, rules.relay_password_file, rules.relay_ca_file)
            for mail_class, rules in policy.rules.items()
            if rules.relay_url is not None
        },
        clock,
        settings.smtp_connections,
    )
    relay = _relay(settings, settings.smtp_url or "", settings.smtp_password_file, settings.smtp_ca_file)
    return MailAdapter(relay, correspondence(settings), manner)


def correspondence(settings: Settings) -> Correspondence:
    """Our own side of every letter."""
    name, address = parseaddr(settings.mail_from or "")
    return Correspondence(settings.mail_domain or "", address, name or settings.mail_from_name)


def mail_policy(settings: Settings) -> Policy:
    """How e-mail may leave; Misconfigured where the file is not sound."""
    try:
        return read_policy(settings.mail_policy_file) if settings.mail_policy_file else Policy()
    except PolicyUnreadable as fault:
        raise Misconfigured(f"GATEWAY_MAIL_POLICY_FILE: {fault}") from None


def letter_keys(settings: Settings) -> LetterKeys:
    """The keys that sign our e-mail; Misconfigured where they cannot be used."""
    try:
        return load_letter_keys(settings.keys_dir)
    except (OSError, ValueError) as fault:
        raise Misconfigured(f"the keys that sign e-mail cannot be used: {fault}") from None


def _relay(settings: Settings, url: str, password_file: Path | None, ca_file: Path | None) -> Relay:
    relay = relay_from_url(_with_password(url, password_file), str(ca_file) if ca_file else None)
    return replace(relay, timeout_seconds=settings.smtp_timeout_seconds)


def _mail_reader(settings: Settings) -> Callable[[bytes, MailExpected], MailReading]:
    """The mail reader with this deployment's trusted server; see `adapters.mail.reading`."""
    keys, expected_by = _mail_keys(settings), _vouching(settings)

    def read(raw: bytes, expected: MailExpected) -> MailReading:
        reading = read_mail(raw, expected_by(raw, expected), keys)
        contract = reading.contract()
        answers = contract["answers"]
        return MailReading(
            reading.kind.value,
            reading.verdict.value,
            reading.reference,
            reading.token,
            answers if isinstance(answers, dict) else {},
            reading.flags,
            reading.reasons,
            {
                **contract,
                "sender": reading.sender,
                "opened_text": reading.opened_text,
                "delivery": reading.delivery and asdict(reading.delivery),
                "rests_on": dict(reading.rests_on),
                "proposals": [asdict(one) for one in reading.proposals],
            },
            reading.sender,
            reading.vouched_by,
            tuple(MailFile(place, **asdict(file)) for place, file in enumerate(reading.attachments)),
            reading.says_more,
        )

    return read


def _mail_file_reader(settings: Settings) -> ReadMailFiles:
    keys, expected_by = _mail_keys(settings), _vouching(settings)
    return lambda raw: read_files(raw, expected_by(raw, MailExpected()), keys)


def _mail_keys(settings: Settings) -> MailKeys:
    try:
        return load_mail_keys(settings.keys_dir)
    except (OSError, ValueError) as fault:
        raise Misconfigured(f"no usable keys for encrypted mail in {settings.keys_dir}: {fault}") from None


def _vouching(settings: Settings) -> Callable[[bytes, MailExpected], Expected]:
    """What the reader is told besides: the trusted server, the senders' DKIM keys, the authorities of S/MIME."""
    look_up = resolver(settings.mail_resolver) if settings.mail_resolver else None
    roots = settings.mail_smime_roots_file

    def expected_by(raw: bytes, expected: MailExpected) -> Expected:
        return Expected(
            enrolled=expected.enrolled,
            authserv_id=settings.mail_authserv_id,
            stamped_below=settings.mail_stamped_below,
            envelope_to=expected.envelope_to,
            letters=expected.letters,
            form=expected.form,
            vouching=Vouching(
                needs_signature=True,
                dkim_records=records_of(raw, look_up) if look_up else None,
                smime_roots=roots.read_text("ascii") if roots else None,
                smime_revocations=tuple(b64encode(one).decode() for one in _revocations(settings)),
            ),
        )

    return expected_by


def _revocations(settings: Settings) -> Iterator[bytes]:
    """Every list in the folder as it is now: a renewed or a new file counts for the next mail."""
    folder = settings.mail_smime_crl_dir
    for file in sorted(folder.glob("*.crl")) if folder else ():
        yield from revocation_lists(file.read_bytes())


def _composer(ring: LiveRing) -> Compose:
    """Letters with answer forms that this deployment knows again."""

    def compose(templates: Mapping[str, str], document: Mapping[str, Any], token: str | None) -> Letter:
        return compose_letter(templates, document, token, ring.now().form_mac)

    return compose


def ways_in_of(settings: Settings) -> frozenset[str]:
    """What must be read past a due instant before a silence is stated."""
    ways = {MAILBOX: settings.imap_url, MESH: settings.mesh_url}
    return frozenset(way for way, url in ways.items() if url)


def own_account(settings: Settings) -> Account:
    """The mailbox that replies come to; its password stands in a file of its own, read anew at each sign-in."""
    url = _with_password(settings.imap_url or "", settings.imap_password_file)
    account = account_from_url(url, str(settings.imap_ca_file) if settings.imap_ca_file else None)
    return replace(account, access_token=_access_tokens(settings)) if settings.imap_token_url else account


@cache
def _access_tokens(settings: Settings) -> AccessTokens:
    """One for each process, so that a token is fetched again only when it ends."""

    def credentials() -> ClientCredentials:
        file = settings.imap_client_secret_file
        return ClientCredentials(
            settings.imap_token_url or "",
            settings.imap_client_id or "",
            file.read_text("utf-8").strip() if file else "",
            settings.imap_scope or "",
        )

    return AccessTokens(credentials, lambda: _fetcher(settings, TOKEN_SECONDS))


async def read_mailbox_once(parts: Parts, account: Account) -> int:
    """Take everything that lies in the mailbox: store each mail, then mark it; how many came."""
    read_from = parts.clock()
    loop = asyncio.get_running_loop()

    def take_all() -> int:
        with Mailbox(account) as mailbox:
            return hand_over(mailbox, lambda found: _keep(parts, loop, found))

    taken = await asyncio.to_thread(take_all)
    await parts.store.transact(lambda tx: mail_rows.set_watermark(tx, MAILBOX, read_from))
    return taken


async def watch_mailbox(parts: Parts, stop: threading.Event) -> None:
    """Take what comes to the mailbox until `stop` is set: IDLE and a poll, on one connection, in a thread of its own."""
    settings, loop = parts.settings, asyncio.get_running_loop()

    def caught_up(read_until: datetime) -> None:
        moving = parts.store.transact(lambda tx: mail_rows.set_watermark(tx, MAILBOX, read_until))
        asyncio.run_coroutine_threadsafe(moving, loop).result()

    def trouble(reason: str) -> None:  # the mailbox is down: alarm, and no silence is stated meanwhile
        _log.error("mailbox.trouble", reason=reason)

    await asyncio.to_thread(
        watch,
        lambda: own_account(settings),
        lambda found: _keep(parts, loop, found),
        stop,
        clock=parts.clock,
        caught_up=caught_up,
        trouble=trouble,
        poll_seconds=settings.imap_interval_seconds,
        retry_seconds=settings.imap_interval_seconds,
    )


async def read_mesh_once(parts: Parts) -> int:
    """Take what lies in our MESH mailbox; each is acknowledged only once the gateway has it durably. How many there were."""
    from adapters.mesh import MeshAdapter, MeshFailed

    adapter, read_from = parts.adapter(MESH), parts.clock()
    assert isinstance(adapter, MeshAdapter)
    try:
        found = await adapter.arrived()
        for posted in found:
            await _take_one(parts, adapter, posted)
        await mesh_intake.note_collected(parts, adapter.is_collected)
    except MeshFailed as failed:
        _log.error("mesh.trouble", reason=failed.reason)
        return 0
    if not found:
        await parts.store.transact(lambda tx: mail_rows.set_watermark(tx, MESH, read_from))
    return len(found)


async def _take_one(parts: Parts, adapter: MeshAdapter, posted: Posted) -> None:
    """One item: durable, answered, then acknowledged. A fault of ours leaves it at MESH and stops none behind it."""
    try:
        answer = await mesh_intake.take_posted(parts, posted)
    except Unavailable:
        raise
    except Exception as fault:
        _log.error("mesh.fault", item=posted.id, fault=type(fault).__name__, where=place_of(fault))
        return
    if answer is None or await adapter.answer(posted.sender, answer, f"answer-{posted.id}"):
        await adapter.acknowledge(posted.id)


async def watch_mesh(parts: Parts) -> None:
    """Read our MESH mailbox again and again until cancelled; at once while something lay there."""
    while True:
        try:
            found = await read_mesh_once(parts)
        except (
            Exception
        ) as fault:  # one message that cannot be taken stays at MESH; the rest goes on next time
            _log.error("mesh.fault", fault=type(fault).__name__, where=place_of(fault))
            found = 0
        if not found:
            await asyncio.sleep(parts.settings.mesh_interval_seconds)


def _keep(parts: Parts, loop: asyncio.AbstractEventLoop, found: RawMail) -> None:
    """Make one mail durable, from the mailbox's thread; returns when it is."""
    coming = intake.keep(
        parts,
        MAILBOX,
        found.raw,
        envelope_to=None,
        arrived_at=found.arrived_at,
        uidvalidity=found.uidvalidity,
        uid=found.uid,
    )
    asyncio.run_coroutine_threadsafe(coming, loop).result()


def _with_password(url: str, password_file: Path | None) -> str:
    """The URL with the password from its file, percent-encoded as the name in it is already; held in memory only."""
    if password_file is None:
        return url
    parts = urlsplit(url)
    secret = quote(password_file.read_text("utf-8").strip(), safe="")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{secret}@{host}"))

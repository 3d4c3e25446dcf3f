"""Letters and replies: our own side of them, the keys and rules they leave by, and the reader of what comes back."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from adapters.mail.composing import compose_letter
from adapters.mail.connections import Relay, relay_from_url
from adapters.mail.dkim_records import records_of, resolver
from adapters.mail.findings import Expected, Vouching
from adapters.mail.letter import Correspondence
from adapters.mail.policy import Policy, PolicyUnreadable, read_policy
from adapters.mail.reading import read_files, read_mail
from adapters.mail.sending import MailAdapter, Manner
from adapters.mail.signed import revocation_lists
from gateway.core.deliveries import Letter
from gateway.core.errors import Misconfigured
from gateway.core.replies import MailExpected, MailFile, MailReading
from gateway.parts import Clock, Compose, ReadMailFiles
from gateway.settings import Settings
from keys.letters import LetterKeys, load_letter_keys
from keys.live import LiveRing
from keys.opening import MailKeys, load_mail_keys


def mail_adapter(settings: Settings, clock: Clock) -> MailAdapter:
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
    relay = relay_from_url(with_password(url, password_file), str(ca_file) if ca_file else None)
    return replace(relay, timeout_seconds=settings.smtp_timeout_seconds)


def composer(ring: LiveRing) -> Compose:
    """Letters with answer forms that this deployment knows again."""

    def compose(templates: Mapping[str, str], document: Mapping[str, Any], token: str | None) -> Letter:
        return compose_letter(templates, document, token, ring.now().form_mac)

    return compose


def mail_reader(settings: Settings) -> Callable[[bytes, MailExpected], MailReading]:
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


def mail_file_reader(settings: Settings) -> ReadMailFiles:
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


def with_password(url: str, password_file: Path | None) -> str:
    """The URL with the password from its file, percent-encoded as the name in it is already; held in memory only."""
    if password_file is None:
        return url
    parts = urlsplit(url)
    secret = quote(password_file.read_text("utf-8").strip(), safe="")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{secret}@{host}"))

"""The way out by e-mail: a letter as its recipient's domain demands it, signed, to a mail relay over TLS, never in clear.

Invariants: what the policy does not allow is not sent and falls back to nothing weaker; SMTP's 250 is `Relayed`, never
delivered; nothing raises for what a partner or network does. Our own login being refused is `TryLater("our-login")`: the
letter waits while an operator mends it, and dispatch ends it as the system's fault when patience runs out. A server that
refuses our sender address is the system's fault at once. When its class's patience (hours) runs out with a letter that
waits for an answer, an officer is told in place of another try.
Sources: RFC 3461, 5321, 6376, 8551; S2-23.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import aiosmtplib

from adapters.mail.connections import MOST, Connection, Connections, Relay
from adapters.mail.dkim_signature import sign_mail
from adapters.mail.enveloping import signed_and_encrypted
from adapters.mail.letter import Correspondence, Posting, Unsendable, build_posting
from adapters.mail.policy import Handling, MailClass, NotAllowed, Policy
from gateway.core.deliveries import Fault, Outcome, Parcel, Relayed, TryLater, Undeliverable
from keys.letters import LetterKeys

RELAYED = "RelayToNonERDS"  # ETSI EN 319 522-3: handed to a system outside registered delivery

_OURS = frozenset(
    {"our-login", "tls", "dns", "time-out", "refused-connection"}
)  # between us and our own relay


@dataclass(frozen=True, slots=True)
class Manner:
    """How letters leave: by which policy, signed with which keys, by which relays besides the usual one.

    `clock` tells when a certificate or a class's patience has run out; without it neither does.
    """

    policy: Policy = field(default_factory=Policy)
    keys: LetterKeys = field(default_factory=LetterKeys)
    relays: Mapping[MailClass, Relay] = field(default_factory=dict)
    clock: Callable[[], datetime] | None = None
    connections: int = MOST  # to one relay, at most


class MailAdapter:
    """Carries letters by e-mail over connections that are kept open, each used by one letter at a time."""

    name = "mail"

    def __init__(self, relay: Relay, ours: Correspondence, manner: Manner | None = None) -> None:
        self._ours = ours
        self._manner = manner = manner or Manner()
        self._usual = Connections(relay, ours.domain, manner.connections)
        self._special = {
            mail_class: Connections(other, ours.domain, manner.connections)
            for mail_class, other in manner.relays.items()
        }

    @property
    def connections_made(self) -> int:
        return self._usual.made + sum(one.made for one in self._special.values())

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Carry one letter once under one Message-ID; a repeat is harmless. Without encryption its bytes are the same too."""
        if parcel.letter is None or parcel.address is None:
            return Undeliverable("no-letter", Fault.SYSTEM)
        now = self._manner.clock() if self._manner.clock else None
        try:
            handling = self._manner.policy.handling(parcel.address, now)
            posting = self._posting(parcel, handling)
        except NotAllowed as told:
            return Undeliverable(told.reason, Fault.SYSTEM)
        except Unsendable:
            return Undeliverable("unsafe-address", Fault.SYSTEM)
        async with self._special.get(handling.mail_class, self._usual).one() as connection:
            outcome = await _carry(connection, posting)
        is_awaited = parcel.letter.reply_token is not None  # a notice may go on being tried for days
        is_late = now is not None and now - parcel.created_at >= handling.rules.patience
        if is_late and is_awaited and isinstance(outcome, TryLater):
            fault = Fault.SYSTEM if outcome.reason in _OURS else Fault.PARTNER
            return Undeliverable(outcome.reason, fault, outcome.evidence)
        return outcome

    async def aclose(self) -> None:
        """Say goodbye to the relays."""
        for connections in (self._usual, *self._special.values()):
            await connections.aclose()

    def _posting(self, parcel: Parcel, handling: Handling) -> Posting:
        """The mail as it leaves: encrypted where its class demands it, and signed over all of that."""
        assert parcel.letter is not None
        posting = build_posting(
            parcel.letter,
            parcel.delivery,
            handling.recipient,
            self._ours,
            parcel.created_at,
            handling.rules.tag,
        )
        content, keys = posting.content, self._manner.keys
        if handling.certificate is not None:
            if keys.identity is None:
                raise NotAllowed("no-signing-certificate")
            content = signed_and_encrypted(content, keys.identity, handling.certificate)
        domain = self._ours.from_address.rpartition("@")[2]
        return replace(posting, content=sign_mail(content, keys.dkim, domain, parcel.created_at))


async def _carry(connection: Connection, posting: Posting) -> Outcome:
    try:
        client = await connection.begin(posting.envelope_from, "RET=HDRS", f"ENVID={posting.envelope_id}")
        response = await _hand_over(client, posting)
    except (
        aiosmtplib.SMTPException,
        OSError,
        ssl.SSLError,
        TimeoutError,
        asyncio.IncompleteReadError,
    ) as error:
        outcome = outcome_of(error)
        if not await _survives(connection, error):
            await connection.drop()
        return outcome
    except BaseException:
        await connection.drop()  # cancelled in mid-sentence: the connection's state is unknown
        raise
    connection.used()
    return Relayed(RELAYED, _evidence(client, posting, response))


async def _hand_over(client: aiosmtplib.SMTP, posting: Posting) -> str:
    notify = (
        "SUCCESS,FAILURE,DELAY" if posting.envelope_from else "NEVER"
    )  # nobody could be told (RFC 3461 section 4.1)
    options = [f"NOTIFY={notify}"] if client.supports_extension("dsn") else []
    await client.rcpt(posting.recipient, options=options)
    return (await client.data(posting.content)).message


def outcome_of(error: BaseException) -> Outcome:
    """What an error of the mail session means for the letter."""
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            return TryLater("our-login")
        case aiosmtplib.SMTPSenderRefused():
            return _of_reply(error.code, error.message, Fault.SYSTEM)
        case aiosmtplib.SMTPNotSupported():
            return TryLater("tls")
        case aiosmtplib.SMTPResponseException():
            fault = Fault.SYSTEM if isinstance(error, aiosmtplib.SMTPHeloError) else Fault.PARTNER
            return _of_reply(error.code, error.message, fault)
    return TryLater(_trouble(error))


def _trouble(error: BaseException) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "dns"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "time-out"
    if "STARTTLS" in str(error).upper():
        return "tls"
    return "refused-connection"


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    now: BaseException | None = error
    while now is not None and len(found) < 8:
        found.append(now)
        now = now.__cause__ or now.__context__
    return found


def _of_reply(code: int, words: str, fault: Fault) -> Outcome:
    evidence = {"smtp_reply": _one_line(f"{code} {words}")}
    if enhanced := re.match(r"\s*([245]\.\d{1,3}\.\d{1,3})\b", words):  # RFC 3463
        evidence["enhanced_status"] = enhanced[1]
    if code in {530, 534, 535, 538}:
        return TryLater("our-login", evidence=evidence)
    if code == 454 or (code == 530 and "tls" in words.lower()):
        return TryLater("tls", evidence=evidence)
    if 500 <= code < 600:
        return Undeliverable("refused-address" if code in {550, 551, 553} else "refused", fault, evidence)
    return TryLater("greylisted" if code in {450, 451} else "server-error", evidence=evidence)


async def _survives(connection: Connection, error: BaseException) -> bool:
    """Whether the session can go on after a refusal: then the relay forgets the letter that it refused."""
    refused = aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError
    return isinstance(error, refused) and error.code != 421 and await connection.forget()


def _evidence(client: aiosmtplib.SMTP, posting: Posting, response: str) -> dict[str, str]:
    evidence = {"smtp_reply": _one_line(f"250 {response}"), "message_id": posting.message_id}
    if queued := re.search(r"queued as ([0-9A-Za-z]{5,40})", response):
        evidence["queue_id"] = queued[1]
    session = client.transport.get_extra_info("ssl_object") if client.transport else None
    if session is not None:
        evidence["tls_version"] = session.version() or "unknown"
        evidence["peer_certificate_sha256"] = hashlib.sha256(
            session.getpeercert(binary_form=True)
        ).hexdigest()
    return evidence


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:300]

"""The way out by e-mail: a letter to a mail relay over TLS, never in clear.

Invariants: STARTTLS is demanded (left to itself the library sends in clear to a server without it), with TLS 1.2 or newer
and a verified certificate; SMTP's 250 is `Relayed`, never delivered; nothing raises for what a partner or network does.
Our own login being refused is `TryLater("our-login")`: the letter waits while an operator mends it, and dispatch ends it as
the system's fault when patience runs out. A server that refuses our sender address is the system's fault at once.
Sources: RFC 3207, 5321, 3461; S2-23.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import aiosmtplib

from adapters.mail.letter import Correspondence, Posting, Unsendable, build_posting
from gateway.core.deliveries import Fault, Outcome, Parcel, Relayed, TryLater, Undeliverable

RELAYED = "RelayToNonERDS"  # ETSI EN 319 522-3: handed to a system outside registered delivery


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail server that takes our letters. `ca_file` replaces the system's certificate authorities."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    timeout_seconds: float = 30.0
    idle_seconds: float = 60.0  # after this long a kept connection is not trusted any more


def relay_from_url(url: str, ca_file: str | None = None) -> Relay:
    """A relay from `smtp://[user:password@]host[:port]`; the port is 587 when none is named. ValueError otherwise."""
    parts = urlsplit(url)
    if parts.scheme != "smtp" or not parts.hostname or parts.path not in {"", "/"}:
        raise ValueError("the relay is written smtp://host:port")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Relay(parts.hostname, parts.port or 587, username, password, ca_file)


def client_tls(ca_file: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and name verified."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class MailAdapter:
    """Carries letters by e-mail. One connection is kept open and used by one letter at a time."""

    name = "mail"

    def __init__(self, relay: Relay, ours: Correspondence) -> None:
        self._relay = relay
        self._ours = ours
        self._tls = client_tls(relay.ca_file)
        self._client: aiosmtplib.SMTP | None = None
        self._wire: asyncio.WriteTransport | None = None
        self._used_at = 0.0
        self._lock = asyncio.Lock()
        self.connections_made = 0

    async def deliver(self, parcel: Parcel) -> Outcome:
        """Carry one letter once; the same parcel gives the same bytes, so a repeat is harmless."""
        if parcel.letter is None or parcel.address is None:
            return Undeliverable("no-letter", Fault.SYSTEM)
        try:
            posting = build_posting(
                parcel.letter, parcel.delivery, parcel.address, self._ours, parcel.created_at
            )
        except Unsendable:
            return Undeliverable("unsafe-address", Fault.SYSTEM)
        async with self._lock:
            return await self._carry(posting)

    async def aclose(self) -> None:
        """Say goodbye to the relay."""
        async with self._lock:
            await self._drop()

    async def _carry(self, posting: Posting) -> Outcome:
        try:
            client = await self._connected()
            response = await self._send(client, posting)
        except (
            aiosmtplib.SMTPException,
            OSError,
            ssl.SSLError,
            TimeoutError,
            asyncio.IncompleteReadError,
        ) as error:
            outcome = outcome_of(error)
            if not _session_survives(error):
                await self._drop()
            return outcome
        except BaseException:
            await self._drop()  # cancelled in mid-sentence: the connection's state is unknown
            raise
        self._used_at = asyncio.get_running_loop().time()
        return Relayed(RELAYED, _evidence(client, posting, response))

    async def _send(self, client: aiosmtplib.SMTP, posting: Posting) -> str:
        dsn = client.supports_extension("dsn")
        _, response = await client.sendmail(
            posting.envelope_from,
            [posting.recipient],
            posting.content,
            mail_options=["RET=HDRS", f"ENVID={posting.envelope_id}"] if dsn else [],
            rcpt_options=["NOTIFY=SUCCESS,FAILURE,DELAY"] if dsn else [],
        )
        return response

    async def _connected(self) -> aiosmtplib.SMTP:
        """The kept connection when the relay still answers on it, else a new one."""
        client = self._client
        if client is not None and client.is_connected and await self._still_there(client):
            return client
        await self._drop()
        self.connections_made += 1
        self._client = client = aiosmtplib.SMTP(
            hostname=self._relay.host,
            port=self._relay.port,
            start_tls=False,  # done below, where it cannot be left out
            timeout=self._relay.timeout_seconds,
            local_hostname=self._ours.domain,
        )
        await client.connect()
        if isinstance(client.transport, asyncio.WriteTransport):
            self._wire = client.transport
        await client.starttls(tls_context=self._tls)  # raises when it is not offered: nothing goes in clear
        await (
            client.ehlo()
        )  # what is offered after STARTTLS counts, and the library has forgotten it (RFC 3207)
        if self._relay.username is not None:
            await client.login(self._relay.username, self._relay.password or "")
        self._used_at = asyncio.get_running_loop().time()
        return client

    async def _still_there(self, client: aiosmtplib.SMTP) -> bool:
        if asyncio.get_running_loop().time() - self._used_at > self._relay.idle_seconds:
            return False
        try:
            await client.rset(timeout=5)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            return False
        return True

    async def _drop(self) -> None:
        client, self._client = self._client, None
        wire, self._wire = self._wire, None
        if client is None:
            return
        try:
            if client.is_connected:
                await client.quit(timeout=2)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            pass
        finally:
            client.close()
            if wire is not None:
                wire.abort()  # a TLS goodbye that nobody answers would keep the socket open
                await asyncio.sleep(0)


def outcome_of(error: BaseException) -> Outcome:
    """What an error of the mail session means for the letter."""
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            return TryLater("our-login")
        case aiosmtplib.SMTPRecipientsRefused():
            return _of_reply(error.recipients[0].code, error.recipients[0].message, Fault.PARTNER)
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
    if code in {530, 534, 535, 538}:
        return TryLater("our-login", evidence=evidence)
    if code == 454 or (code == 530 and "tls" in words.lower()):
        return TryLater("tls", evidence=evidence)
    if 500 <= code < 600:
        return Undeliverable("refused-address" if code in {550, 551, 553} else "refused", fault, evidence)
    return TryLater("greylisted" if code in {450, 451} else "server-error", evidence=evidence)


def _session_survives(error: BaseException) -> bool:
    refused = aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError
    return isinstance(error, refused)


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

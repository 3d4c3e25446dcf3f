"""The way in by e-mail: our mailbox on a mail server, read over IMAP with TLS.

Invariants: a mail is handed over before it is marked, marked means moved to a folder and never deleted, and a mail that
could not be handed over stays and comes again. So a crash anywhere brings a mail twice at most, and telling repeats apart
is the intake's work (a digest of the raw bytes). IDLE is a hint, so there is always a poll as well. A way in counts as read up
to the instant before its mails were listed, never later.
Everything here blocks: run it in a thread. Sources: RFC 9051 and 3501, RFC 2177 (IDLE), RFC 6851 (MOVE), RFC 7628 (XOAUTH2's
standard sibling).
"""

from __future__ import annotations

import imaplib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from imap_tools import BaseMailBox, ImapToolsError, MailBox, MailBoxStartTls
from imap_tools.errors import MailboxFolderCreateError

from adapters.mail.access import NoToken
from adapters.mail.connections import client_tls
from adapters.mail.reading import MOST_BYTES

LONGEST_IDLE_SECONDS = 28 * 60.0  # RFC 2177: issued anew at least every 29 minutes
STEP_SECONDS = 1.0  # how soon a wait notices that it should stop
FAULTS = (OSError, imaplib.IMAP4.error, ImapToolsError)  # what a network, a server or its certificate may do


class LoginRefused(OSError):
    """The mail server does not take our token."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where our mail lies. `implicit_tls` is imaps; otherwise STARTTLS is demanded.

    `access_token` gives a token for XOAUTH2 at each sign-in, in place of the password.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    implicit_tls: bool = False
    ca_file: str | None = None
    folder: str = "INBOX"
    processed_folder: str = "Processed"
    timeout_seconds: float = 30.0
    access_token: Callable[[], str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RawMail:
    """One mail as it lies there. (uidvalidity, uid) is its identity for as long as the server keeps its word."""

    uidvalidity: int
    uid: int
    raw: bytes
    arrived_at: datetime  # the server's internal date


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has come; with another uidvalidity it means nothing and reading starts again."""

    uidvalidity: int
    last_uid: int


def account_from_url(url: str, ca_file: str | None = None) -> Account:
    """An account from `imap://user:password@host[:port]` (STARTTLS) or `imaps://…`; ValueError otherwise."""
    parts = urlsplit(url)
    if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username:
        raise ValueError("the mailbox is written imaps://user:password@host:port")
    implicit = parts.scheme == "imaps"
    return Account(
        parts.hostname,
        parts.port or (993 if implicit else 143),
        unquote(parts.username),
        unquote(parts.password or ""),
        implicit,
        ca_file,
    )


class Mailbox:
    """One open session with the mailbox; use it as a context manager, in one thread."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._box: BaseMailBox | None = None
        self.uidvalidity = 0

    def __enter__(self) -> Mailbox:
        account, tls = self._account, client_tls(self._account.ca_file)
        opened: BaseMailBox
        if account.implicit_tls:
            opened = MailBox(account.host, account.port, account.timeout_seconds, ssl_context=tls)
        else:
            opened = MailBoxStartTls(account.host, account.port, account.timeout_seconds, ssl_context=tls)
        try:
            _sign_in(opened, account)
            self._box = opened
            self.uidvalidity = self._read_uidvalidity()
            _make_sure_of(opened, account.processed_folder)
        except BaseException:
            opened.client.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        box, self._box = self._box, None
        if box is None:
            return
        try:
            box.logout()
        except FAULTS:
            box.client.shutdown()

    def fetch(self, since: Position | None = None) -> Iterator[RawMail]:
        """The mails that lie in the folder and were not yet marked, oldest first; bounded to the size we read."""
        after = since.last_uid if since is not None and since.uidvalidity == self.uidvalidity else 0
        uids = sorted(int(uid) for uid in self._opened().uids())
        for uid in (uid for uid in uids if uid > after):
            mail = self._fetch_one(uid)
            if mail is not None:
                yield mail

    def mark(self, uid: int) -> None:
        """Move one mail to the folder of processed ones; call it only when its raw bytes are durably ours."""
        self._opened().move(str(uid), self._account.processed_folder)

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Wait until the server reports something, the time is up or `stop` is set; True when something was reported.

        One IDLE for the whole wait, looked at in short steps so that stopping is prompt.
        """
        idle: Any = self._opened().idle
        left = min(seconds, LONGEST_IDLE_SECONDS)
        idle.start()
        try:
            while left > 0 and not (stop is not None and stop.is_set()):
                if idle.poll(timeout=min(STEP_SECONDS, left)):
                    return True
                left -= STEP_SECONDS
            return False
        finally:
            idle.stop()

    def _opened(self) -> BaseMailBox:
        if self._box is None:
            raise ValueError("the mailbox is not open")
        return self._box

    def _read_uidvalidity(self) -> int:
        answer = self._opened().folder.status(self._account.folder, ("UIDVALIDITY",))
        return int(answer["UIDVALIDITY"])

    def _fetch_one(self, uid: int) -> RawMail | None:
        """One mail, not marked as seen; None when it went away meanwhile."""
        wanted = f"(INTERNALDATE BODY.PEEK[]<0.{MOST_BYTES + 1}>)"
        _, answer = self._opened().client.uid("FETCH", str(uid), wanted)
        for item in answer or ():
            if isinstance(item, tuple) and len(item) == 2:
                trailer = b" ".join(part for part in answer if isinstance(part, bytes))
                return RawMail(
                    self.uidvalidity, uid, bytes(item[1]), _internal_date(item[0] + b" " + trailer)
                )
        return None


def watch(
    account: Callable[[], Account],
    store: Callable[[RawMail], None],
    stop: threading.Event,
    *,
    clock: Callable[[], datetime],
    caught_up: Callable[[datetime], None] = lambda read_until: None,
    trouble: Callable[[str], None] = lambda reason: None,
    poll_seconds: float = 240.0,
    retry_seconds: float = 15.0,
) -> None:
    """Hand over every mail until `stop` is set: read all, wait for news or the poll, read again; reconnect for ever.

    `account` is asked at each sign-in, so that a changed password is taken up. `store` must be durable when it returns; what it raises leaves that mail where it is. `caught_up` is called after each
    time that everything lying there was handed over, with the instant before it was listed (the watermark); `trouble` with a
    coarse code when a session ends.
    """
    while not stop.is_set():
        try:
            with Mailbox(account()) as mailbox:
                _watch_session(mailbox, store, stop, clock, caught_up, poll_seconds)
        except Exception as error:  # whatever it was, the next session starts from what still lies there
            trouble(trouble_code(error))
            stop.wait(retry_seconds)


def hand_over(mailbox: Mailbox, store: Callable[[RawMail], None], stop: threading.Event | None = None) -> int:
    """Every mail that lies there: stored first, then marked; how many, or fewer when `stop` was set meanwhile."""
    count = 0
    for mail in mailbox.fetch():
        store(mail)
        mailbox.mark(mail.uid)
        count += 1
        if stop is not None and stop.is_set():
            break
    return count
    # A crash between the two leaves a stored mail in the folder: it comes again, and its bytes are known.


def _sign_in(box: BaseMailBox, account: Account) -> None:
    if account.access_token is not None:
        token = account.access_token()
        try:
            box.xoauth2(account.username, token, initial_folder=account.folder)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            raise LoginRefused("token") from None
    else:
        box.login(account.username, account.password, initial_folder=account.folder)


def _make_sure_of(box: BaseMailBox, folder: str) -> None:
    """Make the folder if it is not there; another session may make it in the same moment."""
    if box.folder.exists(folder):
        return
    try:
        box.folder.create(folder)
    except MailboxFolderCreateError:
        if not box.folder.exists(folder):
            raise


def trouble_code(error: BaseException) -> str:
    """A coarse code without content: token, tls, login, time-out, connection, or store (it is our side that could not)."""
    name = type(error).__name__
    if isinstance(error, NoToken):
        return "token"
    if "SSL" in name or "Certificate" in name:
        return "tls"
    if "Login" in name:
        return "login"
    if isinstance(error, TimeoutError):
        return "time-out"
    return "connection" if isinstance(error, FAULTS) else "store"


def _watch_session(
    mailbox: Mailbox,
    store: Callable[[RawMail], None],
    stop: threading.Event,
    clock: Callable[[], datetime],
    caught_up: Callable[[datetime], None],
    poll_seconds: float,
) -> None:
    while not stop.is_set():
        began_at = clock()
        hand_over(mailbox, store, stop)
        if stop.is_set():
            return
        caught_up(began_at)
        mailbox.wait(poll_seconds, stop)


_INTERNAL_DATE = re.compile(rb'INTERNALDATE "([^"]{20,30})"')


def _internal_date(answer: bytes) -> datetime:
    match = _INTERNAL_DATE.search(answer)
    if match is None:
        raise imaplib.IMAP4.abort("no internal date")
    return datetime.strptime(match[1].decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z")

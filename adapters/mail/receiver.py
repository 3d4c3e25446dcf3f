"""A mail server on the loopback: our own door for replies behind a relay, and the demonstration's school.

Invariant: 250 is answered only after the handler has stored the mail; when it cannot, the answer is 451 and the sender
keeps the mail. STARTTLS is demanded. Only for the loopback, behind a mail server that meets the world.
Sources: RFC 5321, 3207.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from adapters.mail.reading import MOST_BYTES

Store = Callable[[bytes, str, str], Awaitable[None]]  # raw bytes, envelope recipient, envelope sender


class Receiver:
    """Takes mail on 127.0.0.1 and hands it to `store`; `port` 0 takes any free one."""

    def __init__(self, store: Store, tls: ssl.SSLContext, port: int = 0, hostname: str = "localhost") -> None:
        self._store = store
        self._tls = tls
        self._wanted_port = port
        self._hostname = hostname
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; the port that was taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self._wanted_port)
        return self.port

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    @property
    def port(self) -> int:
        if self._server is None:
            raise ValueError("the receiver is not listening")
        return int(self._server.sockets[0].getsockname()[1])

    def _session(self) -> SMTP:
        return SMTP(
            _Handler(self._store),
            hostname=self._hostname,
            ident="mail",
            tls_context=self._tls,
            require_starttls=True,
            data_size_limit=MOST_BYTES,
            loop=asyncio.get_running_loop(),
        )


class _Handler:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the library's name
        content: Any = envelope.original_content or envelope.content or b""
        try:
            await self._store(bytes(content), envelope.rcpt_tos[0], envelope.mail_from or "")
        except Exception:
            return "451 4.3.0 Cannot store this now"
        return "250 2.0.0 OK, stored"

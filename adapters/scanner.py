"""The virus scanner: a ClamAV daemon that is sent each file over a socket, piece by piece (clamd(8), INSTREAM).

Invariant: CLEAN is said only when the daemon said OK about the whole file. Anything else (not reached, too slow, an answer that is
not understood) is no verdict, and raises. Nothing of the file is kept here, and its name is never sent.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from gateway.core.attachments import Scanned, ScannerUnavailable, Verdict

DEFAULT_PORT = 3310
MOST_ANSWER_BYTES = 4096

_FOUND = re.compile(r"stream: (.{1,200}) FOUND")
_PLAIN = re.compile(r"[^A-Za-z0-9._-]")
# What clamd says of a file that it was told to alert about, without its being malware (clamd.conf(5): Alert…).
_NOT_JUDGED = (
    ("Heuristics.Encrypted", Scanned.ENCRYPTED),
    ("Heuristics.OLE2.ContainsMacros", Scanned.MACROS),
    ("Heuristics.Limits.Exceeded", Scanned.UNSCANNABLE),
)


@dataclass(frozen=True, slots=True)
class ClamdScanner:
    """`url` is `unix:/path` or `tcp://host:port`. `timeout_seconds` bounds each wait for the daemon, also its last answer."""

    url: str
    timeout_seconds: float

    async def __call__(self, pieces: AsyncIterator[bytes]) -> Verdict:
        """The verdict on a file; ScannerUnavailable when there is none. What `pieces` raises passes through."""
        with await self._connected() as link:
            await self._send(link, b"zINSTREAM\0")
            await self._send_all(link, pieces)
            return _verdict(await self._answer(link))

    async def is_there(self) -> bool:
        """Whether the daemon answers; no file is judged by that."""
        try:
            with await self._connected() as link:
                await self._send(link, b"zPING\0")
                return await self._answer(link) == "PONG"
        except ScannerUnavailable:
            return False

    async def _connected(self) -> socket.socket:
        """A plain socket, no transport: when the daemon closes its side early, its answer can still be read."""
        url = urlsplit(self.url)
        link: socket.socket | None = None
        try:
            async with asyncio.timeout(self.timeout_seconds):
                family, address = await _address(url)
                link = socket.socket(family, socket.SOCK_STREAM)
                link.setblocking(False)
                await asyncio.get_running_loop().sock_connect(link, address)
                return link
        except BaseException as fault:
            if link is not None:
                link.close()
            if isinstance(fault, OSError):
                raise _unavailable(fault) from None
            raise

    async def _send_all(self, link: socket.socket, pieces: AsyncIterator[bytes]) -> None:
        """Each piece with its length before it, and a length of 0 at the end.

        A daemon that takes no more (a limit of its own) has an answer ready. The file is read to its end all the same:
        whoever feeds us keeps it on the way.
        """
        takes_more = True
        async for piece in pieces:
            if takes_more and piece:
                takes_more = await self._send(link, len(piece).to_bytes(4, "big") + piece)
        if takes_more:
            await self._send(link, bytes(4))

    async def _send(self, link: socket.socket, data: bytes) -> bool:
        """False when the daemon has closed its side: its answer says why."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await asyncio.get_running_loop().sock_sendall(link, data)
        except TimeoutError as fault:
            raise _unavailable(fault) from None
        except OSError:
            return False
        return True

    async def _answer(self, link: socket.socket) -> str:
        said = b""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                while not said.endswith(b"\0") and len(said) < MOST_ANSWER_BYTES:
                    more = await asyncio.get_running_loop().sock_recv(link, MOST_ANSWER_BYTES)
                    if not more:
                        raise ScannerUnavailable("connection")
                    said += more
        except OSError as fault:
            raise _unavailable(fault) from None
        return said.rstrip(b"\0\n").decode("utf-8", "replace")


async def _address(url: SplitResult) -> tuple[int, Any]:
    if url.scheme == "unix":
        return socket.AF_UNIX, url.path
    found = await asyncio.get_running_loop().getaddrinfo(
        url.hostname, url.port or DEFAULT_PORT, type=socket.SOCK_STREAM
    )
    return found[0][0], found[0][4]


def _unavailable(fault: OSError) -> ScannerUnavailable:
    return ScannerUnavailable("time-out" if isinstance(fault, TimeoutError) else "connection")


def _verdict(said: str) -> Verdict:
    if said == "stream: OK":
        return Verdict(Scanned.CLEAN)
    if said.endswith("size limit exceeded. ERROR"):
        return Verdict(Scanned.UNSCANNABLE)
    match = _FOUND.fullmatch(said)
    if match is None:
        raise ScannerUnavailable("error")
    signature = _PLAIN.sub("-", match[1])
    for beginning, scanned in _NOT_JUDGED:
        if signature.startswith(beginning):
            return Verdict(scanned, signature)
    return Verdict(Scanned.INFECTED, signature)

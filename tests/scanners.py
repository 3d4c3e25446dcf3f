"""Two far ends for the scanner: the real clamd with a signature of our own, and one that speaks its protocol as a test tells it.

Nothing is downloaded: clamd takes the EICAR test file's signature from a text file. The file is harmless by agreement of its
makers; here it stands in two halves, so that no scanner of the machine that holds this source takes offence.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURE = "Eicar-Test-Signature"
SYSTEM_PATH = "/usr/sbin:/sbin"


@dataclass
class Clamd:
    """Speaks clamd's INSTREAM on a socket. `answer` replaces its judgement; `hangs` keeps it silent; `gives_up_after` bytes it
    answers and closes, as clamd does over its StreamMaxLength."""

    path: Path
    answer: str | None = None
    hangs: bool = False
    drops: bool = False
    gives_up_after: int | None = None
    received: list[tuple[int, str]] = field(default_factory=list)  # size and SHA-256 of each file

    @property
    def url(self) -> str:
        return f"unix:{self.path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the gateway went away in the middle of a file
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        size, digest, before, is_found = 0, hashlib.sha256(), b"", False
        while length := int.from_bytes(await reader.readexactly(4), "big"):
            piece = await reader.readexactly(length)
            size += length
            digest.update(piece)
            is_found = is_found or EICAR in before + piece
            before = (before + piece)[-len(EICAR) :]
            if self.gives_up_after is not None and size > self.gives_up_after:
                writer.write(b"INSTREAM size limit exceeded. ERROR\0")
                return await writer.drain()
        self.received.append((size, digest.hexdigest()))
        if self.hangs:
            await reader.read()
        if self.drops:
            return None
        said = self.answer or (f"stream: {SIGNATURE} FOUND" if is_found else "stream: OK")
        writer.write(said.encode() + b"\0")
        return await writer.drain()


@asynccontextmanager
async def scripted_clamd(**manners: object) -> AsyncIterator[Clamd]:
    """A far end on a socket of its own."""
    with tempfile.TemporaryDirectory() as folder:
        clamd = Clamd(Path(folder) / "clamd.socket", **manners)  # type: ignore[arg-type]
        server = await asyncio.start_unix_server(clamd.serve, clamd.path, limit=4 * 1024 * 1024)
        try:
            yield clamd
        finally:
            server.close()


@contextmanager
def real_clamd() -> Iterator[str]:
    """ClamAV's daemon as Debian packs it, on a socket, with one signature: the address for GATEWAY_SCANNER_URL."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "db").mkdir()
        (folder / "db" / "eicar.ndb").write_text(f"{SIGNATURE}:0:*:{EICAR.hex()}\n")
        socket, log = folder / "clamd.socket", folder / "log"
        said = {
            "LocalSocket": socket,
            "DatabaseDirectory": folder / "db",
            "TemporaryDirectory": folder,
            "Foreground": "yes",
            "StreamMaxLength": "26M",
            "MaxFileSize": "26M",
            "MaxScanSize": "200M",
            "AlertExceedsMax": "yes",
            "AlertEncrypted": "yes",
            "AlertOLE2Macros": "yes",
            "MaxThreads": "4",
        }
        config = folder / "clamd.conf"
        config.write_text("".join(f"{key} {value}\n" for key, value in said.items()))
        program = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
        assert program, "clamd is not there: mark the test with needs('clamav')"
        with log.open("wb") as output:
            daemon = subprocess.Popen([program, "--config-file", str(config)], stdout=output, stderr=output)
        try:
            _until_there(daemon, socket, log)
            yield f"unix:{socket}"
        finally:
            daemon.terminate()
            daemon.wait(20)


def _until_there(daemon: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    """Look again until the daemon listens, has ended, or a minute is over."""
    end = time.monotonic() + 60
    while not socket.exists() and daemon.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert socket.exists(), log.read_text()

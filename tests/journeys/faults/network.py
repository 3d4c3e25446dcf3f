"""A line that can be cut: forwards bytes between whoever connects and one of several targets, and drops everything when told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

Target = Path | int  # a unix socket, or a loopback port
PIECE_BYTES = 65536


class Line:
    """Takes connections on `listen`; each goes to the next target that takes it, so that a dead one is passed by."""

    def __init__(self, listen: Target, targets: Sequence[Target]) -> None:
        self._listen = listen
        self._targets = targets
        self._turn = itertools.count()
        self._open: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        if isinstance(self._listen, Path):
            self._server = await asyncio.start_unix_server(self._take, self._listen)
            self._listen.chmod(0o777)
        else:
            self._server = await asyncio.start_server(self._take, "127.0.0.1", self._listen)

    async def close(self) -> None:
        self._drop()
        if self._server is not None:
            self._server.close()

    async def cut(self, seconds: float) -> None:
        """Every connection is reset, and none is taken for so long."""
        self._is_cut = True
        self._drop()
        await asyncio.sleep(seconds)
        self._is_cut = False

    def _drop(self) -> None:
        for one in list(self._open):
            one.transport.abort()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None if self._is_cut else await self._connect()
        if there is None:
            writer.transport.abort()
            return
        far_reader, far_writer = there
        self._open |= {writer, far_writer}
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            self._open -= {writer, far_writer}
            for one in (writer, far_writer):
                one.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turn)
        for number in range(len(self._targets)):
            target = self._targets[(first + number) % len(self._targets)]
            with suppress(OSError):
                if isinstance(target, Path):
                    return await asyncio.open_unix_connection(target)
                return await asyncio.open_connection("127.0.0.1", target)
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until either side is gone; then the other side is told."""
    with suppress(OSError, asyncio.IncompleteReadError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()
    if reader.exception() is not None:
        writer.transport.abort()

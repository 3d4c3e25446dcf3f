"""The gateway in a process of its own, as `gateway serve` runs it, with or without carrying deliveries.

    python -m tests.bench.served FOLDER alone|door|whole [LISTEN]

`alone` takes messages and seals receipts but leaves deliveries lying, so that accepting can be measured by itself; `door` leaves the
sealing too, to another process on the same PostgreSQL. What is loaded, and how, is what `gateway serve` loads: all of it counts in
the memory that is told.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop

from gateway.cli.groups import loading

with loading():
    import structlog

    from gateway.app import close
    from gateway.dispatch.timetable import seal_waiting
    from gateway.parts import Parts
    from gateway.serving import build, running, spare_what_stays, web_server
    from tests.bench.folder import settings_of


async def main(folder: Path, mode: str, listen: str | None = None) -> None:
    """Serve until terminated."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    settings = settings_of(folder)
    if listen is not None:
        settings = settings.model_copy(update={"listen": listen})
    gateway = build(settings)
    server = web_server(gateway.web, settings)
    spare_what_stays()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, setattr, server, "should_exit", True)
    if mode == "whole":
        async with running(gateway):
            await server.serve()
        return
    sealing = asyncio.create_task(_seal(gateway.parts) if mode == "alone" else asyncio.sleep(0))
    await server.serve()
    sealing.cancel()
    await close(gateway.parts)


async def _seal(parts: Parts) -> None:
    while True:
        await seal_waiting(parts)
        await asyncio.sleep(parts.settings.seal_interval_seconds)


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))

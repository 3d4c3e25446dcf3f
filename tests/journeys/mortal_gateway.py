"""A real `gateway serve` in a process of its own that is killed without warning, at moments drawn from a seed, and started again.

Moments are counted events of the world around it (a request leaves, an answer came, a webhook or a letter is being taken, a
reply lies in the mailbox), so that a kill falls in the middle of that kind of work and a seed means about the same each time.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 60


def moments(seed: int, kills: Mapping[str, tuple[int, int]]) -> dict[str, set[int]]:
    """When to kill: of each kind of event, so many times among the first so many events."""
    drawn = random.Random(seed)
    return {kind: set(drawn.sample(range(1, among + 1), count)) for kind, (count, among) in kills.items()}


@dataclass
class MortalGateway:
    """The process, who kills it and who starts it again."""

    settings_file: Path
    kill_at: dict[str, set[int]]
    seen: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    owed: int = 0  # kills whose moment came while the gateway was not up
    _process: asyncio.subprocess.Process | None = None
    _up: bool = False

    @property
    def is_up(self) -> bool:
        return self._up

    def happened(self, kind: str) -> None:
        """Tell of one event; at its moment the gateway dies, before this returns."""
        self.seen[kind] += 1
        if self.seen[kind] in self.kill_at.get(kind, ()):
            self.owed += 1
        if self.owed and self._up:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nothing is said."""
        assert self._process is not None
        self._up = False
        self.owed = max(0, self.owed - 1)
        self.kills += 1
        with suppress(ProcessLookupError):
            self._process.kill()

    async def live(self) -> None:
        """Start it and start it again after each death, until cancelled."""
        while True:
            self._process = await self._start()
            try:
                await self._say_when_up(self._process)
                status = await self._process.wait()
            except asyncio.CancelledError:
                await self._end(self._process)
                raise
            assert not self._up, f"the gateway ended by itself ({status}): {self.log()[-2000:]}"

    def log(self) -> str:
        """Everything that it wrote to standard error in all its lives."""
        return self._log_file.read_text("utf-8", "replace")

    async def _start(self) -> asyncio.subprocess.Process:
        with self._log_file.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway", "serve"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=environment(self.settings_file),
                cwd=self.settings_file.parent,
            )

    async def _say_when_up(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        assert b"Serving" in line, self.log()[-2000:]
        self._up = True

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._up = False
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(START_SECONDS):
                await process.wait()

    @property
    def _log_file(self) -> Path:
        return self.settings_file.with_suffix(".log")


def environment(settings_file: Path) -> dict[str, str]:
    """Nothing of this machine's own gateway settings; only the file."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return kept | {"GATEWAY_SETTINGS_FILE": str(settings_file)}


async def command(settings_file: Path, *words: str) -> tuple[int, bytes, bytes]:
    """Run one `gateway` command beside the serving process: exit status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(settings_file),
        cwd=settings_file.parent,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out, err


def toml(values: Mapping[str, Any]) -> str:
    """A settings file."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in values.items())


def _toml(value: object) -> str:
    match value:
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case int() | float():
            return str(value)
    return f'"{value}"'

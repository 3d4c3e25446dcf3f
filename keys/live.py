"""The key ring as it lies in its directory now, so that a rotation needs no restart.

Invariant: looked at again every half minute, and at once when a data key names a master key that is not known; when the directory
cannot be read, what was read last stays in force. Threads may look at the same time: each finds a whole ring. Where a hardware module
is the master key's home, looking happens in a thread of its own: no transaction ever waits for the module.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from keys.custody import KeyRing, UnknownMaster, load
from keys.hardware import HardwareHome
from keys.sealing import DataKey, WrappedKey

LOOK_EVERY = timedelta(seconds=30)

_log = structlog.get_logger()


class LiveRing:
    """One per process. OSError or ValueError when there is nothing whole to begin with."""

    def __init__(
        self, directory: Path, clock: Callable[[], datetime], home: HardwareHome | None = None
    ) -> None:
        self.home = home
        self._directory = directory
        self._clock = clock
        self._looked_at = clock()
        self._ring = load(directory, self._looked_at, home)
        self.is_readable = True  # when it was last looked at

    def now(self) -> KeyRing:
        """The ring in force at this instant."""
        at = self._clock()
        if not timedelta(0) <= at - self._looked_at < LOOK_EVERY:
            self._look_soon(at)
        return self._ring

    def look(self) -> KeyRing:
        """Read the directory now."""
        at = self._looked_at = self._clock()
        try:
            self._ring = load(self._directory, at, self.home)
            self.is_readable = True
        except (OSError, ValueError, KeyError, TypeError) as fault:
            self.is_readable = False
            _log.error("keys.unreadable", fault=type(fault).__name__)
        return self._ring

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """`KeyRing.unwrap`; a master key that came into use elsewhere a moment ago is found.

        With a hardware module UnknownMaster is raised, and the next try finds it.
        """
        try:
            return self.now().unwrap(wrapped)
        except UnknownMaster:
            self._look_soon(self._clock())
            return self._ring.unwrap(wrapped)

    def _look_soon(self, at: datetime) -> None:
        """Now, or beside whoever asked where a module might keep it waiting."""
        self._looked_at = at
        if self.home is None:
            self.look()
        else:
            threading.Thread(target=self.look, name="keys", daemon=True).start()

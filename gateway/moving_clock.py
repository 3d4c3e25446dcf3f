"""A clock that can be moved forward: for demonstrations and tests, refused in production.

How far it stands from the system's clock is kept in a file, so that the serving process, the command line and the
demonstration's partners all read the same time. Invariant: it only moves forward and never past the system's time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

SLACK = timedelta(seconds=1)


class MovingClock:
    """Callable like every clock; `real` is the system's clock."""

    def __init__(self, file: Path, real: Callable[[], datetime]) -> None:
        self._file = file
        self._real = real
        self._read_at_ns = -1
        self._behind = timedelta(0)

    def __call__(self) -> datetime:
        return self._real() - self._offset()

    def move_to(self, instant: datetime) -> None:
        """Set the time; ValueError for a time before the present one or after the system's."""
        real = self._real()
        if self._file.exists() and instant < self():
            raise ValueError("this clock only moves forward")
        if instant > real + SLACK:
            raise ValueError("this clock ends at now")
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(max(0.0, (real - instant).total_seconds())))
        os.replace(fresh, self._file)

    def _offset(self) -> timedelta:
        try:
            changed_ns = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return timedelta(0)
        if changed_ns != self._read_at_ns:
            self._behind = timedelta(seconds=float(self._file.read_text() or 0))
            self._read_at_ns = changed_ns
        return self._behind

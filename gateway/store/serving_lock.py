"""One serving process for each SQLite database: a second one was measured no faster, with a tail ten times longer.

The kernel drops the lock with the process that holds it, so a crash leaves a file that locks nobody out.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from gateway.core.errors import Misconfigured
from gateway.settings import Settings


def alone_on_sqlite(settings: Settings) -> AbstractContextManager[None]:
    """No process serves meanwhile where the book is on SQLite, else Misconfigured; on PostgreSQL nothing is held."""
    return serving_lock(settings.var_dir / "serving.lock") if settings.is_on_sqlite else nullcontext()


@contextmanager
def serving_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path` while serving. Raises `Misconfigured` when another process holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise Misconfigured(f"the lock file cannot be opened: {fault.strerror}") from fault
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                "another gateway is serving this database: stop it first, or use PostgreSQL for several"
            ) from None
        yield
    finally:
        os.close(
            descriptor
        )  # lets go of the lock; the file stays, so that no two processes lock different files


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """One process at a time does this in `folder`; the others wait."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file `path`; a file that is not there holds nobody."""
    try:
        with serving_lock(path) if path.exists() else nullcontext():
            return False
    except Misconfigured:
        return True

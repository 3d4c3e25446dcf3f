"""What is known of a file that is sent beside a message: limits, what the scanner said, why a person must look.

A file is taken when its content is of a type that is taken and the scanner found nothing. What cannot be judged (encrypted, with
macros, an archive, too deep for the scanner) is kept, and withheld until an officer has looked. What is infected is not kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

LARGEST_BYTES = 25 * 1024 * 1024
UNNAMED_LIFE = timedelta(days=1)  # then it is destroyed, unless a message has named it
RECEIVING_LIFE = timedelta(
    hours=1
)  # longer than any upload lasts: what is still torn then was left by a crash

ENCRYPTED = "attachment-encrypted"
MACROS = "attachment-macros"
ACTIVE = "attachment-active-content"
ARCHIVE = "attachment-archive"
UNREADABLE = "attachment-unreadable"
UNSCANNABLE = "attachment-unscannable"
NOT_SCANNED = "attachment-not-scanned"
INFECTED = "attachment-infected"  # of a file that came by mail: one sent to the door is refused at once
REASONS = (ENCRYPTED, MACROS, ACTIVE, ARCHIVE, UNREADABLE, UNSCANNABLE, NOT_SCANNED)


class Scanned(Enum):
    """What came of a scan. Only CLEAN lets a file go to anyone without a person's word."""

    CLEAN = "clean"
    INFECTED = "infected"
    ENCRYPTED = "encrypted"
    MACROS = "macros"
    UNSCANNABLE = "unscannable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The scanner's word on one file. `signature` is its own name for what it found, in plain characters."""

    scanned: Scanned
    signature: str = ""


class ScannerUnavailable(Exception):
    """The scanner gave no verdict: not reached, too slow, or it went away. `reason` is a coarse code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Scan = Callable[
    [AsyncIterator[bytes]], Awaitable[Verdict]
]  # reads the file to its end; whatever the iterator raises passes through; ScannerUnavailable

WITHHELD_BY_SCAN = {
    Scanned.ENCRYPTED: ENCRYPTED,
    Scanned.MACROS: MACROS,
    Scanned.UNSCANNABLE: UNSCANNABLE,
}

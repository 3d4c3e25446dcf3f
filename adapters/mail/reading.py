"""Reading mail that may be hostile: a look at the bytes, then a child process with little memory and little time.

Invariant: `read_mail` never raises and never hangs. Whatever cannot be read safely is `unreadable` and goes to a person
with its raw bytes kept; nothing is dropped. Measured: a Subject of 280 KB of encoded words costs the standard library
2.7 GB, and 2 000 nested parts a RecursionError, hence both the look and the limits.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict

from adapters.mail.findings import Expected, Reading, from_json, unreadable

MOST_BYTES = 35 * 1024 * 1024
MOST_HEADER_BYTES = 64 * 1024
MOST_FIELD_BYTES = 8 * 1024
MOST_FIELDS = 500
MOST_PARTS = 200
MOST_BOUNDARY_LINES = 2000
WALL_CLOCK_SECONDS = 20
MOST_ANSWER_BYTES = 512 * 1024

_BOUNDARY = re.compile(rb"\bboundary\s*(?:\*\d*\*?)?\s*=", re.IGNORECASE)
_PART = re.compile(rb"^content-type\s*:", re.IGNORECASE | re.MULTILINE)
_BOUNDARY_LINE = re.compile(rb"^--[^\r\n]", re.MULTILINE)


def read_mail(raw: bytes, expected: Expected) -> Reading:
    """What one mail is and says. Blocks for up to 20 seconds: call it in a thread."""
    fault = fault_in_bytes(raw)
    return unreadable(fault) if fault else _read_in_child(raw, expected)


def fault_in_bytes(raw: bytes) -> str | None:
    """Why these bytes are not even parsed, in plain words; None when they may be."""
    if len(raw) > MOST_BYTES:
        return "The mail is too large to read by machine."
    if not raw.strip():
        return "The mail is empty."
    head = re.split(rb"\r?\n\r?\n", raw[: MOST_HEADER_BYTES + 4], maxsplit=1)
    if len(head) == 1 and len(raw) > MOST_HEADER_BYTES:
        return "The mail's header is too long."
    fields = re.split(rb"\r?\n(?![ \t])", head[0])
    if len(fields) > MOST_FIELDS or any(len(one) > MOST_FIELD_BYTES for one in fields):
        return "The mail's header has too many or too long fields."
    if b"\x00" in head[0] or b":" not in head[0]:
        return "This is not an e-mail."
    if len(_BOUNDARY.findall(raw)) > MOST_PARTS or len(_PART.findall(raw)) > MOST_PARTS:
        return "The mail has too many parts."
    if len(_BOUNDARY_LINE.findall(raw)) > MOST_BOUNDARY_LINES:
        return "The mail has too many parts."
    return None


def _read_in_child(raw: bytes, expected: Expected) -> Reading:
    """A fresh interpreter for each mail, without our environment, killed when its time is up."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "adapters.mail.child"],
            input=json.dumps(asdict(expected)).encode() + b"\n" + raw,
            capture_output=True,
            timeout=WALL_CLOCK_SECONDS,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return unreadable("Reading the mail took too long.")
    except OSError:
        return unreadable("The mail could not be read now.")
    if done.returncode != 0 or len(done.stdout) > MOST_ANSWER_BYTES:
        return unreadable("The mail is damaged or built to do harm.")
    try:
        return from_json(done.stdout.decode("utf-8"))
    except (ValueError, KeyError, TypeError):
        return unreadable("The mail could not be read with certainty.")

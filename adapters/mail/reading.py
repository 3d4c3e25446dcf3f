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
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from adapters.mail.findings import Expected, Reading, from_json, unreadable
from adapters.mail.signed import is_enveloped
from gateway.core.replies import MailForm, OpenedFile
from keys.opening import MailKeys, Wrapped

MOST_BYTES = 35 * 1024 * 1024
MOST_HEADER_BYTES = 64 * 1024
MOST_FIELD_BYTES = 8 * 1024
MOST_FIELDS = 500
MOST_PARTS = 200
MOST_HOPS = 25  # Received fields; a mail that went through more servers goes round in circles
MOST_BOUNDARY_LINES = 2000
WALL_CLOCK_SECONDS = 20
MOST_ANSWER_BYTES = 512 * 1024

_BOUNDARY = re.compile(rb"\bboundary\s*(?:\*\d*\*?)?\s*=", re.IGNORECASE)
_PART = re.compile(rb"^content-type\s*:", re.IGNORECASE | re.MULTILINE)
_BOUNDARY_LINE = re.compile(rb"^--[^\r\n]", re.MULTILINE)


def read_mail(raw: bytes, expected: Expected, keys: MailKeys | None = None) -> Reading:
    """What one mail is and says. Blocks for up to 40 seconds: call it in a thread. `keys` open what is encrypted to us."""
    fault = fault_in_bytes(raw)
    if fault:
        return unreadable(fault)
    try:
        said = _in_child("read", raw, _with_content_key(raw, expected, keys))
        if len(said) > MOST_ANSWER_BYTES:
            return unreadable("The mail is damaged or built to do harm.")
        return from_json(said.decode("utf-8"))
    except ChildFailed as failed:
        return unreadable(str(failed))
    except (ValueError, KeyError, TypeError):
        return unreadable("The mail could not be read with certainty.")


def read_files(raw: bytes, expected: Expected, keys: MailKeys | None = None) -> tuple[OpenedFile, ...] | None:
    """Every file of a reading's attachments in its order, with the message form in it; None when the mail cannot be opened.

    Blocks likewise. Where the look for forms takes too long or too much memory the files come without.
    """
    if fault_in_bytes(raw):
        return None
    for task in ("files", "files-alone"):
        with suppress(ChildFailed, ValueError, KeyError, TypeError):
            return _files(_in_child(task, raw, _with_content_key(raw, expected, keys)))
    return None


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
    if sum(one[:9].lower() == b"received:" for one in fields) > MOST_HOPS:
        return "The mail goes round in circles."
    if b"\x00" in head[0] or b":" not in head[0]:
        return "This is not an e-mail."
    if len(_BOUNDARY.findall(raw)) > MOST_PARTS or len(_PART.findall(raw)) > MOST_PARTS:
        return "The mail has too many parts."
    if len(_BOUNDARY_LINE.findall(raw)) > MOST_BOUNDARY_LINES:
        return "The mail has too many parts."
    return None


class ChildFailed(Exception):
    """The child gave no answer; its text is for a person."""


def _with_content_key(raw: bytes, expected: Expected, keys: MailKeys | None) -> Expected:
    """Of an encrypted mail, the structure is read in a child, the key is opened here, and the content in another child."""
    if keys is None or not is_enveloped(raw[:MOST_HEADER_BYTES]):
        return expected
    try:
        wrapped = [_wrapped(one) for one in json.loads(_in_child("recipients", raw, None))]
    except (ValueError, KeyError, TypeError):
        raise ChildFailed("The mail is damaged or built to do harm.") from None
    mine = next((one for one in wrapped if keys.opens(one.recipient)), None)
    key = keys.content_key(mine).hex() if mine else ""
    return replace(expected, vouching=replace(expected.vouching, content_key=key))


def _files(said: bytes) -> tuple[OpenedFile, ...]:
    """Checked value by value, as below."""
    head, _, rest = said.partition(b"\n")
    found, at = [], 0
    for one in json.loads(head):
        size = int(one["size"])
        if size < 0:
            raise ValueError("a file of a mail has a size")
        found.append(OpenedFile(rest[at : at + size], _form(one["form"]) if one["form"] else None))
        at += size
    if at != len(rest):
        raise ValueError("not the files of a mail")
    return tuple(found)


def _form(loose: dict[str, Any]) -> MailForm:
    values = {str(name): one for name, one in dict(loose["values"]).items() if isinstance(one, str | bool)}
    return MailForm(str(loose["type"]), int(loose["version"]), values)


def _wrapped(loose: dict[str, Any]) -> Wrapped:
    """Checked value by value: it comes from a process that has read a stranger's bytes."""
    originator = loose["originator"]
    wrapped = Wrapped(
        str(loose["recipient"]),
        bytes.fromhex(loose["encrypted"]),
        int(loose["key_bytes"]),
        (str(loose["oaep"][0]), str(loose["oaep"][1])) if loose["oaep"] else None,
        bytes.fromhex(originator) if originator else None,
        str(loose["agreement_hash"]),
        bytes.fromhex(loose["shared_info"]),
        int(loose["wrap_bytes"]),
    )
    if wrapped.key_bytes not in (16, 24, 32) or wrapped.wrap_bytes not in (0, 16, 24, 32):
        raise ValueError("not a key of AES")
    return wrapped


def _in_child(task: str, raw: bytes, expected: Expected | None) -> bytes:
    """A fresh interpreter for each task, without our environment, killed when its time is up; ChildFailed without an answer."""
    told = {"task": task, "expected": asdict(expected) if expected else None}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "adapters.mail.child"],
            input=json.dumps(told).encode() + b"\n" + raw,
            capture_output=True,
            timeout=WALL_CLOCK_SECONDS,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed("Reading the mail took too long.") from None
    except OSError:
        raise ChildFailed("The mail could not be read now.") from None
    if done.returncode != 0 or len(done.stdout) > MOST_BYTES + MOST_ANSWER_BYTES:
        raise ChildFailed("The mail is damaged or built to do harm.")
    return done.stdout

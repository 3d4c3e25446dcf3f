"""DKIM signatures of our own mail: one with each key (RSA for everybody, Ed25519 for those who read it).

Invariants: what a reader sees or answers to is signed as often as it stands there and once more ("oversigned"), so that
neither a second From or Subject nor another Content-Type can be put in front of a mail of ours without breaking every
signature; the same bytes and instant give the same signatures. Private keys stay in `keys`.
Sources: RFC 6376 sections 3.4.2, 3.4.4, 3.7, 5.4 and 8.15; RFC 8463.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from keys.letters import DkimKey

OVERSIGNED = ("from", "subject", "reply-to", "to", "content-type", "message-id")
SIGNED = (
    *OVERSIGNED, "date", "cc", "mime-version", "content-transfer-encoding", "in-reply-to", "references", "auto-submitted",
    "sender", "resent-from",
)  # fmt: skip

_WIDE = re.compile(rb"[ \t]{2,}|\t")

Field = tuple[str, bytes]  # lower-case name; the whole field as it stands, without its last line's end


def sign_mail(content: bytes, keys: Sequence[DkimKey], domain: str, signed_at: datetime) -> bytes:
    """The mail (CRLF lines) with one DKIM-Signature for each key in front of it."""
    head, _, body = content.partition(b"\r\n\r\n")
    fields = _fields(head)
    digest = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
    signatures = [_signature(fields, digest, key, domain, signed_at) for key in keys]
    return b"".join(signature + b"\r\n" for signature in signatures) + content


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4, over the whole body at once: a letter with its PDF has a thousand lines."""
    narrow = _WIDE.sub(b" ", body).replace(b" \r\n", b"\r\n").rstrip(b" ")
    while narrow.endswith(b"\r\n"):
        narrow = narrow[:-2]
    return narrow + b"\r\n" if narrow else b""


def relaxed_field(field: bytes) -> bytes:
    """RFC 6376 section 3.4.2, without the end of the line."""
    name, _, value = field.partition(b":")
    unfolded = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip()
    return name.strip().lower() + b":" + unfolded


def _fields(head: bytes) -> list[Field]:
    found = re.split(rb"\r\n(?![ \t])", head)
    return [(field.partition(b":")[0].strip().lower().decode("ascii"), field) for field in found]


def _signature(fields: Sequence[Field], digest: str, key: DkimKey, domain: str, at: datetime) -> bytes:
    names = _names(fields)
    unsigned = (
        f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/relaxed; d={domain};\r\n"
        f" s={key.selector}; t={int(at.timestamp())}; h={_folded(names)};\r\n bh={digest};\r\n b="
    ).encode("ascii")
    signed = key.sign(_signed_data(fields, names, unsigned))
    encoded = base64.b64encode(signed).decode()
    return unsigned + "\r\n ".join(encoded[at : at + 72] for at in range(0, len(encoded), 72)).encode()


def _names(fields: Sequence[Field]) -> list[str]:
    present = [name for name, _ in fields]
    return [name for wanted in SIGNED for name in [wanted] * (present.count(wanted) + (wanted in OVERSIGNED))]


def _signed_data(fields: Sequence[Field], names: Sequence[str], unsigned: bytes) -> bytes:
    """From the bottom up for a name that stands several times; a name beyond its fields adds nothing (section 5.4.2)."""
    left: dict[str, list[bytes]] = {}
    for name, field in fields:
        left.setdefault(name, []).append(field)
    chosen = [left[name].pop() for name in names if left.get(name)]
    return b"\r\n".join([*map(relaxed_field, chosen), relaxed_field(unsigned)])


def _folded(names: Sequence[str]) -> str:
    rows = [":".join(names[at : at + 5]) for at in range(0, len(names), 5)]
    return ":\r\n  ".join(rows)

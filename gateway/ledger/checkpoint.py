"""Checkpoints and proofs as text: C2SP signed-note, tlog-checkpoint, tlog-cosignature (Ed25519) and tlog-proof@v1.

Invariant: a checkpoint has exactly three lines; what it says is never trusted before its signatures held. Reading and
checking stand once, in `verify`; here is what writes.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.ledger.verify import (
    LOG_KEY,
    WITNESS_KEY,
    VerifierKey,
    cosigned_message,
    label,
    open_checkpoint,
    parse_checkpoint_text,
    parse_note,
    parse_proof,
    parse_vkey,
    unb64url,
)
from keys.signing import Signer

__all__ = [
    "checkpoint_text",
    "cosignature",
    "log_key",
    "open_checkpoint",
    "origin_anew",
    "origin_at",
    "parse_checkpoint_text",
    "parse_note",
    "parse_proof",
    "parse_vkey",
    "proof_text",
    "sign_checkpoint",
    "witness_key",
]


def origin_at(issuer: str, at: datetime, last: str | None) -> str:
    """The log to seal in at an aware instant: one for each year in UTC; never an earlier one than `last`, the log in use."""
    year = f"{issuer}/ledger/{at.astimezone(UTC).year}"
    return year if last is None or label(last) < label(year) else last


def origin_anew(last: str) -> str:
    """The name of a log that is begun anew in its year: 2026, 2026b, 2026c; ValueError after 2026z."""
    year, letter = (last[:-1], last[-1]) if last[-1].isalpha() else (last, "a")
    if letter == "z":
        raise ValueError("no log is begun anew so often")
    return year + chr(ord(letter) + 1)


def log_key(origin: str, signer: Signer) -> VerifierKey:
    """The log's verifier key; its name is the log's origin."""
    return _verifier_key(origin, LOG_KEY, signer)


def witness_key(name: str, signer: Signer) -> VerifierKey:
    """A witness's verifier key."""
    return _verifier_key(name, WITNESS_KEY, signer)


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """What the log signs: origin, size and root, a line each."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def sign_checkpoint(signer: Signer, origin: str, size: int, root: bytes) -> str:
    """The signed note of a tree head, with the log's own signature line."""
    text = checkpoint_text(origin, size, root)
    return f"{text}\n{_line(log_key(origin, signer), signer.sign(text.encode()))}"


def cosignature(signer: Signer, name: str, note: str, at: datetime) -> str:
    """A witness's signature line for a checkpoint at an aware instant; the witness has checked consistency before."""
    text, _ = parse_note(note.encode())
    timestamp = int(at.timestamp())
    signature = timestamp.to_bytes(8, "big") + signer.sign(cosigned_message(text, timestamp))
    return _line(witness_key(name, signer), signature)


def proof_text(index: int, path: Sequence[bytes], note: str) -> str:
    """An offline proof that a leaf is in the log: tlog-proof@v1 without extra data."""
    hashes = "".join(f"{base64.b64encode(part).decode()}\n" for part in path)
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{note}"


def _verifier_key(name: str, kind: int, signer: Signer) -> VerifierKey:
    if signer.algorithm != "Ed25519":
        raise ValueError("notes are signed with Ed25519")
    return VerifierKey(name, kind, unb64url(signer.public_jwk()["x"]))


def _line(key: VerifierKey, signature: bytes) -> str:
    return f"— {key.name} {base64.b64encode(key.id + signature).decode()}\n"

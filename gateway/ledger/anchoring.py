"""Anchoring: what witnesses and time-stamping authorities are asked, and what of their answers is believed.

Invariant: nothing is kept that the verifier would refuse. A witness's line is its own signature on our checkpoint, made about
now (C2SP tlog-witness, tlog-cosignature); a token is over the complete note with those lines (RFC 3161), made about now by an
authority that the settings name. The note is cosigned first and stamped last; its bytes never change after.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.ledger.verify import (
    WITNESS_KEY,
    Invalid,
    Stampers,
    VerifierKey,
    check_stamp,
    open_checkpoint,
    parse_note,
    parse_vkey,
)

CLOCKS_APART = timedelta(
    seconds=60
)  # the usual skew of a policy: what is further apart its verifier would refuse
MOST_HASHES = 63


@dataclass(frozen=True, slots=True)
class Witness:
    """A partner's witness: the key that it signs with, and where it is asked."""

    key: VerifierKey
    url: str


@dataclass(frozen=True, slots=True)
class Notaries:
    """Who confirms this log: witnesses, of whom `quorum` must sign, and up to two authorities that stamp."""

    witnesses: tuple[Witness, ...]
    quorum: int
    stamp_urls: tuple[str, ...]
    stampers: Stampers
    roots: str  # the authorities' root certificates as the settings' file has them, PEM


MOST_BEHIND = 10  # steps


def steady_size(shown: int, newest: int, growth: int) -> int:
    """How large the log is to be shown next, of which others saw `shown` leaves and which has `newest` by now.

    With a growth it is that many leaves more than last time, whatever happened: where there are more they are shown with the
    next steps, where there are fewer the log is filled up first. Only what would take longer than `MOST_BEHIND` steps is
    shown at once, as whole steps.
    """
    if growth == 0:
        return newest
    behind = max(newest - shown, growth)
    return shown + (growth if behind <= MOST_BEHIND * growth else behind // growth * growth)


class WrongTime(Exception):
    """A witness or authority whose clock is far from ours: what it signed would not count."""


def read_witness(text: str) -> Witness:
    """A setting of the form `VKEY URL`; ValueError when it is not one."""
    vkey, _, url = text.strip().partition(" ")
    key = parse_vkey(vkey)
    if key.kind != WITNESS_KEY or not url.strip().startswith(("https://", "http://")):
        raise ValueError("not a witness's key and address")
    return Witness(key, url.strip().rstrip("/"))


def submission(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of `add-checkpoint`: that the tree of `old` leaves is the beginning of the note's."""
    lines = "".join(base64.b64encode(part).decode() + "\n" for part in proof)
    return f"old {old}\n{lines}\n{note}".encode()


def parse_submission(body: bytes) -> tuple[int, list[bytes], bytes]:
    """Old size, proof and note of an `add-checkpoint`; ValueError when it is not one."""
    head, separator, note = body.partition(b"\n\n")
    first, *lines = head.decode("ascii").split("\n")
    word, _, size = first.partition(" ")
    if not separator or word != "old" or len(lines) > MOST_HASHES:
        raise ValueError("not an add-checkpoint")
    if not size.isdecimal() or str(int(size)) != size or len(size) > 19:
        raise ValueError("the old size is not a plain number")
    return int(size), [base64.b64decode(line, validate=True) for line in lines], note


def own_line(witness: Witness, logs: Sequence[VerifierKey], note: str, answer: bytes, now: datetime) -> str:
    """The witness's line out of its answer; Invalid when its signature does not hold, WrongTime when it is not of now."""
    whole = note.encode() + answer
    head = open_checkpoint(whole, logs, [witness.key], 1)
    if abs(head.cosigned_at[0] - now) > CLOCKS_APART:
        raise WrongTime
    wanted = (witness.key.name, witness.key.id)
    name, key_id, signature = next(line for line in parse_note(whole)[1] if line[:2] == wanted)
    return f"— {name} {base64.b64encode(key_id + signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class StampRequest:
    """What is posted to an authority, and the nonce that its answer must repeat."""

    content: bytes
    nonce: int


def stamp_request(note: str) -> StampRequest:
    """A query for the SHA-256 of the complete note, with a fresh nonce, asking for the certificate too."""
    from rfc3161_client import TimestampRequestBuilder
    from rfc3161_client.base import HashAlgorithm

    made = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    assert made.nonce is not None
    return StampRequest(made.as_bytes(), made.nonce)


def read_stamp(answer: bytes, note: str, nonce: int, stampers: Stampers, now: datetime) -> datetime:
    """When the authority stamped the note; Invalid when the verifier would refuse it, WrongTime when it is not of now."""
    from rfc3161_client import decode_timestamp_response

    stamped_at = check_stamp(answer, note.encode(), stampers)
    if decode_timestamp_response(answer).tst_info.nonce != nonce:
        raise Invalid("the answer is to another question")
    if abs(stamped_at - now) > CLOCKS_APART:
        raise WrongTime
    return stamped_at

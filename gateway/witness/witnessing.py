"""What a witness does with a checkpoint: check, remember, sign (C2SP tlog-witness).

Invariant: it never signs two checkpoints of one log of which the later is not the continuation of the earlier.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.ledger.anchoring import parse_submission
from gateway.ledger.checkpoint import cosignature
from gateway.ledger.verify import (
    Invalid,
    VerifierKey,
    open_checkpoint,
    parse_checkpoint_text,
    parse_note,
    verify_consistency,
)
from gateway.store.witnessed import Memory, Remembered
from keys.signing import Signer


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP status and body of `add-checkpoint`: 200 with a line, 409 with a size, or a reason in plain words."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Witnessing:
    """A witness: its name and key, the logs that it watches (each key of an origin), what it remembers, and its clock."""

    name: str
    signer: Signer
    logs: Mapping[str, Sequence[VerifierKey]]
    memory: Memory
    clock: Callable[[], datetime]

    def add_checkpoint(self, body: bytes) -> Answer:
        """Sign the checkpoint, once it is shown to continue what was signed before."""
        try:
            old, proof, note = parse_submission(body)
            text, _ = parse_note(note)
            origin, size, root = parse_checkpoint_text(text)
        except (ValueError, Invalid):
            return Answer(400, "not an add-checkpoint request\n")
        keys = self.logs.get(origin)
        if keys is None:
            return Answer(404, "this witness does not watch that log\n")
        try:
            open_checkpoint(note, keys, [], 0)
        except Invalid:
            return Answer(403, "the log's signature is missing or false\n")
        if old > size:
            return Answer(400, "the old size is larger than the checkpoint\n")
        return self._advance(origin, old, proof, _of_log(note, keys), Remembered(size, root, b""))

    def _advance(self, origin: str, old: int, proof: list[bytes], note: bytes, new: Remembered) -> Answer:
        last = self.memory.last(origin)
        size, root = (last.size, last.root) if last else (0, b"")
        if old != size or (last is not None and new.size == size and new.root != root):
            return Answer(409, f"{size}\n")
        if not _continues(size, root, proof, new):
            return Answer(422, "the checkpoint is not shown to continue the last one\n")
        own = cosignature(self.signer, self.name, note.decode(), self.clock())
        signed = Remembered(new.size, new.root, note + own.encode())
        overtaken = self.memory.advance(origin, size, signed)
        if overtaken is not None:
            return Answer(409, f"{overtaken.size}\n")
        return Answer(200, own)


def _of_log(note: bytes, keys: Sequence[VerifierKey]) -> bytes:
    """The note with the log's own lines alone. Anybody may hand in a public checkpoint, with lines of their making beside: what is
    remembered is evidence against the log one day, and must be read by whoever asks for it."""
    text, lines = parse_note(note)
    known = {(key.name, key.id) for key in keys}
    kept = (
        f"— {name} {base64.b64encode(key + raw).decode()}\n"
        for name, key, raw in lines
        if (name, key) in known
    )
    return text + b"\n" + "".join(kept).encode()


def _continues(size: int, root: bytes, proof: list[bytes], new: Remembered) -> bool:
    """From an empty tree nothing has to be shown, and nothing may be."""
    if size == 0:
        return not proof
    return verify_consistency(size, new.size, root, new.root, proof)

"""Check a whole log, and that something is not stated in it: `python absence.py LOG --ref REF --event NAME --before INSTANT --policy
POLICY.json [--pinned FILE.note] [--json]`.

LOG is a folder that `gateway evidence log` made. A bundle shows what happened; that something did not happen shows only in
the whole log: every leaf is read, hashed up to the root that a trusted checkpoint signs, and looked at. This file needs
`verify.py` beside it (or the gateway), Python 3.11 and the package `cryptography`, no network and no database.

The answer rests on three things, and says so: that the checkpoint covers every leaf that was read (recomputed here); that
it was made after the instant asked about (by what witnesses or time-stamps say, else by the gateway's own claim); and that
the log shown is the one that others saw (`pinned` checkpoints, each recomputed here). It shows nothing about what happened
outside of the log. Several recipients of one message share its ref: what one of them stated is found for all.

Verdicts: VALID; PROVISIONAL (the log does not reach past the instant yet, nothing in it has this ref, or a required time-stamp is
pending); INVALID. Exit status: 0 absent, 1 stated after all or INVALID, 2 cannot be read or used wrongly.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

try:
    from gateway.ledger import verify
except ImportError:  # alone, in the folder of a log
    verify = importlib.import_module("verify")

LEAVES, EARLIER = "leaves.jsonl", "earlier"
FILLER = re.compile(rb'{"filler":"[0-9a-f]{64}"}')  # says nothing: it keeps the log's growth steady
LONGEST_LINE = verify.LIMIT_STATEMENT_BYTES + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """`absent`: no leaf states the event of this ref before the instant; None when INVALID says that nothing can be said."""

    verdict: str
    absent: bool | None
    reason: str
    leaves: int


@dataclass(slots=True)
class Tree:
    """RFC 9162 section 2.1.1, leaf by leaf: the roots of complete subtrees, largest first; never more than 64 of them."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        self.peaks.append(verify.leaf_hash(leaf))
        self.size += 1
        filled = self.size
        while not filled & 1:
            right = self.peaks.pop()
            self.peaks.append(verify.node_hash(self.peaks.pop(), right))
            filled >>= 1

    def root(self) -> bytes:
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = verify.node_hash(peak, root)
        return root


@dataclass(slots=True)
class Chain:
    """What the log states of one ref, held to its own numbering."""

    ref: str
    found: list[dict[str, Any]] = field(default_factory=list)
    last_leaf: str = ""

    def add(self, statement: dict[str, Any], leaf: bytes) -> None:
        if statement["seq"] != len(self.found) + 1 or statement["prev"] != self.last_leaf:
            raise verify.Invalid("the leaves of this ref are not one chain without gaps")
        self.found.append(statement)
        self.last_leaf = verify.leaf_hash(leaf).hex()


def check_absence(
    folder: Path, policy: verify.Policy, ref: str, event: str, before: datetime, pinned: Iterable[bytes] = ()
) -> Answer:
    """Whether the log in `folder` states `event` of `ref` before an aware instant; Unreadable when it is no log."""
    policy = verify.with_pinned(policy, pinned)
    chain, latest, leaves = Chain(ref), "", 0
    closed: tuple[int, str] | None = None
    try:
        for one in (*sorted((folder / EARLIER).glob("*")), folder):
            heads = _heads(one, policy)
            tree = Tree()
            with (one / LEAVES).open("rb") as lines:
                for leaf, statement in _covered(lines, tree, heads, policy):
                    if tree.size == 1:
                        _check_link(statement, closed)
                    latest = max(latest, statement["time"])
                    if statement["ref"] == ref:
                        chain.add(statement, leaf)
            closed = (tree.size, tree.root().hex())
            leaves += heads[-1].size
    except verify.Invalid as fault:
        return Answer("INVALID", None, str(fault), 0)
    except OSError as fault:
        raise verify.Unreadable(
            f"the folder is not a log: {LEAVES} or checkpoints/ cannot be read"
        ) from fault
    return _answer(chain, event, before, heads[-1], latest, policy, leaves)


def _check_link(first: dict[str, Any], closed: tuple[int, str] | None) -> None:
    """A log's first leaf names the last state of the one before: all of it was read, and nothing follows on it."""
    after = first.get("after", {})
    begun = (after.get("size"), after.get("root")) if first["event"] == verify.LINK else None
    if begun != closed:
        raise verify.Invalid("a log does not begin at the last state of the one before it")


def _heads(folder: Path, policy: verify.Policy) -> list[verify.Checkpoint]:
    """The checkpoints that the policy believes, smallest first."""
    files = {f"checkpoints/{path.name}": path.read_bytes() for path in (folder / "checkpoints").iterdir()}
    heads = []
    for name in (name for name in files if name.endswith(".note")):
        head = verify.open_checkpoint(files[name], policy.logs, policy.witnesses, 0)
        if len(head.cosigned_at) < policy.quorum:
            continue  # witnesses have not signed this one yet: an earlier one has to do
        if name != f"checkpoints/{head.size}.note":
            raise verify.Invalid("a checkpoint's file is not named by its size")
        heads.append(verify.with_stamp(head, name.removesuffix(".note"), files, policy))
    if not heads:
        raise verify.Invalid("there is no checkpoint that the policy believes")
    return sorted(heads, key=lambda head: (head.stamped_at is not None or not policy.is_stamped, head.size))


def _covered(
    lines: Iterable[bytes], tree: Tree, heads: Sequence[verify.Checkpoint], policy: verify.Policy
) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Every leaf with its statement as far as the last of `heads` reaches; its root, and every other known one, is recomputed."""
    known: dict[int, set[bytes]] = {}
    pinned = [pin for pin in policy.pinned if pin.origin == heads[-1].origin]
    signed: list[verify.Checkpoint | verify.Pinned] = [*heads, *pinned]
    for one in signed:
        known.setdefault(one.size, set()).add(one.root)
    for line in lines:
        leaf = line.removesuffix(b"\n")
        if len(line) > LONGEST_LINE or leaf == line:
            raise verify.Invalid("a line is not one whole leaf")
        tree.add(leaf)
        if any(root != tree.root() for root in known.pop(tree.size, ())):
            raise verify.Invalid("the leaves do not have the root that a checkpoint signs or that was pinned")
        if tree.size <= heads[-1].size and not (tree.size > 1 and FILLER.fullmatch(leaf)):
            yield leaf, _statement(leaf, policy)
    if known:
        raise verify.Invalid("the log is shorter than a checkpoint that was signed or pinned")


def _statement(leaf: bytes, policy: verify.Policy) -> dict[str, Any]:
    statement: dict[str, Any] = verify.check_statement(leaf)
    if statement["iss"] != policy.issuer:
        raise verify.Invalid("a leaf is a statement of another issuer")
    return statement


def _answer(
    chain: Chain,
    event: str,
    before: datetime,
    head: verify.Checkpoint,
    latest: str,
    policy: verify.Policy,
    leaves: int,
) -> Answer:
    times = [one["time"] for one in chain.found if one["event"] == event]
    early = [time for time in times if verify.instant(time) < before]
    if early:
        return Answer("VALID", False, f"the log states it at {early[0]}", leaves)
    rests = f"{leaves} leaves, all of them under the checkpoint"
    seen = _seen(head, policy)
    rests += f" that others saw at {seen.isoformat()}" if seen else ", whose time is the gateway's own claim"
    pins = len(policy.pinned)
    rests += (
        f"; {pins} checkpoints from elsewhere are of the same log"
        if pins
        else "; no checkpoint from elsewhere was given"
    )
    if not chain.found:
        return Answer(
            "PROVISIONAL", True, f"no leaf has this ref at all: is it the right one? Read: {rests}", leaves
        )
    if (seen or verify.instant(latest)) < before:
        return Answer(
            "PROVISIONAL", True, f"the log does not reach past the instant yet. Read: {rests}", leaves
        )
    if policy.is_stamped and head.stamped_at is None:
        return Answer(
            "PROVISIONAL", True, f"the time-stamp is pending or was not checked. Read: {rests}", leaves
        )
    later = f"it is stated later, at {times[0]}; " if times else ""
    return Answer(
        "VALID", True, f"no leaf states it before the instant; {later}this rests on {rests}", leaves
    )


def _seen(head: verify.Checkpoint, policy: verify.Policy) -> datetime | None:
    """Until when others saw no more than this: by the time-stamp, else as late as a quorum of witnesses says."""
    late = head.cosigned_at[::-1][max(policy.quorum, 1) - 1 :]
    return head.stamped_at or next(iter(late), None)


# --- the command -----------------------------------------------------------------------------------------------------


def check_files(
    folder: Path, policy: Path, ref: str, event: str, before: str, pinned: Sequence[Path] = ()
) -> Answer:
    """The answer for a folder and a policy's file; Unreadable when one of them, or the instant, is not what it has to be."""
    try:
        at = datetime.fromisoformat(before)
        trusted = verify.load_policy(policy.read_bytes())
        notes = [note.read_bytes() for note in pinned]
    except (OSError, ValueError) as fault:
        raise verify.Unreadable("the policy, a checkpoint or the instant cannot be read") from fault
    if at.tzinfo is None:
        raise verify.Unreadable("the instant is written with its offset, as in 2026-11-03T17:00:00Z")
    return check_absence(folder, trusted, ref, event, at, notes)


def report(answer: Answer, as_json: bool) -> str:
    """One JSON document, or plain words."""
    if as_json:
        return json.dumps(asdict(answer))
    said = {True: "not stated", False: "stated", None: "nothing can be said"}[answer.absent]
    return f"{answer.verdict}: {said}\n{answer.reason}\nleaves: {answer.leaves}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Check that a whole log does not state an event before an instant."
    )
    parser.add_argument("log", type=Path)
    for name in ("ref", "event", "before"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--policy", type=Path, required=True, help="whom to trust; obtained on another path")
    parser.add_argument(
        "--pinned", type=Path, action="append", default=[], help="a checkpoint got from others"
    )
    parser.add_argument("--json", action="store_true", help="answer with one JSON document")
    given = parser.parse_args(arguments)
    try:
        answer = check_files(given.log, given.policy, given.ref, given.event, given.before, given.pinned)
    except verify.Unreadable as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    sys.stdout.write(report(answer, given.json) + "\n")
    return 0 if answer.absent else 1


if __name__ == "__main__":
    sys.exit(main())

"""The whole log as a folder that anybody can read: a leaf a line, the signed checkpoints, and what checks them.

Leaves hold no personal data, so all of them can be handed to an inspectorate; but they show how many incidents there are and
when something happens, so to nobody else. Invariant: line N (from 0) is exactly leaf N, and nothing follows the newest checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gateway.ledger import absence, verify
from gateway.store.log import AnchorRow, CheckpointRow

AT_ONCE = 1000

README = """\
WHOLE LOG
=========
Every statement that this gateway ever signed, in the order of the log. No personal data: only ids, times, event names, coarse
reasons and salted digests. Still keep it close: it shows how many incidents there were, and when.

  leaves.jsonl             a statement a line, the bytes that are hashed; line N (from 0) is leaf N. A line {"filler":…} says
                           nothing: such leaves keep the log growing at one pace
  checkpoints/SIZE.note    the log's signed states (C2SP tlog-checkpoint); SIZE.tsr is a time-stamp over one
  earlier/NAME/            the logs before this one, each the same way: of earlier years, or given up after a loss; the first
                           leaf of a log names the last state of the one before
  verify.py, absence.py    to check it without the gateway, with Python 3.11 or later and the package `cryptography`

That something is not stated before an instant, for instance an acknowledgement before a deadline:

    python absence.py . --ref REF --event ConsignmentAcceptance --before 2026-11-03T17:00:00Z --policy POLICY.json

REF is the chain of the message or incident, as its evidence bundle names it. POLICY.json comes to you on another path, and with
--pinned FILE.note a checkpoint that a witness or another partner kept: only then can a second log be told from the first.
"""


def begin(folder: Path) -> None:
    """Make the folder with all that is no leaf or checkpoint; FileExistsError when it is there already."""
    begin_log(folder)
    (folder / "README.txt").write_text(README)
    for program in (verify, absence):
        name = Path(str(program.__file__))
        (folder / name.name).write_bytes(name.read_bytes())


def begin_log(folder: Path) -> None:
    """Make the folder of one log."""
    folder.mkdir(mode=0o700, parents=folder.parent.name == absence.EARLIER)
    (folder / "checkpoints").mkdir()


def add_leaves(folder: Path, statements: Iterable[bytes]) -> None:
    """Write the next leaves behind those that are there."""
    with (folder / absence.LEAVES).open("ab") as file:
        file.writelines(leaf + b"\n" for leaf in statements)


def add_checkpoint(folder: Path, row: CheckpointRow | AnchorRow) -> None:
    """A signed state of the log; an anchored one, written last, takes the place of the plain one of its size."""
    name = folder / "checkpoints" / str(row.size)
    name.with_suffix(".note").write_bytes(row.note.encode())
    for token, ending in zip(getattr(row, "tokens", ()), (".tsr", "-2.tsr"), strict=False):
        Path(f"{name}{ending}").write_bytes(token)

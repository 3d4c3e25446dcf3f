"""Take over the rows of an older register, whole or not at all: they are shown as imported, and nothing runs on them (S3-18).

No incident is opened, no clock started, no duty laid, nobody told. A row is known by its source and its own reference: the same
file again changes nothing, and a mended row takes the place of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import IdKind, make_id
from gateway.core.messages import PartnershipId
from gateway.core.receipts import Event
from gateway.core.registers import ImportedAlert
from gateway.parts import Parts, Work
from gateway.store import registers
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class RegisterImport:
    """Rows of one source, read without fault, and who takes them over."""

    partnership: PartnershipId
    source: str
    rows: Sequence[ImportedAlert]
    officer: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """References by what became of them. No receipt when nothing changed, or for a dry run."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    receipt: Stated | None = None


def import_register(tx: Tx, parts: Parts, work: Work, asked: RegisterImport) -> TakenOver:
    """Keep what is new or different, with one entry in the ledger. Refused without an officer's name."""
    if not asked.officer.strip():
        raise Refused(ErrorCode.NOT_PERMITTED, detail="Say who takes the rows over.")
    planned = planned_import(tx, asked)
    wanted = {*planned.added, *planned.changed}
    if not wanted:
        return planned
    rows = [row for row in asked.rows if row.reference in wanted]
    registers.take_over(tx, asked.partnership, rows, asked.officer, work.at)
    use = make_id(IdKind.REGISTER_USE, work.supply.take(16))
    subject = Subject(use, asked.partnership, None, None)
    receipt = prove(tx, parts, work, subject, [Said(Event.REGISTER_IMPORTED, reason=asked.source)])[0]
    registers.note_use(
        tx,
        {
            "id": use,
            "partnership": asked.partnership,
            "act": "imported",
            "what": asked.source,
            "form": "file",
            "rows": len(rows),
            "with_names": False,
            "officer": asked.officer,
            "second_officer": None,
            "why": "import",
            "at": work.at,
        },
    )
    return TakenOver(planned.added, planned.changed, planned.same, receipt)
    # A crash before the commit leaves nothing; the officer imports the file again, which is harmless.


def planned_import(tx: Tx, asked: RegisterImport) -> TakenOver:
    """What the rows would change; reads only."""
    before = registers.imported_of(tx, asked.partnership, asked.source)
    added = tuple(row.reference for row in asked.rows if row.reference not in before)
    same = tuple(row.reference for row in asked.rows if before.get(row.reference) == row)
    changed = tuple(row.reference for row in asked.rows if row.reference not in {*added, *same})
    return TakenOver(added, changed, same)

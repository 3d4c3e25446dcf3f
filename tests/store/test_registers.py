"""What registers read: the same on both engines, in a number of statements that does not grow with the cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.core.duties import DutyState
from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.core.registers import ImportedAlert
from gateway.store import registers
from gateway.store import tables as t
from gateway.store.transaction import Store, Tx

HERE, ELSEWHERE = PartnershipId("south-tyneside"), PartnershipId("southampton")
AT = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Store]:
    opened = Store.open(database_url, t.book)
    opened.create_tables()
    yield opened
    await opened.aclose()


def write_case(tx: Tx, number: int, partnership: str = HERE, at: datetime = AT) -> None:
    incident, message, duty = f"SI-{number}", f"msg-{number}", f"dty-{number}"
    here = {"partnership": partnership, "incident": incident}
    outcomes = [{"decision": "triage", "outcome": "sin-only", "dissent": False}]
    tx.execute(
        sa.insert(t.incident),
        {"id": incident, "partnership": partnership, "chain": f"inc-{number}", "pack_version": "1"}
        | {"state": "open", "outcomes": outcomes, "opened_at": at},
    )
    tx.execute(sa.insert(t.moment), here | {"name": "aware_at", "at": at, "message": message})
    usual: dict[str, Any] = here | {"version": 1, "agency": "police", "fingerprint": "f", "created_at": at}
    usual |= {
        "arrived_at": at,
        "recorded_at": at,
        "decision": "forward",
        "rule": "r",
        "answer": {},
        "receipt": "ev",
    }
    facts = {"moments": {"aware_at": at.isoformat()}, "codes": {"nature": ["death"]}}
    rows = [
        {"id": message, "type": "referral", "reference": f"NP-{number}", "facts": facts},
        {"id": f"ret-{number}", "type": "information-return", "reference": f"RT-{number}", "facts": facts},
        {"id": f"ch1-{number}", "type": "chase", "reference": f"{duty}-half", "facts": facts},
        {"id": f"ch2-{number}", "type": "chase", "reference": f"{duty}-due", "facts": facts},
    ]
    tx.execute(sa.insert(t.message), [usual | row for row in rows])
    tx.execute(
        sa.insert(t.duty),
        here
        | {"id": duty, "message": message, "agency": "icb", "role": "agency-responder", "state": "met"}
        | {"expects": "information-return", "clock": "K14", "rule": "request", "pack_version": "1"}
        | {"start_at": at}
        | {"due_on": date(2026, 11, 9), "due_at": at + 7 * DAY, "due_inclusive": True}
        | {"met_at": at + DAY, "met_by": f"ret-{number}"},
    )
    tx.execute(
        sa.insert(t.entry),
        here
        | {
            "id": f"ev-{number}",
            "chain": f"inc-{number}",
            "seq": 1,
            "event": "DecisionReached",
            "at": at + DAY,
        }
        | {"kid": "k", "statement": b"", "jws": ""},
    )


async def test_a_case_comes_with_all_that_a_register_shows(book: Store) -> None:
    await book.transact(lambda tx: write_case(tx, 1))
    (case,) = await book.read(lambda tx: registers.cases(tx, HERE, None, None))
    assert (case.id, case.outcomes, case.decided_at) == (IncidentId("SI-1"), ("sin-only",), AT + DAY)
    assert case.moments == {"aware_at": AT}
    assert [said.type for said in case.messages] == ["referral", "information-return"]
    assert case.codes("nature") == ("death",)
    (duty,) = case.duties
    assert (duty.agency, duty.state, duty.chases) == (AgencyId("icb"), DutyState.MET, 2)
    assert (duty.met_at, duty.arrived_at) == (AT + DAY, AT)


async def test_no_other_partnership_and_no_other_time_is_read(book: Store) -> None:
    def write(tx: Tx) -> None:
        write_case(tx, 1)
        write_case(tx, 2, ELSEWHERE)
        write_case(tx, 3, at=AT + 40 * DAY)

    await book.transact(write)

    def read(tx: Tx) -> list[list[str]]:
        return [
            [case.id for case in registers.cases(tx, HERE, None, None)],
            [case.id for case in registers.cases(tx, HERE, AT, AT + DAY)],
            [duty.incident for duty in registers.owed_in(tx, HERE, AT, AT + 30 * DAY)],
            list(registers.incidents_in(tx, ELSEWHERE, None, AT + DAY)),
        ]

    assert await book.read(read) == [["SI-1", "SI-3"], ["SI-1"], ["SI-1"], ["SI-2"]]


async def test_ten_cases_take_as_many_statements_as_one(book: Store) -> None:
    counted: list[int] = []

    def count(tx: Tx) -> None:
        seen: list[str] = []

        def note(*statement: Any) -> None:
            seen.append(statement[2])

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            registers.cases(tx, HERE, None, None)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
        counted.append(len(seen))

    await book.transact(lambda tx: write_case(tx, 1))
    await book.read(count)
    await book.transact(lambda tx: [write_case(tx, number) for number in range(2, 12)])
    await book.read(count)
    assert counted[0] == counted[1] > 0


async def test_an_imported_row_is_kept_once_and_starts_nothing(book: Store) -> None:
    old = ImportedAlert("sheet", "A-1", date(2025, 6, 3), ("death", "other"), "Need to Know case")
    mended = ImportedAlert("sheet", "A-1", date(2025, 6, 4), ("death",))

    def write(tx: Tx) -> None:
        for row in (old, mended):
            registers.take_over(tx, HERE, [row], "W. Stave", AT)

    await book.transact(write)
    assert await book.read(lambda tx: registers.imported(tx, HERE, None, None)) == [mended]
    assert await book.read(lambda tx: registers.imported(tx, ELSEWHERE, None, None)) == []
    assert await book.read(lambda tx: registers.imported(tx, HERE, date(2026, 1, 1), None)) == []
    assert await book.read(lambda tx: registers.imported_of(tx, HERE, "sheet")) == {"A-1": mended}
    assert await book.read(lambda tx: registers.cases(tx, HERE, None, None)) == []

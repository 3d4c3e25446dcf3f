"""Group 67: whether an id is another's or nobody's shows neither in the answer nor in the work done for it.

Work is counted, not timed: the statements that reach the databases, byte for byte the same but for their values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from gateway.dispatch.timetable import seal_waiting
from tests.edges.at_the_door import Raw
from tests.gateway_house import House, gateway_house

POLICE, UNIT, STRANGER = "northshire-police", "south-tyneside-sbu", "northshire-hospitals"


@dataclass(eq=False)
class Statements:
    """What SQLite was asked, while somebody listens."""

    heard: list[str] = field(default_factory=list)

    def __call__(self, connection: sqlite3.Connection, _: Any) -> None:
        connection.set_trace_callback(self._hear)

    def _hear(self, statement: str) -> None:
        verb = statement.split(None, 3)
        if verb[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            self.heard.append(_without_values(statement))


def _without_values(statement: str) -> str:
    """SQLite tells statements with their values filled in: every text and number becomes a question mark."""
    plain, quoted = [], False
    for piece in statement.split("'"):
        plain.append("?" if quoted else piece)
        quoted = not quoted
    return "".join("" if character.isdigit() else character for character in "".join(plain))


@contextmanager
def listening() -> Iterator[Statements]:
    statements = Statements()
    event.listen(Engine, "connect", statements)
    try:
        yield statements
    finally:
        event.remove(Engine, "connect", statements)


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[tuple[House, Statements]]:
    with listening() as statements:
        async with gateway_house(tmp_path) as house:
            await house.gateway.dispatch.stop()
            yield house, statements


async def test_foreign_and_unknown_ids_cost_the_same_statements_and_have_the_same_answer(
    told: tuple[House, Statements],
) -> None:
    house, statements = told
    async with house.client(POLICE) as police:
        sent = await police.submit(
            house.example("referral", {"agencies_involved": [POLICE]}, reference="NP-1")
        )
    await seal_waiting(house.parts)
    async with house.client(UNIT) as unit:
        delivery = (await unit.inbox())[0]["id"]
    pairs = {
        "/v1/messages/{}": (sent["id"], "msg-" + "a" * 26),
        "/v1/messages/{}/receipts": (sent["id"], "msg-" + "a" * 26),
        "/v1/receipts/{}": (sent["receipt"]["id"], "ev-" + "a" * 26),
        "/v1/receipts/{}/proof": (sent["receipt"]["id"], "ev-" + "a" * 26),
        "/v1/incidents/{}": (sent["incident"], "SI-7K3M-9QPX-2D"),
        "/v1/inbox/{}": (delivery, "dlv-" + "a" * 26),
        "/v1/inbox/{}/attachments/att-x": (delivery, "dlv-" + "a" * 26),
        "/v1/partnerships/{}/directory": ("southampton", "nowhere"),
    }
    async with Raw(house, STRANGER) as stranger:
        await stranger.call(
            "GET", "/v1/duties", headers=()
        )  # the token, and what is remembered of the client
        for path, (foreign, unknown) in pairs.items():
            seen = []
            for wanted in (foreign, unknown):
                del statements.heard[:]
                said = await stranger.call("GET", path.format(wanted), headers=())
                body = {name: value for name, value in said.document.items() if name != "instance"}
                seen.append((said.status, body, list(statements.heard)))
            assert seen[0] == seen[1], path
            assert seen[0][2], "the ledger of used proofs at least was asked"


@pytest.mark.parametrize(
    "wrong",
    [
        str.upper,
        lambda one: one + "%00",
        lambda one: "..%2f" + one,
        lambda one: one[:-1],
        lambda one: one + "a",
    ],
    ids=["case", "nul", "path", "shorter", "longer"],
)
async def test_another_spelling_of_an_id_is_another_id(told: tuple[House, Statements], wrong: Any) -> None:
    house, _ = told
    async with Raw(house, POLICE) as police:
        sent = await police.client.submit(house.example("referral", reference="NP-1"))
        assert (await police.call("GET", f"/v1/messages/{sent['id']}", headers=())).status == 200
        said = await police.call("GET", f"/v1/messages/{wrong(sent['id'])}", headers=())
        assert (said.status, said.code) == (404, "not-found")

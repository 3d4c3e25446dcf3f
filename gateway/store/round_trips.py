"""Round trips: on PostgreSQL what is written goes with the next question, in one round trip.

Statements are sent in the order in which they are given: at the next question, at the first look at how many rows were touched, at
the latest with the COMMIT. The network's delay is then paid a few times for a message and not twenty times,
while its incident is locked. What is wrong with a statement is told at the round trip that it went with: it ends the function all
the same, and nothing after it was run (libpq, "Pipeline Mode").

Answers can be asked for ahead. Such an answer is remembered until the transaction writes to a table that it came from or takes turns
(`Tx.take_turns`). So locks are asked for first: who waits for a row later on must not ask ahead for what that row's holder may change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from sqlalchemy.engine import Connection

from gateway.store import engines
from gateway.store.prepared import Compiled, Found, Prepared, Values, wrapped

Waiting = tuple[Prepared, Compiled, Sequence[Any], Found]


class RoundTrips:
    """The statements of one transaction on one PostgreSQL connection. `on_look` is called when an answer is needed: it must `send`."""

    __slots__ = ("_connection", "_on_look", "_remembered", "_waiting", "sent")

    def __init__(self, connection: Connection, on_look: Callable[[], None]) -> None:
        self._connection = connection
        self._on_look = on_look
        self._waiting: list[Waiting] = []
        self._remembered: dict[Hashable, tuple[Prepared, Found]] = {}
        self.sent: list[Prepared] = []  # by the last round trip

    def give(self, prepared: Prepared, values: Values) -> Found:
        """Ask at once, or from memory; a write waits for company. KeyError when a value is missing."""
        if not prepared.is_select:
            self._forget_what_changes(prepared)
            return self._add(prepared, values)
        if self._remembered and (known := self._remembered.get(_question(prepared, values))):
            return known[1]
        found = self._add(prepared, values)
        self._on_look()
        return found

    def give_ahead(self, prepared: Prepared, values: Values) -> Found:
        """Take in a question that will be asked: its answer comes with the next round trip. What is given back is empty."""
        self._remembered[_question(prepared, values)] = (prepared, self._add(prepared, values))
        return Found((), 0)

    def forget(self) -> None:
        """Answer nothing from memory: what was written, or waited for, is not known here."""
        self._remembered.clear()

    def send(self, last: str | None = None) -> None:
        """One round trip for all that waits, with `last` at its end. DBAPIError, without values, when one of them failed."""
        waiting, self._waiting = self._waiting, []
        self.sent = [prepared for prepared, *_ in waiting]
        driver, dialect = engines.driver_connection(self._connection), self._connection.dialect
        try:
            if len(waiting) + (last is not None) > 1:
                with driver.pipeline():
                    cursors = _run(driver, waiting, last)
            else:
                cursors = _run(driver, waiting, last)
        except dialect.loaded_dbapi.Error as fault:
            texts = [compiled.text for _, compiled, *_ in waiting] + [last or ""]
            raise wrapped(fault, "; ".join(texts), dialect) from fault
        if last is None:  # after it nobody looks any more, and what is durable must not be told as a failure
            for (_, compiled, _, found), cursor in zip(waiting, cursors, strict=True):
                found.settle(*compiled.answer(cursor))

    def _add(self, prepared: Prepared, values: Values) -> Found:
        found = Found.awaited(self._on_look)
        self._waiting.append((prepared, *prepared.ready(self._connection.dialect, values), found))
        return found

    def _forget_what_changes(self, write: Prepared) -> None:
        if not write.tables:
            self.forget()
        elif self._remembered:
            kept = self._remembered.items()
            self._remembered = {
                question: known for question, known in kept if known[0].tables.isdisjoint(write.tables)
            }


def _run(driver: Any, waiting: Sequence[Waiting], last: str | None) -> list[Any]:
    cursors = []
    for _, compiled, bound, _ in waiting:
        cursors.append(driver.cursor())
        compiled.run(cursors[-1], bound)
    if last is not None:
        driver.execute(last)
    return cursors


def _question(prepared: Prepared, values: Values) -> Hashable:
    if not isinstance(values, dict | None):
        raise TypeError("a question is asked once at a time")
    return prepared, tuple((values or {}).items())

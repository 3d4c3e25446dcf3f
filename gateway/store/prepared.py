"""Statements of the accept path: compiled once for each engine, then handed straight to the driver.

What SQLAlchemy's execution adds to a short statement (finding its compiled form, an execution context, a result object)
costs several times what SQLite needs to run it. A prepared statement is still a Core statement over the same tables: its
text, the order of its parameters and the converters of both directions are worked out once. `Tx.execute` takes either
kind; only what runs for every message needs to be prepared.

Invariant: values reach the driver as parameters, never in the text, and no error shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

Convert = Callable[[Any], Any] | None
Row = tuple[Any, ...]
Values = dict[str, Any] | Sequence[Mapping[str, Any]] | None
Statement = sa.Select[*tuple[Any, ...]] | sa.Update | sa.Insert | sa.TextClause


@dataclass(frozen=True, slots=True)
class Found:
    """What a prepared statement gave: plain tuples in the order of the SELECT, or how many rows it touched."""

    rows: Sequence[Row]
    rowcount: int

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def first(self) -> Row | None:
        return self.rows[0] if self.rows else None


class Prepared:
    """A SELECT, UPDATE or INSERT with named parameters. An INSERT takes its columns from the rows it is given."""

    __slots__ = ("_compiled", "_is_insert", "_statement")

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._is_insert = isinstance(statement, sa.Insert)
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def run(self, cursor: Any, dialect: Dialect, values: Values) -> Found:
        """Run it on a driver's cursor, once or once for each of several values.

        Raises DBAPIError as SQLAlchemy does, without values.
        """
        several = [values or {}] if values is None or isinstance(values, dict) else values
        compiled = self._of(dialect, several[0])
        try:
            if len(several) == 1:
                cursor.execute(compiled.text, compiled.bound(several[0]))
            else:
                cursor.executemany(compiled.text, [compiled.bound(one) for one in several])
            rows = cursor.fetchall() if compiled.is_select else ()
        except dialect.loaded_dbapi.Error as fault:
            raise _wrapped(fault, compiled.text, dialect) from fault
        return Found(compiled.converted(rows) if rows else (), cursor.rowcount)

    def _of(self, dialect: Dialect, values: Mapping[str, Any]) -> _Compiled:
        key = (dialect.name, *values) if self._is_insert else (dialect.name,)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = _Compiled(self._statement, dialect, values)
        return found


class _Compiled:
    """A statement as one engine's driver takes it."""

    __slots__ = ("_fixed", "_is_positional", "_reads", "_takes", "is_select", "text")

    def __init__(self, statement: Statement, dialect: Dialect, values: Mapping[str, Any]) -> None:
        compiled: Any
        defaults = _defaults(statement, values)
        if isinstance(statement, sa.Insert):
            compiled = statement.inline().compile(dialect=dialect, column_keys=[*values, *defaults])
        else:
            compiled = statement.compile(dialect=dialect)
        binds = compiled.binds
        self.text = str(compiled)
        self.is_select = isinstance(statement, sa.Select)
        self._is_positional = bool(compiled.positional)
        order = compiled.positiontup if self._is_positional else binds
        self._takes = tuple((name, _writer(binds[name].type, dialect)) for name in order)
        self._fixed = defaults | {name: bind.value for name, bind in binds.items() if not bind.required}
        readers = _readers(statement, dialect)
        self._reads = readers if any(readers) else None

    def bound(self, values: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """One execution's parameters; KeyError when one is missing."""
        given = {**self._fixed, **values} if self._fixed else values
        if self._is_positional:
            return [convert(given[name]) if convert else given[name] for name, convert in self._takes]
        return {name: convert(given[name]) if convert else given[name] for name, convert in self._takes}

    def converted(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows in Python's types."""
        reads = self._reads
        if reads is None:
            return rows
        return [
            tuple([read(value) if read else value for read, value in zip(reads, row, strict=True)])
            for row in rows
        ]


def _defaults(statement: Statement, values: Mapping[str, Any]) -> dict[str, Any]:
    """What an INSERT's table says of columns that are not given."""
    if not isinstance(statement, sa.Insert):
        return {}
    unset = [column for column in statement.table.c if column.name not in values]
    return {one.name: one.default.arg for one in unset if isinstance(one.default, sa.ColumnDefault)}


def _writer(kind: sa.types.TypeEngine[Any], dialect: Dialect) -> Convert:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _readers(statement: Statement, dialect: Dialect) -> tuple[Convert, ...]:
    if not isinstance(statement, sa.Select):
        return ()
    kinds = [column.type for column in statement.selected_columns]
    return tuple(kind.dialect_impl(dialect).result_processor(dialect, None) for kind in kinds)


def _wrapped(fault: Exception, text: str, dialect: Dialect) -> BaseException:
    base = dialect.loaded_dbapi.Error
    return sa.exc.DBAPIError.instance(text, None, fault, base, hide_parameters=True, dialect=dialect)

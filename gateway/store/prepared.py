"""Statements of the accept path: compiled once for each engine, then handed straight to the driver.

What SQLAlchemy's execution adds to a short statement (finding its compiled form, an execution context, a result object)
costs several times what SQLite needs to run it. A prepared statement is still a Core statement over the same tables: its
text, the order of its parameters and the converters of both directions are worked out once. `Tx.execute` takes either
kind; only what runs for every message needs to be prepared.

Invariant: values reach the driver as parameters, never in the text, and no error shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.visitors import iterate

Convert = Callable[[Any], Any] | None
Row = tuple[Any, ...]
Values = dict[str, Any] | Sequence[Mapping[str, Any]] | None
Core = sa.Select[*tuple[Any, ...]] | sa.Update | sa.Insert | sa.TextClause


class Found:
    """What a prepared statement gave: plain tuples in the order of the SELECT, or how many rows it touched.

    It may be on its way still: then looking at it waits for it, and raises what went wrong on that way.
    """

    __slots__ = ("_on_look", "_rowcount", "_rows")

    def __init__(self, rows: Sequence[Row], rowcount: int) -> None:
        self._rows, self._rowcount = rows, rowcount
        self._on_look: Callable[[], None] | None = None

    @classmethod
    def awaited(cls, on_look: Callable[[], None]) -> Found:
        """One that is not here yet; `on_look` must have it settled."""
        found = cls((), -1)
        found._on_look = on_look
        return found

    def settle(self, rows: Sequence[Row], rowcount: int) -> None:
        self._rows, self._rowcount, self._on_look = rows, rowcount, None

    @property
    def rows(self) -> Sequence[Row]:
        if self._on_look is not None:
            self._on_look()
        return self._rows

    @property
    def rowcount(self) -> int:
        if self._on_look is not None:
            self._on_look()
        return self._rowcount

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def first(self) -> Row | None:
        rows = self.rows
        return rows[0] if rows else None


class Prepared:
    """A SELECT, UPDATE or INSERT with named parameters. An INSERT takes its columns from the rows it is given.

    `taken` makes what is raised when a key is taken, in place of an IntegrityError. `writes` names the table of a text, which
    does not tell it: without it, whatever was asked ahead of that text counts as changed.
    """

    __slots__ = ("_compiled", "_core", "_is_insert", "is_select", "tables", "taken")

    def __init__(
        self, core: Core, taken: Callable[[], Exception] | None = None, writes: sa.Table | None = None
    ) -> None:
        self._core = core
        self._is_insert = isinstance(core, sa.Insert)
        self._compiled: dict[tuple[str, ...], Compiled] = {}
        self.is_select = isinstance(core, sa.Select)
        named = (one for one in iterate(core) if isinstance(one, sa.Table))
        self.tables = frozenset(one.name for one in named) if writes is None else frozenset([writes.name])
        self.taken = taken

    def run(self, cursor: Any, dialect: Dialect, values: Values) -> Found:
        """Run it on a driver's cursor, once or once for each of several values.

        Raises DBAPIError as SQLAlchemy does, without values.
        """
        compiled, bound = self.ready(dialect, values)
        try:
            compiled.run(cursor, bound)
            return Found(*compiled.answer(cursor))
        except dialect.loaded_dbapi.Error as fault:
            raise wrapped(fault, compiled.text, dialect) from fault

    def ready(self, dialect: Dialect, values: Values) -> tuple[Compiled, Sequence[Any]]:
        """It as the driver takes it, and the parameters of each execution. KeyError when a value is missing."""
        several = [values or {}] if values is None or isinstance(values, dict) else values
        compiled = self._of(dialect, several[0])
        return compiled, [compiled.bound(one) for one in several]

    def _of(self, dialect: Dialect, values: Mapping[str, Any]) -> Compiled:
        key = (dialect.name, *values) if self._is_insert else (dialect.name,)
        found = self._compiled.get(key)
        if found is None:
            found = self._compiled[key] = Compiled(self._core, dialect, values)
        return found


AT_ONCE = 16  # deliveries, their incidents and chains that are recorded together


class Places:
    """Room for up to `count` values in one compiled statement: `column.in_(places.binds)`, asked with `places.of(values)`."""

    __slots__ = ("binds", "names")

    def __init__(self, name: str, count: int = AT_ONCE) -> None:
        self.names = [f"{name}_{number}" for number in range(count)]
        self.binds: list[sa.BindParameter[Any]] = [sa.bindparam(one) for one in self.names]

    def of(self, values: Sequence[Any]) -> dict[str, Any]:
        """Parameters; places that are left over have the first value once more. ValueError for none, or more than there is room for."""
        if not 0 < len(values) <= len(self.names):
            raise ValueError("so many values have no places in this statement")
        return dict.fromkeys(self.names, values[0]) | dict(zip(self.names, values, strict=False))


class Compiled:
    """A statement as one engine's driver takes it."""

    __slots__ = ("_fixed", "_is_positional", "_reads", "_takes", "is_select", "text")

    def __init__(self, core: Core, dialect: Dialect, values: Mapping[str, Any]) -> None:
        compiled: Any
        defaults = _defaults(core, values)
        if isinstance(core, sa.Insert):
            compiled = core.inline().compile(dialect=dialect, column_keys=[*values, *defaults])
        else:
            compiled = core.compile(dialect=dialect)
        binds = compiled.binds
        self.text = str(compiled)
        self.is_select = isinstance(core, sa.Select)
        self._is_positional = bool(compiled.positional)
        order = compiled.positiontup if self._is_positional else binds
        self._takes = tuple((name, _writer(binds[name].type, dialect)) for name in order)
        self._fixed = defaults | {name: bind.value for name, bind in binds.items() if not bind.required}
        readers = _readers(core, dialect)
        self._reads = readers if any(readers) else None

    def bound(self, values: Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
        """One execution's parameters; KeyError when one is missing."""
        given = {**self._fixed, **values} if self._fixed else values
        if self._is_positional:
            return [convert(given[name]) if convert else given[name] for name, convert in self._takes]
        return {name: convert(given[name]) if convert else given[name] for name, convert in self._takes}

    def run(self, cursor: Any, bound: Sequence[Any]) -> None:
        if len(bound) == 1:
            cursor.execute(self.text, bound[0])
        else:
            cursor.executemany(self.text, bound)

    def answer(self, cursor: Any) -> tuple[Sequence[Row], int]:
        """The rows in Python's types, and how many it touched."""
        rows = cursor.fetchall() if self.is_select else ()
        return self._converted(rows) if rows else (), cursor.rowcount

    def _converted(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows in Python's types."""
        reads = self._reads
        if reads is None:
            return rows
        return [
            tuple([read(value) if read else value for read, value in zip(reads, row, strict=True)])
            for row in rows
        ]


def _defaults(core: Core, values: Mapping[str, Any]) -> dict[str, Any]:
    """What an INSERT's table says of columns that are not given."""
    if not isinstance(core, sa.Insert):
        return {}
    unset = [column for column in core.table.c if column.name not in values]
    return {one.name: one.default.arg for one in unset if isinstance(one.default, sa.ColumnDefault)}


def _writer(kind: sa.types.TypeEngine[Any], dialect: Dialect) -> Convert:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _readers(core: Core, dialect: Dialect) -> tuple[Convert, ...]:
    if not isinstance(core, sa.Select):
        return ()
    kinds = [column.type for column in core.selected_columns]
    return tuple(kind.dialect_impl(dialect).result_processor(dialect, None) for kind in kinds)


def wrapped(fault: Exception, text: str, dialect: Dialect) -> BaseException:
    """A driver's error as SQLAlchemy tells it."""
    base = dialect.loaded_dbapi.Error
    return sa.exc.DBAPIError.instance(text, None, fault, base, hide_parameters=True, dialect=dialect)

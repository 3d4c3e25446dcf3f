"""Transactions are functions: `await store.transact(fn)` runs `fn(tx) -> value` and returns when it is durable.

What it promises, each with a test on both engines:

1. An exception in `fn` rolls back what `fn` did and nothing else; only its caller sees it.
2. When the whole batch fails, each function runs again, alone; a serialization failure or a deadlock re-runs it at most
   three times. Disk full, an I/O error or a lost connection answer all with `Unavailable`. A commit whose answer was
   lost is unknown: never re-run; the sender's safe repeat finds out.
3. A caller that goes away cancels nothing. The queue is bounded, then `Unavailable`. The only effect after commit is
   waking dispatch.
4. A failed statement ends its function, on SQLite as PostgreSQL always does: use ON CONFLICT, do not catch and go on.

So `fn` must be re-runnable: ids, salts, instants and new keys are made before and passed in; it affects nothing but
`tx`, and it returns values, never an open result.

SQLite has one writer thread: whatever waits runs one function after another, each in its savepoint, and shares one
commit, because the disk's flush is most of the cost. PostgreSQL has a thread for each connection and gives every
function a transaction of its own; the server groups the flushes of concurrent commits itself. What else differs stands
in `engines.py`; queues and threads in `lane.py`; what goes to PostgreSQL together in `round_trips.py`.

A crash before COMMIT returns leaves all of a batch or nothing of it. Nobody was answered: the senders repeat, and
their reference finds what was kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult, Engine

from gateway.core.errors import Unavailable
from gateway.store import engines
from gateway.store.engines import EngineName, Verdict
from gateway.store.lane import Job, Lane
from gateway.store.prepared import Found, Prepared, Values
from gateway.store.round_trips import RoundTrips

T = TypeVar("T")

RERUNS = 3
READER_CACHE_KIB = 256  # of each reading connection on SQLite; the system's cache is behind it
BATCH_LIMIT = 128  # functions that share a commit: bounds the first one's wait, and a batch's loss


class Tx:
    """One run of one function in a transaction; over when that function returns."""

    __slots__ = (
        "_connection",
        "_cursor",
        "_is_ahead",
        "_trips",
        "engine_name",
        "failure",
        "is_woken",
        "trace",
    )

    def __init__(self, connection: Connection, engine_name: EngineName) -> None:
        self._connection: Connection | None = connection
        self._cursor: Any = None  # for prepared statements, one after another
        self._trips = RoundTrips(connection, self.send) if engine_name == "postgresql" else None
        self._is_ahead = False
        self.engine_name = engine_name
        self.failure: sa.exc.DBAPIError | None = None
        self.is_woken = False
        self.trace: str | None = None  # of the request or mail whose work this is, as the log's lines name it

    @overload
    def execute(self, statement: Prepared, parameters: Values = None) -> Found: ...
    @overload
    def execute(
        self, statement: sa.Executable, parameters: Values = None
    ) -> CursorResult[*tuple[Any, ...]]: ...

    def execute(
        self, statement: sa.Executable | Prepared, parameters: Values = None
    ) -> CursorResult[*tuple[Any, ...]] | Found:
        """SQLAlchemy Core's `Connection.execute`, or a prepared statement on the driver itself.

        On PostgreSQL a prepared write is sent with the next question, at the latest with the commit: its failure is told then. After a statement has failed, every further one fails too.
        """
        connection = self._usable()
        try:
            if self._trips is not None:
                return self._send_or_wait(connection, self._trips, statement, parameters)
            if not isinstance(statement, Prepared):
                return connection.execute(statement, parameters)
            if self._cursor is None:
                self._cursor = engines.driver_connection(connection).cursor()
            return statement.run(self._cursor, connection.dialect, parameters)
        except sa.exc.DBAPIError as failure:
            self.failure = failure
            if (meaning := _meaning(failure, [statement])) is not None:
                raise meaning from failure
            raise

    def ahead(self, ask: Callable[[Tx], object]) -> None:
        """Questions that `fn` is going to ask go together with the next round trip, and are answered from memory when it asks them.

        `ask` puts them with the same functions, finds nothing, and its value is nobody's; whatever else it does is a TypeError.
        Locks first: what is asked before a lock is had may be old when it is. SQLite has no round trips to save.
        """
        if self._trips is not None:
            self._is_ahead = True
            try:
                ask(self)
            finally:
                self._is_ahead = False

    def send(self, last: str | None = None) -> None:
        """Send what waits, in one round trip with `last`; on SQLite nothing waits."""
        connection = self._usable()
        if self._trips is None:
            if last is not None:
                engines.driver_connection(connection).execute(last)
            return
        try:
            self._trips.send(last)
        except sa.exc.DBAPIError as failure:
            self.failure = failure
            if (meaning := _meaning(failure, self._trips.sent)) is not None:
                raise meaning from failure
            raise

    def take_turns(self, name: str) -> None:
        """Wait until no other transaction that named the same goes on, and see what it left. On SQLite the writer is alone."""
        if self._trips is not None:
            key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
            self.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
            self._trips.forget()

    def wake(self) -> None:
        """Have dispatch look for work once this transaction is durable."""
        self.is_woken = True

    def end(self) -> None:
        """Refuse further use: from here on the connection serves another function."""
        self._connection = None

    def _usable(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("this transaction is over: return values from the function, do not keep tx")
        if self.failure is not None:
            raise self.failure
        return self._connection

    def _send_or_wait(
        self, connection: Connection, trips: RoundTrips, statement: sa.Executable | Prepared, values: Values
    ) -> CursorResult[*tuple[Any, ...]] | Found:
        if self._is_ahead:
            if not isinstance(statement, Prepared) or not statement.is_select:
                raise TypeError("ahead of a function only its prepared questions are asked")
            return trips.give_ahead(statement, values)
        if isinstance(statement, Prepared):
            return trips.give(statement, values)
        self.send()
        if not isinstance(statement, sa.Select):
            trips.forget()
        return connection.execute(statement, values)


class Store:
    """One database: its writers, its readers, their queues. Open it after forking, never before.

    `on_wake` is called in the event loop of the caller whose committed function asked for it. `signing`, where it is set, is
    given how to run a function in a transaction and the function: for what must be signed in none (`keys.outside`).
    """

    def __init__(
        self, engine: Engine, metadata: sa.MetaData, *, queue_limit: int, writers: int, readers: int
    ) -> None:
        self.engine_name: EngineName = engines.engine_name(engine)
        self.on_wake: Callable[[], None] | None = None
        self.signing: Callable[..., Awaitable[Any]] | None = None
        self._engine = engine
        self._metadata = metadata
        self._beside = _Beside(engine)
        groups_commits = self.engine_name == "sqlite"
        shares_snapshots = groups_commits and readers == 1
        self._writing = Lane(
            "writer",
            [_Runner(engine, read_only=False) for _ in range(1 if groups_commits else writers)],
            queue_limit=queue_limit,
            batch_limit=BATCH_LIMIT if groups_commits else 1,
            on_wake=self._wake,
        )
        self._reading = Lane(
            "reader",
            [_Runner(engine, read_only=True) for _ in range(readers)],
            queue_limit=queue_limit,
            batch_limit=BATCH_LIMIT if shares_snapshots else 1,
        )

    @classmethod
    def open(
        cls,
        url: str,
        metadata: sa.MetaData,
        *,
        queue_limit: int = 1000,
        writers: int = 8,
        readers: int = 4,
        busy_timeout_seconds: float = 5,
    ) -> Store:
        """Start the threads; each connects when first needed. `writers` counts on PostgreSQL only.

        With one reader on SQLite, whatever waits to be read shares a snapshot: for a store of short look-ups.
        `busy_timeout_seconds` bounds the wait for a lock held elsewhere; then the caller gets `Unavailable`.
        Raises `Misconfigured` for a URL that is neither a SQLite file nor PostgreSQL, or a file that cannot be opened.
        """
        engine = engines.open_engine(url, busy_timeout_seconds=busy_timeout_seconds)
        return cls(engine, metadata, queue_limit=queue_limit, writers=writers, readers=readers)

    async def transact(self, fn: Callable[[Tx], T], *, shared: bool = True) -> T:
        """Run `fn` in a transaction and return its value once that is durable.

        `shared=False` keeps it out of other functions' commits on SQLite; on PostgreSQL nothing is shared anyway.
        Raises what `fn` raised, or `Unavailable`: then nothing is known to be kept, and a safe repeat finds out.
        """
        if self.signing is not None:
            signed: T = await self.signing(lambda run: self._writing.run(run, may_share=shared), fn)
            return signed
        return await self._writing.run(fn, may_share=shared)

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` on one snapshot, on a connection of its own that cannot write; never waits behind writers."""
        return await self._reading.run(fn, may_share=True)

    def look_up(self, statement: Prepared, values: Values) -> Found:
        """One prepared SELECT in the calling thread, on a connection that this thread keeps.

        For a function that already runs in another store's thread: it needs no second thread to be woken and waited for.
        Blocks, so never call it from an event loop. Raises `Unavailable` when the database cannot answer.
        """
        return self._beside.look_up(statement, values)

    async def scrub(self, tables: Iterable[sa.Table] | None = None) -> None:
        """Leave nothing of deleted or overwritten values in the database's own files.

        SQLite: rewrites the file and empties the write-ahead log while writers wait; raises `Unavailable` when another
        snapshot still needs the log, and may be repeated. PostgreSQL: rewrites `tables` (all by default), each under an
        exclusive lock; its log and archives keep old bytes until they are recycled, so there it is the destroyed data
        key that erases, and back-ups of the custody database must be short-lived (architecture: keys, erasing).
        """
        chosen = list(self._metadata.tables.values() if tables is None else tables)
        await self._writing.run(_Maintenance(chosen))

    def create_tables(self) -> None:
        """Create whatever of the metadata is missing, in one transaction. For tests: a deployment migrates."""
        with self._engine.connect() as connection:
            driver = engines.driver_connection(connection)
            driver.execute(engines.begin_statement(self.engine_name, read_only=False))
            self._metadata.create_all(connection)
            driver.execute("COMMIT")

    async def aclose(self) -> None:
        """`close`, without holding up the event loop that waits for the last answers."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Take nothing more, finish what waits, close every connection. Blocks; may be called twice."""
        self._reading.close()
        self._beside.close()
        self._writing.close()  # last, since the last SQLite connection to close empties the write-ahead log
        self._engine.dispose()

    def _wake(self) -> None:
        if self.on_wake is not None:
            self.on_wake()


class _Beside:
    """A reading connection for each thread of other stores that looks something up here."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._here = threading.local()
        self._links: list[_Link] = []

    def look_up(self, statement: Prepared, values: Values) -> Found:
        link = self._link()
        try:
            return link.look_up(statement, values)
        except sa.exc.DBAPIError as failure:
            verdict = link.judge(failure)
            link.drop()
            if verdict is Verdict.OWN:
                raise
            raise _unavailable(failure) from None

    def close(self) -> None:
        """The threads that looked things up have ended by now."""
        while self._links:
            self._links.pop().drop()

    def _link(self) -> _Link:
        link: _Link | None = getattr(self._here, "link", None)
        if link is None:
            link = self._here.link = _Link(self._engine, read_only=True)
            self._links.append(link)
        return link


class _Maintenance:
    """A job that takes a writer's turn, outside any transaction."""

    def __init__(self, tables: Sequence[sa.Table]) -> None:
        self._tables = tables

    def __call__(self, connection: Connection) -> None:
        engines.scrub(connection, self._tables)


class _Link:
    """One thread's connection: made when needed, made anew after a failure that it may not have survived."""

    def __init__(self, engine: Engine, *, read_only: bool) -> None:
        self.engine_name = engines.engine_name(engine)
        self._engine = engine
        self._read_only = read_only
        self._begin = engines.begin_statement(self.engine_name, read_only=read_only)
        self._connection: Connection | None = None
        self._driver: Any = None

    def connection(self) -> Connection:
        """The open connection; opens it if need be."""
        if self._connection is None:
            connection = self._engine.connect()
            self._connection, self._driver = connection, engines.driver_connection(connection)
            if self._read_only and self.engine_name == "sqlite":
                self._driver.execute("PRAGMA query_only=ON")
                self._driver.execute(f"PRAGMA cache_size=-{READER_CACHE_KIB}")
        return self._connection

    def begin(self) -> None:
        """Begin; a PostgreSQL connection that died while it lay idle is replaced, since nothing has run on it yet."""
        was_open = self._connection is not None
        self.connection()
        try:
            self._driver.execute(self._begin)
        except Exception:
            if self._is_connected() or not was_open:
                raise
            self.drop()
            self.connection()
            self._driver.execute(self._begin)

    def execute(self, statement: str) -> None:
        self._driver.execute(statement)

    def look_up(self, statement: Prepared, values: Values) -> Found:
        """A statement that is a transaction of its own."""
        was_open = self._connection is not None
        dialect = self.connection().dialect
        try:
            return statement.run(self._driver.cursor(), dialect, values)
        except sa.exc.DBAPIError:
            if self._is_connected() or not was_open:
                raise
            self.drop()  # it died while it lay idle
            self.connection()
            return statement.run(self._driver.cursor(), dialect, values)

    def judge(self, failure: BaseException) -> Verdict:
        return engines.judge(
            self._engine, failure, is_connected=self._is_connected(), read_only=self._read_only
        )

    def undo(self, verdict: Verdict) -> None:
        """Roll back. A connection that failed with disk, server or network, or cannot roll back, is dropped."""
        try:
            if self._is_connected():
                self._driver.execute("ROLLBACK")
        except Exception:
            verdict = Verdict.GONE  # dropping it rolls back as well
        if verdict is Verdict.GONE:
            self.drop()

    def drop(self) -> None:
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _is_connected(self) -> bool:
        """False once PostgreSQL's driver knows the connection dead; a SQLite file does not hang up."""
        return self._driver is not None and not getattr(self._driver, "closed", False)


class _Runner:
    """Runs batches on one link, in one thread, and sets every job's outcome."""

    def __init__(self, engine: Engine, *, read_only: bool) -> None:
        self._link = _Link(engine, read_only=read_only)
        self._read_only = read_only

    def run(self, batch: Sequence[Job]) -> None:
        """Several share one commit while nothing goes wrong with it; else each runs alone."""
        if isinstance(batch[0].fn, _Maintenance):
            self._maintain(batch[0], batch[0].fn)
        elif len(batch) == 1:
            self._run_alone(batch[0], 1 + RERUNS)
        elif not self._run_shared(batch):
            for job in batch:
                self._run_alone(job, RERUNS)

    def close(self) -> None:
        self._link.drop()

    def _run_shared(self, batch: Sequence[Job]) -> bool:
        """True when every job has its outcome; False when each must run alone."""
        try:
            self._link.begin()
            for job in batch:
                if self._read_only:
                    self._run_reading(job)
                else:
                    self._run_in_savepoint(job)
            self._link.execute("COMMIT")
        except BaseException as failure:
            verdict = self._link.judge(failure)
            self._link.undo(verdict)
            if verdict is not Verdict.GONE:
                return False  # say, a constraint that is checked at commit: alone, each finds whether it was its own
            for job in batch:
                # Also for a function that was refused: it may have judged by what another in this batch had written.
                _fail(job, _unavailable(failure))
        return True

    def _run_in_savepoint(self, job: Job) -> None:
        self._link.execute("SAVEPOINT job")
        try:
            self._call(job)
        except BaseException as failure:
            if self._link.judge(failure) is not Verdict.OWN:
                raise
            self._link.execute("ROLLBACK TO job")
            _fail(job, failure)
        self._link.execute("RELEASE job")

    def _run_reading(self, job: Job) -> None:
        """On SQLite a failed statement leaves the others of a snapshot as they are."""
        try:
            self._call(job)
        except BaseException as failure:
            if self._link.judge(failure) is not Verdict.OWN:
                raise
            _fail(job, failure)

    def _run_alone(self, job: Job, runs: int) -> None:
        for _ in range(runs):
            try:
                self._link.begin()
                self._call(job, end="COMMIT")
                return
            except BaseException as failure:
                verdict = self._link.judge(failure)
                self._link.undo(verdict)
                _fail(job, failure if verdict is Verdict.OWN else _unavailable(failure))
                if verdict is not Verdict.AGAIN:
                    return  # GONE may mean that the commit's answer was lost: unknown, so never re-run

    def _call(self, job: Job, end: str | None = None) -> None:
        """Run the function and keep its value; a database failure that it swallowed or renamed counts all the same."""
        tx = Tx(self._link.connection(), self._link.engine_name)
        try:
            value = job.fn(tx)
            if isinstance(value, sa.Result | Found):
                raise TypeError("a transaction function returns values, never an open result")
            tx.send(end)
        except BaseException:
            if tx.failure is not None and self._link.judge(tx.failure) is not Verdict.OWN:
                raise tx.failure from None
            raise
        finally:
            tx.end()
        job.value, job.error, job.is_woken = value, None, tx.is_woken

    def _maintain(self, job: Job, maintenance: _Maintenance) -> None:
        try:
            maintenance(self._link.connection())
        except BaseException as failure:
            verdict = self._link.judge(failure)
            self._link.drop()
            _fail(job, failure if verdict is Verdict.OWN else _unavailable(failure))


def _meaning(failure: sa.exc.DBAPIError, statements: Sequence[object]) -> Exception | None:
    """That a key is taken, where the statement has a word for it."""
    if engines.is_key_taken(failure):
        said = getattr(
            failure.orig, "diag", None
        )  # of several that were sent together, PostgreSQL says which table's it is
        for one in statements:
            if isinstance(one, Prepared) and one.taken and (said is None or said.table_name in one.tables):
                return one.taken()
    return None


def _fail(job: Job, error: BaseException) -> None:
    job.value, job.error, job.is_woken = None, error, False


def _unavailable(cause: BaseException) -> Unavailable:
    answer = Unavailable("the database cannot take this now")
    answer.__cause__ = cause
    return answer

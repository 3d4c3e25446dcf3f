"""A lane: a bounded queue of waiting functions and the threads that run them, whatever the engine.

What it keeps true: every job that was taken gets one answer, in the event loop that asked; a caller that goes away
cancels nothing; a full or closing lane refuses at once. The answers of a batch reach an event loop in one call, since
waking a loop costs more than a small transaction.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from gateway.core.errors import Unavailable

T = TypeVar("T")


class Job:
    """A function that waits for its transaction. A worker sets `value` or `error`, and `is_woken`."""

    __slots__ = ("answer", "error", "fn", "is_woken", "loop", "may_share", "value")

    def __init__(self, fn: Callable[[Any], Any], *, may_share: bool) -> None:
        self.fn = fn
        self.may_share = may_share
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_woken = False
        self.loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Any] = self.loop.create_future()

    def settle(self) -> None:
        """Answer whoever still waits; runs in the job's own loop."""
        if self.answer.done():
            return  # the caller went away; the work stands all the same
        if self.error is None:
            self.answer.set_result(self.value)
        elif isinstance(self.error, StopIteration):
            # A future cannot carry this one: it would end some generator on its way.
            self.answer.set_exception(RuntimeError("a transaction function raised StopIteration"))
        else:
            self.answer.set_exception(self.error)


class Worker(Protocol):
    """Runs batches on a connection of its own, in one thread, and sets every job's outcome."""

    def run(self, batch: Sequence[Job]) -> None:
        """Run one batch; raises nothing."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Lane:
    """One thread for each worker; a thread takes up to `batch_limit` waiting jobs that may share, or one that may not."""

    def __init__(
        self,
        name: str,
        workers: Iterable[Worker],
        *,
        queue_limit: int,
        batch_limit: int = 1,
        on_wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._on_wake = on_wake
        self._waiting: deque[Job] = deque()
        self._has_changed = threading.Condition(threading.Lock())
        self._is_closed = False
        self._threads = [
            threading.Thread(target=self._serve, args=(worker,), name=f"store-{name}-{number}", daemon=True)
            for number, worker in enumerate(workers)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, fn: Callable[[Any], T], *, may_share: bool = False) -> T:
        """Wait for `fn`'s turn and its answer. Raises `Unavailable` at once when the queue is full or closing."""
        job = Job(fn, may_share=may_share)
        with self._has_changed:
            if self._is_closed:
                raise Unavailable("the store is closing")
            if len(self._waiting) >= self._queue_limit:
                raise Unavailable("the store's queue is full", retry_after_seconds=1)
            self._waiting.append(job)
            self._has_changed.notify()
        value: T = await job.answer
        return value

    def close(self) -> None:
        """Take nothing more, finish what waits, end the threads. Blocks; may be called twice."""
        with self._has_changed:
            self._is_closed = True
            self._has_changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self, worker: Worker) -> None:
        while batch := self._take():
            try:
                worker.run(batch)
            except BaseException as bug:
                # A dead thread would leave every later caller waiting for ever; nothing is known to be kept.
                for job in batch:
                    job.error = bug
            self._answer(batch)
        worker.close()

    def _take(self) -> list[Job]:
        """The next batch; empty when the lane is closed and nothing waits."""
        with self._has_changed:
            while not self._waiting:
                if self._is_closed:
                    return []
                self._has_changed.wait()
            batch = [self._waiting.popleft()]
            if batch[0].may_share:
                while self._waiting and self._waiting[0].may_share and len(batch) < self._batch_limit:
                    batch.append(self._waiting.popleft())
            return batch

    def _answer(self, batch: Sequence[Job]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        for job in batch:
            by_loop.setdefault(job.loop, []).append(job)
        for loop, jobs in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._settle, jobs)
            except RuntimeError:
                continue  # that loop is closed: nobody waits there. What was committed stands; the sweep finds it

    def _settle(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            job.settle()
        if any(job.is_woken for job in jobs):
            self._on_wake()

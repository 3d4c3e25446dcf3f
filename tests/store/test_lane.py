"""A lane answers every job, even when its worker breaks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.store.lane import Job, Lane


class Breaking:
    """A worker with a bug: breaks on what is not a number, after it has set an outcome."""

    def run(self, batch: Sequence[Job]) -> None:
        for job in batch:
            job.value = job.fn(None)
            job.value + 1

    def close(self) -> None:
        pass


async def test_a_worker_that_breaks_answers_its_callers_and_works_on() -> None:
    lane = Lane("test", [Breaking()], queue_limit=10)
    with pytest.raises(TypeError):
        await lane.run(lambda _: "not a number")
    assert await lane.run(lambda _: 1) == 1
    lane.close()

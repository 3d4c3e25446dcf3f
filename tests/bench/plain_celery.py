"""What one would write without this gateway: a task for each delivery, which posts it and keeps nothing. For `webhooks`."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import requests
from celery import Celery


@cache
def application(broker: str) -> Celery:
    made = Celery("plain", broker=broker)
    made.conf.update(
        task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=4, task_default_queue="plain"
    )
    made.task(name="post")(_post)
    return made


def __getattr__(name: str) -> Any:
    """`celery -A` asks for `app`."""
    if name in ("app", "celery"):
        return application(os.environ["BENCH_BROKER"])
    raise AttributeError(name)


@cache
def _session(process: int) -> requests.Session:
    """One for each worker process: its connection is kept."""
    return requests.Session()


def _post(url: str, headers: dict[str, str], body: str) -> None:
    given = headers | {"Content-Type": "application/json"}
    _session(os.getpid()).post(url, body.encode(), headers=given, timeout=15).raise_for_status()

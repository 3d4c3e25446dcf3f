"""One serving process for each SQLite database, and a crash locks nobody out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.core.errors import Misconfigured
from gateway.store.serving_lock import serving_lock

PROJECT = Path(__file__).parents[2]
_HOLDER = """
import sys
from pathlib import Path
from gateway.store.serving_lock import serving_lock
with serving_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_ends_even_by_a_kill(tmp_path: Path) -> None:
    lock = tmp_path / "serving.lock"
    command = [sys.executable, "-c", _HOLDER, str(lock)]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Misconfigured, match="stop it first"), serving_lock(lock):
            pass
        holder.kill()
        holder.wait()
        with serving_lock(lock):
            pass


def test_the_lock_is_let_go_when_serving_fails(tmp_path: Path) -> None:
    lock = tmp_path / "serving.lock"
    with pytest.raises(LookupError), serving_lock(lock):
        raise LookupError
    with serving_lock(lock):
        pass


def test_a_lock_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be opened"), serving_lock(tmp_path / "absent" / "lock"):
        pass

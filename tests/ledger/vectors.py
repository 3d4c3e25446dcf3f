"""Where the third-party test vectors lie: beside the project, never in it."""

from __future__ import annotations

from pathlib import Path

import pytest


def vectors(name: str) -> Path:
    """The folder of that name; a loud skip (a failure in CI) when it is not there."""
    folder = Path(__file__).resolve().parents[2] / "../shared/vectors" / name
    if not folder.is_dir():
        pytest.skip(f"NOT RUN: vectors not found ({name})")
    return folder

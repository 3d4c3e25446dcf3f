"""The arrows between rooms point where architecture allows (pyproject.toml, [tool.importlinter])."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.cli.groups import loading
from tests.structure.source import ROOT, Source, house, suite


def test_every_import_contract_is_kept() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_serving_process_loads_nothing_that_other_commands_or_a_screen_need() -> None:
    """What is loaded stays in its memory. What is kept from structlog meanwhile can be had afterwards."""
    unused = [
        "rich",
        "pygments",
        "greenlet",
        "aiohttp",
        "openpyxl",
        "reportlab",
        "pypdf",
        "celery",
        "redis",
        "psycopg",
        "alembic",
    ]
    code = (
        "import sys, typer; from gateway.cli.groups import application;"
        "typer.main.get_command(application(['serve']));"
        f"print([one for one in {unused} if one in sys.modules]); import rich, greenlet"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("collects", [True, False])
def test_loading_commands_leaves_the_collector_as_it_was(collects: bool) -> None:
    (gc.enable if collects else gc.disable)()
    try:
        with loading():
            assert not gc.isenabled()
        assert gc.isenabled() is collects
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("celery", ["gateway/dispatch/celery_worker.py"]),
        ("kombu", ["gateway/dispatch/celery_worker.py"]),
        ("authlib", ["gateway/oauth/", "gateway/console/sign_in"]),
        ("sqlite3", ["gateway/store/"]),
        ("psycopg", ["gateway/store/"]),
        ("alembic", ["gateway/store/"]),
        ("fastapi", []),
        (
            "starlette",
            [
                "gateway/api/",
                "gateway/oauth/",
                "gateway/console/",
                "gateway/respond/",
                "gateway/serving.py",
                "gateway/witness/",
            ],
        ),
        ("uvicorn", ["gateway/serving.py", "gateway/witness/listening.py"]),
        ("typer", ["gateway/cli/", "gateway/__main__.py"]),
        ("unittest", []),
        ("pytest", []),
        ("tests", []),
    ],
)
def test_a_library_is_known_only_in_the_rooms_that_need_it(package: str, allowed: list[str]) -> None:
    assert not [
        source.name
        for source in house()
        if not source.name.startswith(tuple(allowed)) and _imports(source, [package])
    ]


def test_no_test_replaces_a_part_by_a_mock() -> None:
    """A missing seam is the defect."""
    assert not [
        source.name for source in suite() if _imports(source, ["unittest.mock", "mock", "pytest_mock"])
    ]


def _imports(source: Source, packages: Iterable[str]) -> bool:
    return any(
        module == package or module.startswith(package + ".")
        for module in source.imports()
        for package in packages
    )

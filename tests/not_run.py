"""Says what was not run, and refuses to be silent about it: a small pytest plugin, loaded by pyproject.toml.

- `@pytest.mark.needs("postfix")`: the test runs where that part of Debian is installed, else it skips loudly.
- `@pytest.mark.long`: the test runs only with LONG=1; otherwise it is deselected, and counted as such.
- Any skip whose reason begins with "NOT RUN:" is listed in one block at the end, and is a failure when CI is set: a green
  run there means that everything ran.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

LOUD = "NOT RUN:"

PARTS = {  # the part of a `needs` mark: the programs that must all be there
    "postfix": ("postfix", "postconf"),
    "dovecot": ("dovecot", "doveadm"),
    "chromium": ("chromium",),
    "nginx": ("nginx",),
    "clamav": ("clamd",),
    "go": ("go",),
    "jose": ("jose",),
    "opendkim": ("opendkim",),
    "softhsm": ("softhsm2-util",),
    "faketime": ("faketime",),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("LONG") == "1":
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for part in mark.args:
            if missing := missing_programs(part):
                pytest.skip(f"{LOUD} {part} is not installed ({', '.join(missing)} not found)")


def missing_programs(part: str) -> list[str]:
    """The programs of `part` that are not on the path, nor in the directories of system programs."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [program for program in PARTS[part] if shutil.which(program, path=path) is None]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _required((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _required((yield))


def _required(report: Report) -> Report:
    """In CI a loud skip is a failure."""
    reason = loud_reason(report)
    if reason and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"required in CI, yet {reason}"
    return report


def loud_reason(report: object) -> str | None:
    """The reason of a skip that says NOT RUN, else None."""
    longrepr = getattr(report, "longrepr", None)
    if getattr(report, "outcome", None) != "skipped" or not isinstance(longrepr, tuple):
        return None
    reason = str(longrepr[2]).removeprefix("Skipped: ")
    return reason if reason.startswith(LOUD) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(_loud_reasons(terminalreporter.stats.get("skipped", [])))
    if reasons:
        terminalreporter.section("NOT RUN", sep="=", red=True, bold=True)
        for reason, times in sorted(reasons.items()):
            terminalreporter.write_line(f"{reason} (× {times})")


def _loud_reasons(reports: list[object]) -> Iterator[str]:
    for report in reports:
        if reason := loud_reason(report):
            yield reason

"""How far an incident has come: asked is told apart from untouched, and what waits for the decision cannot start yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.duties import DutyState
from gateway.core.stages import Owed, Progress, Step, steps

NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
KNOWN = {"referral", "triage-decision", "information-return", "panel-response"}


def step(
    name: str, told: list[str], duties: list[Owed], *, is_decided: bool = True, is_open: bool = True
) -> Step:
    found = steps(KNOWN, told, duties, NOW, is_decided=is_decided, is_open=is_open)
    return next(one for one in found if one.id == name)


def returns(*states: DutyState) -> list[Owed]:
    return [Owed("information-return", state, NOW + timedelta(days=1)) for state in states]


OPEN, MET, MISSED, WAIVED = DutyState.OPEN, DutyState.MET, DutyState.MISSED, DutyState.WAIVED


@pytest.mark.parametrize(
    ("states", "progress", "came", "asked"),
    [
        ((), Progress.NOT_STARTED, 0, 0),
        ((OPEN, OPEN), Progress.ASKED, 0, 2),
        ((MET, OPEN, MISSED), Progress.IN_PROGRESS, 1, 3),
        ((MET, MET), Progress.COMPLETED, 2, 2),
        ((MET, WAIVED), Progress.COMPLETED, 1, 1),
    ],
)
def test_a_step_counts_the_answers_that_are_in(
    states: tuple[DutyState, ...], progress: Progress, came: int, asked: int
) -> None:
    """S4-12: which returns are in, out of how many."""
    found = step("returns", [], returns(*states))
    assert (found.progress, found.came, found.asked) == (progress, came, asked)


def test_what_follows_a_decision_cannot_start_before_it() -> None:
    assert step("returns", [], [], is_decided=False).progress is Progress.CANNOT_START
    assert step("decide", [], [], is_decided=False).progress is Progress.NOT_STARTED


def test_what_is_late_is_counted_and_the_soonest_limit_is_named() -> None:
    late, later = (replace(returns(OPEN)[0], due_at=NOW + timedelta(hours=hours)) for hours in (-1, 5))
    found = step("returns", [], [later, late])
    assert (found.overdue, found.due_at) == (1, late.due_at)


def test_a_closed_incident_needs_nothing_more_but_keeps_what_it_has() -> None:
    assert step("panel", [], [], is_open=False).progress is Progress.NOT_NEEDED
    assert step("panel", ["panel-response"], [], is_open=False).progress is Progress.COMPLETED


def test_a_step_is_there_when_the_rules_know_it_or_the_incident_has_it() -> None:
    names = {one.id for one in steps(KNOWN, [], [], NOW, is_decided=False, is_open=True)}
    assert names == {"decide", "returns", "panel"}
    told = steps(KNOWN, ["sin-record"], [], NOW, is_decided=True, is_open=True)
    assert "notify" in {one.id for one in told}


def test_what_belongs_to_no_step_of_casework_stands_under_other_tasks() -> None:
    assert step("other", [], [Owed("task-record", OPEN, None)]).progress is Progress.ASKED

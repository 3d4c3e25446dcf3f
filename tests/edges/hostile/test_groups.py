"""Every group of hostile inputs has tests, and the table names none that is not there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.edges.hostile.groups import GROUPS, NOT_OFFERED

TESTS = Path(__file__).resolve().parents[2]


@cache
def names_of(module: str) -> frozenset[str]:
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)", (TESTS / module).read_text(), re.MULTILINE))


def test_there_are_seventy_five_groups() -> None:
    assert sorted(GROUPS) == list(range(1, 76))
    assert set(NOT_OFFERED) <= set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_tests_that_are_there(group: int) -> None:
    words, named = GROUPS[group]
    assert words
    assert named
    for one in named:
        module, _, test = one.partition("::")
        assert test in names_of(module), one

"""No local time is taken where a person types one: every instant carries its offset, so that none is shifted silently (C-14)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edges.office import Office, deployed

BY = ("--officer", "Winifred Stave")
NEVER, TWICE = "2027-03-28T01:30", "2026-10-25T01:30"  # left out in spring; there are two in autumn


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deployment")


@pytest.fixture
def gateway(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Office:
    return deployed(template, tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("typed", [NEVER, TWICE])
@pytest.mark.parametrize(
    "words",
    [
        ("rules", "explain", "south-tyneside", "K11", "--from"),
        ("duties", "extend", "dty-none", "--reason", "More time.", *BY, "--until"),
        ("breach", "open", "--incident", "SI-7K3M-9QPX-2D", "--kind", "misdirected", *BY, "--aware-at"),
        ("absence", "set", "north", "dsl", "0", "--until"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_edge_case_10_a_local_time_is_wrong_use_wherever_one_may_be_typed(
    gateway: Office, words: tuple[str, ...], typed: str
) -> None:
    told = gateway(*words, typed)
    assert told.status == 2
    assert told.out == ""
    assert "+00:00" in told.err
    assert typed not in told.err

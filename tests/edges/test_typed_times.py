"""No time is shifted silently where a person types one: a command takes instants with their offset, a page London's own time where it
exists (C-14)."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.console.forms import instant_of, local_instant, typed_instant
from gateway.core.errors import Refused
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


def test_c_14_a_page_takes_no_time_that_london_leaves_out_and_the_first_of_one_that_comes_twice() -> None:
    assert instant_of(NEVER) == NEVER, "the schema refuses it: it has no offset"
    for on, at in (NEVER.split("T"), ("", "10:00"), ("2026-12-01", "")):
        with pytest.raises(Refused) as refused:
            local_instant(on, at, "Say when.")
        assert refused.value.detail == "Say when. Go back and try again."
    assert instant_of(TWICE) == "2026-10-25T01:30:00+01:00", "what is counted from it is due sooner"
    assert local_instant(*TWICE.split("T"), "Say when.").isoformat() == "2026-10-25T00:30:00+00:00"
    for typed in (TWICE, "2026-07-01T09:00", "2026-12-01T17:30"):
        assert typed_instant(instant_of(typed)) == typed
    assert typed_instant("soon") == "soon"

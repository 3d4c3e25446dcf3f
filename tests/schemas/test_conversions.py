"""A message in another version of its type: what is data does it, and nothing is left out in silence (contract section 4).

No second version is released, so these are invented: of a referral that renames, adds and recodes.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from schemas import REGISTRY, example_path, newest, read_object
from schemas.conversions import STEPS, Added, Recoded, Renamed, in_version

INVENTED = {
    ("referral", 1): (
        Renamed(("body", "what_happened"), "account"),
        Added(("body", "children", "*", "interpreter"), default="unknown"),
        Added(("body", "weapons")),
        Recoded(("marking",), {"official-sensitive": "sensitive"}, {"very-sensitive": "official-sensitive"}),
    ),
    ("referral", 2): (Added(("body", "harm")),),
}
FIRST: dict[str, Any] = {
    "type": "referral",
    "version": 1,
    "marking": "official-sensitive",
    "body": {"what_happened": "It did.", "children": [{"name": "A"}, {"name": "B"}]},
}
SECOND: dict[str, Any] = {
    "type": "referral",
    "version": 2,
    "marking": "sensitive",
    "body": {
        "account": "It did.",
        "children": [{"name": "A", "interpreter": "unknown"}, {"name": "B", "interpreter": "unknown"}],
    },
}


def test_an_older_message_is_raised_and_comes_back_whole() -> None:
    given = copy.deepcopy(FIRST)
    raised = in_version(given, 2, INVENTED)
    assert (raised.content, raised.sent_version, raised.left_out) == (SECOND, 1, ())
    assert in_version(raised.content, 1, INVENTED).content == FIRST
    assert given == FIRST, "what was sent is not touched"


def test_what_an_older_version_has_no_place_for_is_named_by_pointers() -> None:
    newer = copy.deepcopy(SECOND) | {"version": 3, "marking": "very-sensitive"}
    newer["body"] |= {"weapons": ["none"], "harm": {"degree": "low"}}
    newer["body"]["children"][1]["interpreter"] = "Polish"
    shown = in_version(newer, 1, INVENTED)
    assert shown.content == FIRST
    assert shown.sent_version == 3
    assert shown.left_out == ("/body/harm", "/marking", "/body/weapons", "/body/children/1/interpreter")


@pytest.mark.parametrize("wanted", [None, 2])
def test_the_version_that_was_sent_is_shown_as_it_stands(wanted: int | None) -> None:
    shown = in_version(SECOND, wanted, INVENTED)
    assert shown.content is SECOND
    assert shown.sent_version is None


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        pytest.param(SECOND | {"type": "call-log"}, 1, id="a type without a step"),
        pytest.param(SECOND, 9, id="a version that no step leads to"),
        pytest.param(SECOND | {"marking": "secret"}, 1, id="a code without a counterpart"),
        pytest.param(SECOND | {"marking": ["sensitive"]}, 1, id="no code at all"),
    ],
)
def test_what_cannot_be_converted_whole_is_shown_as_it_was_sent(message: dict[str, Any], wanted: int) -> None:
    shown = in_version(message, wanted, INVENTED)
    assert (shown.content, shown.sent_version) == (message, None)


@pytest.mark.parametrize(("slug", "version"), sorted(REGISTRY))
def test_every_released_version_reads_as_the_one_before_it_and_back(slug: str, version: int) -> None:
    """And the newest is the last of an unbroken row from 1 on."""
    assert 1 <= version <= newest()[slug]
    document = json.loads(example_path(slug, version).read_text("utf-8"))
    if version > 1:
        lower = in_version(document, version - 1, STEPS)
        assert lower.sent_version == version
        read_object(lower.content)
        read_object(in_version(lower.content, version, STEPS).content)
    assert (version == 1) or (slug, version - 1) in STEPS
    assert set(STEPS) == {(one, number - 1) for one, number in REGISTRY if number > 1}

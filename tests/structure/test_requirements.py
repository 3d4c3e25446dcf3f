"""What a rule pack cites is tested: every requirement, clock and counting rule that these packs name, a test names too.

A name in a test says: this test proves it. An id is put into a test's docstring only where that is true.
"""

from __future__ import annotations

import re

import pytest

from tests.structure.source import suite, text_of, tracked

PACKS = ("dcs-notification", "derby", "south-tyneside", "southampton", "tower-hamlets")
ID = re.compile(r"\b(?:S[0-4]-\d\d|K\d\db?|[ABDGN]\d\d|C-\d\d|X-\d\d)\b")
IN_A_NAME = re.compile(r"def test_\w*?(?<=_)(s[0-4]_\d\d|[cx]_\d\d|[kabdgn]\d\d)(?=_)")
PACK = re.compile(rf"gateway/partnerships/(?:{'|'.join(PACKS)})/[^/]+\.(?:md|toml)")
HERE = "tests/structure/test_requirements.py"

# Cited by the pack, and no test of its own: why.
NOT_TESTED: dict[str, str] = {
    "S4-08": "the council notifies in the national system by hand; what the gateway takes is the record of it (S4-03)",
}


def cited() -> list[str]:
    """What the packs' files name, their worked examples apart: those are tests."""
    files = [name for name in tracked() if PACK.fullmatch(name) and not name.endswith("/cases.toml")]
    return sorted({found for name in files for found in ID.findall(text_of(name))})


def named_by_tests() -> set[str]:
    """Ids in the test files, also where a test's name spells one, and those that the packs' worked examples run."""
    texts = [source.text for source in suite() if source.name != HERE]
    texts += [text_of(f"gateway/partnerships/{pack}/cases.toml") for pack in PACKS]
    spelt = {found.upper().replace("_", "-") for text in texts for found in IN_A_NAME.findall(text)}
    return spelt | {found for text in texts for found in ID.findall(text)}


def test_the_packs_cite_what_they_are_made_from() -> None:
    assert len(cited()) > 25


@pytest.mark.parametrize("requirement", cited())
def test_what_the_pack_cites_is_named_by_a_test(requirement: str) -> None:
    if requirement in NOT_TESTED:
        assert requirement not in named_by_tests(), "it is tested now: take it out of the list"
        return
    assert requirement in named_by_tests()

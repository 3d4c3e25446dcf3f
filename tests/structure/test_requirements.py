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

TABLE = "gateway/partnerships/requirements.md"
ROW = re.compile(r"^\| ([SKMXGC]-?\d[\w-]*) \| .* \| ([^|]+) \|$", re.MULTILINE)
NOT_TAKEN_UP = {"G-11", "G-12", "G-13"}  # proposals of ours; the table says so in words

# What the sources ask, clocks, message types, contradictions, gaps, rules of counting: domain analysis sections 2 to 5 and 11.
_SEEDS = {"S0": 33, "S1": 20, "S2": 26, "S3": 27, "S4": 24}
REQUIREMENTS = [f"{seed}-{n:02d}" for seed, last in _SEEDS.items() for n in range(1, last + 1)]
_OTHERS = {"K": 21, "M": 23, "X-": 29, "G-": 13, "C-": 16}
EVERYTHING = {
    *REQUIREMENTS,
    *(f"{kind}{n:02d}" for kind, last in _OTHERS.items() for n in range(1, last + 1)),
    *("K05b", "K12b", "K17b"),
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
    assert requirement in named_by_tests()


def rows() -> dict[str, list[str]]:
    """The table of the project's own documents: each id with the files that test it."""
    return {name: re.findall(r"`([^`]+)`", tests) for name, tests in ROW.findall(text_of(TABLE))}


def test_every_requirement_of_the_sources_stands_in_the_table_once() -> None:
    listed = [name for name, _ in ROW.findall(text_of(TABLE))]
    assert len(REQUIREMENTS) == 130
    assert sorted(listed) == sorted(EVERYTHING)


@pytest.mark.parametrize("name", sorted(EVERYTHING - NOT_TAKEN_UP))
def test_the_files_that_the_table_names_do_test_that_requirement(name: str) -> None:
    files = rows()[name]
    assert files
    spelt = re.compile(rf"\b{name}\b|(?<=_){name.lower().replace('-', '_')}(?=_)")
    for file in files:
        assert file in tracked(), file
        assert spelt.search(text_of(file)), f"{file} does not name {name}"


def test_what_is_not_taken_up_is_said_to_be_so() -> None:
    text = text_of(TABLE)
    assert set(re.findall(r"^\| (\S+) \| [^|]+ \| not taken up[^|]*: ", text, re.MULTILINE)) == NOT_TAKEN_UP

"""Every requirement that the project is built to is proved: `gateway/partnerships/requirements.md` says by what, and this test holds it.

A name in a test says: this test proves it. An id is put into a test's name or docstring only where that is true.
"""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache

import pytest

from tests.structure.source import ROOT, suite, text_of, tracked

TABLE = "gateway/partnerships/requirements.md"
HERE = "tests/structure/test_requirements.py"
# How many each source has: S0 one council's policy, S1 to S4 the others; contradictions, counting rules, gaps, messages.
COUNTS = {"S0-": 33, "S1-": 20, "S2-": 26, "S3-": 27, "S4-": 24, "X-": 29, "C-": 16, "G-": 13, "M": 23}
CLOCKS = {f"K{number:02d}" for number in range(1, 22)} | {"K05b", "K12b", "K17b"}

ID = re.compile(r"\b(?:S[0-4]-\d\d|K\d\db?|[ABDFGNTV]\d\d|[CGX]-\d\d|M\d\d)\b")
TEST_NAME = re.compile(r"def (test_\w+)")
IN_A_NAME = re.compile(r"(?<=_)(s[0-4]_\d\d|[cgx]_\d\d|[kabgn]\d\db?)(?=_|$)")
ROW = re.compile(r"^\| ((?:S\d-|X-|C-|G-|K|M)\d\db?) \| (.+?) \| (.+) \| ([^|]+) \|$", re.MULTILINE)
PATH = re.compile(r"`((?:gateway|schemas|tests|deploy|adapters|keys)/[\w/.-]+)(?:::([\w-]+))?`")
PACKS = re.compile(r"gateway/partnerships/[^/]+/[^/]+\.(?:md|toml)")


@cache
def rows() -> dict[str, tuple[str, str]]:
    """By id: where the table says that it lives, and what proves it."""
    found = ROW.findall(text_of(TABLE))
    assert len({row[0] for row in found}) == len(found), "an id stands twice"
    return {name: (lives, proof) for name, _, lives, proof in found}


def wanted() -> set[str]:
    numbered = {f"{prefix}{number:02d}" for prefix, most in COUNTS.items() for number in range(1, most + 1)}
    return numbered | CLOCKS


@cache
def named_in(file: str) -> frozenset[str]:
    """The ids that a file names, also where a test's name spells one."""
    text = text_of(file)
    names = TEST_NAME.findall(text)
    spelt = {_plain(found) for name in names for found in IN_A_NAME.findall(name)}
    return frozenset(spelt | set(ID.findall(text)))


def _plain(spelt: str) -> str:
    head, rest = spelt[0].upper(), spelt[1:].replace("_", "-")
    return head + rest


def proofs() -> list[str]:
    """The files that prove: the tests, and the packs' worked examples, which are run."""
    tests = [source.name for source in suite() if source.name != HERE]
    return tests + [name for name in tracked() if name.endswith("/cases.toml")]


@cache
def contents(file: str) -> frozenset[str]:
    """What `file::name` may name: the tests of a module, the cases of a pack."""
    if file.endswith(".toml"):
        return frozenset(case["id"] for case in tomllib.loads(text_of(file))["case"])
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(text_of(file)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_the_table_holds_every_requirement_once_and_no_other() -> None:
    assert set(rows()) == wanted()
    assert len([name for name in rows() if name.startswith("S")]) == 130


@pytest.mark.parametrize("requirement", sorted(wanted()))
def test_a_requirement_is_named_by_a_test(requirement: str) -> None:
    """And by the very files that the table gives as its proof."""
    _, proof = rows()[requirement]
    files = [file for file, _ in PATH.findall(proof)]
    assert files
    assert [file for file in files if file not in proofs()] == []
    assert [file for file in files if requirement not in named_in(file)] == []


@pytest.mark.parametrize("requirement", sorted(wanted()))
def test_the_table_names_nothing_that_is_not_there(requirement: str) -> None:
    lives, proof = rows()[requirement]
    assert lives.strip("? ")
    assert not lives.startswith("not taken up")
    for file, name in PATH.findall(lives + " " + proof):
        assert (ROOT / file).exists(), file
        if name:
            assert name in contents(file), f"{file}::{name}"


def cited() -> list[str]:
    """What the packs' files name, their worked examples apart: those are tests."""
    files = [name for name in tracked() if PACKS.fullmatch(name) and not name.endswith("/cases.toml")]
    return sorted({found for name in files for found in ID.findall(text_of(name))})


def test_the_packs_cite_what_they_are_made_from() -> None:
    assert len(cited()) > 130


@pytest.mark.parametrize("requirement", cited())
def test_what_a_pack_cites_is_named_by_a_test(requirement: str) -> None:
    assert any(requirement in named_in(file) for file in proofs())

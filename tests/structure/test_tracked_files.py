"""What is tracked names no machine, no package index and nobody's workplace, and holds no key."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable

from tests.structure.source import ROOT, text_of, tracked

HERE = "tests/structure/test_tracked_files.py"

PACKAGE_HOSTS = re.compile(
    r"\b(pypi\.org|pythonhosted\.org|test\.pypi|registry\.npmjs|registry\.yarnpkg|npmjs\.(com|org)|deb\.debian\.org"
    r"|ftp\.debian|security\.debian|crates\.io|proxy\.golang|ghcr\.io|docker\.io)\b",
    re.IGNORECASE,
)
INDEX_OPTION = re.compile(
    r"--(extra-)?index-url\s*[= ]\s*\S*://|--find-links|PIP_INDEX_URL|UV_DEFAULT_INDEX\s*="
)
MACHINE_PATH = re.compile(r"(?<![\w.*])/(root|home/\w+|Users/\w+|opt/wheels)/")
WORKPLACE = re.compile(r"(?<![\w.])/work/|\.\./shared")
MAY_FIND_VECTORS = re.compile(r"tests/.*\.py$")  # vectors lie beside the project: tests look for them there
PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----")
ADDRESS = re.compile(r"\b[a-z][a-z+.-]*://|\bresolved\b", re.IGNORECASE)
NHS_NUMBER = re.compile(r"(?<![\d.#&/-])(\d{3})[ -](\d{3})[ -](\d{4})(?![\d.-])")


def test_no_file_names_a_package_index() -> None:
    assert not found(PACKAGE_HOSTS)
    assert not found(INDEX_OPTION)


def test_no_file_names_a_directory_of_somebody_s_machine() -> None:
    assert not found(MACHINE_PATH)


def test_no_file_but_a_test_s_search_for_vectors_knows_the_workplace() -> None:
    names = [name for name in tracked() if not MAY_FIND_VECTORS.fullmatch(name)]
    assert not found(WORKPLACE, names)


def test_locks_hold_digests_and_no_addresses() -> None:
    locks = [
        name for name in tracked() if name.startswith("deploy/locks/") or name.endswith("package-lock.json")
    ]
    assert len(locks) >= 6
    assert not found(ADDRESS, locks)
    for name in ("runtime", "dev", "uv", "mesh-sandbox", "schemathesis"):
        text = text_of(f"deploy/locks/{name}.txt")
        pins = re.findall(r"^[A-Za-z0-9][\w.\-\[\],]*==", text, re.MULTILINE)
        assert pins
        assert len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) == len(pins), "every line is a pin"
        assert text.count("--hash=sha256:") >= len(pins)


def test_the_development_lock_holds_the_runtime_lock_s_versions() -> None:
    runtime, dev = (_pins(text_of(f"deploy/locks/{name}.txt")) for name in ("runtime", "dev"))
    assert runtime.items() <= dev.items()


def test_no_private_key_is_tracked() -> None:
    """Not even an example: tests make their own. The needle is a PEM with content, not code that writes its header."""
    assert not [
        name for name in tracked() if re.search(PRIVATE_KEY.pattern + r"\s+[A-Za-z0-9+/=]{40}", text_of(name))
    ]
    assert not [
        name for name in tracked() if name.endswith((".pem", ".key", ".p12", ".pfx", ".jks", "master.key"))
    ]


def test_nhs_numbers_come_from_the_range_that_is_never_issued() -> None:
    shaped = [
        (name, "".join(match.groups()))
        for name in tracked()
        if name.endswith((".py", ".json", ".md", ".toml", ".html", ".txt", ".eml"))
        and not name.startswith("deploy/locks/")
        and not name.endswith("package-lock.json")
        for match in NHS_NUMBER.finditer(text_of(name))
    ]
    assert not [(name, digits) for name, digits in shaped if _is_nhs_number(digits) and digits[:3] != "999"]


def test_scripts_can_be_run() -> None:
    for name in tracked():
        if text_of(name).startswith("#!"):
            assert (ROOT / name).stat().st_mode & stat.S_IXUSR, name


def found(pattern: re.Pattern[str], names: Iterable[str] | None = None) -> list[str]:
    """Where the pattern stands: file and line. This file, which spells the patterns, is not read."""
    return [
        f"{name}:{text_of(name)[: match.start()].count(chr(10)) + 1}: {match.group()}"
        for name in (tracked() if names is None else names)
        if name != HERE
        for match in pattern.finditer(text_of(name))
    ]


def _pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9][\w.\-]*)(?:\[[^\]]*\])?==([^\s;]+)", text, re.MULTILINE))


def _is_nhs_number(digits: str) -> bool:
    """Modulus 11: the last digit checks the nine before it."""
    check = (
        11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
    )
    return check % 11 == int(digits[9]) and check != 10

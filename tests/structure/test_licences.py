"""Nothing that is installed to run the gateway is under the GPL or the AGPL. The LGPL is fine (psycopg)."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import pytest

from tests.structure.source import text_of

STRONG_COPYLEFT = re.compile(
    r"(?<![LA-Z])A?GPL|(?<!Lesser )(?<!Library )General Public License", re.IGNORECASE
)
WEAK = re.compile(r"LGPL|Lesser|Library General", re.IGNORECASE)


def runtime() -> list[str]:
    return sorted(
        set(
            re.findall(
                r"^([A-Za-z0-9][\w.\-]*)(?:\[[^\]]*\])?==", text_of("deploy/locks/runtime.txt"), re.MULTILINE
            )
        )
    )


def test_no_runtime_package_is_under_the_gpl_or_agpl() -> None:
    installed = [found for name in runtime() if (found := _installed(name))]
    assert len(installed) > 0.8 * len(runtime()), "the lock and what is installed have parted"
    assert not {found.name: said for found in installed for said in licences(found) if is_strong(said)}


@pytest.mark.parametrize(
    ("said", "strong"),
    [
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("GNU Affero General Public License v3", True),
        ("License :: OSI Approved :: GNU General Public License v2 (GPLv2)", True),
        ("GPLv3+", True),
        ("LGPL-3.0-only", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT", False),
        ("PSF-2.0", False),
    ],
)
def test_the_words_of_a_licence_are_told_apart(said: str, strong: bool) -> None:
    assert is_strong(said) == strong


def licences(found: Distribution) -> list[str]:
    """What the package says of its licence; of a whole text in the old field, the first line."""
    old = [said.strip().splitlines()[0] for said in found.metadata.get_all("License") or [] if said.strip()]
    new = found.metadata.get_all("License-Expression") or []
    classifiers = [
        said for said in found.metadata.get_all("Classifier") or [] if said.startswith("License ::")
    ]
    return [*old, *new, *classifiers]


def is_strong(said: str) -> bool:
    """True when GPL or AGPL is said and no choice or weaker word takes it back."""
    return bool(STRONG_COPYLEFT.search(said)) and not WEAK.search(said)


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None  # for another system or an older Python: the lock is universal

"""How officers' names are compared: one person is never two."""

from __future__ import annotations

import pytest

from gateway.core.errors import Refused
from gateway.core.officers import TwoOfficers, name_key, tidy_name


@pytest.mark.parametrize(
    "second",
    [
        "winifred  STAVE",
        "Winifred\u200b Stave",  # a space of no width
        "Winifred Stave\ufe0f",  # a variation that nobody sees
        "\u202eWinifred Stave",  # turned round
        "Win\u0456fred St\u0430ve",  # Cyrillic
        "Winifred Stav\u0415",
        "W\u03b9nifred Stave",  # Greek
        "\uff37inifred Stave",  # of full width
    ],
)
def test_a_name_that_only_looks_like_the_first_officers_is_no_second_officer(second: str) -> None:
    with pytest.raises(Refused):
        TwoOfficers("Winifred Stave", second)


@pytest.mark.parametrize(
    "other", ["Winifrid Stave", "Winifred Stav\u00e9", "W. Stave", "\u0418\u0440\u0438\u043d\u0430"]
)
def test_another_name_is_another_officer(other: str) -> None:
    assert name_key(other) != name_key("Winifred Stave")
    assert TwoOfficers("Winifred Stave", other).both == f"Winifred Stave; {other}"


def test_nothing_that_cannot_be_seen_is_kept_of_a_name() -> None:
    assert tidy_name("\u202eWinifred\u200b\t Stave\u2066") == "Winifred Stave"
    with pytest.raises(Refused):
        TwoOfficers("Winifred Stave", "\u200b\u2060")

"""What the console sends besides pages: nothing of GOV.UK's own look is left in what was taken over, and nothing loads from elsewhere."""

from __future__ import annotations

import re

import pytest

from gateway.console.pages import STATIC
from tests.structure.source import ROOT

NOTICE = ROOT / "gateway" / "console" / "static" / "govuk-frontend.NOTICE"


def test_the_style_taken_over_has_no_font_crest_or_address_of_gov_uk() -> None:
    """A service that is no part of GOV.UK uses its components without its branding."""
    style = STATIC["govuk-frontend.css"].content.decode()
    assert not re.search(r"@font-face|GDS Transport|crest|sourceMappingURL", style)
    assert ".govuk-task-list" in style


@pytest.mark.parametrize("name", sorted(STATIC))
def test_no_file_loads_anything(name: str) -> None:
    assert not re.search(rb"url\(|@import|import ", STATIC[name].content)


def test_what_was_taken_over_is_named_with_version_licence_and_digest() -> None:
    notice = NOTICE.read_text()
    assert re.search(r"GOV\.UK Frontend \d+\.\d+\.\d+", notice)
    assert re.search(r"sha256 of the original: [0-9a-f]{64}", notice)
    assert "Licence: MIT" in notice

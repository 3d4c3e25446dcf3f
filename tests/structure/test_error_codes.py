"""Error codes are a promise to partners: unique, in one spelling, documented."""

from __future__ import annotations

import re

import pytest

from gateway.core.errors import ErrorCode
from tests.structure.source import text_of, tracked

# Where partners read about errors. Add a document here and it counts.
DOCUMENTS = re.compile(r"README\.md|deploy/guides/.*\.md|docs/.*\.md")


def test_codes_are_unique_and_in_one_spelling() -> None:
    slugs = [code.slug for code in ErrorCode]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", slug) for slug in slugs)


@pytest.mark.parametrize("code", ErrorCode)
def test_a_code_has_a_status_of_an_error_and_a_title_of_one_line(code: ErrorCode) -> None:
    assert 400 <= code.status < 600
    assert code.title == code.title.strip().splitlines()[0]
    assert "{" not in code.title, "a title never carries what the caller sent"


def test_every_code_is_documented() -> None:
    said = "".join(text_of(name) for name in tracked() if DOCUMENTS.fullmatch(name))
    missing = [code.slug for code in ErrorCode if f"`{code.slug}`" not in said]
    assert not missing

"""The packs' README says what rules may read of each message: a pack author writes to it, so a test holds it to the schemas."""

from __future__ import annotations

import inspect
import re

import pytest

from gateway.partnerships import packs
from gateway.partnerships.vocabulary import BROUGHT
from schemas import REGISTRY, TYPES, example_path, facts, read_message
from schemas.registry import body_of
from schemas.review_decision import OUTCOMES

README = (packs.HERE / "README.md").read_text("utf-8")
README_FACTS = {
    slug: (codes, moments)
    for slug, codes, moments in re.findall(r"^\| `([a-z-]+)` \| (.+) \| (.+) \|$", README, re.MULTILINE)
    if slug in TYPES
}


@pytest.mark.parametrize("slug", sorted(TYPES))
def test_the_readme_names_what_rules_may_read_of_each_message(slug: str) -> None:
    """A pack author writes to this table, so that it holds neither less nor more than the schemas give."""
    found = facts(read_message(example_path(slug).read_bytes()))
    codes, moments = README_FACTS[slug]
    alike = README.partition("Those of every form of an incident: ")[2].partition(". `")[0]
    said = set(re.findall(r"`([a-z_]+)`", codes + (alike if "every form" in codes else "")))
    assert said == set(found.codes)
    brought = set(re.findall(r"`([a-z_]+)`", moments))
    assert set(found.moments) <= brought
    assert brought - set(re.findall(r"\b([a-z_]+)=", source_of(slug))) <= {"incident_at", "aware_at"}


def test_clocks_may_start_from_what_a_message_brings_and_nothing_else() -> None:
    """Corrected instants go by names of their own, so that no clock starts from them."""
    for slug, (_, moments) in README_FACTS.items():
        brought = set(re.findall(r"`([a-z_]+)`", moments))
        assert (slug, brought if slug != "correction" else set()) == (slug, BROUGHT.get(slug, set()))
        assert slug != "correction" or all(name.startswith("corrected_") for name in brought)


def source_of(slug: str) -> str:
    return inspect.getsource(body_of(REGISTRY[slug, 1]).facts)


def test_the_readme_names_every_outcome_of_every_review() -> None:
    for review, outcomes in OUTCOMES.items():
        assert f"`{review}`: " + ", ".join(f"`{outcome}`" for outcome in outcomes) in README

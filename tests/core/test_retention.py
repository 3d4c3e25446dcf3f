"""How long an incident is kept: the longest class counts, from its end, and nothing comes due without one (G-12)."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.core.retention import Kept, Retention, RetentionClass, imported_years, kept_until, years_after
from gateway.partnerships import packs

CASE = Retention(RetentionClass.CASE, 26)
REVIEW = Retention(RetentionClass.REVIEW, 35, received=frozenset({"rapid-review-report"}))
CARE = Retention(RetentionClass.LOOKED_AFTER, 75, when={"child_status": frozenset({"looked-after"})})
ENDED = date(2026, 11, 2)


def test_the_longest_class_that_fits_counts_g_12() -> None:
    told = [("referral", {"child_status": ["looked-after"]}), ("rapid-review-report", {})]
    assert kept_until([CASE, REVIEW, CARE], ENDED, told) == Kept(
        RetentionClass.LOOKED_AFTER, date(2101, 11, 2)
    )
    assert kept_until([CASE, REVIEW, CARE], ENDED, told[1:]) == Kept(RetentionClass.REVIEW, date(2061, 11, 2))
    assert kept_until([CASE, REVIEW, CARE], ENDED, []) == Kept(RetentionClass.CASE, date(2052, 11, 2))


def test_without_a_class_nothing_ever_comes_due() -> None:
    assert kept_until([], ENDED, []) is None
    assert kept_until([Retention(RetentionClass.IMPORTED, 1)], ENDED, []) is None


def test_the_leap_day_is_kept_a_day_longer_and_never_shorter() -> None:
    assert years_after(date(2028, 2, 29), 26) == date(2054, 3, 1)
    assert years_after(date(2028, 2, 29), 28) == date(2056, 2, 29)


@pytest.mark.parametrize("name", [one for one in packs.names() if one != "sandbox"])
def test_every_shipped_pack_keeps_a_case_past_the_25th_birthday_of_a_child_not_yet_born(name: str) -> None:
    """Counted from the end of the incident, since dates of birth are sealed (domain section 8)."""
    rules = packs.shipped(name).retention
    kept = kept_until(rules, ENDED, [])
    assert kept is not None
    born_on = date(2027, 9, 1)  # the latest day on which a child expected on the day of the end is born
    assert kept.until_on >= years_after(born_on, 25)
    unknown = kept_until(rules, ENDED, [("referral", {"child_status": ["status-not-known"]})])
    assert unknown == Kept(RetentionClass.LOOKED_AFTER, date(2101, 11, 2)), "what is not known never shortens"
    assert imported_years(rules) == 26
    assert all(rule.clause.startswith("G-12, ours") for rule in rules), "a proposal is labelled as ours"

"""The ladder of one delivery: which rule counts, and which rungs are left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.ladder import LadderRule, Rung, ladder_for, rungs_above

LETTERS = LadderRule(frozenset({"dsl-letter"}), (Rung.DEPUTY, Rung.TELEPHONE), 24)
ALL = LadderRule(frozenset(), tuple(Rung), 4)


def test_the_ladder_that_names_a_message_counts_before_the_one_for_all() -> None:
    assert ladder_for([ALL, LETTERS], "dsl-letter") is LETTERS
    assert ladder_for([ALL, LETTERS], "referral") is ALL
    assert ladder_for([LETTERS], "referral") is None


@pytest.mark.parametrize("now", [None, *Rung])
def test_a_delivery_only_ever_goes_up_and_the_telephone_is_the_end(now: Rung | None) -> None:
    above = rungs_above(ALL, now)
    assert now not in above
    assert len(above) == (3 if now is None else 2 - list(Rung).index(now))
    assert rungs_above(ALL, Rung.TELEPHONE) == ()


def test_a_rung_that_the_pack_leaves_out_is_passed_over() -> None:
    assert rungs_above(LETTERS, None) == (Rung.DEPUTY, Rung.TELEPHONE)
    assert rungs_above(LETTERS, Rung.MAIL) == (Rung.DEPUTY, Rung.TELEPHONE)


def test_the_next_rung_is_due_so_many_hours_after_the_one_before_began() -> None:
    began = datetime(2026, 11, 2, 23, 0, tzinfo=UTC)
    assert LETTERS.next_at(began) - began == timedelta(hours=24)

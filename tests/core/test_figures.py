"""Counts for others to read: small ones are withheld so that nobody works them out, years begin in April."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.figures import (
    SMALLEST_SHOWN,
    Share,
    april_year,
    middle,
    month_of,
    percent,
    quarters,
    share,
    suppressed,
)

COUNTS = st.dictionaries(st.text("abcdefgh", min_size=1), st.integers(0, 40), max_size=8)


@given(COUNTS)
def test_no_small_count_is_ever_shown(counts: dict[str, int]) -> None:
    shown = suppressed(counts)
    for figure in (shown.total, *shown.cells.values()):
        assert figure is None or figure == 0 or figure >= SMALLEST_SHOWN


@given(COUNTS)
def test_what_is_shown_is_true(counts: dict[str, int]) -> None:
    shown = suppressed(counts)
    assert shown.cells.keys() == counts.keys()
    assert all(figure in (None, counts[name]) for name, figure in shown.cells.items())
    assert shown.total in (None, sum(counts.values()))


@given(COUNTS)
def test_nothing_is_withheld_where_nothing_is_small(counts: dict[str, int]) -> None:
    counts = {name: count if count == 0 or count >= SMALLEST_SHOWN else 0 for name, count in counts.items()}
    assert dict(suppressed(counts).cells) == counts


@given(COUNTS)
def test_one_cell_is_never_withheld_alone_beside_its_total(counts: dict[str, int]) -> None:
    """A total minus the cells that are shown would be the cell."""
    shown = suppressed(counts)
    withheld = [name for name, figure in shown.cells.items() if figure is None]
    assert not withheld or shown.total is None or len(withheld) > 1


@given(COUNTS)
def test_the_order_of_the_cells_decides_nothing(counts: dict[str, int]) -> None:
    assert suppressed(dict(reversed(counts.items()))) == suppressed(counts)


@pytest.mark.parametrize(
    ("cells", "largest", "smallest"), [(2, 14, 5), (3, 12, 3), (3, 14, 5), (4, 8, 3), (4, 9, 4)]
)
def test_whoever_knows_the_rule_and_the_total_is_left_with_several_values(
    cells: int, largest: int, smallest: int
) -> None:
    """P-16: every table that could have been printed so is tried; each withheld cell differs among them."""
    printed = defaultdict(list)
    for counts in itertools.product(range(largest + 1), repeat=cells):
        shown = suppressed({str(n): count for n, count in enumerate(counts)}, smallest)
        printed[shown.total, tuple(shown.cells.values())].append(counts)
    for (total, figures), possible in printed.items():
        if total is not None and total > largest:
            continue  # tables with larger cells, which are not tried, would be printed alike
        for place, figure in enumerate(figures):
            assert figure is not None or len({counts[place] for counts in possible}) > 1, possible


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_share_gives_away_neither_its_part_nor_the_rest(part: int, rest: int) -> None:
    found = share(part, part + rest)
    if 0 < part < SMALLEST_SHOWN or 0 < rest < SMALLEST_SHOWN:
        assert (found.part, found.percent) == (None, None)
    else:
        assert found == Share(part, part + rest, percent(part, part + rest))


def test_per_cent_is_whole_and_says_all_and_none_only_of_all_and_none() -> None:
    assert [percent(part, 200) for part in (0, 1, 3, 100, 199, 200)] == [0, 1, 2, 50, 99, 100]
    assert percent(0, 0) is None


def test_the_reporting_year_runs_from_april_to_march() -> None:
    """P-16."""
    year = april_year(2026)
    assert (year.name, year.first_on, year.end_on) == ("2026-27", date(2026, 4, 1), date(2027, 4, 1))
    assert april_year(2099).name == "2099-00"


def test_the_four_quarters_fill_the_year() -> None:
    year = april_year(2026)
    found = quarters(year)
    assert [quarter.name for quarter in found] == ["Q1", "Q2", "Q3", "Q4"]
    assert [quarter.first_on.month for quarter in found] == [4, 7, 10, 1]
    assert [a.end_on for a in found] == [*(b.first_on for b in found[1:]), year.end_on]


def test_a_month_ends_where_the_next_begins() -> None:
    assert month_of(2026, 12).end_on == date(2027, 1, 1)
    assert month_of(2028, 2).end_on == date(2028, 3, 1)


def test_the_middle_of_nothing_is_nothing() -> None:
    assert middle([]) is None
    assert middle([1, 2]) == 1.5

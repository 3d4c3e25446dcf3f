"""What the packs hold, as the table of section 11.7 states it; the shipped holidays; what a faulty file answers."""

from __future__ import annotations

import json
from datetime import date, time
from pathlib import Path
from typing import Any

import holidays
import pytest

from gateway.core.clocks import BadClock, DayEnd, OtherStart, Roll, Unit
from gateway.core.errors import Misconfigured
from gateway.core.working_days import Convention
from gateway.partnerships.calendars import (
    SHIPPED_HOLIDAYS,
    load_calendar,
    read_calendar,
    read_holidays,
    shipped_holidays,
)
from gateway.partnerships.clock_tables import (
    FOLDER,
    STATUTORY_MINIMUM,
    load_clock_table,
    pack_names,
    read_clock_table,
    read_clocks,
    weakened,
)

PACKS = (
    "dcs-notification",
    "derby",
    "sandbox",
    "south-tyneside",
    "southampton",
    "statutory-minimum",
    "tower-hamlets",
)
YEARS = range(2019, 2029)
RULES = (FOLDER / "derby" / "rules.toml").read_text(encoding="utf-8")

EVERY_PACK = """
K12  | 5  | working-days  | aware_at                        | midnight | none | statutory
K17  | 15 | working-days  | sin_submitted_at                | midnight | none | statutory
K20  | 6  | months        | lcspr_decided_at                | midnight | none | statutory
K21  | 72 | hours         | breach_aware_at                 | hours    | none | statutory
"""
OWN = {
    "statutory-minimum": "",
    "sandbox": "",
    "derby": """
K01  | 2  | hours         | immediate_response_completed_at | hours    | none |
K02  | 1  | working-days  | classified_at                   | cob      | none | target 0
K03  | 28 | calendar-days | form_received_at                | midnight | none |
K04  | 28 | calendar-days | investigation_completed_at      | midnight | none |
K05  | 28 | calendar-days | urgent_concern_at               | midnight | none |
K05b | 28 | calendar-days | report_reviewed_at              | midnight | none |
K06  | 12 | months        | year_start                      | midnight | none |
""",
    "dcs-notification": """
K07  | 72 | hours         | missing_since                   | hours    | none |
""",
    "tower-hamlets": """
K08  | 24 | hours         | incident_at                     | hours    | none | retrospective: aware_at
K09  | 2  | calendar-days | alert_sent_at                   | midnight | none |
K10  | 5  | calendar-days | alert_sent_at                   | midnight | none |
K12b | 5  | calendar-days | incident_at                     | midnight | none | target only
K16  | 10 | calendar-days | sin_submitted_at                | midnight | back |
K17b | 15 | calendar-days | sin_submitted_at                | midnight | none |
K18  | 1  | months        | month_end                       | midnight | none |
""",
    "southampton": """
K13  | -  | none          | letter_sent_at                  | cob      | none | target 1
""",
    "south-tyneside": """
K11  | 1  | working-days  | referral_received_at            | cob      | none |
K14  | 5  | working-days  | request_sent_at                 | cob      | none |
K15  | 8  | working-days  | sin_submitted_at                | cob      | none | exact, without-notification: review_required_at
K19  | -  | as-set        | imr_requested_at                | cob      | none |
""",
}


def rows() -> list[tuple[str, list[str]]]:
    return [
        (pack, [cell.strip() for cell in line.split("|")])
        for pack, own in OWN.items()
        for line in (EVERY_PACK + own).splitlines()
        if line
    ]


@pytest.mark.parametrize(
    ("pack", "row"), rows(), ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_each_pack_holds_its_clocks_as_the_table_states(pack: str, row: list[str]) -> None:
    """Section 11.7; X-03 (units), X-04 (exact or no later than), X-06, X-08, X-10, X-17: data, not code."""
    name, amount, unit, start, day_end, roll, more = row
    clock = load_clock_table(pack).clocks[name]
    assert (clock.id, clock.unit, clock.start) == (name, Unit(unit), start)
    assert (clock.day_end, clock.roll) == (DayEnd(day_end), Roll(roll))
    assert clock.amount == (None if amount == "-" else int(amount))
    assert clock.statutory is (more == "statutory")
    assert clock.exact is more.startswith("exact")
    assert clock.target_only is (more == "target only")
    assert clock.target_amount == (int(more.split()[1]) if more in ("target 0", "target 1") else None)
    assert clock.convention is Convention.A
    assert not clock.local_closures
    flag, _, event = more.removeprefix("exact, ").partition(": ")
    assert clock.other_start == (OtherStart(flag, event) if event else None)


@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_holds_no_clock_that_the_table_does_not_state(pack: str) -> None:
    """S1-20: no time limit is invented; what is borrowed or proposed says so in its clause and is never statutory."""
    clocks = load_clock_table(pack).clocks
    stated = [row[0] for name, row in rows() if name == pack]
    others = [clock for name, clock in clocks.items() if name not in stated]
    assert [name for name in clocks if name in stated] == stated
    assert all(
        clock.clause.startswith(("borrowed:", "proposal ")) and not clock.statutory for clock in others
    )


def test_every_pack_has_its_folder_calendar_and_a_readme_that_names_each_clock() -> None:
    assert pack_names() == PACKS
    for pack in PACKS:
        readme = (FOLDER / pack / "README.md").read_text(encoding="utf-8")
        for clock in load_clock_table(pack).clocks.values():
            assert f"| {clock.id} |" in readme
            assert clock.clause in readme
        calendar = load_calendar(pack)
        assert (calendar.opens, calendar.closes, calendar.zone) == (time(9), time(17), "Europe/London")


@pytest.mark.parametrize("pack", PACKS)
def test_no_pack_weakens_the_statutory_minimum(pack: str) -> None:
    """K12, K17, K20, K21; X-20: the edition differs by pack, the limits do not."""
    minimum = load_clock_table(STATUTORY_MINIMUM).clocks
    clocks = dict(load_clock_table(pack).clocks)
    assert weakened(clocks, minimum) == ()
    clocks["K12"] = load_clock_table("south-tyneside").clocks["K14"]
    del clocks["K21"]
    assert weakened(clocks, minimum) == ("K12", "K21")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("amount = 15\n", "amount = 20\n", "restore the statutory clocks K17"),
        ('start = "aware_at"', 'start = "incident_at"', "restore the statutory clocks K12"),
        ("statutory = true\n", "", "restore the statutory clocks K12, K17, K20, K21"),
        ('name = "derby"', 'name = "rutland"', "must be the name of its folder"),
    ],
)
def test_a_pack_that_moves_a_statutory_limit_is_not_loaded(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    """X-01, X-22: the statutory start and amount are not a local choice."""
    (tmp_path / "derby").mkdir()
    (tmp_path / "derby" / "rules.toml").write_text(RULES.replace(old, new), encoding="utf-8")
    with pytest.raises(Misconfigured, match=says):
        load_clock_table("derby", tmp_path)


def test_a_lapsed_review_is_known_and_disables_nothing() -> None:
    """X-24, S2-25: Southampton's review was due on 10 August 2022."""
    header = load_clock_table("southampton").header
    assert header.review_due_on == date(2022, 8, 10)
    assert header.review_overdue(date(2022, 8, 11))
    assert not header.review_overdue(date(2022, 8, 10))
    assert load_clock_table("southampton").clocks["K13"].target_amount == 1


def test_each_pack_cites_its_own_edition_and_source() -> None:
    """X-20."""
    editions = {pack: load_clock_table(pack).header.working_together for pack in PACKS}
    assert (editions["southampton"], editions["tower-hamlets"]) == ("2018", "2018")
    assert editions["south-tyneside"] == "2026"
    assert "2018" not in editions["derby"]


# --- the shipped holidays ---


def weekdays_of(days: Any) -> set[date]:
    return {day for day in days if day.weekday() < 5}


def test_the_shipped_holidays_are_those_of_england_on_every_weekday() -> None:
    """Section 11.2: equal to the `holidays` library with subdivision ENG, 2019 to 2028."""
    closed = shipped_holidays().divisions["england-and-wales"]
    assert set(closed) == weekdays_of(holidays.country_holidays("GB", subdiv="ENG", years=YEARS))
    assert weekdays_of(closed) == set(closed), "only observed dates are listed"


def test_great_britain_without_a_subdivision_fails_the_same_check() -> None:
    """Edge case 13: it leaves out Easter Monday and the summer bank holiday."""
    closed = set(shipped_holidays().divisions["england-and-wales"])
    missing = closed - weekdays_of(holidays.country_holidays("GB", years=YEARS))
    assert {date(2026, 4, 6), date(2026, 8, 31)} <= missing


@pytest.mark.parametrize(
    ("day", "title"),
    [
        ("2020-05-08", "Early May bank holiday (VE day)"),
        ("2021-12-27", "Christmas Day (substitute day)"),
        ("2021-12-28", "Boxing Day (substitute day)"),
        ("2022-06-02", "Spring bank holiday"),
        ("2022-06-03", "Platinum Jubilee bank holiday"),
        ("2022-09-19", "Bank Holiday for the State Funeral of Queen Elizabeth II"),
        ("2022-12-27", "Christmas Day (substitute day)"),
        ("2023-05-08", "Bank holiday for the coronation of King Charles III"),
        ("2026-12-28", "Boxing Day (substitute day)"),
        ("2028-01-03", "New Year's Day (substitute day)"),
    ],
)
def test_moved_and_proclaimed_holidays_are_in_the_shipped_copy(day: str, title: str) -> None:
    """Section 11.2, the regression dates."""
    assert shipped_holidays().divisions["england-and-wales"][date.fromisoformat(day)] == title


@pytest.mark.parametrize("day", ["2020-05-04", "2022-05-30", "2020-12-26", "2026-12-26", "2026-06-15"])
def test_days_that_only_look_like_holidays_are_not_listed(day: str) -> None:
    """Section 11.2: moved-from dates, weekend originals and Scotland's own day."""
    assert date.fromisoformat(day) not in shipped_holidays().divisions["england-and-wales"]


# --- what a faulty file answers ---


def wrapped(**change: Any) -> str:
    return json.dumps({**json.loads(SHIPPED_HOLIDAYS.read_text(encoding="utf-8")), **change})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        wrapped(covers_until="2027-12-31"),
        wrapped(covers_until="soon"),
        wrapped(version=None, holidays=None),
        wrapped(holidays={"england-and-wales": {"events": [{"title": "Nameless"}]}}),
        wrapped(holidays={"england-and-wales": {"events": [{"title": "Nameless", "date": "2026-02-30"}]}}),
    ],
)
def test_holiday_data_that_is_not_what_it_says_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="bank holidays"):
        read_holidays(text)


CALENDAR = (FOLDER / "derby" / "calendar.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'division = "england-and-wales"',
            'division = "scotland"',
            "division must be one of england-and-wales",
        ),
        ('bank_holidays = "2026-11-22"', 'bank_holidays = "2099-01-01"', "newer than the copy in use"),
        ("opens = 09:00:00", 'opens = "9"', "opens must be given"),
        ("closes = 17:00:00", "closes = 08:00:00", "opens must be earlier"),
        ('zone = "Europe/London"', 'zone = "Europe/Londinium"', "zone must be"),
        ('zone = "Europe/London"', 'zone = "../London"', "zone must be"),
        ("local_closures = []", "local_closures = [{ date = 2026-12-24 }]", "a local closure is"),
        ("local_closures = []", 'local_closures = [{ date = "soon", title = "x" }]', "a local closure is"),
        ("local_closures = []", "local_closures = []\nhalf_days = []", "half_days"),
        ("local_closures = []", "local_closures = [", "not TOML"),
    ],
)
def test_a_faulty_calendar_is_refused_with_the_remedy(old: str, new: str, says: str) -> None:
    assert old in CALENDAR
    with pytest.raises(Misconfigured, match=says):
        read_calendar(CALENDAR.replace(old, new))


def test_local_closures_are_read_apart_from_the_public_holidays() -> None:
    """C-01."""
    text = CALENDAR.replace(
        "local_closures = []", 'local_closures = [{ date = 2026-12-24, title = "Shutdown" }]'
    )
    calendar = read_calendar(text)
    assert calendar.local_closures == {date(2026, 12, 24): "Shutdown"}
    assert date(2026, 12, 24) not in calendar.closed


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('id = "K01"', 'id = "K12"', "K12 stands twice"),
        ('unit = "hours"', 'unit = "minutes"', "unit must be one of hours"),
        ("amount = 2\n", "amount = true\n", "amount must be a int"),
        ("amount = 2\n", "amount = 0\n", "amount must be a whole number"),
        ("target_amount = 0", "target_ammount = 0", "remove what is not known here: target_ammount"),
        ('clause = "S0-23', 'note = "S0-23', "clause is missing"),
        ("effective_on = ", "effective_on = 1 #", r"\[pack\]: effective_on must be a date"),
        ("[pack]", "[packs]", r"\[pack\] is missing"),
        ("[[clock]]", "[[clock]", "not TOML"),
    ],
)
def test_a_faulty_clock_table_is_refused_with_its_place(old: str, new: str, says: str) -> None:
    assert old in RULES
    with pytest.raises(Misconfigured, match=says):
        read_clock_table(RULES.replace(old, new, 1))


def test_a_statutory_clock_on_convention_b_is_refused_in_data_too() -> None:
    """C-06."""
    with pytest.raises(BadClock, match="K12: convention B"):
        read_clock_table(RULES.replace("amount = 5\n", 'amount = 5\nconvention = "B"\n', 1))


def test_an_other_start_names_both_flag_and_event() -> None:
    """X-02."""
    clock = {"id": "K1", "unit": "hours", "amount": 1, "start": "a", "day_end": "hours", "clause": "x"}
    with pytest.raises(Misconfigured, match="other_start: event is missing"):
        read_clocks({"clock": [{**clock, "other_start": {"flag": "late"}}]})
    with pytest.raises(Misconfigured, match=r"write each clock as \[\[clock\]\]"):
        read_clocks({"clock": clock})


def test_tables_of_other_readers_are_left_alone() -> None:
    assert read_clocks({"route": [{"id": "r"}]}) == {}


def test_a_pack_made_for_an_older_copy_of_the_holidays_is_read_with_a_newer_one() -> None:
    """A release that brings newer holidays must not stop packs that are already in force."""
    text = (FOLDER / "derby" / "calendar.toml").read_text(encoding="utf-8")
    older = read_calendar(text.replace("2026-11-22", "2025-01-01"))
    assert older.closed == read_calendar(text).closed

"""Reports and registers in the page: timeliness, the month's digest, the year, the lists that replace a spreadsheet.

What is shown is made from rows and codes alone: nothing sealed is opened and no child is named. Taking a sheet out is stated with
who, when and why before the file is made (S3-18, S4-22); names in a sheet take two officers, at the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.responses import Response

from gateway.actions.export_register import Export, export_register
from gateway.actions.read_register import (
    HOLD_LESSONS,
    REGISTERS,
    REPORTS,
    Wanted,
    incidents_opened,
    read_register,
    usual_period,
)
from gateway.actions.record_breach import CLOCK as BREACH_CLOCK
from gateway.actions.record_breach import EXPECTED as BREACH_REPORT
from gateway.console import words
from gateway.console.charts import Chart, section_charts, timeliness_charts
from gateway.console.door import Console, Visit
from gateway.console.listing import Onward, Total, address
from gateway.console.lists import agency_names, snapshots
from gateway.console.pages import page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.figures import WITHHELD, Period, april_year, month_of, named_period
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.registers import Cell, Sheet
from gateway.core.rules import Consequence, Pack, Periodic, Route
from gateway.core.working_days import ONE_DAY
from gateway.partnerships import sheets
from gateway.store import registers
from gateway.store.transaction import Tx
from keys.sealing import DataKey

ROWS = 50
MONTHS_BACK, YEARS_BACK = 13, 4
MOST_USES = 10
ABOUT: Mapping[str, tuple[str, str]] = {
    "timeliness": (
        "Timeliness",
        "What fell due and how it was met. Every number stands: not for publication.",
    ),
    "digest": ("Monthly digest", "One month in numbers that may be shared. Small numbers are withheld."),
    "annual": (
        "Year",
        "A year from April to March in numbers that may be shared. Small numbers are withheld.",
    ),
    "alerts": ("Alerts", "Every alert with its decision, label and dates: the spreadsheet, kept by itself."),
    "returns": ("Returns", "What was asked of whom, when it came back and how late."),
    "learning": ("Learning", "Reports and actions that follow from reviews. Their words stay sealed here."),
    "statutory-review": ("Statutory reviews", "The alerts that led to a statutory review."),
    "need-to-know": ("Need to know", "The alerts that did not reach the threshold and are kept in view."),
    "due-this-week": ("Due this week", "What is unanswered and due from Monday to Sunday."),
    "overdue-by-agency": ("Overdue by agency", "What is past its limit and still unanswered."),
}
WHOLE = frozenset({"due-this-week", "overdue-by-agency"})  # lists of now, which have no period
DRAWN = ("alerts by label", "quarter", "decision", "outcome", "first message", "nature", "classification")
WHY = (
    ("monthly-board", "For the partnership's monthly meeting"),
    ("executive-report", "For the executive or the annual report"),
    ("quality-assurance", "To check the quality of the work"),
    ("inspection", "An inspector or a regulator asked"),
    ("national-return", "For a return to government"),
)
FORMS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sheet of which partnership over which days, as the address says it."""

    name: str
    partnership: PartnershipId
    period: Period | None
    chosen: str  # the period as it stands in the address
    pack: Pack

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.name, self.period)

    @property
    def query(self) -> dict[str, str | None]:
        return {"partnership": self.partnership, "period": self.chosen}


async def get_reports(console: Console, visit: Visit) -> Response:
    """The report or register that the address names; timeliness without a name."""
    name = visit.request.path_params.get("name", "timeliness")
    asked = await _asked(console, visit, name, visit.request.query_params)
    now, place = console.parts.clock(), _page_number(visit)

    def read(tx: Tx) -> tuple[Sheet, list[registers.Use]]:
        sheet = read_register(tx, asked.pack, asked.wanted, now)
        return sheet, [use for use in registers.uses(tx, asked.partnership) if use.what == name][:MOST_USES]

    sheet, uses = await console.parts.store.read(read)
    known = await snapshots(console, visit.signed_in)
    names = {str(agency): told for agency, told in agency_names(known).items()}
    is_report, titles = name in REPORTS, {one: known[one].pack.title for one in known}
    rows = sheet.rows if is_report else sheet.rows[(place - 1) * ROWS : place * ROWS]
    columns, figures = [words.spoken(one) for one in sheet.columns], _figures(sheet)
    shown: dict[str, Any] = {
        "asked": asked,
        "title": ABOUT[name][0],
        "tells": ABOUT[name][1],
        "about": ABOUT,
        "groups": (("Reports", REPORTS), ("Registers", REGISTERS)),
        "last_on": asked.period.end_on - ONE_DAY if asked.period else None,
        "heads": [(told, "number") if right else told for told, right in zip(columns, figures, strict=True)],
        "rows": [_told(row, names, figures) for row in rows],
        "charts": _charts(sheet, asked, names),
        "periods": [] if name in WHOLE else periods(name, asked.pack.calendar.local(now).date()),
        "partnerships": sorted(titles.items(), key=lambda one: one[1]) if len(titles) > 1 else [],
        "onward_to": None if is_report else _onward(asked, sheet, place),
        "uses": uses,
        "why": WHY,
        "reasons": dict(WHY),
        "now": now,
    }
    return page(visit, "reports.html", here="reports", **shown)


async def post_taken(console: Console, visit: Visit) -> Response:
    """The sheet as a file, once it is stated that it leaves the house."""
    asked = await _asked(console, visit, visit.path("name"), visit.form)
    form, why = visit.form.get("form", ""), visit.form.get("why", "")
    if form not in FORMS or why not in dict(WHY):
        detail = "Say why it is taken out, and as which kind of file. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail)
    now, keys = console.parts.clock(), await _keys(console, asked)
    sheet = await console.parts.store.read(lambda tx: read_register(tx, asked.pack, asked.wanted, now, keys))
    export = Export(asked.partnership, sheet, form, visit.signed_in.name, why, opened=keys or {})
    exported = await console.parts.perform(export_register, export, asked.partnership, None)
    watermark = exported.watermark(export)
    content = (
        sheets.as_xlsx(sheet, watermark)
        if form == "xlsx"
        else sheets.as_csv(sheet, watermark).encode("utf-8-sig")
    )
    days = f"-{asked.period.name}" if asked.period else ""
    headers = {"Content-Disposition": f'attachment; filename="{asked.name}{days}.{form}"'}
    return Response(content, media_type=FORMS[form], headers=headers)


def periods(name: str, today: date) -> list[tuple[str, str]]:
    """The months and years to choose from, the newest first; what others read is offered for a whole month or year alone."""
    months = [] if name == "annual" else [_month(today, back) for back in range(MONTHS_BACK)]
    begins = today.year if today.month >= 4 else today.year - 1
    years = [] if name == "digest" else [april_year(begins - back) for back in range(YEARS_BACK)]
    told = [
        (str(year.first_on.year), f"April {year.first_on:%Y} to March {year.first_on.year + 1}")
        for year in years
    ]
    return told + [(month.name, f"{month.first_on:%B %Y}") for month in months]


async def _asked(console: Console, visit: Visit, name: str, given: Mapping[str, str]) -> Asked:
    """What the address or form names; Refused(not-found) for what is none of ours, or of no partnership of the officer's."""
    mine = visit.signed_in.partnerships
    partnership = PartnershipId(given.get("partnership", "") or (mine[0] if mine else ""))
    if name not in ABOUT or partnership not in mine:
        raise Refused(ErrorCode.NOT_FOUND)
    pack = (await console.parts.partnerships.snapshot(partnership)).pack
    chosen = "" if name in WHOLE else given.get("period", "")
    try:
        named = named_period(chosen if len(chosen) == 4 else "", chosen if len(chosen) != 4 else "")
    except ValueError:
        raise Refused(ErrorCode.NOT_FOUND) from None
    if named is None:
        named = usual_period(name, pack.calendar.local(console.parts.clock()).date())
        chosen = "" if named is None else (named.name if name == "digest" else str(named.first_on.year))
    return Asked(name, partnership, named, chosen, pack)


async def _keys(console: Console, asked: Asked) -> dict[IncidentId, DataKey] | None:
    """The data keys of learning digests, which name nobody: their themes and lessons stand in a digest that is taken out."""
    if asked.name not in HOLD_LESSONS:
        return None
    named = await console.parts.store.read(lambda tx: incidents_opened(tx, asked.pack, asked.wanted))
    found = {incident: await console.parts.key_of(incident) for incident in named}
    return {incident: key for incident, key in found.items() if key is not None}


def _charts(sheet: Sheet, asked: Asked, names: dict[str, str]) -> list[Chart]:
    match asked.name:
        case "timeliness":
            return [chart for chart in timeliness_charts(sheet, clock_names(asked.pack), names) if chart.bars]
        case "digest" | "annual":
            return section_charts(sheet, DRAWN)
    return []


def clock_names(pack: Pack) -> dict[str, str]:
    """Each clock with what is owed by it, as "K12: information return"."""
    owed: dict[str, list[str]] = {}
    laid: list[Route | Consequence | Periodic] = [*pack.routes, *pack.consequences, *pack.periodic]
    duties = [(duty.clock, duty.expects) for each in laid for duty in each.duties]
    duties += [(letter.clock, letter.expects) for follows in pack.consequences for letter in follows.letters]
    for clock, expects in [*duties, (BREACH_CLOCK, BREACH_REPORT)]:
        said = words.expected(expects)
        if said not in owed.setdefault(clock, []):
            owed[clock].append(said)
    return {clock: f"{clock}: {' or '.join(said[:2])}" for clock, said in owed.items()}


def _told(row: tuple[Cell, ...], names: Mapping[str, str], figures: Sequence[bool]) -> list[tuple[str, str]]:
    """Each cell in words, and what kind of cell it is: an incident's reference, a number or words."""
    return [_cell(cell, names, is_figure) for cell, is_figure in zip(row, figures, strict=True)]


def _cell(cell: Cell, names: Mapping[str, str], is_figure: bool) -> tuple[str, str]:
    kind = "number" if is_figure else "words"
    if cell is None:
        return "–", kind
    if isinstance(cell, int | float):
        return f"{cell:,}", kind
    if cell == WITHHELD:
        return "withheld", "number"
    if cell.startswith("SI-") and " " not in cell:
        return cell, "incident"
    if _DAY.fullmatch(cell):
        on = date.fromisoformat(cell)
        return f"{on.day} {on:%b %Y}", kind
    return names.get(cell) or words.in_words(cell), kind


def _figures(sheet: Sheet) -> list[bool]:
    """Which columns hold figures: those stand to the right."""
    return [
        any(isinstance(row[column], int | float) for row in sheet.rows)
        for column in range(len(sheet.columns))
    ]


def _onward(asked: Asked, sheet: Sheet, number: int) -> Onward:
    path, total = f"/reports/{asked.name}", len(sheet.rows)
    shown = max(0, min(ROWS, total - (number - 1) * ROWS))
    forward = address(path, {**asked.query, "page": str(number + 1)}) if number * ROWS < total else None
    return Onward(shown, Total(total), address(path, asked.query), forward, number == 1)


def _page_number(visit: Visit) -> int:
    text = visit.request.query_params.get("page", "1")
    if not re.fullmatch("[1-9][0-9]{0,4}", text):
        raise Refused(ErrorCode.NOT_FOUND)
    return int(text)


def _month(today: date, back: int) -> Period:
    months = today.year * 12 + today.month - 1 - back
    return month_of(months // 12, months % 12 + 1)

"""Reads the spreadsheet of alerts that a partnership kept before the gateway, fault by fault with row and column.

The invariant: nothing personal comes in. Each column takes dates, references and coded words; what could hold a name (free
text, a column that is not known) is a fault that says what to do, and the old file keeps it. One fault anywhere, and nothing is
taken over. Source: S3-18; the columns are those of the alert register.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from gateway.core.registers import ImportedAlert
from gateway.core.rules import Pack
from gateway.partnerships.directory_rows import RowFault
from gateway.partnerships.directory_tables import Unreadable, table
from schemas.dcs_notification import EventCategory, Situation
from schemas.final_decision import FinalOutcome
from schemas.incidents import AbuseType, Nature
from schemas.referral import ReferralKind
from schemas.review_decision import Outcome
from schemas.serious_incident_alert import AlertReason
from schemas.serious_incident_form import Classification, FormCategory
from schemas.sin_record import NotificationReason
from schemas.triage_decision import TriageOutcome

DAYS = ("alerted_on", "decided_on", "notified_on", "rapid_review_on", "panel_on")
COLUMNS = (
    "reference",
    "alerted_on",
    "reasons",
    "label",
    "decision",
    "decided_on",
    "notified_on",
    "national_reference",
    "rapid_review_on",
    "panel_on",
    "outcome",
)
NEEDED = ("reference", "alerted_on")
REASONS = frozenset(
    word.value
    for words in (
        Nature, AbuseType, AlertReason, Classification, FormCategory, Situation, EventCategory, NotificationReason,
        ReferralKind,
    )
    for word in words
)  # fmt: skip
OUTCOMES = frozenset(word.value for word in FinalOutcome)
LABELS = ("Statutory Review case", "Need to Know case")
EARLIEST = date(2000, 1, 1)

# A digit must be in it: a reference has one, a name has none.
_REFERENCE = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9/_.-]{0,39}")
_BRITISH_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Words:
    """What the coded columns take here, besides what every partnership has."""

    labels: Mapping[str, str]  # in small letters -> as it is written
    decisions: Collection[str]

    @classmethod
    def of(cls, pack: Pack) -> Words:
        """The labels and outcomes of a pack, with those of every partnership."""
        labels = (*LABELS, *(follows.label for follows in pack.consequences if follows.label))
        outcomes = {outcome for follows in pack.consequences for outcome in follows.outcomes}
        decisions = outcomes | {word.value for words in (TriageOutcome, Outcome) for word in words}
        return cls({label.casefold(): label for label in labels}, frozenset(decisions))


@dataclass(slots=True)
class RegisterFile:
    """A file as it was read. Take it over only when there are no faults."""

    rows: list[ImportedAlert] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


def read_register_file(name: str, content: bytes, source: str, words: Words, today: date) -> RegisterFile:
    """The rows of a `.csv` or `.xlsx` file; no day may lie after `today`."""
    found = RegisterFile()
    try:
        lines = list(table(name, content))
    except Unreadable as fault:
        found.faults.append(RowFault(fault.row, "", str(fault)))
        return found
    if not lines:
        found.faults.append(RowFault(1, "", "the file is empty: the first row names the columns"))
        return found
    headings = [cell.strip().casefold().replace(" ", "_") for cell in lines[0][1]]
    found.faults += _heading_faults(headings)
    if found.faults:
        return found
    seen: set[str] = set()
    for number, cells in lines[1:]:
        if any(cell.strip() for cell in cells):
            _read_row(number, cells, headings, found, _Cells(source, words, today), seen)
    return found


@dataclass(frozen=True, slots=True)
class _Cells:
    """How each column's cell is read; ValueError says what is wrong, never what stood there."""

    source: str
    words: Words
    today: date

    def value(self, column: str, cell: str) -> Any:
        if column in DAYS:
            return self._day(cell)
        match column:
            case "reasons":
                return tuple(_coded(one, REASONS) for one in re.split("[;,]", cell) if one.strip())
            case "label":
                return self._label(cell)
            case "decision":
                return _coded(cell, self.words.decisions)
            case "outcome":
                return _coded(cell, OUTCOMES)
        if not _REFERENCE.fullmatch(cell):
            raise ValueError(
                "a reference is up to 40 letters, digits and / _ . - with a digit among them, and no name"
            )
        return cell

    def _day(self, cell: str) -> date:
        try:
            if british := _BRITISH_DAY.fullmatch(cell):
                day = date(int(british[3]), int(british[2]), int(british[1]))
            else:
                day = datetime.fromisoformat(cell).date()
        except ValueError:
            raise ValueError("a day is written 2025-06-03 or 03/06/2025") from None
        if not EARLIEST <= day <= self.today:
            raise ValueError("this day is before 2000 or has not come yet")
        return day

    def _label(self, cell: str) -> str:
        label = self.words.labels.get(cell.casefold())
        if label is None:
            raise ValueError(f"the label is one of {', '.join(sorted(self.words.labels.values()))}")
        return label


def _read_row(
    number: int, cells: list[str], headings: list[str], found: RegisterFile, reads: _Cells, seen: set[str]
) -> None:
    """One row: every fault of it is noted, so that a file is mended in one go."""
    before = len(found.faults)
    if len(cells) > len(headings):
        found.faults.append(RowFault(number, "", "there are more values than columns"))
        return
    values: dict[str, Any] = {}
    for column, cell in zip(headings, (cell.strip() for cell in cells), strict=False):
        if not cell:
            continue
        try:
            values[column] = reads.value(column, cell)
        except ValueError as fault:
            found.faults.append(RowFault(number, column, str(fault)))
    if len(found.faults) > before:
        return
    for column in NEEDED:
        if column not in values:
            found.faults.append(RowFault(number, column, "this is needed in every row"))
    if len(found.faults) > before:
        return
    if values["reference"] in seen:
        found.faults.append(RowFault(number, "reference", "this reference stands twice in the file"))
        return
    seen.add(values["reference"])
    found.rows.append(ImportedAlert(reads.source, **values))


def _coded(cell: str, known: Collection[str]) -> str:
    word = re.sub(r"[\s_]+", "-", cell.strip().casefold())
    if word not in known:
        raise ValueError(f"no free text here: it is one of {', '.join(sorted(known))}")
    return word


def _heading_faults(headings: list[str]) -> Iterator[RowFault]:
    for heading in dict.fromkeys(headings):
        if heading not in COLUMNS:
            what = f"take this column out: what may name somebody stays in the old file. Known are {', '.join(COLUMNS)}"
            yield RowFault(1, heading[:40] if heading.isprintable() else "", what)
        elif headings.count(heading) > 1:
            yield RowFault(1, heading, "this column stands twice")
    for missing in NEEDED:
        if missing not in headings:
            yield RowFault(1, missing, "this column is missing")

"""A row of the register of schools (GIAS) as an agency of the directory.

Invariant: only what the gateway uses is taken; the register has more than a hundred columns, and the others are ignored. A
school is known by its URN. The office's address is for an officer who looks for the lead: the register knows no leads.
Source: domain analysis section 7 (School URN: must be open, or was open on the date).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date

from gateway.core.presence import Standing

# As the register names them, in small letters.
URN, NAME, STANDING = "urn", "establishmentname", "establishmentstatus (name)"
COUNCIL = "la (code)"
OPENED_ON, CLOSED_ON = "opendate", "closedate"
OFFICE_EMAIL, OFFICE_TELEPHONE = "mainemail", "telephonenum"
NEEDED = frozenset({URN, NAME, STANDING})
USED = NEEDED | {COUNCIL, OPENED_ON, CLOSED_ON, OFFICE_EMAIL, OFFICE_TELEPHONE}

_STANDINGS: Mapping[str, Standing] = {
    "open": Standing.OPEN,
    "open, but proposed to close": Standing.OPEN,
    "closed": Standing.CLOSED,
    "proposed to open": Standing.PROPOSED,
}


def is_register(headings: list[str]) -> bool:
    """Whether a file's headings, in small letters, are the register's."""
    return URN in headings and NAME in headings


def standing(text: str) -> Standing | None:
    return _STANDINGS.get(" ".join(text.lower().split()))


def agency_id(name: str, urn: str) -> str:
    """An id for a school that the directory does not know yet: its name in small letters, and its URN."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")[:50].strip("-")
    return f"{words}-{urn}" if words else f"school-{urn}"


def read_day(text: str) -> date | None:
    """A day as 2026-09-01, or as the register writes it, 01-09-2026; None when it is neither."""
    found = re.fullmatch(r"(\d\d)[-/](\d\d)[-/](\d{4})", text)
    try:
        if found:
            day, month, year = (int(part) for part in found.groups())
            return date(year, month, day)
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None

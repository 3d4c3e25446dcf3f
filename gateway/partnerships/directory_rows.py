"""One row of a directory file as a typed value: an agency, a school, a person in a seat, a term.

The invariant: every fault of a row is noted, with its column and never its value, so that a file is mended in one go.
Source: domain analysis section 7 (identifiers), S4-05, G-04; contract section 4.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from gateway.core import identifiers
from gateway.core.messages import AgencyId, AgencyKind, RoleId, Seat
from gateway.core.presence import Pattern, School, Term, begin_of, end_of, read_pattern
from gateway.core.routing import EVERY_ROLE, Agency, Holder, Way
from gateway.partnerships import gias
from gateway.partnerships.packs import ROLES

AGENCY_COLUMNS = ("id", "kind", "name", "code")
PEOPLE_COLUMNS = (
    "agency",
    "role",
    "rank",
    "name",
    "email",
    "telephone",
    "adapter",
    "address",
    "secret",
    "works",
    "absent_from",
    "absent_until",
)
TERM_COLUMNS = ("agency", "term", "starts_on", "ends_on")
ADAPTERS = ("inbox", "webhook", "mail", "mesh")
NOBODY, ALWAYS = "(nobody)", "always"
LONGEST_CELL = 500
MOST_RANK = 99

_MESH_MAILBOX = re.compile(r"[A-Za-z0-9]{1,30}")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_TELEPHONE = re.compile(r"\+?[0-9 ()-]{5,30}(?: ?(?:ext|x)\.? ?[0-9]{1,6})?")
_CODE = re.compile(r"[A-Za-z0-9-]{1,32}")
_CODES: Mapping[AgencyKind, tuple[Callable[[str], bool], str]] = {
    AgencyKind.SCHOOL: (identifiers.is_school_urn, "a school's URN has six digits"),
    AgencyKind.LOCAL_AUTHORITY: (
        identifiers.is_local_authority_code,
        "a council's code has three digits (DfE) or is like E08000023 (ONS)",
    ),
    AgencyKind.POLICE: (identifiers.is_police_force_code, "a police force's code is E23 and six digits"),
    AgencyKind.ICB: (
        identifiers.is_ods_code,
        "an NHS organisation's code has three to six capitals and digits",
    ),
    AgencyKind.HEALTH_PROVIDER: (
        identifiers.is_ods_code,
        "an NHS organisation's code has three to six capitals and digits",
    ),
}


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong in one row (1 is the row of headings) and column, in plain words without the value."""

    row: int
    column: str
    what: str


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A holder of a seat, or None where the seat is emptied or only a way is given. `secret` is still in clear.

    `works_always` ends a weekly pattern; a holder without one keeps the one that stands.
    """

    row: int
    seat: Seat
    holder: Holder | None
    empties: bool
    way: Way | None
    works_always: bool = False


@dataclass(slots=True)
class DirectoryFile:
    """A file as it was read. Apply it only when there are no faults."""

    rows: int = 0
    agencies: list[tuple[int, Agency]] = field(default_factory=list)
    people: list[PersonRow] = field(default_factory=list)
    terms: list[tuple[int, AgencyId, Term]] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


class Row:
    """One row while it is read: notes every fault of it, so that a file is mended in one go."""

    def __init__(
        self, number: int, cells: Mapping[str, str], into: DirectoryFile, kind: str | None, allow_test: bool
    ) -> None:
        self._number = number
        self._cells = cells
        self._into = into
        self._kind = kind
        self._allow_test = allow_test
        self._faulty = False

    def read(self) -> None:
        for column, cell in self._cells.items():
            if len(cell) > LONGEST_CELL or not cell.isprintable():
                self._fault(column, "this is too long or holds characters that cannot be shown")
        if self._faulty:
            return
        is_agency, is_person = bool(self._get("id")), bool(self._get("agency"))
        if self._kind is None and is_agency == is_person:
            self._fault("id", "give either an id (an agency) or an agency (a person in a seat)")
        elif self._kind == "terms":
            self._term()
        elif is_agency or self._kind in ("agencies", "schools"):
            self._agency()
        else:
            self._person()

    def read_register(self) -> None:
        """A row of the register of schools: what is not used is not looked at."""
        urn, name = self._needs(gias.URN), self._needs(gias.NAME)
        if len(name) > LONGEST_CELL or not name.isprintable():
            self._fault(gias.NAME, "this is too long or holds characters that cannot be shown")
        if urn and not identifiers.is_school_urn(urn):
            self._fault(gias.URN, "a school's URN has six digits")
        standing = gias.standing(self._needs(gias.STANDING))
        if standing is None and self._get(gias.STANDING):
            self._fault(
                gias.STANDING, "the status is Open, Closed, Proposed to open or Open, but proposed to close"
            )
        council = self._get(gias.COUNCIL) or None
        if council is not None and not identifiers.is_local_authority_code(council):
            self._fault(gias.COUNCIL, "a council's code has three digits")
        opened_on, closed_on = self._day(gias.OPENED_ON), self._day(gias.CLOSED_ON)
        email, telephone = self._email(gias.OFFICE_EMAIL), self._telephone(gias.OFFICE_TELEPHONE)
        if standing is not None and not self._faulty:
            school = School(standing, council, opened_on, closed_on, email, telephone)
            found = Agency(AgencyId(gias.agency_id(name, urn)), AgencyKind.SCHOOL, name, urn, school)
            self._into.agencies.append((self._number, found))

    def _term(self) -> None:
        agency, name = AgencyId(self._slug("agency")), self._needs("term")
        starts_on, ends_on = self._needed_day("starts_on"), self._needed_day("ends_on")
        if starts_on is not None and ends_on is not None and ends_on < starts_on:
            self._fault("ends_on", "the term ends before it starts")
        if starts_on is not None and ends_on is not None and not self._faulty:
            self._into.terms.append((self._number, agency, Term(name, starts_on, ends_on)))

    def _agency(self) -> None:
        name, code = self._needs("name"), self._get("code") or None
        kind = self._one_of_kinds()
        agency_id = self._slug("id")
        if kind is AgencyKind.SCHOOL and code is None:
            self._fault("code", "a school needs its URN")
        elif code is not None:
            is_right, what = _CODES.get(kind, (_is_code, "a code is up to 32 letters, digits and dashes"))
            if not is_right(code):
                self._fault("code", what)
        if not self._faulty:
            self._into.agencies.append((self._number, Agency(AgencyId(agency_id), kind, name, code)))

    def _one_of_kinds(self) -> AgencyKind:
        text = self._get("kind") or ("school" if self._kind == "schools" else "")
        found = next((kind for kind in AgencyKind if kind.value == text), None)
        if found is None or (self._kind == "schools" and found is not AgencyKind.SCHOOL):
            self._fault("kind", f"the kind is one of {', '.join(kind.value for kind in AgencyKind)}")
        return found or AgencyKind.OTHER

    def _person(self) -> None:
        seat = Seat(AgencyId(self._slug("agency")), RoleId(self._needs("role")))
        if seat.role not in ROLES and seat.role != EVERY_ROLE:
            self._fault("role", "there is no such role; see gateway/partnerships/README.md")
        way, empties = self._way(), self._get("name") == NOBODY
        holder = None if empties or not self._get("name") else self._holder()
        if seat.role == EVERY_ROLE and (holder or empties or way is None):
            self._fault("role", "the role * takes an adapter and no person")
        elif holder is None and not empties and way is None and not self._faulty:
            self._fault("name", f"a seat needs a name; {NOBODY} empties it")
        if way is not None and way.adapter == "mail" and not way.address and holder and holder.email is None:
            self._fault("email", "a seat that is reached by mail needs an e-mail address")
        if not self._faulty:
            always = self._get("works").lower() == ALWAYS
            self._into.people.append(PersonRow(self._number, seat, holder, empties, way, always))

    def _holder(self) -> Holder:
        telephone = self._telephone("telephone")
        rank = self._get("rank") or "0"
        if not (rank.isascii() and rank.isdigit() and int(rank) <= MOST_RANK):
            self._fault("rank", f"the rank is a whole number from 0 (first) to {MOST_RANK}")
            rank = "0"
        absence = self._absence()
        return Holder(self._get("name"), self._email("email"), telephone, int(rank), *absence, self._works())

    def _absence(self) -> tuple[datetime | None, datetime | None]:
        """The first and the last day away, as the instants between which the holder is absent."""
        first, last = self._day("absent_from"), self._day("absent_until")
        if last is not None and (first is None or last < first):
            self._fault("absent_until", "give the first day away, and a last one that is not before it")
        return begin_of(first) if first else None, end_of(last) if last else None

    def _works(self) -> Pattern | None:
        text = self._get("works")
        found = None if text.lower() == ALWAYS else read_pattern(text)
        if text and found is None and text.lower() != ALWAYS:
            self._fault(
                "works", "write days such as mon-wed, mon-thu 17:00-08:30, term mon-fri, holidays, always"
            )
        return found

    def _day(self, column: str) -> date | None:
        text = self._get(column)
        found = gias.read_day(text) if text else None
        if text and found is None:
            self._fault(column, "write a day as 2026-09-01 or 01-09-2026")
        return found

    def _needed_day(self, column: str) -> date | None:
        return self._day(column) if self._needs(column) else None

    def _telephone(self, column: str) -> str | None:
        text = self._get(column)
        if text and not _TELEPHONE.fullmatch(text):
            self._fault(column, "write a telephone number with digits, spaces and a leading + if any")
        return text or None

    def _email(self, column: str) -> str | None:
        text = self._get(column)
        if not text:
            return None
        try:
            # A local part beyond ASCII is taken by some mail servers and then lost in silence (RFC 6531).
            found = validate_email(
                text, check_deliverability=False, test_environment=self._allow_test, allow_smtputf8=False
            )
        except EmailNotValidError:
            self._fault(
                column, "this is not an e-mail address, or one with letters before the @ that get lost"
            )
            return None
        return found.ascii_email or found.normalized

    def _way(self) -> Way | None:
        adapter, address, secret = self._get("adapter"), self._get("address"), self._get("secret")
        if not adapter:
            for column in ("address", "secret"):
                if self._get(column):
                    self._fault(column, "this needs an adapter beside it")
            return None
        if adapter not in ADAPTERS:
            self._fault("adapter", f"the adapter is one of {', '.join(ADAPTERS)}")
        elif adapter == "mail":
            address = self._email("address") or ""  # the team mailbox, for when nobody is at work
            if secret:
                self._fault("secret", "only a webhook has one")
        elif adapter == "mesh":
            if not _MESH_MAILBOX.fullmatch(address):
                self._fault("address", "a MESH mailbox's id is letters and digits, such as X26ABC1")
            if secret:
                self._fault("secret", "only a webhook has one")
        elif adapter == "inbox":
            for column in ("address", "secret"):
                if self._get(column):
                    self._fault(column, "only a webhook has one; e-mail goes to the person in the seat")
        else:
            if not is_https(address):
                self._fault("address", "a webhook's address is an https URL without name or password in it")
            if secret and not all(is_secret(one) for one in secret.split()):
                self._fault("secret", "a webhook's secret is whsec_ and base64 of 24 to 64 bytes")
        return Way(adapter, address or None, secret.encode() if secret else None)

    def _slug(self, column: str) -> str:
        text = self._needs(column)
        if text and not is_slug(text):
            self._fault(
                column, "an id is small letters, digits and single dashes, such as harbour-view-primary"
            )
        return text

    def _needs(self, column: str) -> str:
        text = self._get(column)
        if not text:
            self._fault(column, "this is missing")
        return text

    def _get(self, column: str) -> str:
        return self._cells.get(column, "")

    def _fault(self, column: str, what: str) -> None:
        self._faulty = True
        self._into.faults.append(RowFault(self._number, column, what))


def is_slug(text: str) -> bool:
    return len(text) <= 64 and _SLUG.fullmatch(text) is not None


def _is_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


def is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return (
            parts.scheme == "https"
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and not parts.fragment
        )
    except ValueError:
        return False


def is_secret(text: str) -> bool:
    """Standard Webhooks, "Signature scheme": 24 to 64 bytes."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    return text.startswith("whsec_") and 24 <= len(key) <= 64

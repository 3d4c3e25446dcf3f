"""The kinds of value that messages are made of, each with its shape, its bounds and its published JSON Schema.

Text is kept exactly as sent (no normalisation: it is evidence). What could make two people see different text, control
characters and the bidirectional embeddings, overrides and isolates, is refused with a code of its own (X of domain
section 8; Unicode TR 36). An instant always carries its offset and becomes UTC; its year is 1900 to 2100.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from gateway.core import identifiers
from gateway.core.identifiers import IdKind
from schemas.model import fault

T = TypeVar("T")

LONDON = ZoneInfo("Europe/London")
BIDI_CONTROLS = r"\u202A-\u202E\u2066-\u2069"
_NEVER = r"\x7F-\x9F\u2028\u2029\uFEFF" + BIDI_CONTROLS
LINE_PATTERN = rf"^ *[^ \x00-\x1F{_NEVER}][^\x00-\x1F{_NEVER}]*$"
TEXT_PATTERN = rf"^[ \t\n]*[^ \x00-\x1F{_NEVER}][^\x00-\x08\x0B-\x1F{_NEVER}]*$"

BIDI = re.compile(f"[{BIDI_CONTROLS}]")
CONTROLS = re.compile(rf"[\x00-\x1F{_NEVER}]")

_YEAR = r"(?:19[0-9]{2}|20[0-9]{2}|2100)"
_DAY = rf"{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_OFFSET = r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
DATE_PATTERN = rf"^{_DAY}$"
INSTANT_PATTERN = rf"^{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{{1,9}})?{_OFFSET}$"
PARTIAL_DATE_PATTERN = rf"^{_YEAR}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?$"

_DATE = re.compile(DATE_PATTERN)
# Seconds are published as required (RFC 3339); an instant without them is taken all the same.
_INSTANT = re.compile(
    INSTANT_PATTERN.replace(r":[0-5][0-9](?:\.", r"(?::[0-5][0-9](?:\.", 1).replace("?(?:Z", "?)?(?:Z", 1)
)


def to_instant(value: Any) -> datetime:
    """An instant as sent, ISO 8601 with its offset, in UTC. Codes: `wrong-type`, `bad-instant`, `no-offset`."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise fault("no-offset")
        return value.astimezone(UTC)
    if type(value) is not str:
        raise fault("wrong-type")
    if _INSTANT.fullmatch(value) is None:
        raise fault("bad-instant")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):  # 30 February has the shape but is no day
        raise fault("bad-instant") from None


def to_date(value: Any) -> date:
    """A calendar date as sent, ISO 8601. Codes: `wrong-type`, `bad-date`."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if type(value) is not str:
        raise fault("wrong-type")
    if _DATE.fullmatch(value) is None:
        raise fault("bad-date")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise fault("bad-date") from None


def earliest(partial: str) -> date:
    """The first day that a year, a month or a day may mean."""
    return date.fromisoformat(partial + "-01-01"[len(partial) - 4 :])


def end_of(day: date) -> datetime:
    """The instant at which a day ends in London: what a promise "by that day" means (section 11.7, MIDNIGHT)."""
    return datetime.combine(day + timedelta(days=1), time(0), tzinfo=LONDON).astimezone(UTC)


def real_partial_date(value: str) -> str:
    try:
        earliest(value)
    except ValueError:
        raise fault("bad-date") from None
    return value


def _checked_nhs_number(value: str) -> str:
    if not identifiers.is_nhs_number(value):
        raise fault("wrong-check-digit")
    return value


def _checked_upn(value: str) -> str:
    if not identifiers.is_upn(value):
        raise fault("wrong-check-digit")
    return value


def _checked_reference(value: str) -> str:
    if identifiers.normalise_reference(value) != value:
        raise fault("wrong-check-digit")
    return value


def _unique(items: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(items)) != len(items):
        raise fault("duplicate-item")
    return items


Coded = Annotated[T, Field(strict=False)]  # a member of a vocabulary, spelled as on the wire
Several = Annotated[tuple[T, ...], Field(strict=False, max_length=100)]
Distinct = Annotated[
    tuple[T, ...],
    Field(strict=False, max_length=100, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_unique),
]
DistinctSome = Annotated[
    tuple[T, ...],
    Field(strict=False, min_length=1, max_length=100, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_unique),
]

Line = Annotated[str, Field(max_length=200, pattern=LINE_PATTERN)]
ShortText = Annotated[str, Field(max_length=2_000, pattern=TEXT_PATTERN)]
LongText = Annotated[str, Field(max_length=20_000, pattern=TEXT_PATTERN)]
Telephone = Annotated[str, Field(max_length=32, pattern=r"^\+?[0-9][0-9 ()-]{3,30}(?: ext\.? ?[0-9]{1,6})?$")]
Email = Annotated[
    str,
    Field(max_length=254, pattern=r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+$"),
]
Slug = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")]
Reference = Annotated[str, Field(max_length=128, pattern=r"^[!-~](?:[ -~]*[!-~])?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

Instant = Annotated[
    datetime,
    BeforeValidator(to_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN}),
]
Date = Annotated[
    date,
    BeforeValidator(to_date),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DATE_PATTERN}),
]
PartialDate = Annotated[str, Field(pattern=PARTIAL_DATE_PATTERN), AfterValidator(real_partial_date)]

NhsNumber = Annotated[str, Field(pattern=identifiers.NHS_NUMBER_PATTERN), AfterValidator(_checked_nhs_number)]
Upn = Annotated[str, Field(pattern=identifiers.UPN_PATTERN), AfterValidator(_checked_upn)]
SchoolUrn = Annotated[str, Field(pattern=identifiers.SCHOOL_URN_PATTERN)]
LocalAuthorityCode = Annotated[str, Field(pattern=identifiers.LOCAL_AUTHORITY_PATTERN)]
Postcode = Annotated[str, Field(pattern=identifiers.POSTCODE_PATTERN)]
Incident = Annotated[str, Field(pattern=identifiers.INCIDENT_PATTERN), AfterValidator(_checked_reference)]
LetterReference = Annotated[
    str, Field(pattern=identifiers.LETTER_PATTERN), AfterValidator(_checked_reference)
]
MessageReference = Annotated[str, Field(pattern=identifiers.id_pattern(IdKind.MESSAGE))]
DeliveryReference = Annotated[str, Field(pattern=identifiers.id_pattern(IdKind.DELIVERY))]
DutyReference = Annotated[str, Field(pattern=identifiers.id_pattern(IdKind.DUTY))]
AttachmentReference = Annotated[str, Field(pattern=identifiers.id_pattern(IdKind.ATTACHMENT))]

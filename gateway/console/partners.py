"""The agencies: who holds which seat and who is away, how each is reached, its clients with their keys, and what fails.

Lists and names of people in their posts only: nothing about any incident. An absence noted here is the action that `gateway absence
set` calls, and a test is that of `gateway directory test`; who is reached and where, two officers change with a directory file, and an
agency's own endpoint two officers agree to (`endpoints`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.responses import Response

from gateway.actions.announce_absence import Absence, announce_absence
from gateway.actions.client_concerns import concerns
from gateway.actions.settle import settle
from gateway.actions.try_way import MAY_BE_TRIED, WayTrial, try_way
from gateway.console import endpoints, words
from gateway.console.door import Console, Visit
from gateway.console.lists import snapshots
from gateway.console.pages import go, page
from gateway.console.words import Tag
from gateway.core import client_certificates, client_keys
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, PartnershipId, RoleId, Seat
from gateway.core.presence import begin_of
from gateway.core.routing import Agency, Directory, Holder, Way
from gateway.store import clients, overview, webhooks
from gateway.store.clients import ClientRow
from gateway.store.overview import PartnerTrouble

KINDS = {
    "local-authority": "Council",
    "police": "Police",
    "icb": "Integrated care board",
    "health-provider": "Health provider",
    "school": "School",
    "business-unit": "Business unit",
    "voluntary": "Voluntary body",
    "other": "Other",
}
KEY_STATES = {
    "pending": Tag("Waits for approval", "yellow"),
    "active": Tag("In use", "green"),
    "retiring": Tag("Being replaced", "yellow"),
    "revoked": Tag("Revoked", "red"),
    "ended": Tag("Over"),
}
CLIENT_STATES = {
    "pending": Tag("Waits for approval", "yellow"),
    "active": Tag("Let in", "green"),
    "suspended": Tag("Suspended", "red"),
}
NOTICES = {
    "endpoint-refused": "Refused. They are reached as before.",
    "away": "Noted as away, in every seat held there. What is for them goes to whoever stands in.",
    "back": "Noted as back.",
    "tested-webhook": "Their endpoint took the test. It is about nobody; a person may or may not have seen it.",
    "tested-mesh": "MESH lets our mailbox in. Nothing was put into theirs.",
}


@dataclass(frozen=True, slots=True)
class AgencyRow:
    """One agency in the list: how many seats have nobody at work, what its software wants seen to, whether it fails."""

    partnership: PartnershipId
    agency: Agency
    kind: str
    seats: int
    deserted: int
    noted: int
    trouble: PartnerTrouble | None


@dataclass(frozen=True, slots=True)
class SeatShown:
    """One seat: who holds it in order, whether anybody is at work, and how it is reached."""

    role: RoleId
    people: tuple[tuple[Holder, bool], ...]  # with whether they are away now
    is_deserted: bool
    way: Way


@dataclass(frozen=True, slots=True)
class KeyShown:
    """One key or certificate of a client, by the first characters of its name, and until when it works."""

    name: str
    state: Tag
    ends_at: datetime | None


async def get_partners(console: Console, visit: Visit) -> Response:
    """Every agency of the officer's partnerships, in order of name."""
    known, now = await snapshots(console, visit.signed_in), console.parts.clock()
    within = visit.signed_in.partnerships
    rows = await console.parts.store.read(clients.listed)
    failing = await console.parts.store.read(lambda tx: overview.failing_partners(tx, within))
    waits = Counter(
        (row.partnership, row.agency)
        for row in await console.parts.store.read(lambda tx: webhooks.waiting(tx, within))
    )
    shown = [
        _row(partnership, agency, here.directory, rows, failing, now, waits)
        for partnership, here in known.items()
        for agency in here.directory.agencies.values()
    ]
    shown.sort(key=lambda one: (one.agency.name.casefold(), one.partnership))
    return page(visit, "agencies.html", here="partners", rows=shown)


async def get_partner(console: Console, visit: Visit) -> Response:
    """One agency."""
    partnership, agency, directory = await _found(console, visit)
    now = console.parts.clock()
    rows = [row for row in await console.parts.store.read(clients.listed) if row.agency == agency.id]
    seats = [
        SeatShown(
            seat.role,
            tuple((one, one.is_absent(now, directory.in_term(agency.id, now.date()))) for one in holders),
            directory.is_deserted(seat, now),
            directory.way_to(seat),
        )
        for seat, holders in sorted(directory.seats.items(), key=lambda one: one[0].role)
        if seat.agency == agency.id
    ]
    told: dict[str, Any] = {
        "partnership": partnership,
        "agency": agency,
        "kind": KINDS[agency.kind.value],
        "seats": seats,
        "clients": [(row, CLIENT_STATES[row.status], _keys(row, now), concerns(row, now)) for row in rows],
        "today": now.date().isoformat(),
        "endpoints": await endpoints.of_agency(console, partnership, agency.id),
        "endpoint_states": endpoints.STATES,
        "may_be_tried": [
            seat
            for seat in seats
            if seat.way.adapter in MAY_BE_TRIED and seat.way.adapter in console.parts.adapters
        ],
        "notice": _notice(visit.request.query_params),
    }
    return page(visit, "agency.html", here="partners", **told)


async def post_absence(console: Console, visit: Visit) -> Response:
    """Somebody is away from one day until another, or back."""
    partnership, agency, _ = await _found(console, visit)
    role, _, rank = visit.form.get("person", "").rpartition(".")
    if not role or not rank.isdecimal() or len(rank) > 3:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Say who it is. Go back and try again.")
    is_back = visit.form.get("back") == "yes"
    first, last = (None, None) if is_back else _days(visit)
    asked = Absence(partnership, Seat(agency.id, RoleId(role)), int(rank), first, last)
    await settle(console.parts, announce_absence, asked)
    return go(f"/partners/{partnership}/{agency.id}?done={'back' if is_back else 'away'}")


async def post_tested(console: Console, visit: Visit) -> Response:
    """Send a test to a seat by the way that it has; what came of it, or the delivery that it is."""
    partnership, agency, _ = await _found(console, visit)
    asked = WayTrial(partnership, Seat(agency.id, RoleId(visit.form.get("role", ""))))
    tried = await try_way(console.parts, asked)
    if tried.delivery is not None:
        return go(f"/delivery/{tried.delivery}?done=tested")
    done = f"tested-{tried.way}" if tried.is_taken else "not-taken"
    why = "" if tried.is_taken else f"&why={tried.reason}"
    return go(f"/partners/{partnership}/{agency.id}?done={done}{why}")


def _notice(query: Mapping[str, str]) -> str | None:
    """What was done; of a test that failed why, in words that we have for it."""
    done = query.get("done", "")
    if done == "not-taken":
        why = words.REASONS.get(query.get("why", ""), "they or the network could not be reached")
        return f"The test was not taken: {why[:1].lower()}{why[1:]}."
    return NOTICES.get(done)


def _row(
    partnership: PartnershipId,
    agency: Agency,
    directory: Directory,
    rows: tuple[ClientRow, ...],
    failing: list[PartnerTrouble],
    now: datetime,
    waits: Mapping[tuple[PartnershipId, AgencyId], int],
) -> AgencyRow:
    seats = [seat for seat in directory.seats if seat.agency == agency.id]
    noted = sum(len(concerns(row, now)) for row in rows if row.agency == agency.id)
    noted += waits.get((partnership, agency.id), 0)
    trouble = next(
        (one for one in failing if (one.partnership, one.agency) == (partnership, agency.id)), None
    )
    deserted = sum(directory.is_deserted(seat, now) for seat in seats)
    return AgencyRow(partnership, agency, KINDS[agency.kind.value], len(seats), deserted, noted, trouble)


def _keys(row: ClientRow, now: datetime) -> list[KeyShown]:
    found = [
        KeyShown(
            f"Key {key['kid']}",
            KEY_STATES[client_keys.status_of(key, now)],
            datetime.fromtimestamp(key["exp"], UTC) if "exp" in key else None,
        )
        for key in row.keys
    ]
    for entry in row.certificates:
        ends_at = client_certificates.end_of(entry)
        state = KEY_STATES["active" if ends_at > now else "ended"]
        found.append(KeyShown(f"Certificate {str(entry['x5t#S256'])[:12]}", state, ends_at))
    return found


async def _found(console: Console, visit: Visit) -> tuple[PartnershipId, Agency, Directory]:
    known = await snapshots(console, visit.signed_in)
    partnership = PartnershipId(visit.path("partnership"))
    here = known.get(partnership)
    agency = here.directory.agencies.get(AgencyId(visit.path("agency"))) if here else None
    if here is None or agency is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return partnership, agency, here.directory


def _days(visit: Visit) -> tuple[datetime, datetime | None]:
    """Whole days of London, the last included; without a last one until further notice."""
    try:
        first = date.fromisoformat(visit.form.get("first", ""))
        last = visit.form.get("last", "")
        until = begin_of(date.fromisoformat(last) + timedelta(days=1)) if last else None
    except (ValueError, OverflowError):
        detail = "Give the first day that they are away. Go back and try again."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail) from None
    return begin_of(first), until

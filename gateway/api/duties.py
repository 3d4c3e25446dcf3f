"""Duties owed by and to an agency, and the partnership's directory as far as agencies may see it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.actions.tell_duty import duty_document
from gateway.api import pages
from gateway.api.door import READ, Door
from gateway.api.problems import HEADERS
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import IdKind
from gateway.core.messages import AgencyId, PartnershipId
from gateway.store import duties


async def get_duties(door: Door, request: Request) -> Response:
    """`owed_by_me` and `owed_to_me` (on incidents where my agency's message made the duty), soonest due first, by pages."""
    principal = await door.reader(request, READ)
    after, most = pages.after(request, IdKind.DUTY), pages.limit(request)
    agency = AgencyId(principal.agency)
    rows = await door.parts.store.read(
        lambda tx: duties.by_and_to(tx, agency, sorted(principal.partnerships), after, most)
    )
    document = {
        "owed_by_me": [duty_document(row) for row in rows if row.agency == agency],
        "owed_to_me": [duty_document(row) for row in rows if row.agency != agency],
        "next": pages.following(duties.place_of(rows[-1])) if len(rows) == most else None,
    }
    return JSONResponse(document, headers=HEADERS)


async def get_directory(door: Door, request: Request) -> Response:
    """Agencies of a partnership and the roles held there: no person's name, address or number."""
    principal = await door.reader(request, READ)
    partnership = PartnershipId(request.path_params["partnership"])
    if partnership not in principal.partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    directory = (await door.parts.partnerships.snapshot(partnership)).directory
    roles: dict[str, list[str]] = {}
    for seat in directory.seats:
        roles.setdefault(seat.agency, []).append(seat.role)
    agencies = [
        {
            "id": a.id,
            "kind": a.kind.value,
            "name": a.name,
            "code": a.code,
            "roles": sorted(roles.get(a.id, [])),
        }
        for a in sorted(directory.agencies.values(), key=lambda a: a.id)
    ]
    return JSONResponse({"partnership": partnership, "agencies": agencies}, headers=HEADERS)

"""Registers and reports for the partnership's business unit and council; to every other agency they do not exist.

What is handed out is stated first, as when an officer takes it out; it never holds names or words of content.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.actions.export_register import Export, export_register
from gateway.actions.read_register import REGISTERS, REPORTS, Wanted, read_register, usual_period
from gateway.api.door import REPORTS as REPORTS_SCOPE
from gateway.api.door import Door
from gateway.api.inbox import head_alone
from gateway.api.problems import HEADERS
from gateway.core.errors import ErrorCode, Refused
from gateway.core.figures import Period, named_period
from gateway.core.messages import AgencyId, AgencyKind, PartnershipId
from gateway.oauth.resource import Principal
from gateway.partnerships import sheets
from gateway.parts import Snapshot

WHO_MAY = frozenset({AgencyKind.BUSINESS_UNIT, AgencyKind.LOCAL_AUTHORITY})
WHY = "api"
CSV, JSON = "text/csv", "application/json"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def get_register(door: Door, request: Request) -> Response:
    """A register: alerts, returns, learning, statutory-review, need-to-know, due-this-week or overdue-by-agency.

    All of it, or of one `year` or `month`.
    """
    return await _handed_out(door, request, REGISTERS)


async def get_report(door: Door, request: Request) -> Response:
    """A report: timeliness, digest or annual. In the last two small numbers are withheld and shown as `c`."""
    return await _handed_out(door, request, REPORTS)


async def _handed_out(door: Door, request: Request, known: tuple[str, ...]) -> Response:
    """1. the scope 2. the agency's place in the partnership 3. the sheet's name 4. the period 5. read, state, answer."""
    principal = await door.reader(request, REPORTS_SCOPE)
    snapshot = await _snapshot(door, principal, PartnershipId(request.path_params["partnership"]))
    name = request.path_params["name"]
    if name not in known:
        raise Refused(ErrorCode.NOT_FOUND)
    now = door.parts.clock()
    pack = snapshot.pack
    wanted = Wanted(name, _period(request) or usual_period(name, pack.calendar.local(now).date()))
    if request.method == "HEAD":
        return head_alone(_wanted_type(request))  # nothing is taken out, so nothing is stated
    sheet = await door.parts.store.read(lambda tx: read_register(tx, pack, wanted, now))
    asked = Export(pack.partnership, sheet, "api", principal.client_id, WHY)
    exported = await door.parts.perform(export_register, asked, pack.partnership, None)
    watermark = exported.watermark(asked)
    headers = HEADERS | {"Vary": "Accept"}
    wanted_type = _wanted_type(request)
    if wanted_type != JSON:
        ending = "csv" if wanted_type == CSV else "xlsx"
        made = sheets.as_csv(sheet, watermark) if wanted_type == CSV else sheets.as_xlsx(sheet, watermark)
        disposition = {"Content-Disposition": f'attachment; filename="{name}.{ending}"'}
        return Response(made, headers=headers | disposition, media_type=wanted_type)
    document = sheets.document(sheet) | {"export": exported.id, "watermark": watermark}
    return JSONResponse(document, headers=headers)


async def _snapshot(door: Door, principal: Principal, partnership: PartnershipId) -> Snapshot:
    """The partnership, when the caller's agency is its business unit or council; else it is as if there were none."""
    if partnership not in principal.partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    snapshot = await door.parts.partnerships.snapshot(partnership)
    agency = snapshot.directory.agencies.get(AgencyId(principal.agency))
    if agency is None or agency.kind not in WHO_MAY:
        raise Refused(ErrorCode.NOT_FOUND)
    return snapshot


def _period(request: Request) -> Period | None:
    try:
        return named_period(request.query_params.get("year", ""), request.query_params.get("month", ""))
    except ValueError:
        detail = "`year` is such as 2026, `month` such as 2026-11; give one of them."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=detail) from None


def _wanted_type(request: Request) -> str:
    """JSON, unless another of ours is named: the first of the types accepted (RFC 9110 section 12.5.1, without weights)."""
    accepted = (
        part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")
    )
    first = next((one for one in accepted if one in (CSV, XLSX, JSON, "*/*")), JSON)
    return first if first in (CSV, XLSX) else JSON

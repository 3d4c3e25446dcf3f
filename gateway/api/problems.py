"""Problem documents (RFC 9457): the only place that makes them. They never echo what was sent."""

from __future__ import annotations

import math
import uuid
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from structlog.contextvars import bound_contextvars, get_contextvars

from gateway.core.errors import ErrorCode, Refused, TooFast, Unavailable, place_of
from gateway.parts import TRACE

Endpoint = Callable[[Request], Awaitable[Response]]

TYPES = "https://docs.gateway.example/problems/"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
}

_log = structlog.get_logger()


def guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose refusals become problem documents, and whose bugs say nothing but that there was one.

    Every line that is logged meanwhile, here and by whoever delivers what follows, has the same `trace`: our own, whatever the
    caller calls it. A problem's `instance` is the same number.
    """

    async def answer(request: Request) -> Response:
        with bound_contextvars(**{TRACE: uuid.uuid4().hex}):
            return await _answered(endpoint, request)

    return answer


async def _answered(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except Refused as refused:
        return _refusal(refused)
    except Unavailable as fault:
        _log.warning("api.unavailable", reason=fault.reason)
        return problem(ErrorCode.UNAVAILABLE, headers={"Retry-After": str(fault.retry_after_seconds)})
    except ClientDisconnect:
        return Response(status_code=400)
    except Exception as fault:
        _log.error("api.fault", fault=type(fault).__name__, where=place_of(fault))
        return problem(ErrorCode.INTERNAL)


def problem(
    code: ErrorCode,
    errors: list[dict[str, str]] | None = None,
    detail: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """One problem document. `detail` is in our own words."""
    body: dict[str, object] = {
        "type": TYPES + code.slug,
        "title": code.title,
        "status": code.status,
        "code": code.slug,
        "instance": f"urn:uuid:{uuid.UUID(get_contextvars().get(TRACE) or uuid.uuid4().hex)}",
    }
    if detail is not None:
        body["detail"] = detail
    if errors:
        body["errors"] = errors
    return JSONResponse(body, code.status, HEADERS | (headers or {}), media_type="application/problem+json")


def too_many(wait_seconds: float) -> JSONResponse:
    """Slow down: when to come again, in whole seconds (RFC 9110 section 10.2.3)."""
    return problem(ErrorCode.TOO_MANY_REQUESTS, headers={"Retry-After": str(math.ceil(wait_seconds))})


def _refusal(refused: Refused) -> JSONResponse:
    if isinstance(refused, TooFast):
        return too_many(refused.wait_seconds)
    errors = [{"pointer": fault.pointer, "code": fault.code} for fault in refused.errors]
    challenge = getattr(refused, "www_authenticate", None)
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    if refused.code is ErrorCode.UNSUPPORTED_MEDIA_TYPE:
        headers["Accept-Encoding"] = "identity"  # RFC 9110 section 12.5.3: no coding is taken
    return problem(refused.code, errors, refused.detail, headers)

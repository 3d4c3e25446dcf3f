"""The console: every page of the table, each behind a session or listed as public, each POST behind the form's token."""

from __future__ import annotations

from functools import partial

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.routing import Route as Served

from gateway.console.door import BASE, HEADERS, Console, Visit, check_form, read_form
from gateway.console.pages import go, page
from gateway.console.routes import ROUTES, Needs, Route
from gateway.core.errors import ErrorCode, Refused, Unavailable
from gateway.parts import Parts

TITLES = {
    403: "This cannot be done",
    404: "Page not found",
    405: "This cannot be done",
    409: "This has changed meanwhile",
    503: "Sorry, the service cannot answer now",
}

_log = structlog.get_logger()


def console_app(parts: Parts) -> Starlette:
    """The pages, to be mounted at `/console`."""
    console = Console(parts)
    routes = [
        Served(route.path, partial(_guarded, console, route), methods=list(route.methods)) for route in ROUTES
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _unknown})


def console_site(parts: Parts) -> Starlette:
    """The console alone, for a listener of its own in development."""

    async def home(request: Request) -> Response:
        return RedirectResponse(f"{BASE}/", 303, headers=HEADERS)

    return Starlette(routes=[Mount(BASE, console_app(parts)), Served("/", home)])


async def _guarded(console: Console, route: Route, request: Request) -> Response:
    """Session, form token, then the page; whatever goes wrong becomes a page in plain words without the input."""
    visit, is_public = Visit(request, None), route.needs is Needs.NOTHING
    try:
        form = await read_form(request) if request.method == "POST" else {}
        officer = await console.officer(request)
        if officer is None and not is_public:
            return go("/sign-in")
        visit = Visit(request, officer, form)
        if officer is not None and request.method == "POST" and not is_public:
            check_form(officer, form)
        return await route.page(console, visit)
    except Refused as refused:
        return _refused(visit, refused)
    except Unavailable:
        return _sorry(visit, 503, "Nothing was changed. Try again in a moment.")
    except Exception as fault:
        _log.error("console.fault", path=route.path, fault=type(fault).__name__)
        return _sorry(
            visit, 500, "Nothing is known to have been changed. Try again, or tell the technical team."
        )


def _refused(visit: Visit, refused: Refused) -> Response:
    if refused.code is ErrorCode.NOT_FOUND:
        return _sorry(visit, 404, "There is nothing here that you may see. Check the address.")
    return _sorry(visit, refused.code.status, refused.detail or f"{refused.code.title}.")


def _sorry(visit: Visit, status: int, told: str) -> Response:
    title = TITLES.get(status, "Sorry, there is a problem with the service")
    return page(visit, "sorry.html", status, title=title, told=told)


async def _unknown(request: Request, fault: Exception) -> Response:
    """Paths and methods that the table does not have."""
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    return _sorry(Visit(request, None), status, "Check the address.")

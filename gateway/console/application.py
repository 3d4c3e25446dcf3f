"""The console: every page of the table, each behind a session and what it needs or listed as public, each POST behind the
form's token and done once, however often it is sent."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount
from starlette.routing import Route as Served

from gateway.actions.need_to_know import Restricted
from gateway.console.access import restricted_page
from gateway.console.door import (
    BASE,
    HEADERS,
    Console,
    Visit,
    check_form,
    check_origin,
    form_digest,
    own_origins,
    read_file_form,
    read_form,
)
from gateway.console.pages import go, page
from gateway.console.routes import ROUTES, Route
from gateway.core.errors import ErrorCode, Refused, Unavailable
from gateway.core.permissions import Needs, may
from gateway.parts import Parts
from gateway.store import sessions

if TYPE_CHECKING:
    from gateway.console.sign_in_provider import Provider

TITLES = {
    403: "This cannot be done",
    404: "Page not found",
    405: "This cannot be done",
    409: "This has changed meanwhile",
    503: "Sorry, the service cannot answer now",
}

LONGEST_WAIT_SECONDS = 10.0  # for the first of two equal forms

_log = structlog.get_logger()


def console_app(parts: Parts) -> Starlette:
    """The pages, to be mounted at `/console`."""
    console = Console(parts, _provider(parts))
    routes = [
        Served(route.path, partial(_guarded, console, route), methods=list(route.methods)) for route in ROUTES
    ]

    async def unknown(request: Request, fault: Exception) -> Response:
        return _with_headers(console, _unknown(request, fault))

    app = Starlette(routes=routes, exception_handlers={HTTPException: unknown})
    app.state.closing = console.closing
    return app


def _provider(parts: Parts) -> Provider | None:
    """Where officers sign in. Its libraries are loaded only where there is one."""
    if parts.settings.oidc_issuer is None:
        return None
    from gateway.console.sign_in_provider import Provider

    return Provider(parts.settings, parts.clock)


def console_site(parts: Parts) -> Starlette:
    """The console alone, for a listener of its own in development."""
    pages = console_app(parts)
    site = Starlette(routes=[Served(BASE, home), Mount(BASE, pages), Served("/", home)])
    site.state.closing = pages.state.closing
    return site


async def home(_: Request) -> Response:
    """To the first page, for whoever types the address without its last slash."""
    return RedirectResponse(f"{BASE}/", 303, headers=HEADERS)


async def _guarded(console: Console, route: Route, request: Request) -> Response:
    """The page, or what went wrong as a page in plain words without the input; the console's headers with either."""
    visit = Visit(request, None)
    try:
        visit = await _visit(console, route, request)
        response = await _let_in(console, route, visit)
    except Refused as refused:
        response = _refused(visit, refused)
    except Unavailable:
        response = _sorry(visit, 503, "Nothing was changed. Try again in a moment.")
    except Exception as fault:
        _log.error("console.fault", path=route.path, fault=type(fault).__name__)
        told = "Nothing is known to have been changed. Try again, or tell the technical team."
        response = _sorry(visit, 500, told)
    return _with_headers(console, response)


async def _visit(console: Console, route: Route, request: Request) -> Visit:
    """Who asks, and the fields of a form that one of our own pages sent."""
    if request.method != "POST":
        return Visit(request, await console.officer(request, is_doing=not route.is_quiet))
    check_origin(request, own_origins(console.parts.settings))
    form = await (read_file_form if route.takes_file else read_form)(request)
    return Visit(request, await console.officer(request), form)


async def _let_in(console: Console, route: Route, visit: Visit) -> Response:
    """1. A session. 2. What the page needs. 3. A form's token. 4. The page; of a form that was sent before, its first answer."""
    if route.needs is Needs.NOTHING:
        return await route.page(console, visit)
    if visit.officer is None:
        return go("/sign-in")
    if not may(visit.officer.roles, route.needs):
        _log.warning("console.denied", path=route.path, needs=route.needs.value)
        raise Refused(ErrorCode.NOT_PERMITTED, detail="Your role does not let you do this.")
    if visit.request.method != "POST":
        return await route.page(console, visit)
    check_form(console.secret(visit.request), visit.form)
    return await _once(console, route, visit)


async def _once(console: Console, route: Route, visit: Visit) -> Response:
    form = form_digest(console.secret(visit.request), visit.request.url.path, visit.form)
    before = await _sent_before(console, form)
    if before is not None:
        return go(before)
    response = None
    try:
        response = await route.page(console, visit)
    finally:
        await _note(console, form, response)
    return response


async def _sent_before(console: Console, form: str) -> str | None:
    """Where this very form led when it was first sent; None when it is ours to do. Waits for one that is being done."""
    give_up_at = asyncio.get_running_loop().time() + LONGEST_WAIT_SECONDS
    while True:
        now = console.parts.clock()
        found = await console.parts.store.transact(lambda tx: sessions.claim_form(tx, form, now))  # noqa: B023
        if found is None or found.location is not None:
            return None if found is None else found.location
        if asyncio.get_running_loop().time() > give_up_at:
            raise Unavailable("the same form is still being done")
        await asyncio.sleep(0.05)


async def _note(console: Console, form: str, response: Response | None) -> None:
    """Keep where a form led. What changed nothing, or shows something, may be sent again."""
    location = response.headers.get("location", "") if response is not None else ""
    if response is not None and response.status_code == 303 and location.startswith(f"{BASE}/"):
        path = location.removeprefix(BASE)
        await console.parts.store.transact(lambda tx: sessions.form_done(tx, form, path))
    else:
        await console.parts.store.transact(lambda tx: sessions.form_undone(tx, form))


def _with_headers(console: Console, response: Response) -> Response:
    for name, value in console.headers.items():
        response.headers.setdefault(name, value)
    return response


def _refused(visit: Visit, refused: Refused) -> Response:
    if isinstance(refused, Restricted):
        return restricted_page(visit, refused.incident, refused.detail or "")
    if refused.code is ErrorCode.NOT_FOUND:
        return _sorry(visit, 404, "There is nothing here that you may see. Check the address.")
    return _sorry(visit, refused.code.status, refused.detail or f"{refused.code.title}.")


def _sorry(visit: Visit, status: int, told: str) -> Response:
    title = TITLES.get(status, "Sorry, there is a problem with the service")
    return page(visit, "sorry.html", status, title=title, told=told)


def _unknown(request: Request, fault: Exception) -> Response:
    """Paths and methods that the table does not have."""
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    return _sorry(Visit(request, None), status, "Check the address.")

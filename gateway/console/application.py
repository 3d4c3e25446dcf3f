"""The console: every page in one table, each behind a session or listed as public, each POST behind the form's token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from gateway.console import held, incidents, lists, pages, sign_in
from gateway.console.door import BASE, HEADERS, Console, Visit, check_form, read_form
from gateway.console.pages import go, page
from gateway.core.errors import ErrorCode, Refused, Unavailable
from gateway.parts import Parts

Handler = Callable[[Console, Visit], Awaitable[Response]]


async def _style(console: Console, visit: Visit) -> Response:
    return await pages.style(visit)


async def _icon(console: Console, visit: Visit) -> Response:
    return await pages.icon(visit)


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", lists.get_today),
    ("GET", "/sign-in", sign_in.get_sign_in),
    ("POST", "/sign-in", sign_in.post_sign_in),
    ("POST", "/sign-out", sign_in.post_sign_out),
    ("GET", "/incidents", lists.get_incidents),
    ("GET", "/awaiting-triage", lists.get_awaiting),
    ("GET", "/incidents/{incident}", incidents.get_incident),
    ("POST", "/incidents/{incident}/messages/{message}", incidents.post_message),
    ("POST", "/incidents/{incident}/linked/{other}", incidents.post_linked),
    ("POST", "/incidents/{incident}/told-apart/{other}", incidents.post_told_apart),
    ("POST", "/incidents/{incident}/unlinked/{other}", incidents.post_unlinked),
    ("GET", "/duties/{list}", lists.get_duties),
    ("GET", "/held", held.get_held),
    ("GET", "/held/{hold}", held.get_held_item),
    ("POST", "/held/{hold}/words", held.post_words),
    ("POST", "/held/{hold}/release", held.post_release),
    ("POST", "/held/{hold}/refuse", held.post_refuse),
    ("POST", "/held/{hold}/answer", held.post_answer),
    ("GET", "/deliveries", lists.get_deliveries),
    ("GET", "/deliveries/{state}", lists.get_deliveries),
    ("GET", "/static/console.css", _style),
    ("GET", "/static/icon.svg", _icon),
)
PUBLIC = frozenset({"/sign-in", "/static/console.css", "/static/icon.svg"})  # open to anyone

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
        Route(path, partial(_guarded, console, handler, is_public=path in PUBLIC), methods=[method])
        for method, path, handler in ROUTES
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _unknown})


def console_site(parts: Parts) -> Starlette:
    """The console alone, for a listener of its own in development."""

    async def home(request: Request) -> Response:
        return RedirectResponse(f"{BASE}/", 303, headers=HEADERS)

    return Starlette(routes=[Mount(BASE, console_app(parts)), Route("/", home)])


async def _guarded(console: Console, handler: Handler, request: Request, *, is_public: bool) -> Response:
    """Session, form token, then the page; whatever goes wrong becomes a page in plain words without the input."""
    visit = Visit(request, None)
    try:
        form = await read_form(request) if request.method == "POST" else {}
        officer = await console.officer(request)
        if officer is None and not is_public:
            return go("/sign-in")
        visit = Visit(request, officer, form)
        if officer is not None and request.method == "POST" and not is_public:
            check_form(officer, form)
        return await handler(console, visit)
    except Refused as refused:
        return _refused(visit, refused)
    except Unavailable:
        return _sorry(visit, 503, "Nothing was changed. Try again in a moment.")
    except Exception as fault:
        _log.error("console.fault", path=request.scope["route"].path, fault=type(fault).__name__)
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

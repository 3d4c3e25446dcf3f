"""Turning values into pages: one template environment that escapes everything, and the headers every page has."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.console import words
from gateway.console.door import BASE, FORM_TOKEN, HEADERS, Visit

STYLE = files("gateway.console").joinpath("static", "console.css").read_bytes()
ICON = files("gateway.console").joinpath("static", "icon.svg").read_bytes()

_pages = Environment(
    loader=PackageLoader("gateway.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters |= {
    "when": words.when,
    "due": words.due,
    "told_due": words.told_due,
    "role": words.role,
    "reason": words.reason,
    "delivery_state": words.delivery_state,
    "spoken": words.spoken,
    "file_type": words.file_type,
    "title_of": words.message_title,
    "expected": words.expected,
}
_pages.globals |= {
    "base": BASE,
    "form_token_name": FORM_TOKEN,
    "delivery_states": words.DELIVERY_STATES,
    "duty_states": words.DUTY_STATES,
    "incident_states": words.INCIDENT_STATES,
    "attachment_states": words.ATTACHMENT_STATES,
    "likeness_states": words.LIKENESS_STATES,
    "ways": words.WAYS,
    "held_subjects": words.HELD_SUBJECTS,
}


def page(visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
    """A page. Its template gets `officer` (None on public pages), `here` (which menu entry) and `values`."""
    given = {"officer": visit.officer, "here": "", "notice": None, **values}
    return HTMLResponse(_pages.get_template(template).render(given), status, headers=HEADERS)


def go(path: str) -> Response:
    """After a form: the browser fetches `path` (below the console) anew, so that reloading repeats nothing."""
    return RedirectResponse(BASE + path, 303, headers=HEADERS)


async def style(visit: Visit) -> Response:
    return Response(STYLE, media_type="text/css", headers=HEADERS | {"Cache-Control": "max-age=300"})


async def icon(visit: Visit) -> Response:
    return Response(ICON, media_type="image/svg+xml", headers=HEADERS | {"Cache-Control": "max-age=300"})

"""Turning values into pages: one template environment that escapes everything, and the headers every page has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.console import words
from gateway.console.door import BASE, FORM_TOKEN, HEADERS, Console, Visit
from gateway.core.errors import ErrorCode, Refused
from gateway.core.permissions import Needs


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One entry of the menu, for those who may have its page; `name` is what the page gives as `here`."""

    name: str
    path: str
    words: str
    needs: Needs = Needs.SEE_LISTS


MENU = (
    MenuEntry("today", "/", "Today"),
    MenuEntry("incidents", "/incidents", "Incidents"),
    MenuEntry("held", "/held", "Held"),
    MenuEntry("calls", "/calls", "Calls"),
    MenuEntry("deliveries", "/deliveries", "Deliveries"),
    MenuEntry("partners", "/partners", "Partners"),
    MenuEntry("search", "/search", "Search", Needs.SEARCH),
    MenuEntry("reports", "/reports", "Reports"),
    MenuEntry("rules", "/rules", "Rules"),
    MenuEntry("approvals", "/approvals", "Second officer", Needs.AGREE),
    MenuEntry("officers", "/officers", "Officers", Needs.SEE_OFFICERS),
    MenuEntry("audit", "/audit", "Audit", Needs.SEE_ACCESS),
    MenuEntry("access", "/access", "Access", Needs.SEE_ACCESS),
)
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Static:
    """One file as browsers get it."""

    content: bytes
    media_type: str

    @property
    def version(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:12]


def _static() -> Iterator[tuple[str, Static]]:
    for file in files("gateway.console").joinpath("static").iterdir():
        media_type = MEDIA_TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None:
            yield file.name, Static(file.read_bytes(), media_type)


STATIC = dict(_static())


def static_address(name: str) -> str:
    """Where a browser gets one of our files."""
    return f"{BASE}/static/{name}?v={STATIC[name].version}"


_pages = Environment(
    loader=PackageLoader("gateway.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters |= {
    "when": words.when,
    "at_time": words.at_time,
    "day": words.day,
    "due": words.due,
    "due_of": words.due_of,
    "capital": words.capital,
    "short_day": words.short_day,
    "age": lambda at, now: words.age(now, at),
    "short_when": words.short_when,
    "told_due": words.told_due,
    "clock_time": words.clock_time,
    "role": words.role,
    "reason": words.reason,
    "reasons": words.reasons,
    "delivery_state": words.delivery_state,
    "spoken": words.spoken,
    "in_words": words.in_words,
    "file_type": words.file_type,
    "entered_late": lambda row: words.entered_late(row.created_at, row.arrived_at),
    "title_of": words.message_title,
    "expected": words.expected,
}
_pages.globals |= {
    "base": BASE,
    "static": static_address,
    "menu": MENU,
    "wait_kinds": words.WAIT_KINDS,
    "form_token_name": FORM_TOKEN,
    "delivery_states": words.DELIVERY_STATES,
    "duty_states": words.DUTY_STATES,
    "incident_states": words.INCIDENT_STATES,
    "attachment_states": words.ATTACHMENT_STATES,
    "breach_kinds": words.BREACH_KINDS,
    "breach_states": words.BREACH_STATES,
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


async def get_static(console: Console, visit: Visit) -> Response:
    """A file of ours. Its address names its digest, so that a browser may keep it."""
    found = STATIC.get(visit.path("name"))
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    headers = HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.media_type, headers=headers)

"""The forms on paper, for the hours in which the gateway cannot be reached (G-13): every message that a partnership takes.

Invariant: a form on paper has every member that an author may give, under the name that the page and the schema give it, so that
nothing is lost when it is entered later with the times at which things happened. It names roles and no person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from gateway.console import words
from gateway.console.door import HEADERS, Console, Visit
from gateway.console.forms import Field, Group, form_of
from gateway.console.pages import STATIC, page, static_address
from gateway.console.rules import limit
from gateway.console.sheet import HOUSE, Sheet
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyKind
from gateway.core.rules import Pack, Recipients, Route

STYLE = "paper.css"

_env = Environment(
    loader=PackageLoader("gateway.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def types_of(pack: Pack) -> tuple[str, ...]:
    """The message types that somebody writes under this pack, in the order of its rules."""
    return tuple(dict.fromkeys(route.message for route in pack.routes))


def sheet_of(pack: Pack, slug: str) -> Sheet:
    """One form as this pack takes it; Refused(not-found) for a type that it does not take."""
    routes = [route for route in pack.routes if route.message == slug]
    if not routes:
        raise Refused(ErrorCode.NOT_FOUND, detail="The pack takes no message of this type.")
    senders = [kind.value for kind in AgencyKind if any(kind in route.senders for route in routes)]
    return Sheet(
        pack.title,
        pack.version,
        slug,
        words.message_title(slug),
        tuple(words.spoken(kind) for kind in senders),
        tuple(dict.fromkeys(_seat(to) for route in routes for to in route.deliver)),
        tuple(dict.fromkeys(line for route in routes for line in _owed(pack, route))),
        tuple(dict.fromkeys(route.clause for route in routes if route.clause)),
        form_of(slug),
    )


def html(sheet: Sheet, *, style: str | None = None) -> str:
    """The form as a page to print. With `style` the style sheet stands in it, so that the file needs nothing else."""
    address = None if style is not None else static_address(STYLE)
    return _env.get_template("paper.html").render(sheet=sheet, house=HOUSE, style=style, address=address)


def style_sheet() -> str:
    return STATIC[STYLE].content.decode()


def leaves(part: Field | Group) -> Iterator[Field]:
    """Every answer of a form."""
    if isinstance(part, Field):
        yield part
        return
    for inner in part.parts:
        yield from leaves(inner)


async def get_forms(console: Console, visit: Visit) -> Response:
    """The forms of one partnership, to print beforehand."""
    pack = await _pack(console, visit)
    lines = [(slug, words.message_title(slug)) for slug in types_of(pack)]
    return page(visit, "paper_forms.html", here="rules", pack=pack, lines=lines)


async def get_form(console: Console, visit: Visit) -> Response:
    """One form: a page to print, or a PDF where the address ends so."""
    from gateway.console.paper_pdf import pdf  # it draws: loaded when something is drawn

    pack, name = await _pack(console, visit), visit.path("form")
    slug = name.removesuffix(".pdf")
    sheet = sheet_of(pack, slug)
    if name == slug:
        return HTMLResponse(html(sheet), headers=HEADERS)
    headers = HEADERS | {"Content-Disposition": f'inline; filename="{pack.partnership}-{slug}.pdf"'}
    made = await asyncio.to_thread(pdf, sheet)
    return Response(made, media_type="application/pdf", headers=headers)


async def _pack(console: Console, visit: Visit) -> Pack:
    partnership = visit.path("partnership")
    named = next((each for each in visit.signed_in.partnerships if each == partnership), None)
    if named is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return (await console.parts.partnerships.snapshot(named)).pack


def _seat(to: Recipients) -> str:
    seat = "whoever had the message that it is about" if to.role == "*" else words.role(to.role)
    return f"{seat} (a notice alone)" if to.notice else seat


def _owed(pack: Pack, route: Route) -> Iterator[str]:
    """What is then owed, by whom and within what: a role, a message, a limit."""
    for duty in route.duties:
        clock = pack.clocks[duty.clock]
        what = words.spoken(duty.task) if duty.task else words.expected(duty.expects)
        yield f"{words.capital(words.role(duty.owner.role))}: {what} ({clock.id}, {limit(clock)})"

"""Looking for an incident: by a reference of ours, or for a child through the blind index, with a reason.

What is typed of a child goes in a form, never into an address, and comes back on no page; the search is an entry in the
ledger with its reason, also when nothing is found, and one in the chain of every incident found (domain section 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from starlette.responses import Response

from gateway.actions.find_incidents_of_child import ChildSought, FoundIncident, find_incidents_of_child
from gateway.console import reading
from gateway.console.door import Console, Visit
from gateway.console.pages import go, page
from gateway.core.identifiers import normalise_nhs_number, normalise_reference
from gateway.core.identity import Identity
from gateway.core.messages import MessageId
from gateway.store import mail, messages
from gateway.store.transaction import Tx

REASONS = (
    ("duplicate-check", "Is this child known already?"),
    ("partner-asks", "A partner asks about an incident"),
    ("subject-access", "A request by the person themselves"),
    ("court-or-inquiry", "A court or an inquiry asks"),
    ("data-quality", "Checking that what is held is right"),
)
MOST_REFERENCE = 80


async def get_search(console: Console, visit: Visit) -> Response:
    """Both forms, empty."""
    return page(visit, "search.html", here="search", reasons=REASONS, slips={}, found=None)


async def post_reference(console: Console, visit: Visit) -> Response:
    """The incident of a reference: its own, that of a letter, or the id of a message."""
    asked = visit.form.get("reference", "").strip()[:MOST_REFERENCE]
    within = visit.signed_in.partnerships

    def look(tx: Tx) -> str | None:
        reference = normalise_reference(asked) or asked
        letter = mail.letter_by_reference(tx, reference)
        if letter is not None:
            return letter.incident if letter.partnership in within else None
        if reading.is_seen(tx, visit.signed_in, reference):
            return reference
        row = messages.find(tx, within, MessageId(asked))
        return row.incident if row is not None else None

    incident = await console.parts.store.read(look)
    if incident is not None:
        return go(f"/incidents/{incident}")
    slips = {"reference": "Nothing that you may see has this reference: check each letter and figure"}
    return page(visit, "search.html", 422, here="search", reasons=REASONS, slips=slips, found=None)


async def post_child(console: Console, visit: Visit) -> Response:
    """Incidents that a child is part of. Nothing that was typed is shown again."""
    child, slips = _child(visit.form)
    reason = visit.form.get("reason", "")
    if reason not in dict(REASONS):
        slips["reason"] = "Say why you search"
    if slips or child is None:
        return page(visit, "search.html", 422, here="search", reasons=REASONS, slips=slips, found=None)
    officer = visit.signed_in
    asked = ChildSought(child, officer.name, reason)
    found: list[FoundIncident] = []
    for partnership in officer.partnerships:
        found += await console.parts.perform(find_incidents_of_child, asked, partnership, None)
    return page(visit, "search.html", here="search", reasons=REASONS, slips={}, found=found)


def _child(form: Mapping[str, str]) -> tuple[Identity | None, dict[str, str]]:
    """Who is looked for, or what is wrong with what was typed; the words name the field and never its content."""
    given = {name: form.get(name, "").strip() for name in ("nhs_number", "family_name", "given_names")}
    slips: dict[str, str] = {}
    number = normalise_nhs_number(given["nhs_number"]) if given["nhs_number"] else None
    if given["nhs_number"] and number is None:
        slips["nhs_number"] = "This is no NHS number: ten digits, of which the last is a check"
    born_on, parts = None, [form.get(f"born_on_{part}", "").strip() for part in ("year", "month", "day")]
    try:
        born_on = date(*map(int, parts)) if any(parts) else None
    except ValueError:
        slips["born_on"] = "This is no date: a day, a month and a year with four figures"
    if not slips and number is None and not (given["family_name"] and born_on):
        slips["nhs_number"] = "Give an NHS number, or a family name and a date of birth"
    if slips:
        return None, slips
    return Identity(given["given_names"] or None, given["family_name"] or None, (), born_on, number), {}

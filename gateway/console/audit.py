"""Who saw, searched, took out and changed what: the ledger's entries about people's acts, reads among them (domain section 8).

For managers and auditors. Of what an entry holds sealed only the officers' names and the id of what was opened are shown; reasons in
an officer's own words, and all content, stay shut. An erased incident's entries tell what was done and no longer by whom.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from starlette.responses import Response

from gateway.console import words
from gateway.console.door import Console, Visit
from gateway.console.listing import address, place, written
from gateway.console.pages import page
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.officers import name_key
from gateway.core.presence import LONDON, local_day
from gateway.core.receipts import Event
from gateway.ledger.appending import disclosures_label
from gateway.ledger.verify import unb64url
from gateway.store import audit, officers
from gateway.store.audit import ActRow, Looked
from gateway.store.overview import Place
from gateway.store.transaction import Tx
from keys.sealing import CannotOpen, DataKey

ROWS, MOST_LOOKED_AT = 50, 400
DAYS_BACK = 7
MOST_CHARACTERS = 120
KINDS: Mapping[str, tuple[str, tuple[Event, ...]]] = {
    "opened": ("Opened something", (Event.INCIDENT_VIEWED, Event.RESTRICTION_OVERRIDDEN)),
    "searched": ("Searched for a child", (Event.INCIDENT_SEARCHED,)),
    "taken-out": (
        "Took something out or in",
        (Event.EVIDENCE_EXPORTED, Event.REGISTER_EXPORTED, Event.REGISTER_IMPORTED),
    ),
    "decided": (
        "Decided on something that waited",
        (Event.RELEASED, Event.AGREEMENT_ASKED, Event.AGREEMENT_REFUSED, Event.RECALLED),
    ),
    "duties": (
        "Changed what is owed",
        (Event.DUTY_WAIVED, Event.DUTY_RESCHEDULED, Event.DUTY_EXPLAINED),
    ),
    "incidents": (
        "Changed an incident",
        (
            Event.CLOSED,
            Event.REOPENED,
            Event.INCIDENTS_LINKED,
            Event.INCIDENTS_UNLINKED,
            Event.TOLD_APART,
            Event.GUESTS_CHANGED,
            Event.TRANSFERRED,
            Event.BREACH_RECORDED,
            Event.BREACH_CLOSED,
        ),
    ),
    "erasure": (
        "Erased, or barred erasure",
        (Event.ERASURE_ORDERED, Event.CONTENT_ERASED, Event.LEGAL_HOLD_PLACED, Event.LEGAL_HOLD_LIFTED),
    ),
    "access": (
        "Changed who may see what",
        (Event.ACCESS_RESTRICTED, Event.ACCESS_GRANTED, Event.RESTRICTION_LIFTED, Event.OFFICER_CHANGED),
    ),
    "rules": (
        "Changed rules, directory, software or keys",
        (
            Event.PACK_ACTIVATED,
            Event.CALENDAR_CHANGED,
            Event.DIRECTORY_CHANGED,
            Event.ABSENCE_ANNOUNCED,
            Event.WAY_TRIED,
            Event.CLIENT_CHANGED,
            Event.KEY_INTRODUCED,
            Event.KEY_RETIRED,
            Event.KEY_REVOKED,
            Event.KEY_ESCROWED,
        ),
    ),
}
THINGS = {
    "msg": "a message",
    "hld": "something held",
    "dty": "a duty",
    "dlv": "a delivery",
    "ask": "a request",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as they stand in the address."""

    kind: str
    officer: str
    incident: str
    since_on: date
    until_on: date

    @property
    def query(self) -> dict[str, str | None]:
        return {
            "kind": self.kind,
            "officer": self.officer,
            "incident": self.incident,
            "since": self.since_on.isoformat(),
            "until": self.until_on.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Act:
    """One line: what was done, by whom as far as it can be said, on what, and why as a coarse reason."""

    row: ActRow
    title: str
    meaning: str
    by: tuple[str, ...]
    on: str
    why: str


async def get_audit(console: Console, visit: Visit) -> Response:
    """People's acts of some days, the newest first."""
    asked, after, within = _asked(visit, console.parts.clock()), place(visit), visit.signed_in.partnerships
    events = [
        event for _, events in ([KINDS[asked.kind]] if asked.kind else KINDS.values()) for event in events
    ]
    looked = Looked(
        {event.text for event in events},
        _midnight(asked.since_on),
        _midnight(asked.until_on + timedelta(days=1)),
        IncidentId(asked.incident) if asked.incident else None,
    )
    most = MOST_LOOKED_AT if asked.officer else ROWS

    def read(tx: Tx) -> tuple[list[ActRow], dict[str, tuple[str, str | None]], list[str]]:
        rows = audit.acts(tx, within, looked, after, most + 1)
        known = audit.officers_of(tx, within, rows)
        return rows, known, [row.name for row in officers.every(tx)]

    rows, known, people = await console.parts.store.read(read)
    more, rows = len(rows) > most, rows[:most]
    keys = await _keys(console, rows)
    acts = [_act(row, known, keys) for row in rows]
    if asked.officer:
        acts = [act for act in acts if name_key(asked.officer) in map(name_key, act.by)]
    last = rows[-1] if more else None
    shown: dict[str, Any] = {
        "asked": asked,
        "acts": acts,
        "kinds": [(kind, told) for kind, (told, _) in KINDS.items()],
        "people": [(name, name) for name in people],
        "looked_at": len(rows),
        "older": address("/audit", {**asked.query, "after": written(Place(last.at, last.id))})
        if last
        else None,
        "newest": address("/audit", asked.query) if after else None,
    }
    return page(visit, "audit.html", here="audit", **shown)


def _asked(visit: Visit, now: datetime) -> Asked:
    """The filters; Refused(not-found) for what is none of ours."""
    given, today = visit.request.query_params, local_day(now)
    kind = given.get("kind", "")
    try:
        until_on = date.fromisoformat(given["until"]) if given.get("until") else today
        usual = until_on - timedelta(days=DAYS_BACK)
        since_on = date.fromisoformat(given["since"]) if given.get("since") else usual
        _midnight(since_on), _midnight(until_on + timedelta(days=1))
    except (ValueError, OverflowError):
        raise Refused(ErrorCode.NOT_FOUND) from None
    if kind and kind not in KINDS:
        raise Refused(ErrorCode.NOT_FOUND)
    officer, incident = (given.get(name, "").strip()[:MOST_CHARACTERS] for name in ("officer", "incident"))
    return Asked(kind, officer, incident.upper(), since_on, until_on)


async def _keys(console: Console, rows: list[ActRow]) -> dict[str, DataKey]:
    """The data keys under which these entries' names are sealed, by incident; erased incidents have none."""
    named = {row.incident for row in rows if row.incident and row.disclosures}
    found = {incident: await console.parts.key_of(incident) for incident in sorted(named)}
    return {incident: key for incident, key in found.items() if key is not None}


def _act(row: ActRow, known: Mapping[str, tuple[str, str | None]], keys: Mapping[str, DataKey]) -> Act:
    fields = _fields(row, keys.get(row.incident or ""))
    of_pack = audit.of_pack(row.chain, row.at)
    names = (fields.get("officer"), fields.get("second_officer")) if fields else ()
    names = names or known.get(row.chain) or known.get(of_pack) or ()
    opened = fields.get("opened") or fields.get("hold") or fields.get("duty") or ""
    return Act(
        row,
        words.event_title(row.event),
        words.event_meaning(row.event),
        tuple(name for name in names if name),
        THINGS.get(opened.partition("-")[0], ""),
        words.reason(_reason(row.statement)),
    )


def _fields(row: ActRow, key: DataKey | None) -> dict[str, str]:
    """What the entry committed to, by name; nothing once the incident is erased."""
    if key is None or row.disclosures is None or row.data_key != key.id:
        return {}
    try:
        sealed = json.loads(key.open(disclosures_label(row.id), row.disclosures))
    except CannotOpen:
        return {}
    told = (json.loads(unb64url(one)) for one in sealed)
    return {name: str(value) for _, name, value in told}


def _reason(statement: bytes) -> str:
    try:
        return str(json.loads(statement).get("reason") or "")
    except (ValueError, AttributeError):
        return ""


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time(0), tzinfo=LONDON).astimezone(UTC)

"""The partners' exceptional meeting, run in the page: its notice, who was there, and the three decisions in one record (S4-06, X-29).

The business unit speaks, through the door of every message; the receipt commits to the officer who wrote it. Only where the rules
in force let one record of the meeting decide for all seats. Nothing is guessed: what is left empty is absent, and whether the whole
may be sent is for the schema to say.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response

from gateway.actions.decide_jointly import BUSINESS_UNIT, reached, tally_of
from gateway.actions.take import Speaker, prepare, take
from gateway.actions.view import Viewing, view
from gateway.console import reading, words
from gateway.console.door import Console, Visit
from gateway.console.forms import SLIPS, instant_of, typed_instant
from gateway.console.pages import go, page
from gateway.core.duties import UNANSWERED, Tally
from gateway.core.errors import ErrorCode, FieldError, Refused
from gateway.core.messages import AgencyId, AgencyKind, IncidentId, MessageId, RoleId
from gateway.core.routing import Directory, Holder
from gateway.core.rules import JointDecision, Pack
from gateway.core.written_times import written
from gateway.store import duties, incidents, messages
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx
from schemas import read_message
from schemas.meetings import MeetingMeans, PartnerSeat
from schemas.triage_decision import CriteriaMet, TriageOutcome

NOTICE, RECORD, KIND = "meeting-notice", "triage-decision", "exceptional"
SEATS = tuple(RoleId(seat.value) for seat in PartnerSeat)
MEANS = [(each.value, words.spoken(each.value)) for each in MeetingMeans]
OUTCOMES = [(each.value, words.spoken(each.value)) for each in TriageOutcome]
CRITERIA = [(each.value, words.spoken(each.value)) for each in CriteriaMet]
MOST_OTHERS = 4  # others present, besides whom the directory names
UNIT_POST = "Safeguarding Business Unit"
NOTICES = {
    "noticed": "The notice is on its way to those you invited.",
    "recorded": "The meeting is recorded, with who was there and the three decisions. What follows from it has been set going.",
}
LABELS = {
    "meeting_at": "When it begins",
    "where": "Where, or how to join",
    "chair.name": "Chair: name",
    "chair.post": "Chair: post",
    "agenda": "Agenda",
    "agencies": "Who is invited",
    "held_at": "When it began",
    "decided_at": "When the three had decided",
    "means": "How it is held",
    "attendance": "Who was there",
    "note": "What else is to be on record",
    "decided_by.name": "who decided",
    "decided_by.post": "in what post",
    "criteria_met": "whether the criteria are met",
    "outcome": "what is to be done",
    "reasons": "why",
}
OWN_SLIPS = {"before-meeting": "This is before the meeting began", "required": "This is needed"}


@dataclass(frozen=True, slots=True)
class Partner:
    """One of the three seats: whose it is, and who holds it, with whether they are away now."""

    seat: RoleId
    agency: AgencyId
    holders: tuple[tuple[Holder, bool], ...]


@dataclass(frozen=True, slots=True)
class MeetingRead:
    """How far the decision has come, by when it is due, which message it is about, and what was sent of a meeting before."""

    tally: Tally
    outcome: str | None
    due_at: datetime | None
    about: MessageId | None
    sent: tuple[MessageRow, ...]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a meeting is run: the incident, the decision it takes, and the unit that writes."""

    incident: IncidentId
    pack: Pack
    directory: Directory
    decision: JointDecision
    unit: AgencyId

    @property
    def partners(self) -> tuple[AgencyId, ...]:
        return tuple(dict.fromkeys(seat.agency for seat in self.directory.seats if seat.role in SEATS))


async def get_meeting(console: Console, visit: Visit) -> Response:
    place = await _place(console, visit)
    partnership = place.pack.partnership
    opening = Viewing(visit.signed_in.name, partnership, place.incident)
    await console.parts.perform(view, opening, partnership, place.incident)
    return await _shown(console, visit, place)


async def post_notice(console: Console, visit: Visit) -> Response:
    """Tell the partners of the meeting; a slip brings the page back with what was typed."""
    place = await _place(console, visit)
    author = {"name": visit.signed_in.name, "post": UNIT_POST}
    envelope = {"type": NOTICE, "author": author, "lawful_basis": "public-task"}
    return await _send(console, visit, place, "notice", envelope, notice_of(visit.form, place.directory))


async def post_record(console: Console, visit: Visit) -> Response:
    """Record that it was held: attendance and the three decisions, as one message that meets all three duties."""
    place = await _place(console, visit)
    read = await console.parts.store.read(lambda tx: _read(tx, place))
    author = {"name": visit.signed_in.name, "post": UNIT_POST}
    envelope = {
        "type": RECORD,
        "author": author,
        "lawful_basis": "legal-obligation",
        "in_reply_to": read.about,
    }
    body = {"exceptional_meeting": record_of(visit.form, _partners(console, place))}
    return await _send(console, visit, place, "record", envelope, body)


def notice_of(typed: Mapping[str, str], directory: Directory) -> dict[str, Any]:
    """The body of a notice, from the form's fields; what was left empty is absent."""
    chair = {part: typed.get(f"chair.{part}", "").strip() for part in ("name", "post")}
    invited = [agency for agency in directory.agencies if typed.get(f"invited.{agency}") == "yes"]
    agenda = [line.strip() for line in typed.get("agenda", "").splitlines() if line.strip()]
    at = typed.get("meeting_at", "").strip()
    found = {
        "meeting_at": instant_of(at) if at else "",
        "means": typed.get("means", ""),
        "where": typed.get("where", "").strip(),
        "chair": chair if any(chair.values()) else None,
        "agencies": invited,
        "agenda": agenda,
    }
    return {"meeting": KIND, "stage": "notice", **{name: value for name, value in found.items() if value}}


def record_of(typed: Mapping[str, str], partners: Iterable[Partner]) -> dict[str, Any]:
    """The record of a meeting, from the form's fields: whom of the directory one ticked, and others by name."""
    partners = tuple(partners)
    attendance = [
        {"person": {"name": holder.name, "post": _post(partner.seat)}, "agency": partner.agency}
        for partner in partners
        for holder, _ in partner.holders
        if typed.get(f"present.{partner.seat}.{holder.rank}") == "yes"
    ]
    for at in range(MOST_OTHERS):
        person = {part: typed.get(f"other.{at}.{part}", "").strip() for part in ("name", "post")}
        agency = typed.get(f"other.{at}.agency", "")
        if any(person.values()):
            attendance.append({"person": person, **({"agency": agency} if agency else {})})
    times = {name: typed.get(name, "").strip() for name in ("held_at", "decided_at")}
    found = {
        **{name: instant_of(text) for name, text in times.items() if text},
        "means": typed.get("means", ""),
        "note": typed.get("note", "").strip(),
        "attendance": attendance,
    }
    decisions = [_decision(typed, seat) for seat in SEATS]
    return {**{name: value for name, value in found.items() if value}, "decisions": decisions}


def slips_of(errors: Iterable[FieldError], form: str) -> dict[str, str]:
    """What to mend, by the id of the form's field."""
    slips: dict[str, str] = {}
    for error in errors:
        if error.pointer.endswith("/decisions"):
            continue  # each of the three is told of by itself
        path = error.pointer.strip("/").replace("/", ".").removeprefix("body.")
        path = path.removeprefix("exceptional_meeting.")
        told = OWN_SLIPS.get(error.code) or SLIPS.get(error.code) or words.spoken(error.code)
        name, label = _field(path)
        slips.setdefault(f"{form}.{name}", f"{label}: {told[:1].lower()}{told[1:]}" if label else told)
    return slips


def _decision(typed: Mapping[str, str], seat: RoleId) -> dict[str, Any]:
    named = {part: typed.get(f"{seat}.decided_by.{part}", "").strip() for part in ("name", "post")}
    said = {name: typed.get(f"{seat}.{name}", "").strip() for name in ("criteria_met", "outcome", "reasons")}
    decided_by = {part: text for part, text in named.items() if text}
    return {"seat": seat, "decided_by": decided_by, **{name: text for name, text in said.items() if text}}


def _field(path: str) -> tuple[str, str]:
    """A fault's path as the field of the page that it is about, and what that is called."""
    parts = path.split(".")
    if parts[0] == "decisions" and len(parts) > 2 and parts[1].isdecimal() and int(parts[1]) < len(SEATS):
        seat, inner = SEATS[int(parts[1])], ".".join(parts[2:])
        inner = inner if inner in LABELS else f"{inner}.name" if inner == "decided_by" else "reasons"
        return f"{seat}.{inner}", f"{words.capital(words.role(seat))}, {LABELS[inner]}"
    if parts[0] == "chair":
        path = path if path in LABELS else "chair.name"
    else:
        path = parts[0]
    return path, LABELS.get(path, "")


def _post(seat: RoleId) -> str:
    return words.capital(words.role(seat))


async def _send(
    console: Console,
    visit: Visit,
    place: Place,
    form: str,
    envelope: Mapping[str, Any],
    body: Mapping[str, Any],
) -> Response:
    """Through the door of every message. The form's own reference makes a second sending the same message."""
    if not (await console.parts.store.read(lambda tx: _read(tx, place))).is_open:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is not open: take it up again first."
        )
    reference = visit.form.get("reference", "")
    if not reference.startswith("meeting-") or not reference.isascii() or len(reference) > 64:
        raise Refused(ErrorCode.MALFORMED_REQUEST)
    document = {
        "version": 1,
        "partnership": place.pack.partnership,
        "reference": reference,
        "incident": place.incident,
        "created_at": written(console.parts.clock()),
        "marking": "OFFICIAL-SENSITIVE",
        "attachments": [],
        **envelope,
        "body": body,
    }
    raw = json.dumps(document, ensure_ascii=False).encode()
    speaker = Speaker(place.unit, frozenset({place.pack.partnership}), recorded_by=visit.signed_in.name)
    try:
        await take(console.parts, await prepare(console.parts, raw, read_message(raw), speaker))
    except Refused as refused:
        if not refused.errors:
            raise
        return await _shown(console, visit, place, dict(visit.form), slips_of(refused.errors, form), form)
    done = "noticed" if form == "notice" else "recorded"
    return go(f"/incidents/{place.incident}/meeting?done={done}")


async def _shown(
    console: Console,
    visit: Visit,
    place: Place,
    typed: Mapping[str, str] | None = None,
    slips: Mapping[str, str] | None = None,
    form: str = "",
) -> Response:
    read = await console.parts.store.read(lambda tx: _read(tx, place))
    names = reading.agency_names(place.directory)
    shown: dict[str, Any] = {
        "incident": place.incident,
        "partnership": place.pack.partnership,
        "read": read,
        "decision": place.decision,
        "partners": _partners(console, place),
        "invited": place.partners,
        "agencies": sorted(((str(one), name) for one, name in names.items()), key=lambda one: one[1]),
        "names": names,
        "may_notice": _takes(place.pack, NOTICE, place.directory.agencies[place.unit].kind),
        "means": MEANS,
        "outcomes": OUTCOMES,
        "criteria": CRITERIA,
        "others": range(MOST_OTHERS),
        "typed": typed or {},
        "found": slips or {},
        "form": form,
        "reference": _reference(typed),
        "planned": _planned(read.sent),
        "notice": NOTICES.get(visit.request.query_params.get("done", "")),
    }
    return page(visit, "meeting.html", 422 if slips else 200, here="incidents", **shown)


def meeting_decides(pack: Pack, directory: Directory) -> tuple[JointDecision, AgencyId] | None:
    """The decision that a meeting of the three may take under these rules, and the unit that may record it; None without."""
    unit = next((seat.agency for seat in directory.seats if seat.role == BUSINESS_UNIT), None)
    if unit is None or not _takes(pack, RECORD, directory.agencies[unit].kind):
        return None
    wanted = (one for one in pack.decisions if one.message == RECORD and set(one.seats) == set(SEATS))
    decision = next(wanted, None)
    return None if decision is None else (decision, unit)


def _takes(pack: Pack, message: str, kind: AgencyKind) -> bool:
    """Whether a rule takes this message from such an agency, of an exceptional meeting where it tells meetings apart."""
    return any(
        route.message == message and kind in route.senders and KIND in route.when.get("meeting", {KIND})
        for route in pack.routes
    )


async def _place(console: Console, visit: Visit) -> Place:
    """The incident, when the officer may open it and its rules know such a meeting."""
    wanted, partnership = await reading.openable(console, visit)
    snapshot = await console.parts.partnerships.snapshot(partnership)
    found = meeting_decides(snapshot.pack, snapshot.directory)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return Place(wanted, snapshot.pack, snapshot.directory, *found)


def _read(tx: Tx, place: Place) -> MeetingRead:
    partnership = place.pack.partnership
    incident = incidents.find(tx, partnership, place.incident)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND)
    owed = [
        duty
        for duty in duties.of_incident(tx, partnership, place.incident)
        if duty.expects == RECORD and duty.role in SEATS and duty.state in UNANSWERED
    ]
    sent = [row for row in messages.of_incident(tx, partnership, place.incident) if _is_of_meeting(row)]
    outcome = reached(incident, place.decision)
    return MeetingRead(
        tally_of(tx, place.pack, place.decision, incident),
        None if outcome is None else str(outcome["outcome"]),
        min((duty.due_at for duty in owed if duty.due_at is not None), default=None),
        owed[0].message if owed else None,
        tuple(sent),
        incident.state == "open",
    )


def _is_of_meeting(row: MessageRow) -> bool:
    codes = row.facts["codes"]
    return (row.type == NOTICE and KIND in codes.get("meeting", ())) or (
        row.type == RECORD and "exceptional_meeting_at" in row.facts["moments"]
    )


def _reference(typed: Mapping[str, str] | None) -> str:
    """The page's own; a page that comes back keeps it, so that what was sent once is not sent as another."""
    was = (typed or {}).get("reference", "")
    return was.removesuffix("-n").removesuffix("-r") or f"meeting-{secrets.token_hex(8)}"


def _planned(sent: Iterable[MessageRow]) -> str:
    """When the last notice says that it begins, as a browser's field has it; empty without one."""
    told = [row.facts["moments"].get("meeting_at") for row in sent if row.type == NOTICE]
    return typed_instant(next((at for at in reversed(told) if at), ""))


def _partners(console: Console, place: Place) -> tuple[Partner, ...]:
    now, directory = console.parts.clock(), place.directory
    return tuple(
        Partner(
            seat.role,
            seat.agency,
            tuple((one, one.is_absent(now, directory.in_term(seat.agency, now.date()))) for one in holders),
        )
        for seat, holders in sorted(
            directory.seats.items(), key=lambda one: SEATS.index(one[0].role) if one[0].role in SEATS else -1
        )
        if seat.role in SEATS
    )

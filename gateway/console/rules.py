"""The rules in force: packs with their review dates, clocks with the clause behind each, a date counted day by day, a message
tried out, and what another version would have done with the past. Nothing here changes anything: see `arrangements` for that.

Invariant: dates and answers come from the very functions that set the duties (`core.clocks`, `actions.rehearse`, `actions.replay`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from starlette.responses import Response

from gateway.actions.activate_pack import LOOKS_BACK
from gateway.actions.ask_the_law import asked_of_message
from gateway.actions.change_calendar import in_force
from gateway.actions.rehearse import assumed_directory, rehearse, rehearsed_message
from gateway.actions.tell_rehearsal import told
from gateway.console import words
from gateway.console.arrangements import MOST_SHOWN, sees_all, trial
from gateway.console.door import Console, Visit
from gateway.console.lists import agency_names, snapshots
from gateway.console.pages import page
from gateway.console.words import Tag
from gateway.core.clocks import Clock, Due, Unit, due, target
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId, RoleId
from gateway.core.presence import local_day
from gateway.core.rules import Pack
from gateway.core.working_days import Calendar, CalendarEnds, Convention
from gateway.partnerships import packs
from gateway.partnerships.calendars import ENGLAND, HOLIDAYS_SHOULD_REACH
from gateway.partnerships.vocabulary import ROLES
from gateway.parts import Snapshot
from gateway.store import holidays
from gateway.store import packs as pack_rows
from gateway.store.transaction import Tx
from schemas import read_message
from schemas.registry import example_path

REVIEW_SOON = timedelta(days=60)
SUPPOSED = "a holiday that you suppose"
UNITS = {
    Unit.HOURS: ("hour", "hours"),
    Unit.WORKING_DAYS: ("working day", "working days"),
    Unit.CALENDAR_DAYS: ("day", "days"),
    Unit.MONTHS: ("month", "months"),
}
CONVENTIONS = {
    Convention.A: "the day itself is not counted",
    Convention.B: "after hours it counts from the next working day",
    Convention.C: "the day itself counts",
}
DECISIONS = {
    "forward": Tag("Goes on", "green"),
    "hold": Tag("Waits for an officer", "yellow"),
    "refuse": Tag("Is refused", "red"),
}


@dataclass(frozen=True, slots=True)
class Simulated:
    """One clock run from one moment: when it is due, its softer aim, and every day on the way with what it counts as."""

    clock: Clock
    start_at: datetime
    due: Due | None
    aim: Due | None
    days: tuple[tuple[date, Tag, str], ...]
    ends: str = ""  # why it cannot be said


async def get_rules(console: Console, visit: Visit) -> Response:
    """Every pack in force that the officer sees, and the list of bank holidays that dates are counted by."""
    known, today = await snapshots(console, visit.signed_in), _today(console)

    def read(tx: Tx) -> tuple[Any, Any]:
        return in_force(tx), holidays.every(tx)

    listed, uploaded = await console.parts.store.read(read)
    england = listed.divisions[ENGLAND]
    shown: dict[str, Any] = {
        "lines": [(known[each].pack, review(known[each].pack, today), newer(known[each])) for each in known],
        "listed": listed,
        "runs_out": listed.covers_until - today < HOLIDAYS_SHOULD_REACH,
        "ahead": [(on, why) for on, why in sorted(england.items()) if on >= today][:12],
        "uploaded": uploaded,
        "may_upload": visit.signed_in.may("decide") and await sees_all(console, visit),
    }
    return page(visit, "rules.html", here="rules", **shown)


async def get_pack(console: Console, visit: Visit) -> Response:
    """One pack: its clocks, the simulator, the messages it takes."""
    snapshot = await _snapshot(console, visit)
    return await _pack_page(console, visit, snapshot, tried=None)


async def post_tried(console: Console, visit: Visit) -> Response:
    """A message tried out: an example of ours, or one that was pasted. It is kept nowhere."""
    snapshot = await _snapshot(console, visit)
    pasted, example = visit.form.get("message", "").strip(), visit.form.get("example", "")
    if not pasted and example not in example_types(snapshot.pack):
        raise Refused(
            ErrorCode.MALFORMED_REQUEST, detail="Choose a message, or paste one. Go back and try again."
        )
    raw = pasted.encode() if pasted else example_path(example).read_bytes()
    tried = tried_out(snapshot, raw, now=None if pasted else console.parts.clock())
    return await _pack_page(console, visit, snapshot, tried=tried)


async def get_replay(console: Console, visit: Visit) -> Response:
    """What another version would have done with the messages of the past year: the newest of this release, or an earlier one."""
    snapshot = await _snapshot(console, visit)
    pack, candidate = snapshot.pack, newer(snapshot)
    version = visit.request.query_params.get("version") or (candidate.version if candidate else "")
    if not version or version == pack.version:
        raise Refused(ErrorCode.NOT_FOUND)
    shown: dict[str, Any] = {
        "pack": pack,
        "trial": await trial(console, pack.partnership, version),
        "most": MOST_SHOWN,
        "since": console.parts.clock() - LOOKS_BACK,
    }
    return page(visit, "rules_replay.html", here="rules", **shown)


def review(pack: Pack, today: date) -> Tag:
    """Whether somebody must look at the pack: a lapsed review warns and disables nothing (X-24)."""
    if today > pack.review_due_on:
        return Tag("Review overdue", "red")
    return (
        Tag("Review due soon", "yellow")
        if pack.review_due_on - today <= REVIEW_SOON
        else Tag("Not due yet", "green")
    )


def newer(snapshot: Snapshot) -> Pack | None:
    """The version of the pack that came with this release, where it is not the one in force."""
    if snapshot.pack.partnership not in packs.names():
        return None
    shipped = packs.shipped(snapshot.pack.partnership)
    return None if shipped.version == snapshot.pack.version else shipped


def example_types(pack: Pack) -> tuple[str, ...]:
    """The message types that the pack has a rule for and the release an example of."""
    return tuple(sorted({route.message for route in pack.routes if example_path(route.message).is_file()}))


def simulated(pack: Pack, clock: Clock, start_at: datetime, supposed: date | None) -> Simulated:
    """The clock run from a moment, by the holidays in force and one more that is supposed (C-12)."""
    calendar = pack.calendar
    if supposed is not None and supposed not in calendar.closed:
        calendar = calendar.with_closed({supposed: SUPPOSED})
    try:
        found = due(clock, start_at, calendar)
        return Simulated(clock, start_at, found, target(clock, start_at, calendar), _days(found, calendar))
    except CalendarEnds as fault:
        return Simulated(clock, start_at, None, None, (), str(fault))


def tried_out(snapshot: Snapshot, raw: bytes, now: datetime | None) -> dict[str, Any]:
    """What the rules would do with a message, as at the door; `now` is when an example of ours is supposed to arrive.

    Refused when it is not a message. It is tried as if it named this partnership.
    """
    pack, envelope = snapshot.pack, read_message(raw)
    message = rehearsed_message(pack, envelope, now, frozenset(RoleId(role) for role in ROLES))
    kind = message.agency_kind
    alike = [a for a, agency in sorted(snapshot.directory.agencies.items()) if agency.kind is kind]
    directory = snapshot.directory if alike else assumed_directory(pack, message)
    message = replace(message, agency=alike[0]) if alike else message
    found = rehearse(pack, directory, message)
    return {
        "refused": None,
        "follows": None,
        **told(found),
        "type": envelope.type,
        "kind": kind.value,
        "arrives_at": message.arrived_at,
        "law": [
            words.asked(one)
            for one in asked_of_message(pack, message, found.rule)
            if one["standing"] != "not-met"
        ],
        "clause": next((route.clause for route in pack.routes if route.id == found.rule), ""),
        "is_supposed": not alike,
    }


def limit(clock: Clock) -> str:
    """ "5 working days, by the end of the day"."""
    if clock.unit is Unit.NONE:
        return "no limit: it only grows older"
    if clock.unit is Unit.AS_SET:
        return "the day is set case by case"
    one, many = UNITS[clock.unit]
    said = f"{clock.amount} {one if clock.amount == 1 else many}"
    counts = f"; {CONVENTIONS[clock.convention]}" if clock.unit is Unit.WORKING_DAYS else ""
    return f"{said}{', exactly on that day' if clock.exact else ''}{counts}"


async def _pack_page(
    console: Console, visit: Visit, snapshot: Snapshot, *, tried: dict[str, Any] | None
) -> Response:
    pack, today, given = snapshot.pack, _today(console), visit.request.query_params
    chosen = pack.clocks.get(given.get("clock", ""))
    start_at = _start(pack.calendar, given, console.parts.clock())
    was = await console.parts.store.read(lambda tx: pack_rows.versions(tx, pack.partnership))
    shown: dict[str, Any] = {
        "pack": pack,
        "earlier": [row for row in was if row.version != pack.version],
        "review": review(pack, today),
        "newer": newer(snapshot),
        "clocks": [(clock, limit(clock), _owed(pack, clock.id)) for clock in pack.clocks.values()],
        "choices": [
            (clock.id, f"{clock.id}: {_owed(pack, clock.id) or limit(clock)}")
            for clock in pack.clocks.values()
        ],
        "simulated": simulated(pack, chosen, start_at, _date(given.get("holiday", ""))) if chosen else None,
        "start": pack.calendar.local(start_at),
        "given": given,
        "examples": [(each, words.message_title(each)) for each in example_types(pack)],
        "routes": pack.routes,
        "tried": tried,
        "decisions": DECISIONS,
        "names": agency_names({pack.partnership: snapshot}),
    }
    return page(visit, "rules_pack.html", here="rules", **shown)


async def _snapshot(console: Console, visit: Visit) -> Snapshot:
    wanted = PartnershipId(visit.path("partnership"))
    if wanted not in visit.signed_in.partnerships:
        raise Refused(ErrorCode.NOT_FOUND)
    return await console.parts.partnerships.snapshot(wanted)


def _days(found: Due, calendar: Calendar) -> tuple[tuple[date, Tag, str], ...]:
    """Every day from the start to the due day: counted as which, or passed over and why."""
    if found.due_on is None or not (found.counted or found.skipped):
        return ()
    begins = calendar.local(found.start_at).date()
    lines: dict[date, tuple[Tag, str]] = {begins: (Tag("Not counted"), "the day on which the clock starts")}
    lines |= {each.on: (Tag("Passed over", "yellow"), each.why) for each in found.skipped}
    for number, on in enumerate(found.counted, 1):
        lines[on] = (Tag("Counted", "blue"), f"day {number}")
    if found.due_on in lines:
        counted, why = lines[found.due_on]
        lines[found.due_on] = (Tag("Due", "green"), why) if counted.words == "Counted" else (counted, why)
    return tuple((on, *lines[on]) for on in sorted(lines))


def _start(calendar: Calendar, given: Mapping[str, str], now: datetime) -> datetime:
    """When the clock is to start: the day and time of the form, else now."""
    local = calendar.local(now).replace(second=0, microsecond=0)
    try:
        on = date.fromisoformat(given["on"]) if given.get("on") else local.date()
        wall = time.fromisoformat(given["at"]) if given.get("at") else local.time()
        return calendar.instant(on, wall.replace(tzinfo=None))
    except (ValueError, OverflowError):
        raise Refused(ErrorCode.NOT_FOUND) from None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(ErrorCode.NOT_FOUND) from None


def _owed(pack: Pack, clock: str) -> str:
    """What is owed by a clock, in words; empty when no rule of the pack uses it."""
    duties = [duty for route in pack.routes for duty in route.duties]
    duties += [duty for follows in pack.consequences for duty in follows.duties]
    return " or ".join(dict.fromkeys(words.expected(duty.expects) for duty in duties if duty.clock == clock))


def _today(console: Console) -> date:
    return local_day(console.parts.clock())

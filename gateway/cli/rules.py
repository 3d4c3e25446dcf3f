"""`gateway rules`: what the rule packs say, how a date is counted, what a message would set going, and which is in force.

The invariant: the same pure functions answer here and set the duties' due instants; only `activate` changes anything.
Exit status: 0 answered, 1 the answer is no (unknown pack or clock, holiday data ends, a problem, a refusal), 2 unreadable
input. What only `check`, `route` and `activate` need is imported there, so that `explain` starts at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from gateway.cli.holidays_at_hand import Listed, holidays_here
from gateway.core.clocks import Clock, DayEnd, Due, Unit, due, target
from gateway.core.errors import ErrorCode, Misconfigured, Refused
from gateway.core.messages import PartnershipId
from gateway.core.working_days import Calendar, CalendarEnds, TimeFault, read_instant
from gateway.core.written_times import written
from gateway.partnerships.calendars import HOLIDAYS_SHOULD_REACH, load_calendar, read_calendar
from gateway.partnerships.clock_tables import ClockTable, load_clock_table, pack_names

app = typer.Typer(
    help="Rule packs: list, check, try out, put in force, and see how a deadline is counted.",
    no_args_is_help=True,
)

ANSWER_IS_NO, WRONG_USE = 1, 2
HYPOTHETICAL = "hypothetical holiday"

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

EXPLAIN_EXAMPLE = "Example: gateway rules explain south-tyneside K11 --from 2026-11-23T10:00+00:00"
LIST_EXAMPLE = "Example: gateway rules list --json"
CHECK_EXAMPLE = "Example: gateway rules check ./my-partnership --json"
ROUTE_EXAMPLE = "Example: gateway rules route south-tyneside schemas/v1/examples/referral.json --json"
REPLAY_EXAMPLE = "Example: gateway rules replay ./my-partnership --since 2026-11-01"
ACTIVATE_EXAMPLE = "Example: gateway rules activate south-tyneside --officer 'Winifred Stave' --second-officer 'Desmond Quill'"

LARGEST_MESSAGE_BYTES = 1_048_576


@app.command("explain", epilog=EXPLAIN_EXAMPLE)
def explain(
    pack: Annotated[str, typer.Argument(metavar="PACK", help="A rule pack's name or folder.")],
    clock: Annotated[str, typer.Argument(metavar="CLOCK", help="A clock of that pack, such as K12.")],
    start: Annotated[
        str, typer.Option("--from", metavar="INSTANT", help="When it starts: ISO 8601 with offset.")
    ],
    on_holiday: Annotated[
        list[str] | None,
        typer.Option(
            "--on-holiday", metavar="DATE", help="Suppose one more public holiday; may be repeated."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show when a duty under one clock of a pack would be due, and how that is counted: by the list of bank holidays in
    force in this deployment, else by the shipped one."""
    start_at = _instant(start)
    supposed = {_date(each): HYPOTHETICAL for each in on_holiday or ()}
    try:
        listed = holidays_here()
        table, calendar = _pack(pack, listed)
        found = _clock(table, clock)
        answer = due(found, start_at, _supposing(calendar, supposed))
        if as_json:
            typer.echo(json.dumps(_document(table, answer) | _by(listed)))
        else:
            typer.echo(_sentence(answer, target(found, start_at, _supposing(calendar, supposed)), calendar))
            typer.echo(listed.in_words())
    except CalendarEnds as ends:
        _stop(ANSWER_IS_NO, str(ends))
    except Misconfigured as fault:
        _stop(WRONG_USE, str(fault))


@app.command("list", epilog=LIST_EXAMPLE)
def list_packs(
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Judge review dates on this day, not today.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the rule packs with version and review date; what is overdue or running out is said."""
    day = _today() if on is None else _date(on)
    try:
        listed = holidays_here()
        rows = [
            _row(load_clock_table(name), load_calendar(name, listed.holidays), day)
            | {"holidays_from": listed.source}
            for name in pack_names()
        ]
    except Misconfigured as fault:
        _stop(WRONG_USE, str(fault))
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['pack']}  {row['version']}  review due {row['review_due_on']}  {row['title']}")
        for warning in row["warnings"]:
            typer.echo(f"  warning: {warning}")
    typer.echo(listed.in_words())


@app.command("check", epilog=CHECK_EXAMPLE)
def check(
    pack: Annotated[
        str | None, typer.Argument(metavar="[PACK]", help="A pack's name or folder; all packs without it.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say everything that is wrong with a pack, each with its line and remedy: exit 1 if anything is."""
    from gateway.cli import packs_at_hand
    from gateway.partnerships.packs import names

    try:
        found = packs_at_hand.problems([pack] if pack is not None else names())
    except Refused as refused:
        _stop(ANSWER_IS_NO, refused.detail or refused.code.title)
    if as_json:
        typer.echo(json.dumps([asdict(problem) for problem in found]))
    else:
        for problem in found:
            typer.echo(f"{problem.pack}, line {problem.line}: {problem.what}. {problem.remedy}.")
        typer.echo("nothing is wrong" if not found else f"{len(found)} to mend")
    raise typer.Exit(ANSWER_IS_NO if found else 0)


@app.command("route", epilog=ROUTE_EXAMPLE)
def route(
    pack: Annotated[str, typer.Argument(metavar="PACK", help="A rule pack's name or folder.")],
    message: Annotated[
        Path, typer.Argument(metavar="MESSAGE.json", help="One message, as it would be sent.")
    ],
    sender: Annotated[
        str | None,
        typer.Option(metavar="AGENCY|KIND", help="Who sends it; without it, a kind that may is supposed."),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="INSTANT", help="When it arrives; without it, when written.")
    ] = None,
    released: Annotated[
        bool, typer.Option("--released", help="As if an officer had looked at it and let it go on.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Try a message out under a pack: who would receive it and what would be owed by when. Nothing is stored."""
    from gateway.cli import packs_at_hand

    try:
        with message.open("rb") as opened:
            raw = opened.read(LARGEST_MESSAGE_BYTES + 1)
    except OSError:
        _stop(WRONG_USE, "cannot read that file: name one message as JSON that you may open")
    arriving_at = _instant(at, "--at") if at is not None else None
    try:
        answer = packs_at_hand.route(pack, raw, sender, arriving_at, released, listed=holidays_here())
    except Misconfigured as fault:
        _stop(WRONG_USE, str(fault))
    except Refused as refused:
        unreadable = refused.code in (ErrorCode.MALFORMED_JSON, ErrorCode.TOO_LARGE)
        faults = ", ".join(f"{error.pointer} {error.code}".strip() for error in refused.errors)
        words = (refused.detail or refused.code.title) + (f": {faults}" if faults else "")
        _stop(WRONG_USE if unreadable else ANSWER_IS_NO, words)
    typer.echo(json.dumps(answer) if as_json else "\n".join(_route_in_words(answer)))
    raise typer.Exit(ANSWER_IS_NO if answer["decision"] == "refuse" else 0)


@app.command("replay", epilog=REPLAY_EXAMPLE)
def replay(
    pack: Annotated[str, typer.Argument(metavar="PACK", help="A rule pack's name or folder.")],
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="From this day on; a year back without it."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a changed pack would have done with the messages of the past. Nothing is opened or stored."""
    from gateway.cli.replaying import in_words, replayed
    from gateway.cli.session import answer, opened, run

    since_on = None if since is None else _date(since)
    partnership, files = _sound(pack)

    async def work() -> dict[str, Any]:
        async with opened() as parts:
            return await replayed(parts, partnership, files, since_on)

    told = run(work())
    answer(told, in_words(told), as_json)


@app.command("activate", epilog=ACTIVATE_EXAMPLE)
def activate(
    pack: Annotated[str, typer.Argument(metavar="PACK", help="A rule pack's name or folder.")],
    officer: Annotated[str, typer.Option("--officer", metavar="NAME", help="Who does this.")],
    second_officer: Annotated[
        str, typer.Option("--second-officer", metavar="NAME", help="Who agrees to it: another person.")
    ],
    seen: Annotated[
        str | None,
        typer.Option("--seen", metavar="MARK", help="The mark of the replay that both have looked at."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Put a pack in force, after a replay on the past year. Its whole text is kept; the same version with other text is refused.

    Where it would have treated past messages otherwise, that is shown and nothing is done; repeat with --seen and its mark.
    """
    from gateway.actions.activate_pack import Activation, activate_pack
    from gateway.actions.settle import settle
    from gateway.cli.replaying import in_words, replayed
    from gateway.cli.session import answer, opened, run
    from gateway.core.officers import TwoOfficers

    partnership, files = _sound(pack)
    try:
        asked = Activation(partnership, files, TwoOfficers(officer, second_officer), seen)
    except Refused as refused:
        _stop(ANSWER_IS_NO, refused.detail or refused.code.title)

    async def work() -> dict[str, Any]:
        async with opened() as parts:
            shown = await replayed(parts, partnership, files, None)
            if shown["mark"] not in (None, seen):
                return {"pack": partnership, "version": shown["version"], "in_force": False, "replay": shown}
            done = await settle(parts, activate_pack, asked)
        receipt = {"id": done.receipt.id, "jws": done.receipt.jws}
        about = {"pack": partnership, "version": done.version, "digest": done.digest, "receipt": receipt}
        return {**about, "in_force": True, "replay": shown}

    told = run(work())
    if not told["in_force"]:
        answer(told, in_words(told["replay"]), as_json)
        _stop(ANSWER_IS_NO, "not in force: look at what differs, then repeat with --seen and its mark")
    lines = [f"{partnership} {told['version']} is in force", f"receipt: {told['receipt']['id']}"]
    answer(told, lines, as_json)


def _sound(pack: str) -> tuple[PartnershipId, dict[str, str]]:
    """A pack's name and texts; one line and exit 1 when there is none, or something is wrong with it."""
    from gateway.cli import packs_at_hand
    from gateway.partnerships.packs import check as check_files

    try:
        partnership, files = packs_at_hand.read(pack)
    except Refused as refused:
        _stop(ANSWER_IS_NO, refused.detail or refused.code.title)
    if found := check_files(partnership, files):
        _stop(ANSWER_IS_NO, f"{found[0].what} (line {found[0].line}): see `gateway rules check`")
    return partnership, files


def _route_in_words(answer: Mapping[str, Any]) -> list[str]:
    sender = answer["sender"]
    supposed = " (supposed)" if sender["assumed"] else ""
    lines = [
        f"{answer['decision']}, by rule {answer['rule']}",
        f"from {sender['agency']}, {sender['kind']}{supposed}; arriving {answer['arrived_at']}",
    ]
    if not answer["names_this_partnership"]:
        lines.append("the message names another partnership; it is tried as if it named this one")
    if answer["assumed_directory"]:
        lines.append("no directory here: one holder is supposed for each role that the pack names")
    lines.append(f"bank holidays: {answer['holidays']}, {answer['holidays_from']}")
    lines += [f"to {each['role']} at {each['agency']}, by {each['adapter']}" for each in answer["deliveries"]]
    lines += [_duty_in_words(duty) for duty in answer["duties"]]
    lines += [f"held: {reason}" for reason in answer["held"]]
    lines += [_law_in_words(asked) for asked in answer["statutory"] if asked["standing"] != "not-met"]
    if follows := answer.get("follows"):
        lines += _follows_in_words(follows)
    if refused := answer.get("refused"):
        lines.append(f"refused: {refused['code']} at {refused['pointer']}")
    return lines


def _law_in_words(asked: Mapping[str, Any]) -> str:
    """One criterion that is met, or that a person must decide."""
    kind = "the law" if asked["statutory"] else "local procedure"
    settle = f"; a person settles {', '.join(asked['missing'])}" if asked["missing"] else ""
    notify = f": {asked['by']} notifies {', '.join(asked['notify'])}" if asked["notify"] else ""
    by = f" by {asked['due_at']}" if asked["due_at"] else ""
    return f"{kind}, {asked['criterion']}: {asked['standing']}{notify}{by}{settle}"


def _duty_in_words(duty: Mapping[str, Any]) -> str:
    limit = f"due {duty['due_at']}" if duty["due_at"] else "without a limit"
    what = f"{duty['expects']} {duty['task']}" if duty["task"] else duty["expects"]
    return f"{duty['role']} owes {what} ({duty['clock']}), {limit}"


def _follows_in_words(follows: Mapping[str, Any]) -> list[str]:
    """What the decision sets going that this message alone reaches."""
    label = f", label {follows['label']}" if follows["label"] else ""
    lines = [f"decides {follows['decision']}: {follows['outcome']}{label}"]
    lines += [f"then to {each['role']} at {each['agency']}" for each in follows["deliveries"]]
    lines += [f"then {_duty_in_words(duty)}" for duty in follows["duties"]]
    lines += [f"then nobody owes {message} any more" for message in follows["ends"]]
    lines += [f"then a {letter} is drafted" for letter in follows["letters"]]
    return lines + [f"then held: {reason}" for reason in follows["held"]]


def _pack(name: str, listed: Listed) -> tuple[ClockTable, Calendar]:
    if name in pack_names():  # a name from the list, so never a path
        return load_clock_table(name), load_calendar(name, listed.holidays)
    folder = Path(name)
    if "/" not in name or not (folder / "rules.toml").is_file():
        there = ", ".join(pack_names())
        _stop(ANSWER_IS_NO, f"there is no such rule pack; there are {there}, or a folder such as ./my-pack")
    folder = folder.resolve()
    try:
        calendar = read_calendar((folder / "calendar.toml").read_text(encoding="utf-8"), listed.holidays)
        return load_clock_table(folder.name, folder.parent), calendar
    except (OSError, UnicodeDecodeError):
        _stop(WRONG_USE, "a file of the pack cannot be read: write it as UTF-8 text that you may open")


def _clock(table: ClockTable, clock_id: str) -> Clock:
    if clock_id not in table.clocks:
        _stop(ANSWER_IS_NO, f"pack {table.header.name} has no such clock; it has {', '.join(table.clocks)}")
    return table.clocks[clock_id]


def _supposing(calendar: Calendar, supposed: Mapping[date, str]) -> Calendar:
    """Real holidays keep their own titles when one of them is also supposed."""
    return calendar.with_closed({day: why for day, why in supposed.items() if day not in calendar.closed})


def _instant(text: str, option: str = "--from") -> datetime:
    read = read_instant(text)
    if isinstance(read, TimeFault):
        example = "2026-11-23T10:00+00:00"
        _stop(WRONG_USE, f"write {option} as an ISO 8601 instant with its offset, such as {example}")
    return read


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        _stop(WRONG_USE, "write a date as year-month-day, such as 2026-12-28")


def _document(table: ClockTable, answer: Due) -> dict[str, Any]:
    clock = answer.clock
    return {
        "pack": table.header.name,
        "version": table.header.version,
        "clock": clock.id,
        "unit": clock.unit.value,
        "amount": clock.amount,
        "convention": clock.convention.value,
        "statutory": clock.statutory,
        "start": clock.start,
        "due_on": answer.due_on.isoformat() if answer.due_on else None,
        "due_at": written(answer.due_at) if answer.due_at else None,
        "counted": [day.isoformat() for day in answer.counted],
        "skipped": [{"date": each.on.isoformat(), "why": each.why} for each in answer.skipped],
    }


def _by(listed: Listed) -> dict[str, str]:
    return {"holidays": listed.holidays.version, "holidays_from": listed.source}


def _sentence(answer: Due, aim: Due | None, calendar: Calendar) -> str:
    """The same answer in plain words; the aim of a clock that has one comes after it."""
    match answer.clock.unit:
        case Unit.NONE:
            said = "no limit: it only grows older"
        case Unit.AS_SET:
            said = "no limit of its own: the day is set case by case"
        case _:
            said = f"{'exactly on' if answer.clock.exact else 'due by'} {_when(answer, calendar)}{_counting(answer)}"
    return said if aim is None else f"{said}\ntarget: by {_when(aim, calendar)}{_counting(aim)}"


def _when(answer: Due, calendar: Calendar) -> str:
    assert answer.due_on is not None
    assert answer.due_at is not None
    wall = calendar.local(answer.due_at)
    match answer.clock.day_end:
        case DayEnd.MIDNIGHT:
            return f"the end of {_day(answer.due_on)}"
        case DayEnd.COB if answer.clock.exact:
            return f"{_day(answer.due_on)}, by {_hour(wall)}"
        case DayEnd.COB:
            return f"{_hour(wall)} on {_day(answer.due_on)}"
        case DayEnd.HOURS:
            return f"{_exact(wall)} on {_day(answer.due_on)} ({wall:%Z})"


def _exact(wall: datetime) -> str:
    return f"{wall:%H:%M:%S}" if wall.second or wall.microsecond else f"{wall:%H:%M}"


def _hour(wall: datetime) -> str:
    minutes = f":{wall:%M}" if wall.minute else ""
    return f"{wall.hour % 12 or 12}{minutes}{'am' if wall.hour < 12 else 'pm'}"


def _day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _counting(answer: Due) -> str:
    parts = []
    if answer.counted:
        parts.append(f"counted {', '.join(_short(day) for day in answer.counted)}")
    if answer.skipped:
        parts.append("skipped " + ", ".join(f"{_short(each.on)} {each.why}" for each in answer.skipped))
    return f" ({'; '.join(parts)})" if parts else ""


def _short(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def _row(table: ClockTable, calendar: Calendar, day: date) -> dict[str, Any]:
    header = table.header
    overdue = header.review_overdue(day)
    warnings = []
    if overdue:
        warnings.append(f"its review was due on {header.review_due_on} and is overdue")
    if calendar.covers_until - day < HOLIDAYS_SHOULD_REACH:
        warnings.append(f"holiday data ends on {calendar.covers_until}: upload a newer file")
    return {
        "pack": header.name,
        "title": header.title,
        "version": header.version,
        "effective_on": header.effective_on.isoformat(),
        "review_due_on": header.review_due_on.isoformat(),
        "review_overdue": overdue,
        "working_together": header.working_together,
        "status": header.status,
        "holidays": calendar.version,
        "holidays_until": calendar.covers_until.isoformat(),
        "clocks": list(table.clocks),
        "warnings": warnings,
    }


def _today() -> date:
    """Today in England; imported when needed, so that `explain` starts at once."""
    from gateway.app import local_today

    return local_today()


def _stop(status: int, remedy: str) -> NoReturn:
    """One line on standard error that says what to do; what was typed is not repeated."""
    typer.echo(" ".join(remedy.split()), err=True)
    raise typer.Exit(status)

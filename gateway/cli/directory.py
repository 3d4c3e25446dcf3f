"""`gateway directory`: the partnership's address book: import it from a file, look for gaps, list it, try a way.

Invariants: an import is done whole or not at all, by two officers, with an entry in the ledger; whoever's address was
replaced is owed word of it at the old one. Exit status: 0 done, 1 a fault in the file or a gap, 2 wrong use or unreadable input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.import_directory import DirectoryImport, Imported, import_directory, planned_import
from gateway.actions.settle import settle
from gateway.actions.try_way import Tried, WayTrial, try_way
from gateway.cli.session import JsonFlag, answer, opened, run, stop
from gateway.core.messages import AgencyId, AgencyKind, PartnershipId, RoleId, Seat
from gateway.core.officers import TwoOfficers
from gateway.core.presence import local_day
from gateway.core.routing import Agency, Directory
from gateway.core.rules import OWNER_WORDS, Pack, Recipients, Whom
from gateway.core.sandbox import SANDBOX
from gateway.partnerships import packs
from gateway.partnerships.directory_files import KINDS, read_file
from gateway.partnerships.directory_rows import DirectoryFile
from gateway.partnerships.directory_tables import LARGEST_BYTES
from gateway.parts import Parts
from gateway.store import directory
from gateway.store import packs as pack_rows

app = typer.Typer(help="The partnership's address book.", no_args_is_help=True)

Partnership = Annotated[
    str,
    typer.Option("--partnership", metavar="P", help="Whose directory; the one in force when there is one."),
]

IMPORT_EXAMPLE = (
    "Example: gateway directory import people.csv --partnership south-tyneside --dry-run "
    "(then --officer 'Winifred Stave' --second-officer 'Desmond Quill')"
)
CHECK_EXAMPLE = "Example: gateway directory check --partnership south-tyneside --json"
TEST_EXAMPLE = "Example: gateway directory test harbour-view-primary dsl"
LIST_EXAMPLE = "Example: gateway directory list --partnership south-tyneside --json"


@app.command("import", epilog=IMPORT_EXAMPLE)
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.xlsx", help="Agencies, people, or both.")],
    partnership: Partnership = "",
    kind: Annotated[
        str | None, typer.Option(metavar="|".join(KINDS), help="What the rows are; both without it.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    officer: Annotated[str, typer.Option("--officer", metavar="NAME", help="Who does this.")] = "",
    second_officer: Annotated[
        str, typer.Option("--second-officer", metavar="NAME", help="Who agrees to it: another person.")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Change the directory from a file: whole, or not at all when any row has a fault.

    Columns: id, kind, name, code for agencies and schools; agency, role, rank, name, email, telephone, adapter, address,
    secret, works, absent_from, absent_until for people; agency, term, starts_on, ends_on for terms. A row with id is an
    agency, a row with agency a person. The name (nobody) empties a seat. --kind schools also takes the register of
    schools (GIAS) as it is published.
    """
    if kind is not None and kind not in KINDS:
        stop(f"--kind is one of {', '.join(KINDS)}", 2)
    content = _content(file)
    officers = None if dry_run else TwoOfficers(officer, second_officer)
    told = run(_import(file.name, content, partnership, kind, officers))
    answer(told, _import_in_words(told), as_json)
    raise typer.Exit(1 if told["errors"] else 0)


@app.command("check", epilog=CHECK_EXAMPLE)
def check(partnership: Partnership = "", as_json: JsonFlag = False) -> None:
    """Say which seats nobody could be reached in: exit 1 if there are any."""
    found = run(_check(partnership))
    lines = [f"{row['what']}: {row['remedy']}" for row in found] or ["every role of the pack can be reached"]
    answer(found, lines, as_json)
    raise typer.Exit(1 if found else 0)


@app.command("list", epilog=LIST_EXAMPLE)
def list_directory(partnership: Partnership = "", as_json: JsonFlag = False) -> None:
    """List agencies, seats, holders and ways; never a secret."""
    document = run(_list(partnership))
    lines: list[str] = []
    for agency in document["agencies"]:
        lines.append(f"{agency['id']} ({agency['kind']}): {agency['name']}{_in_brackets(agency['code'])}")
        lines += [f"  {_seat_in_words(seat)}" for seat in document["seats"] if seat["agency"] == agency["id"]]
    answer(document, lines or ["nobody is enrolled yet"], as_json)


async def _import(
    name: str, content: bytes, wanted: str, kind: str | None, officers: TwoOfficers | None
) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await the_partnership(parts, wanted)
        file = read_file(name, content, kind, allow_test=not parts.settings.is_production)
        key = await parts.make_key(None, parts.clock()) if officers else None
        asked = DirectoryImport(partnership, file, officers, key)
        if officers is None:
            planned = await parts.store.read(lambda tx: planned_import(tx, parts, asked))
            return _document(partnership, file, Imported(planned, None))
        return _document(partnership, file, await settle(parts, import_directory, asked))


async def the_partnership(parts: Parts, wanted: str) -> PartnershipId:
    """The partnership named, or the only one in force; one line and exit 2 when neither says which."""
    rows = await parts.store.read(pack_rows.in_force)
    known = [row.partnership for row in rows]
    if wanted and wanted not in {*known, *packs.names()}:
        stop("there is no such partnership; see `gateway rules list`, and put its pack in force first", 1)
    if wanted:
        return PartnershipId(wanted)
    real = [one for one in known if one != SANDBOX]
    if not real:
        stop(
            "no partnership is in force here: `gateway rules activate PACK`, or name one with --partnership",
            2,
        )
    if len(real) != 1:
        stop(f"say which with --partnership: {', '.join(sorted(real))}", 2)
    return real[0]


@app.command("test", epilog=TEST_EXAMPLE)
def send_test(
    agency: Annotated[str, typer.Argument(metavar="AGENCY", help="The agency's id, as the list has it.")],
    role: Annotated[str, typer.Argument(metavar="ROLE", help="The role, such as dsl.")],
    partnership: Partnership = "",
    as_json: JsonFlag = False,
) -> None:
    """Send a test by the way in which a seat is reached: it is about nobody and asks nothing. That it was sent is recorded."""

    async def work() -> Tried:
        async with opened() as parts:
            seat = Seat(AgencyId(agency), RoleId(role))
            return await try_way(parts, WayTrial(await the_partnership(parts, partnership), seat))

    tried = run(work())
    told = {
        "way": tried.way,
        "delivery": tried.delivery,
        "taken": tried.is_taken if tried.delivery is None else None,
        "reason": tried.reason,
    }
    if tried.delivery is not None:
        lines = [f"The test is on its way by e-mail as {tried.delivery}: see gateway deliveries list"]
    else:
        lines = [f"{tried.way}: {'taken' if tried.is_taken else f'not taken ({tried.reason})'}"]
    answer(told, lines, as_json)
    if tried.delivery is None and not tried.is_taken:
        raise typer.Exit(1)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            return source.read(LARGEST_BYTES + 1)
    except OSError:
        stop("cannot read that file: name one CSV or XLSX file that you may open", 2)


def _document(partnership: PartnershipId, file: DirectoryFile, done: Imported) -> dict[str, Any]:
    return {
        "partnership": partnership,
        "rows": file.rows,
        "errors": [asdict(fault) for fault in done.plan.faults],
        "changes": [] if done.plan.faults else [asdict(change) for change in done.plan.changes],
        "passed_over": done.plan.passed_over,
        "written": done.receipt is not None,
        "told": [
            {
                "agency": notice.change.agency,
                "role": notice.change.role,
                "address": notice.change.old_address,
                "delivery": notice.delivery,
            }
            for notice in done.notices
        ],
        "receipt": {"id": done.receipt.id, "jws": done.receipt.jws} if done.receipt else None,
    }


def _import_in_words(told: dict[str, Any]) -> list[str]:
    lines = [f"{told['rows']} rows read"]
    if told["passed_over"]:
        lines.append(
            f"{told['passed_over']} closed schools that the directory does not know were passed over"
        )
    lines += [f"row {e['row']}, {e['column'] or 'the whole row'}: {e['what']}" for e in told["errors"]]
    for change in told["changes"]:
        which = " ".join(str(change[name]) for name in ("agency", "role", "rank") if change[name] is not None)
        lines.append(f"{change['change']}: {change['what']} {which}")
    for each in told["told"]:
        lines.append(f"the old address of {each['agency']} {each['role']} is told by {each['delivery']}")
    if told["errors"]:
        return [*lines, "nothing was changed: mend the rows above"]
    if not told["changes"]:
        return [*lines, "nothing to change"]
    return [
        *lines,
        f"done; receipt {told['receipt']['id']}" if told["written"] else "nothing was changed yet",
    ]


async def _check(wanted: str) -> list[dict[str, Any]]:
    async with opened() as parts:
        partnership = await the_partnership(parts, wanted)
        row = await parts.store.read(lambda tx: pack_rows.current(tx, partnership))
        pack = packs.parse(partnership, row.files) if row else packs.shipped(partnership)
        found = await parts.store.read(lambda tx: directory.load(tx, partnership))
        return list(gaps(pack, found, parts))


def gaps(pack: Pack, found: Directory, parts: Parts) -> Iterator[dict[str, Any]]:
    """Roles that nobody holds, seats whose every holder is absent, schools without a lead, ways that are not set up here."""
    at = parts.clock()
    for role in sorted({to.role for to in _recipients(pack) if to.whom is Whom.SEAT}):
        if not found.seats_of(role):
            yield _gap("nobody-holds-the-role", None, role, f"nobody holds {role}", "import somebody")
    for seat in sorted(found.seats, key=lambda seat: (seat.agency, seat.role)):
        if found.is_deserted(seat, at):
            what = f"everybody in {seat.role} of {seat.agency} is absent"
            yield _gap("all-absent", seat.agency, seat.role, what, "name a deputy, or end an absence")
        way = found.way_to(seat)
        if way.adapter == "mail" and found.mail_address(seat, at) is None:
            what = f"no e-mail address is enrolled for {seat.role} of {seat.agency}"
            yield _gap("no-address", seat.agency, seat.role, what, "import an address or a team mailbox")
        if way.adapter not in parts.adapters:
            what = f"{seat.role} of {seat.agency} is reached by {way.adapter}, which is not set up here"
            yield _gap("way-not-set-up", seat.agency, seat.role, what, "see `gateway doctor`")
    for school in (a for a in found.agencies.values() if a.kind is AgencyKind.SCHOOL):
        if Seat(school.id, RoleId("dsl")) not in found.seats:
            what = f"the school {school.id} has no designated safeguarding lead"
            yield _gap("school-without-lead", school.id, RoleId("dsl"), what, "import its lead")
        if school.school is not None and not school.school.is_open(local_day(at)):
            what = f"the school {school.id} is not open"
            yield _gap(
                "school-closed", school.id, RoleId("dsl"), what, "find where its pupils and records went"
            )
    for agency, terms in sorted(found.terms.items()):
        if all(term.ends_on < local_day(at) for term in terms):
            what = f"the term dates of {agency} have run out, so every day counts as holiday"
            yield _gap("terms-ended", agency, RoleId("dsl"), what, "import new ones with --kind terms")


def _gap(code: str, agency: str | None, role: str, what: str, remedy: str) -> dict[str, Any]:
    return {"gap": code, "agency": agency, "role": role, "what": what, "remedy": remedy}


def _recipients(pack: Pack) -> Iterator[Recipients]:
    for route in pack.routes:
        yield from route.deliver
        yield from (duty.owner for duty in route.duties)
    for decision in pack.decisions:
        yield from (Recipients(seat) for seat in decision.seats)
    for follows in pack.consequences:
        yield from (duty.owner for duty in follows.duties)
        yield from (Recipients(letter.sender_role) for letter in follows.letters)
    for chase in pack.chases:
        yield from (Recipients(RoleId(to)) for to in chase.to if to not in OWNER_WORDS)


async def _list(wanted: str) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await the_partnership(parts, wanted)
        found = await parts.store.read(lambda tx: directory.load(tx, partnership))
        at = parts.clock()
    seats = {*found.seats, *found.ways}
    return {
        "partnership": partnership,
        "agencies": [
            {"id": a.id, "kind": a.kind.value, "name": a.name, "code": a.code, "school": _school(a, at)}
            for a in sorted(found.agencies.values(), key=lambda agency: agency.id)
        ],
        "seats": [
            {
                "agency": seat.agency,
                "role": seat.role,
                "adapter": found.way_to(seat).adapter,
                "address": found.way_to(seat).address,
                "holders": [
                    {
                        "rank": holder.rank,
                        "name": holder.name,
                        "email": holder.email,
                        "telephone": holder.telephone,
                        "works": holder.works.text if holder.works else None,
                        "absent": holder.is_absent(at, found.in_term(seat.agency, local_day(at))),
                    }
                    for holder in found.seats.get(seat, ())
                ],
            }
            for seat in sorted(seats, key=lambda seat: (seat.agency, seat.role))
        ],
    }


def _school(agency: Agency, at: datetime) -> dict[str, Any] | None:
    """What the register of schools says of it, with the office that an officer may ring to find the lead."""
    if agency.school is None:
        return None
    facts = asdict(agency.school) | {"standing": agency.school.standing.value}
    days = {name: str(facts[name]) if facts[name] else None for name in ("opened_on", "closed_on")}
    return facts | days | {"is_open": agency.school.is_open(local_day(at))}


def _seat_in_words(seat: dict[str, Any]) -> str:
    holders = ", ".join(
        f"{holder['name']}{' (absent)' if holder['absent'] else ''}" for holder in seat["holders"]
    )
    return f"{seat['role']}: {holders or 'every role'}, by {seat['adapter']}"


def _in_brackets(code: str | None) -> str:
    return f" [{code}]" if code else ""

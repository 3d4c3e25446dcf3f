"""`gateway incidents`: which there are, which are about the same child, and what is then owed twice.

Invariant: who a child is never stands in the arguments of a command, where a shell keeps its history and every user of the
machine sees them; it comes from a prompt, a file or standard input, and is echoed nowhere. Opening and searching are entries
in the ledger; the list names nobody.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.find_incidents_of_child import ChildSought, find_incidents_of_child
from gateway.actions.link_incidents import Linking, Word, doubled_duties
from gateway.actions.link_incidents import link_incidents as link_two
from gateway.actions.reindex import reindex
from gateway.actions.view import Viewing, view
from gateway.cli.held import in_words
from gateway.cli.restricting import admit, restrict, unrestrict
from gateway.cli.session import (
    PAGE,
    After,
    JsonFlag,
    Limit,
    Officer,
    answer,
    more,
    no_such_place,
    opened,
    partnership_of,
    run,
)
from gateway.core.errors import ErrorCode, Refused
from gateway.core.identifiers import normalise_nhs_number
from gateway.core.identity import Identity
from gateway.core.messages import IncidentId, PartnershipId
from gateway.parts import Parts
from gateway.store import incidents, likenesses, overview
from gateway.store.duties import DutyRow
from gateway.store.incidents import Incident
from gateway.store.likenesses import APART, LINKED, POSSIBLE, LikenessRow
from gateway.store.transaction import Tx

SOUGHT = frozenset({"nhs_number", "family_name", "given_names", "date_of_birth"})

app = typer.Typer(help="Incidents, and which of them are about the same child.", no_args_is_help=True)

for command in (restrict, admit, unrestrict):
    app.command()(command)

One = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, SI-….")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="The other incident's id.")]
Words = Annotated[str, typer.Option(metavar="TEXT", help="Why; sealed with both incidents.")]
Partnership = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only of this partnership; else of each in force here.")
]


@app.command("list")
def list_incidents(
    partnership: Partnership = None, limit: Limit = PAGE, after: After = None, as_json: JsonFlag = False
) -> None:
    """List incidents, the newest first, with those that are linked or may be about the same child.

    Example: gateway incidents list --partnership south-tyneside
    """
    found = run(_list(partnership, after, limit))
    following = found[-1]["id"] if len(found) == limit else None
    lines = [*[_line(one) for one in found], *more(following)]
    answer({"incidents": found, "next": following}, lines or ["No incidents."], as_json)


@app.command()
def show(incident: One, officer: Officer, as_json: JsonFlag = False) -> None:
    """Show one incident without its messages' content: state, who is involved, links. This leaves an entry in the ledger.

    Example: gateway incidents show SI-7K3M-9QPX-2D --officer "W. Stave"
    """
    told = run(_show(IncidentId(incident), officer))
    lines = [_line(told), f"involved: {', '.join(told['involved'])}"]
    for pair in told["alike"]:
        lines.append(
            f"{pair['state']}: {pair['incident']} ({'; '.join(pair['in_words']) or 'by an officer'})"
        )
    answer(told, lines, as_json)


@app.command()
def link(
    incident: One,
    other: Other,
    officer: Officer,
    reason: Words,
    not_the_same: Annotated[
        bool, typer.Option("--not-the-same", help="They are not about the same child: do not ask again.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say that two incidents are about the same child (or are not). They are linked both ways, never merged.

    Example: gateway incidents link SI-7K3M-9QPX-2D SI-4RTV-8HNC-6W --officer "W. Stave" --reason "One fall, told twice"
    """
    word = Word.NOT_THE_SAME if not_the_same else Word.SAME
    _say(Linking(IncidentId(incident), IncidentId(other), officer, word, reason), as_json)


@app.command()
def unlink(incident: One, other: Other, officer: Officer, reason: Words, as_json: JsonFlag = False) -> None:
    """Take back a link: the two are not about the same child.

    Example: gateway incidents unlink SI-7K3M-9QPX-2D SI-4RTV-8HNC-6W --officer "W. Stave" --reason "Two cousins"
    """
    _say(Linking(IncidentId(incident), IncidentId(other), officer, Word.UNLINKED, reason), as_json)


@app.command()
def doubled(incident: One, other: Other, as_json: JsonFlag = False) -> None:
    """List what two incidents both expect of the same seat by the same clock; waive one of each with `gateway duties waive`.

    Example: gateway incidents doubled SI-7K3M-9QPX-2D SI-4RTV-8HNC-6W
    """
    found = run(_doubled(IncidentId(incident), IncidentId(other)))
    lines = [
        f"{one['role']}@{one['agency']} owes {one['expects']} ({one['clock']}) twice: "
        + ", ".join(
            f"{duty['id']} {duty['state']} by {duty['due_at'] or 'no limit'}" for duty in one["duties"]
        )
        + ("; set by law, cannot be waived" if one["statutory"] else "")
        for one in found
    ]
    answer({"doubled": found}, lines or ["Nothing is owed twice."], as_json)


@app.command()
def search(
    officer: Officer,
    reason: Annotated[
        str,
        typer.Option(metavar="CODE", help="Why, as a code without names: duplicate-check, subject-access."),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help='Who, as JSON: {"nhs_number": …} or {"family_name": …, "date_of_birth": …}; "-" is standard input.',
        ),
    ] = None,
    partnership: Partnership = None,
    as_json: JsonFlag = False,
) -> None:
    """Find a child's incidents by NHS number, or by family name and date of birth, also spelled or transposed otherwise.

    Who is looked for is asked at a prompt, or read with --from: never given as an argument, since shells keep what is typed.
    Each search is an entry in the ledger, and in that of every incident found.

    Example: gateway incidents search --officer "W. Stave" --reason duplicate-check --from child.json
    """
    child = ask_child() if source is None else read_child(source)
    found = run(_search(child, officer, reason, partnership))
    lines = [
        f"{one['incident']} child {one['child']}: {one['strength']} ({'; '.join(one['in_words'])})"
        for one in found
    ]
    answer({"found": found}, lines or ["No incident is found."], as_json)


@app.command("reindex")
def reindex_all(officer: Officer, partnership: Partnership = None, as_json: JsonFlag = False) -> None:
    """Make the blind index anew from the sealed messages: after a new master key, or when a release says so.

    Example: gateway incidents reindex --officer "W. Stave"
    """
    told = run(_reindex(officer, partnership))
    answer(told, [f"{told['incidents']} incidents are indexed anew"], as_json)


async def _reindex(officer: str, partnership: str | None) -> dict[str, int]:
    async with opened() as parts:
        names = await parts.store.read(lambda tx: _in_force(tx, partnership))
        known = await parts.store.read(lambda tx: incidents.every(tx, names))
        done = [await reindex(parts, one.partnership, one.id, officer) for one in known]
    return {"incidents": sum(count > 0 for count in done)}


async def _list(partnership: str | None, after: str | None, most: int) -> list[dict[str, Any]]:
    async with opened() as parts:
        return await parts.store.read(lambda tx: _listed(tx, _in_force(tx, partnership), after, most))


def _listed(tx: Tx, names: Sequence[PartnershipId], after: str | None, most: int) -> list[dict[str, Any]]:
    last = _named(tx, names, IncidentId(after)) if after is not None else None
    pairs = [pair for name in names for pair in likenesses.of_partnership(tx, name)]
    return _documents(incidents.every(tx, names, last, most), pairs)


def _named(tx: Tx, names: Sequence[PartnershipId], incident: IncidentId) -> Incident:
    """The incident that the page before ended with."""
    found = next((one for name in names if (one := incidents.find(tx, name, incident))), None)
    if found is None:
        raise no_such_place()
    return found


def _in_force(tx: Tx, partnership: str | None) -> tuple[PartnershipId, ...]:
    """The partnership named, or every one with rules in force here."""
    known = overview.partnerships(tx)
    if partnership is None:
        return known
    if partnership not in known:
        raise Refused(
            ErrorCode.NOT_FOUND,
            detail="No partnership of this name is in force here: see `gateway rules list`.",
        )
    return (PartnershipId(partnership),)


def _documents(found: Sequence[Incident], pairs: Sequence[LikenessRow]) -> list[dict[str, Any]]:
    about: dict[IncidentId, list[LikenessRow]] = {}
    for pair in pairs:
        about.setdefault(pair.first, []).append(pair)
        about.setdefault(pair.second, []).append(pair)
    return [_document(one, about.get(one.id, ())) for one in found]


def _document(found: Incident, pairs: Sequence[LikenessRow]) -> dict[str, Any]:
    return {
        "id": found.id,
        "partnership": found.partnership,
        "state": found.state,
        "label": found.label,
        "police_hold": found.police_hold,
        "outcome": (found.outcome or {}).get("outcome"),
        "opened_at": found.opened_at.isoformat(),
        "linked": sorted(pair.other(found.id) for pair in pairs if pair.state == LINKED),
        "possible_duplicates": sorted(pair.other(found.id) for pair in pairs if pair.state == POSSIBLE),
    }


def _line(told: Mapping[str, Any]) -> str:
    parts = [f"{told['id']}  {told['state']:<8} {told['label'] or 'no label yet'}, since {told['opened_at']}"]
    if told["police_hold"]:
        parts.append(f"UNDER A POLICE HOLD ({told['police_hold']})")
    if told["linked"]:
        parts.append(f"linked to {', '.join(told['linked'])}")
    if told["possible_duplicates"]:
        parts.append(f"may be about the same child as {', '.join(told['possible_duplicates'])}")
    return "; ".join(parts)


async def _show(incident: IncidentId, officer: str) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await partnership_of(parts, incident)
        await parts.perform(view, Viewing(officer, partnership, incident), partnership, incident)
        return await parts.store.read(lambda tx: _shown(tx, partnership, incident))


def _shown(tx: Tx, partnership: PartnershipId, incident: IncidentId) -> dict[str, Any]:
    found = incidents.find(tx, partnership, incident)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no incident of this id.")
    pairs = likenesses.of_partnership(tx, partnership, incident)
    return {
        **_document(found, pairs),
        "involved": sorted(incidents.participants(tx, partnership, incident)),
        "moments": {
            name: at.isoformat() for name, at in incidents.moments(tx, partnership, incident).items()
        },
        "alike": [_pair(pair, incident) for pair in pairs if pair.state != APART],
    }


def _pair(pair: LikenessRow, incident: IncidentId) -> dict[str, Any]:
    return {
        "incident": pair.other(incident),
        "state": pair.state,
        "strength": pair.strength,
        "reasons": list(pair.reasons),
        "in_words": [in_words(reason) for reason in pair.reasons],
        "children": [list(letters) for letters in pair.letters(incident)],
        "found_at": pair.found_at.isoformat(),
    }


def _say(asked: Linking, as_json: bool) -> None:
    told = run(_link(asked))
    said = {
        Word.SAME: "are linked. Look with `gateway incidents doubled` at what is owed twice",
        Word.NOT_THE_SAME: "are not about the same child; nobody is asked again",
        Word.UNLINKED: "are no longer linked",
    }
    answer(told, [f"{asked.first} and {asked.second} {said[asked.word]}"], as_json)


async def _link(asked: Linking) -> dict[str, Any]:
    async with opened() as parts:
        partnership = await partnership_of(parts, asked.first)
        stated = await parts.perform(link_two, asked, partnership, None)
    names = sorted((asked.first, asked.second))
    return {"incidents": names, "state": asked.word.value, "receipts": [one.id for one in stated]}


async def _doubled(first: IncidentId, second: IncidentId) -> list[dict[str, Any]]:
    async with opened() as parts:
        partnership = await partnership_of(parts, first)
        if await partnership_of(parts, second) != partnership:
            raise Refused(ErrorCode.NOT_FOUND, detail="They are not of one partnership.")
        pack = (await parts.partnerships.snapshot(partnership)).pack
        found = await parts.store.read(lambda tx: doubled_duties(tx, pack, first, second))
    return [
        {
            "agency": one.first.agency,
            "role": one.first.role,
            "expects": one.first.expects,
            "clock": one.first.clock,
            "statutory": one.statutory,
            "duties": [_duty(one.first), _duty(one.second)],
        }
        for one in found
    ]


def _duty(row: DutyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "incident": row.incident,
        "state": row.state.value,
        "due_at": row.due_at.isoformat() if row.due_at else None,
    }


def ask_child() -> Identity:
    """Who is looked for, asked on standard error so that standard output holds the answer alone."""
    number = typer.prompt("NHS number (empty to search by name)", default="", show_default=False, err=True)
    if number.strip():
        return _identity({"nhs_number": number})
    name = typer.prompt("Family name", err=True)
    born = typer.prompt("Date of birth (YYYY-MM-DD)", err=True)
    given = typer.prompt("Given names (may be empty)", default="", show_default=False, err=True)
    return _identity({"family_name": name, "date_of_birth": born, "given_names": given})


def read_child(source: str) -> Identity:
    """Who is looked for, from a file or standard input ("-"); wrong use when it says nothing of a child."""
    try:
        text = (sys.stdin.read() if sys.stdin else "") if source == "-" else Path(source).read_text("utf-8")
        document = json.loads(text)
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise typer.BadParameter(
            'name a file that says who, as JSON such as {"nhs_number": …}: who is looked for is never an argument, since'
            " shells keep what is typed"
        )
    return _identity(document)


def _identity(document: Mapping[str, Any]) -> Identity:
    """Who is looked for; what is wrong is named by its member and never shown."""
    given = {
        name: value.strip() for name, value in document.items() if isinstance(value, str) and value.strip()
    }
    if not document.keys() <= SOUGHT:
        raise typer.BadParameter(f"only these are known: {', '.join(sorted(SOUGHT))}")
    number = normalise_nhs_number(given["nhs_number"]) if "nhs_number" in given else None
    if "nhs_number" in given and number is None:
        raise typer.BadParameter("nhs_number is no NHS number: ten digits, the last a check digit")
    born_on = _birth(given["date_of_birth"]) if "date_of_birth" in given else None
    if number is None and (born_on is None or "family_name" not in given):
        raise typer.BadParameter("give nhs_number, or family_name and date_of_birth")
    return Identity(given.get("given_names"), given.get("family_name"), (), born_on, number)


def _birth(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("date_of_birth is no date: YYYY-MM-DD") from None


async def _search(
    child: Identity, officer: str, reason: str, partnership: str | None
) -> list[dict[str, Any]]:
    async with opened() as parts:
        names = await parts.store.read(lambda tx: _in_force(tx, partnership))
        return [
            document
            for name in names
            for document in await _search_in(parts, name, ChildSought(child, officer, reason))
        ]


async def _search_in(parts: Parts, partnership: PartnershipId, asked: ChildSought) -> list[dict[str, Any]]:
    found = await parts.perform(find_incidents_of_child, asked, partnership, None)
    return [
        {
            "incident": one.incident,
            "partnership": partnership,
            "child": one.child,
            "strength": one.strength,
            "reasons": list(one.reasons),
            "in_words": [in_words(reason) for reason in one.reasons],
        }
        for one in found
    ]

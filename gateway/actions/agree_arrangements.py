"""Ask a second officer about what concerns no incident: the rules in force, the bank holidays by which dates are counted, agencies'
endpoints, and who the officers are.

Invariant: as in `second_officer`, what is done is exactly what was asked, by the very action that the command line calls, in the
transaction in which another officer agrees; an asking is settled once, and lapses after a week. What is asked for names nobody but
officers, so it is kept as it is. To add one: a row in ARRANGEMENTS. Source: architecture section 9 (rule packs and holidays take two).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.actions.activate_pack import Activation, activate_pack
from gateway.actions.change_calendar import (
    LARGEST_LIST_BYTES,
    CalendarChange,
    change_calendar,
    government_list,
    in_force,
)
from gateway.actions.change_officer import (
    Invitation,
    NewAddress,
    NewOfficer,
    NewRoles,
    Suspension,
    add_officer,
    change_address,
    change_roles,
    invite_officer,
    suspend_officer,
)
from gateway.actions.end_webhook import OfficersRemoval, take_webhook_away
from gateway.actions.prove import Occasion, Said, Subject, prove
from gateway.actions.second_officer import LIFE, Answering, asker_must_stand
from gateway.actions.settle_webhook import Agreement, agree_webhook
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId
from gateway.core.officers import TwoOfficers
from gateway.core.permissions import Needs, known_roles
from gateway.core.receipts import Event
from gateway.partnerships import packs
from gateway.parts import Parts
from gateway.store import packs as pack_rows
from gateway.store import proposals, webhooks
from gateway.store.proposals import ProposalRow
from gateway.store.transaction import Tx

LONDON = ZoneInfo("Europe/London")
MOST_CHARACTERS = 200
NONE = "-"  # a field that was left empty

Fields = Mapping[str, str]
Do = Callable[[Tx, Parts, Occasion, PartnershipId | None, Fields, TwoOfficers], object]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Something of the deployment that takes two: its title, the most characters of each field, who may, and the action.

    What is `for_all` concerns every partnership: only who sees them all may ask or agree.
    """

    title: str
    fields: Mapping[str, int]
    for_all: bool
    do: Do
    needs: Needs = Needs.DECIDE


@dataclass(frozen=True, slots=True)
class ArrangementAsked:
    """The first officer asks; `partnership` is None for what concerns them all."""

    act: str
    partnership: PartnershipId | None
    fields: Fields
    officer: str


def ask_arrangement(tx: Tx, parts: Parts, occasion: Occasion, asked: ArrangementAsked) -> str:
    """Keep what is asked for until another officer settles it; its id. Refused when something is missing or too long."""
    act = ARRANGEMENTS.get(asked.act)
    if act is None or act.for_all is not (asked.partnership is None):
        raise Refused(ErrorCode.MALFORMED_REQUEST)
    said = {name: asked.fields.get(name, "").strip() for name in act.fields}
    if not all(0 < len(text) <= act.fields[name] for name, text in said.items()):
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Something is missing, or too long.")
    proposal = f"ask-{occasion.supply.take(13).hex()}"
    row = ProposalRow(
        proposal,
        asked.partnership,
        None,
        asked.act,
        None,
        said,
        asked.officer,
        occasion.at,
        occasion.at + LIFE,
        proposals.WAITING,
        None,
        None,
    )
    proposals.add(tx, row)
    _say(tx, parts, occasion, row, Event.AGREEMENT_ASKED)
    return proposal


def answer_arrangement(
    tx: Tx, parts: Parts, occasion: Occasion, partnership: PartnershipId | None, asked: Answering
) -> ProposalRow:
    """Do it with both officers' names, or refuse it. Refused for one person alone, and when it was settled or has lapsed."""
    tx.take_turns(f"proposal:{asked.proposal}")
    row = proposals.find(tx, partnership, asked.proposal)
    if row is None or row.act not in ARRANGEMENTS:
        raise Refused(ErrorCode.NOT_FOUND)
    if not row.waits_at(occasion.at) or row.arrangement is None:
        detail = "Somebody has already settled this, or it has lapsed."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    if not asked.refuse:
        asker_must_stand(tx, row)
        both = TwoOfficers(row.asked_by, asked.officer)
        ARRANGEMENTS[row.act].do(tx, parts, occasion, row.partnership, row.arrangement, both)
    state = proposals.REFUSED if asked.refuse else proposals.AGREED
    if not proposals.settle(tx, row, state, asked.officer, occasion.at):
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Somebody has already settled this.")
    if asked.refuse:
        _say(tx, parts, occasion, row, Event.AGREEMENT_REFUSED)
    return row
    # A crash before the commit: nothing was done and it still waits.


def files_of_version(tx: Tx, partnership: PartnershipId, version: str) -> Mapping[str, str] | None:
    """A version's texts: as it was in force here, else as it came with this release; None when there is no such version."""
    known = pack_rows.version(tx, partnership, version)
    if known is not None:
        return known.files
    if partnership not in packs.names() or packs.shipped(partnership).version != version:
        return None
    return packs.read_files(packs.HERE / partnership)


def _say(tx: Tx, parts: Parts, occasion: Occasion, row: ProposalRow, event: Event) -> None:
    subject = Subject(row.id, row.partnership, None, None)
    prove(tx, parts, occasion, subject, [Said(event, reason=row.act)])


# --- the arrangements


def _activate(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    """The very text that was looked at: another release may have come meanwhile, with other text under the same version."""
    assert partnership is not None
    files = files_of_version(tx, partnership, fields["version"])
    if files is None or packs.digest(files) != fields["digest"]:
        detail = "These rules are not those that were asked for any more. Look at them and ask anew."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return activate_pack(tx, parts, occasion, Activation(partnership, files, officers, fields["mark"]))


def _change_calendar(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    """Named by the day on which it comes into force; open duties are counted anew by the timetable's next round."""
    today = occasion.at.astimezone(LONDON).date()
    listed = government_list(fields["list"].encode(), in_force(tx), today)
    return change_calendar(tx, parts, occasion, CalendarChange(listed, officers))


def _add_officer(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    email, subject = (None if fields[name] == NONE else fields[name] for name in ("email", "subject"))
    roles = known_roles(fields["roles"].split(","))
    asked = NewOfficer(fields["name"], roles, officers.first, officers.second, email, subject)
    return add_officer(tx, parts, occasion, asked)


def _change_roles(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    roles = known_roles(fields["roles"].split(","))
    return change_roles(tx, parts, occasion, NewRoles(fields["name"], roles, officers.first, officers.second))


def _let_in(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    asked = Suspension(fields["name"], officers.first, officers.second, lift=True)
    return suspend_officer(tx, parts, occasion, asked)


def _change_address(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    email = None if fields["email"] == NONE else fields["email"]
    return change_address(
        tx, parts, occasion, NewAddress(fields["name"], email, officers.first, officers.second)
    )


def _invite(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    """The link works from now on; whoever asked has seen it, here is only its digest."""
    replace = fields["replace"] == "yes"
    asked = Invitation(fields["name"], fields["link"], officers.first, officers.second, replace)
    return invite_officer(tx, parts, occasion, asked)


def _agree_webhook(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    _must_be_of(tx, partnership, fields["webhook"])
    return agree_webhook(tx, parts, occasion, Agreement(fields["webhook"], officers))


def _end_webhook(
    tx: Tx,
    parts: Parts,
    occasion: Occasion,
    partnership: PartnershipId | None,
    fields: Fields,
    officers: TwoOfficers,
) -> object:
    _must_be_of(tx, partnership, fields["webhook"])
    return take_webhook_away(tx, parts, occasion, OfficersRemoval(fields["webhook"], officers))


def _must_be_of(tx: Tx, partnership: PartnershipId | None, webhook: str) -> None:
    row = webhooks.find(tx, webhook)
    if row is None or row.partnership != partnership:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no endpoint of this id.")


ARRANGEMENTS: Mapping[str, Arrangement] = {
    "agree-webhook": Arrangement(
        "Let an agency's endpoint take the place of another way",
        {"webhook": MOST_CHARACTERS},
        for_all=False,
        do=_agree_webhook,
    ),
    "end-webhook": Arrangement(
        "End an agency's endpoint", {"webhook": MOST_CHARACTERS}, for_all=False, do=_end_webhook
    ),
    "activate-pack": Arrangement(
        "Put rules in force",
        {"version": MOST_CHARACTERS, "digest": MOST_CHARACTERS, "mark": MOST_CHARACTERS},
        for_all=False,
        do=_activate,
    ),
    "change-calendar": Arrangement(
        "Put a list of bank holidays in force",
        {"list": LARGEST_LIST_BYTES},
        for_all=True,
        do=_change_calendar,
    ),
    "add-officer": Arrangement(
        "Make somebody an administrator",
        dict.fromkeys(("name", "roles", "email", "subject"), MOST_CHARACTERS),
        for_all=True,
        do=_add_officer,
        needs=Needs.CHANGE_OFFICERS,
    ),
    "officer-roles": Arrangement(
        "Change the roles of an administrator, or make somebody one",
        dict.fromkeys(("name", "roles"), MOST_CHARACTERS),
        for_all=True,
        do=_change_roles,
        needs=Needs.CHANGE_OFFICERS,
    ),
    "officer-address": Arrangement(
        "Send an officer's alerts to another address",
        dict.fromkeys(("name", "email"), MOST_CHARACTERS),
        for_all=True,
        do=_change_address,
        needs=Needs.CHANGE_OFFICERS,
    ),
    "let-officer-in": Arrangement(
        "Let an administrator sign in again",
        {"name": MOST_CHARACTERS},
        for_all=True,
        do=_let_in,
        needs=Needs.CHANGE_OFFICERS,
    ),
    "invite-officer": Arrangement(
        "Let an officer make another passkey",
        dict.fromkeys(("name", "link", "replace"), MOST_CHARACTERS),
        for_all=True,
        do=_invite,
        needs=Needs.CHANGE_OFFICERS,
    ),
}

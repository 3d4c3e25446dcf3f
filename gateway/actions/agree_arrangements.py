"""Ask a second officer about what concerns no incident: the rules in force, the bank holidays by which dates are counted, agencies'
endpoints, and who the officers are.

Invariant: as in `second_officer`, what is done is exactly what was asked, by the very action that the command line calls, in the
transaction in which another officer agrees; an asking is settled once, and lapses after a week. What is asked for names nobody but
officers, so it is kept as it is. To add one: a row in ARRANGEMENTS. Source: architecture section 9 (rule packs and holidays take two).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
from gateway.core.presence import local_day
from gateway.core.receipts import Event
from gateway.partnerships import packs
from gateway.parts import Parts
from gateway.store import packs as pack_rows
from gateway.store import proposals, webhooks
from gateway.store.proposals import ProposalRow
from gateway.store.transaction import Tx

MOST_CHARACTERS = 200
NONE = "-"  # a field that was left empty

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agreed:
    """What is to be done: the asking, with both officers' names."""

    partnership: PartnershipId | None
    fields: Fields
    officers: TwoOfficers


Do = Callable[[Tx, Parts, Occasion, Agreed], object]


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
    wrong = [name for name, text in said.items() if not 0 < len(text) <= act.fields[name]]
    if wrong:
        told = f"Missing, or too long: {', '.join(wrong)}."
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail=told)
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
        ARRANGEMENTS[row.act].do(tx, parts, occasion, Agreed(row.partnership, row.arrangement, both))
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


def _activate(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    """The very text that was looked at: another release may have come meanwhile, with other text under the same version."""
    assert agreed.partnership is not None
    files = files_of_version(tx, agreed.partnership, agreed.fields["version"])
    if files is None or packs.digest(files) != agreed.fields["digest"]:
        detail = "These rules are not those that were asked for any more. Look at them and ask anew."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return activate_pack(
        tx, parts, occasion, Activation(agreed.partnership, files, agreed.officers, agreed.fields["mark"])
    )


def _change_calendar(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    """Named by the day on which it comes into force; open duties are counted anew by the timetable's next round."""
    listed = government_list(agreed.fields["list"].encode(), in_force(tx), local_day(occasion.at))
    return change_calendar(tx, parts, occasion, CalendarChange(listed, agreed.officers))


def _add_officer(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    said, by = agreed.fields, agreed.officers
    email, subject = (None if said[name] == NONE else said[name] for name in ("email", "subject"))
    roles = known_roles(said["roles"].split(","))
    asked = NewOfficer(said["name"], roles, by.first, by.second, email, subject)
    return add_officer(tx, parts, occasion, asked)


def _change_roles(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    said, by = agreed.fields, agreed.officers
    roles = known_roles(said["roles"].split(","))
    return change_roles(tx, parts, occasion, NewRoles(said["name"], roles, by.first, by.second))


def _let_in(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    said, by = agreed.fields, agreed.officers
    return suspend_officer(tx, parts, occasion, Suspension(said["name"], by.first, by.second, lift=True))


def _change_address(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    said, by = agreed.fields, agreed.officers
    email = None if said["email"] == NONE else said["email"]
    return change_address(tx, parts, occasion, NewAddress(said["name"], email, by.first, by.second))


def _invite(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    """The link works from now on; whoever asked has seen it, here is only its digest."""
    said, by = agreed.fields, agreed.officers
    asked = Invitation(said["name"], said["link"], by.first, by.second, said["replace"] == "yes")
    return invite_officer(tx, parts, occasion, asked)


def _agree_webhook(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    _must_be_of(tx, agreed.partnership, agreed.fields["webhook"])
    return agree_webhook(tx, parts, occasion, Agreement(agreed.fields["webhook"], agreed.officers))


def _end_webhook(tx: Tx, parts: Parts, occasion: Occasion, agreed: Agreed) -> object:
    _must_be_of(tx, agreed.partnership, agreed.fields["webhook"])
    return take_webhook_away(tx, parts, occasion, OfficersRemoval(agreed.fields["webhook"], agreed.officers))


def _must_be_of(tx: Tx, partnership: PartnershipId | None, webhook: str) -> None:
    row = webhooks.find(tx, webhook)
    if row is None or row.partnership != partnership:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no endpoint of this id.")


def _of_a_partnership(title: str, do: Do, *fields: str) -> Arrangement:
    return Arrangement(title, dict.fromkeys(fields, MOST_CHARACTERS), for_all=False, do=do)


def _among_officers(title: str, do: Do, *fields: str) -> Arrangement:
    kept = dict.fromkeys(fields, MOST_CHARACTERS)
    return Arrangement(title, kept, for_all=True, do=do, needs=Needs.CHANGE_OFFICERS)


ARRANGEMENTS: Mapping[str, Arrangement] = {
    "agree-webhook": _of_a_partnership(
        "Let an agency's endpoint take the place of another way", _agree_webhook, "webhook"
    ),
    "end-webhook": _of_a_partnership("End an agency's endpoint", _end_webhook, "webhook"),
    "activate-pack": _of_a_partnership("Put rules in force", _activate, "version", "digest", "mark"),
    "change-calendar": Arrangement(
        "Put a list of bank holidays in force",
        {"list": LARGEST_LIST_BYTES},
        for_all=True,
        do=_change_calendar,
    ),
    "add-officer": _among_officers(
        "Make somebody an administrator", _add_officer, "name", "roles", "email", "subject"
    ),
    "officer-roles": _among_officers(
        "Change the roles of an administrator, or make somebody one", _change_roles, "name", "roles"
    ),
    "officer-address": _among_officers(
        "Send an officer's alerts to another address", _change_address, "name", "email"
    ),
    "let-officer-in": _among_officers("Let an administrator sign in again", _let_in, "name"),
    "invite-officer": _among_officers(
        "Let an officer make another passkey", _invite, "name", "link", "replace"
    ),
}

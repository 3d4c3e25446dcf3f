"""Draft the letters that a decision calls for: one per child and school, held until a person releases each (S2-26, X-27)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.actions.compose import Composition, compose
from gateway.actions.hold import hold
from gateway.actions.misdirection import against
from gateway.actions.owe_deliveries import delivery_row, is_stopped
from gateway.actions.prove import Said
from gateway.actions.what_follows import DO_NOT_CONTACT, Forwarded
from gateway.core.disclosure import POLICE_HOLD
from gateway.core.identifiers import make_letter_reference
from gateway.core.messages import MessageId, Seat
from gateway.core.receipts import Event
from gateway.core.routing import Holder
from gateway.core.rules import CORRECTION, SUPERSEDE, LetterRule, is_avoided
from gateway.parts import Parts, Work
from gateway.store import incidents, mail, messages
from gateway.store.incidents import Incident
from gateway.store.messages import MessageRow
from gateway.store.transaction import Tx

LETTER_RULE = "letter"
AWAITS_RELEASE = "awaits-release"
NO_ADVISER = "nobody-to-ring"


@dataclass(frozen=True, slots=True)
class Pupil:
    """A child of the referral and its school, empty where it has none: all that a letter says of the matter."""

    name: str
    school_urn: str
    born_on: str | None


def draft_letters(tx: Tx, parts: Parts, work: Work, incident: Incident, rule: LetterRule) -> None:
    """Draft and hold one letter for each pupil of the referrals."""
    draft_letters_about(tx, parts, work, incident, rule, _pupils(tx, work, incident))


def draft_letters_about(
    tx: Tx,
    parts: Parts,
    work: Work,
    incident: Incident,
    rule: LetterRule,
    pupils: Sequence[Pupil],
    besides: tuple[str, ...] = (),
) -> list[str]:
    """Draft and hold one letter for each of these pupils, for `besides` too; where one cannot be written an officer is asked,
    and nothing else stops. The holds, one for each pupil; only one where no letter can be written at all."""

    def ask_an_officer(reason: str) -> str:
        return hold(tx, work, incident.partnership, incident.id, ("incident", incident.id), (reason,))

    sender = next(iter(work.directory.seats_of(rule.sender_role)), None)
    if sender is None:
        return [ask_an_officer(f"nobody-holds-{rule.sender_role}")]
    adviser = work.directory.present_holder(sender, work.at)
    if adviser is None or not adviser.telephone:
        # a school must be able to ring and ask whether the letter is genuine
        return [ask_an_officer(NO_ADVISER)]
    avoided = messages.avoided(tx, incident.partnership, incident.id)
    held: list[str] = []
    for pupil in pupils:
        school = work.directory.school(pupil.school_urn)
        seat = Seat(school, rule.to.role) if school else None
        if seat is None or seat not in work.directory.seats:
            held.append(ask_an_officer("unknown-school"))
        elif is_avoided(avoided, seat.agency, seat.role):
            held.append(ask_an_officer(DO_NOT_CONTACT))
        else:
            letter = _Letter(rule, sender, adviser, seat, pupil, besides)
            held.append(_draft(tx, parts, work, incident, letter))
    return held


def children_of(tx: Tx, work: Work, incident: Incident) -> list[tuple[MessageId, int, Pupil]]:
    """The children that the incident's referrals name, each by its referral and its place there; content is opened.

    A referral that was taken back, or replaced by a later one, names nobody any more: it may have been about a wrong child.
    """
    return [
        (row.id, place, _pupil(child))
        for row in _standing_referrals(tx, incident)
        for place, child in enumerate(_referral_body(work, row).get("children", []))
    ]


def _standing_referrals(tx: Tx, incident: Incident) -> list[MessageRow]:
    every = messages.of_incident(tx, incident.partnership, incident.id)
    referrals = [row for row in every if row.type == "referral" and row.decision == "forward"]
    replaced = {
        corrected
        for row in every
        if row.type == CORRECTION and row.decision == "forward" and row.taken_back_at is None
        if SUPERSEDE in row.facts["codes"].get("action", ())
        for corrected in row.facts["codes"].get("corrects", ())
    }
    standing = [row for row in referrals if row.taken_back_at is None]
    own = {row.agency for row in standing if row.id not in replaced}  # whoever has sent another in its place
    return [row for row in standing if row.id not in replaced or row.agency not in own]


def child_of(tx: Tx, work: Work, incident: Incident, message: MessageId, place: int) -> Pupil | None:
    """One of them."""
    known = children_of(tx, work, incident)
    return next((one for row, at, one in known if (row, at) == (message, place)), None)


@dataclass(frozen=True, slots=True)
class _Letter:
    rule: LetterRule
    sender: Seat
    adviser: Holder
    seat: Seat
    pupil: Pupil
    besides: tuple[str, ...] = ()


def _pupils(tx: Tx, work: Work, incident: Incident) -> list[Pupil]:
    """The children named by the incident's referrals who have a school, each once per school."""
    found: dict[tuple[str, str, str | None], Pupil] = {}  # of two pupils with one name each has a letter
    for _, _, pupil in children_of(tx, work, incident):
        if pupil.school_urn:
            found.setdefault((pupil.school_urn, pupil.name.casefold(), pupil.born_on), pupil)
    dated = {(school, name) for school, name, born_on in found if born_on}
    # whom another referral names with a date of birth is one child, with one letter
    return [
        pupil for (school, name, born_on), pupil in found.items() if born_on or (school, name) not in dated
    ]


def _pupil(child: Mapping[str, Any]) -> Pupil:
    """An estimated date of birth is told to no school: it would look for another child, and find none."""
    name = " ".join(filter(None, (child.get("given_names"), child.get("family_name"))))
    born_on = child.get("date_of_birth") if child.get("date_of_birth_status") == "known" else None
    return Pupil(name, child.get("school_urn") or "", born_on)


def _referral_body(work: Work, row: MessageRow) -> dict[str, Any]:
    assert work.key is not None
    if row.sealed is None or row.data_key != work.key.id:
        return {}
    body: dict[str, Any] = json.loads(work.key.open(f"message:{row.id}", row.sealed))["body"]
    return body


def _draft(tx: Tx, parts: Parts, work: Work, incident: Incident, letter: _Letter) -> str:
    reference = make_letter_reference(work.supply.take(5))
    asked = Composition(
        type=letter.rule.message,
        reference=reference,
        rule=LETTER_RULE,
        sender=letter.sender,
        author=(letter.adviser.name, "School improvement"),
        marking="OFFICIAL-SENSITIVE",
        body=_body(work, letter, reference),
        recipients=[letter.seat],
        said=[Said(Event.HELD, reason=AWAITS_RELEASE)],
        schools=(letter.pupil.school_urn,),
    )
    message = compose(tx, parts, work, incident, asked)
    row = delivery_row(work, message, incident, letter.seat, held=True)
    Forwarded(LETTER_RULE, [row]).record(tx)
    incidents.involve(tx, incident.partnership, incident.id, [letter.seat.agency])
    token = work.supply.take(10).hex()
    mail.record_letter(
        tx,
        {
            "reference": reference,
            "partnership": incident.partnership,
            "incident": incident.id,
            "message": message.id,
            "duty": None,
            "agency": letter.seat.agency,
            "token": f"{token}{parts.keys.token_mac(token)}",
        },
    )
    stopped = is_stopped(work, incident, letter.rule.message, letter.seat.agency)
    besides = (*letter.besides, *((POLICE_HOLD,) if stopped else ()))
    reasons = (AWAITS_RELEASE, *besides, *against(work.directory, letter.seat, work.at))
    return hold(tx, work, incident.partnership, incident.id, ("delivery", row["id"]), reasons)


def _body(work: Work, letter: _Letter, reference: str) -> dict[str, Any]:
    """What the letter says: one child, one school, and whom to ring."""
    lead = work.directory.present_holder(letter.seat, work.at)
    agencies = work.directory.agencies
    return {
        "letter_reference": reference,
        "council": agencies[letter.sender.agency].name,
        "school_urn": letter.pupil.school_urn,
        "school_name": agencies[letter.seat.agency].name,
        "dsl_name": lead.name if lead else None,
        "child_name": letter.pupil.name,
        "child_date_of_birth": letter.pupil.born_on,
        "adviser": {"name": letter.adviser.name, "telephone": letter.adviser.telephone},
    }

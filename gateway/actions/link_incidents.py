"""An officer says whether two incidents are about the same child. They are linked both ways and never merged (G-05).

Each keeps its own messages, duties, receipts and erasure. Where both ask one seat for the same thing, officers waive one of
the two duties by the ordinary waiver.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gateway.actions.need_to_know import must_know
from gateway.actions.prove import Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import IncidentId
from gateway.core.receipts import Event
from gateway.core.rules import Pack
from gateway.parts import Parts, Work
from gateway.store import duties, holds, incidents, likenesses
from gateway.store.blind_index import CLOSED_TO_SEARCH
from gateway.store.duties import DutyRow
from gateway.store.incidents import Incident
from gateway.store.likenesses import APART, LINKED, LikenessRow
from gateway.store.transaction import Tx


class Word(Enum):
    """What an officer says of two incidents."""

    SAME = "linked"
    NOT_THE_SAME = "told-apart"
    UNLINKED = "unlinked"


EVENTS = {
    Word.SAME: Event.INCIDENTS_LINKED,
    Word.NOT_THE_SAME: Event.TOLD_APART,
    Word.UNLINKED: Event.INCIDENTS_UNLINKED,
}


@dataclass(frozen=True, slots=True)
class Linking:
    """An officer's word on two incidents of one partnership. `reason` is in their own words: sealed with both."""

    first: IncidentId
    second: IncidentId
    officer: str
    word: Word
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Doubled:
    """The same thing owed by the same seat by the same clock on two incidents."""

    first: DutyRow
    second: DutyRow
    statutory: bool


def link_incidents(tx: Tx, parts: Parts, work: Work, asked: Linking) -> tuple[Stated, Stated]:
    """Settle the question for good; a statement on the chain of each. Refused when it is settled so already.

    Unlinking says that they are not about the same child: they are not asked about again.
    """
    one, other = _locked(tx, work, asked)
    for each in (one, other):
        must_know(tx, each.partnership, each.id, asked.officer, work.at)
    partnership, pair = one.partnership, (one.id, other.id)
    before = likenesses.find(tx, partnership, *pair)
    _check(asked.word, before)
    if before is None:
        values = {"strength": "officer", "reasons": [], "found_at": work.at, "state": LINKED}
        likenesses.record(tx, partnership, pair, (), **values)
    state = LINKED if asked.word is Word.SAME else APART
    likenesses.settle(tx, partnership, pair, state, work.at, asked.officer)
    holds.settle_between(tx, partnership, *pair, work.at, asked.word.value, asked.officer)
    return _say(tx, parts, work, asked, one, other), _say(tx, parts, work, asked, other, one)
    # A crash before the commit leaves the question open; the officer answers again.


def doubled_duties(tx: Tx, pack: Pack, first: IncidentId, second: IncidentId) -> list[Doubled]:
    """What both incidents expect of the same seat by the same clock, whatever has become of it; in the order of the first."""
    partnership = pack.partnership
    others: dict[tuple[str, ...], list[DutyRow]] = {}
    for duty in duties.of_incident(tx, partnership, second):
        others.setdefault(_what(duty), []).append(duty)
    return [
        Doubled(duty, others[what].pop(0), duty.clock in pack.clocks and pack.clocks[duty.clock].statutory)
        for duty in duties.of_incident(tx, partnership, first)
        if others.get(what := _what(duty))
    ]


def _what(duty: DutyRow) -> tuple[str, ...]:
    return duty.agency, duty.role, duty.expects, duty.clock


def _locked(tx: Tx, work: Work, asked: Linking) -> tuple[Incident, Incident]:
    """Both incidents, locked in the order of their ids, so that two officers never wait for each other."""
    if asked.first == asked.second:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Name two different incidents.")
    found = [incidents.lock(tx, work.pack.partnership, one) for one in sorted((asked.first, asked.second))]
    one, other = found
    if one is None or other is None:
        raise Refused(
            ErrorCode.NOT_FOUND, detail="There are no two incidents of these ids in one partnership."
        )
    if {one.state, other.state} & set(CLOSED_TO_SEARCH):
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="One of the two is erased: nothing can be said of it any more.",
        )
    return one, other


def _check(word: Word, before: LikenessRow | None) -> None:
    is_linked = before is not None and before.state == LINKED
    if word is Word.SAME and is_linked:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="These two are linked already.")
    if word is Word.UNLINKED and not is_linked:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="These two are not linked.")
    if word is Word.NOT_THE_SAME and is_linked:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="These two are linked: unlink them instead.")
    if word is Word.NOT_THE_SAME and before is not None and before.state == APART:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="These two have been told apart already.")


def _say(tx: Tx, parts: Parts, work: Work, asked: Linking, incident: Incident, other: Incident) -> Stated:
    fields = {"officer": asked.officer, "other": other.id}
    if asked.reason:
        fields["words"] = asked.reason
    key = parts.own_key(incident.id)
    subject = Subject(incident.chain, incident.partnership, incident.id, key)
    return prove(tx, parts, work, subject, [Said(EVENTS[asked.word], fields)])[0]

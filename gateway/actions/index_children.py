"""Find whether an incident's children are known from another incident, without anybody reading a name (G-05).

A form of an identity is keyed where the message is open; from then on only keyed terms are kept and compared. A likeness
stops nothing: the message goes on, and an officer is asked. Nothing is ever merged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from gateway.actions.hold import hold
from gateway.actions.prove import Said, Subject, prove
from gateway.core.identity import (
    Identity,
    Kind,
    Likeness,
    Sign,
    Strength,
    child_letter,
    forms_to_keep,
    forms_to_look_for,
    is_same_child,
    judge,
)
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.receipts import Event
from gateway.parts import Parts, Work
from gateway.store import blind_index, holds, likenesses
from gateway.store.blind_index import IndexedChild
from gateway.store.incidents import Incident
from gateway.store.likenesses import POSSIBLE, LikenessRow
from gateway.store.transaction import Tx
from keys.custody import BlindIndex

POSSIBLE_DUPLICATE = "possible-duplicate"
# A flood of messages about one child must not make every further one slower: only the newest incidents are compared.
MOST_COMPARED = 10


@dataclass(frozen=True, slots=True)
class BlindChild:
    """A child as keyed terms alone: those to be found by, and those to look for with what each would tell."""

    kept: Mapping[str, Kind] = field(repr=False)
    sought: Mapping[str, Sign] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Alike:
    """One child of ours (by letter) and one child of another incident."""

    letter: str
    other: IndexedChild
    likeness: Likeness


def blind(index: BlindIndex, child: Identity, occurred_on: date | None = None) -> BlindChild:
    """Key every form of an identity; what is returned tells nothing to whoever lacks the partnership's key."""
    kept = {index.term(f.kind.value, f.value): f.kind for f in forms_to_keep(child, occurred_on)}
    looked_for = forms_to_look_for(child, occurred_on)
    return BlindChild(kept, {index.term(f.kind.value, f.value): sign for f, sign in looked_for.items()})


def index_children(
    tx: Tx, parts: Parts, work: Work, incident: Incident, children: Collection[BlindChild], *, is_new: bool
) -> None:
    """Keep the children's terms under their letters and ask an officer about every incident that looks alike.

    A child that a later message of the same incident names again keeps its letter.
    """
    if not children:
        return
    partnership = incident.partnership
    tx.take_turns(f"blind-index:{partnership}")  # else two that come at once would not see each other
    known = [] if is_new else blind_index.children_of(tx, partnership, [incident.id])
    lettered = _lettered(children, known)
    have = {(child.letter, term) for child in known for term in child.kinds}
    rows = [
        (letter, kind.value, term)
        for letter, child in lettered
        for term, kind in child.kept.items()
        if (letter, term) not in have
    ]
    fresh = list(dict.fromkeys(rows))
    if not fresh:
        return
    blind_index.keep(tx, partnership, incident.id, fresh)
    for other, found in _alike(tx, partnership, lettered, incident.id).items():
        _ask(tx, parts, work, incident, other, found)


def find_alike(
    tx: Tx, partnership: PartnershipId, child: BlindChild, most: int
) -> dict[IncidentId, list[Alike]]:
    """Incidents with a child like this one, the newest first."""
    return _alike(tx, partnership, [("a", child)], None, most)


def _lettered(
    children: Iterable[BlindChild], known: Collection[IndexedChild]
) -> list[tuple[str, BlindChild]]:
    """Each child with its letter: the one it has in this incident already, else the next, in the message's order."""
    taken = {child.letter for child in known}
    free = (letter for number in range(len(taken) + 1000) if (letter := child_letter(number)) not in taken)
    return [(_own_letter(child, known) or next(free), child) for child in children]


def _own_letter(child: BlindChild, known: Iterable[IndexedChild]) -> str | None:
    for one in known:
        likeness = _compare(child, one)
        if likeness is not None and is_same_child(likeness):
            return one.letter
    return None


def _alike(
    tx: Tx,
    partnership: PartnershipId,
    children: Collection[tuple[str, BlindChild]],
    own: IncidentId | None,
    most: int = MOST_COMPARED,
) -> dict[IncidentId, list[Alike]]:
    candidates = _candidates(tx, partnership, [child for _, child in children], own, most)
    found: dict[IncidentId, list[Alike]] = {incident: [] for incident in candidates}
    others = blind_index.children_of(tx, partnership, candidates)
    for other in others:
        for letter, child in children:
            if (likeness := _compare(child, other)) is not None:
                found[other.incident].append(Alike(letter, other, likeness))
    return {incident: alike for incident, alike in found.items() if alike}


def _candidates(
    tx: Tx, partnership: PartnershipId, children: Collection[BlindChild], own: IncidentId | None, most: int
) -> list[IncidentId]:
    """Incidents worth comparing, the newest first; with more than `most`, those of the same NHS number go before."""
    sought = {term: sign.kind for child in children for term, sign in child.sought.items()}
    telling = [term for term, kind in sought.items() if kind is not Kind.GIVEN]  # alone, that means nothing
    found = blind_index.incidents_with(tx, partnership, telling, most, own)
    numbers = [term for term, kind in sought.items() if kind is Kind.NHS_NUMBER]
    if len(found) < most or not numbers:
        return found
    strong = blind_index.incidents_with(tx, partnership, numbers, most, own)
    return list(dict.fromkeys((*strong, *found)))[:most]


def _compare(child: BlindChild, other: IndexedChild) -> Likeness | None:
    signs = {child.sought[term] for term in other.kinds if term in child.sought}
    if not signs:
        return None
    return judge(signs, set(child.kept.values()), {Kind(kind) for kind in other.kinds.values()})


def _ask(
    tx: Tx, parts: Parts, work: Work, incident: Incident, other: IncidentId, alike: Collection[Alike]
) -> None:
    """Record the likeness and hold it for an officer, unless an officer has had this question before."""
    partnership, pair = incident.partnership, (incident.id, other)
    strength, reasons = _together(alike)
    before = likenesses.find(tx, partnership, *pair)
    if before is not None and not _is_new_question(before, strength):
        return
    holds.settle_between(tx, partnership, *pair, work.at, "overtaken")
    values = {"state": POSSIBLE, "strength": strength.value, "reasons": list(reasons), "found_at": work.at}
    letters = [(one.letter, one.other.letter) for one in alike]
    likenesses.record(tx, partnership, pair, letters, **values, settled_at=None, settled_by=None)
    fields = {"other": other, "strength": strength.value, "reasons": " ".join(reasons)}
    subject = Subject(incident.chain, partnership, incident.id, work.key)
    prove(tx, parts, work, subject, [Said(Event.POSSIBLE_DUPLICATE, fields)])
    hold(tx, work, partnership, incident.id, ("incident", other), (POSSIBLE_DUPLICATE, *reasons))


def _together(alike: Collection[Alike]) -> tuple[Strength, tuple[str, ...]]:
    """The strongest likeness among the children, and every reason once, the strongest pair's first."""
    ordered = sorted(alike, key=lambda one: one.likeness.strength is not Strength.STRONG)
    reasons = dict.fromkeys(reason for one in ordered for reason in one.likeness.reasons)
    return ordered[0].likeness.strength, tuple(reasons)


def _is_new_question(before: LikenessRow, strength: Strength) -> bool:
    """The same question is asked once; a NHS number that turns out to be the same, after mere likeness, is another."""
    has_grown = strength is Strength.STRONG and before.strength == Strength.LIKELY.value
    return has_grown and before.state != likenesses.LINKED

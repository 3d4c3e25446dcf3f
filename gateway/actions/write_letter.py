"""Write a letter to a school about a child of the incident, on an officer's word: drafted and held as every letter is.

For a school that no referral names, or that the directory did not have when the partners decided. The child comes from the
referrals, never from what an officer types, and so does nothing else of the letter. One letter per child and school. S2-22, S2-26.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.actions.draft_letters import child_of, draft_letters_about
from gateway.actions.letter_to_previous_school import pupils_written_about
from gateway.actions.need_to_know import must_know
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, AgencyKind, IncidentId, MessageId
from gateway.core.rules import letter_rule
from gateway.parts import Parts, Work
from gateway.store import incidents
from gateway.store.transaction import Tx

BY_OFFICER = "written-by-officer"


@dataclass(frozen=True, slots=True)
class LetterWanted:
    """About which child, as the referral has it (its message, the place in its list), and to which school."""

    incident: IncidentId
    message: MessageId
    place: int
    school: AgencyId
    officer: str


def write_letter(tx: Tx, parts: Parts, work: Work, asked: LetterWanted) -> str:
    """Draft and hold it; the hold, which says too what keeps it from being drafted.

    Refused when the incident is not open, there is no such child or school, or the school has a letter about this child.
    """
    incident = incidents.lock(tx, work.pack.partnership, asked.incident)
    rule, school = letter_rule(work.pack), work.directory.agencies.get(asked.school)
    if incident is None or rule is None:
        raise Refused(ErrorCode.NOT_FOUND)
    must_know(tx, incident.partnership, incident.id, asked.officer, work.at)
    if incident.state != "open" or work.key is None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE, detail="The incident is not open: take it up again first."
        )
    if school is None or school.kind is not AgencyKind.SCHOOL or not school.code:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose a school of the directory.")
    child = child_of(tx, work, incident, asked.message, asked.place)
    if child is None:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Choose a child of the referral.")
    pupil = replace(child, school_urn=school.code)
    if pupil in pupils_written_about(tx, work, incident.partnership, incident.id).values():
        detail = "This school has a letter about this child: send that one again, or wait for its answer."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    (held,) = draft_letters_about(tx, parts, work, incident, rule, [pupil], (BY_OFFICER,))
    return held
    # A crash before the commit leaves nothing; after it the letter waits among what is held.

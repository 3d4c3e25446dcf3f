"""A school that names another one suggests a letter there: drafted, and held until an officer releases or refuses it. The other is the
child's earlier school, or the one that has the file now.

The school is looked for in the directory by its whole name. Of several with one name none is taken: an officer knows the
area, the gateway does not guess. Source: S2-22 (b), S2-26.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from gateway.actions.draft_letters import Pupil, draft_letters_about
from gateway.core.messages import AgencyKind, IncidentId, MessageId, PartnershipId
from gateway.core.routing import Agency, Directory
from gateway.core.rules import letter_rule
from gateway.parts import Parts, Work
from gateway.store import incidents, messages
from gateway.store.mail import LetterRow
from gateway.store.transaction import Tx

PREVIOUS_SCHOOL, FILE_TRANSFERRED = "previous-school", "file-transferred"


def suggest_letter(
    tx: Tx, parts: Parts, work: Work, letter: LetterRow, named: str | None, why: str = PREVIOUS_SCHOOL
) -> bool:
    """Draft and hold a letter to the school so named about the same child; False when there is no such one school, or it
    has a letter about this child already. `why` is the reason that an officer sees."""
    school = school_named(work.directory, named or "")
    incident = incidents.lock(tx, letter.partnership, letter.incident)
    rule, written = (
        letter_rule(work.pack),
        pupils_written_about(tx, work, letter.partnership, letter.incident),
    )
    child = written.get(letter.message)
    if school is None or school.id == letter.agency or incident is None or rule is None:
        return False
    if child is None or school.code is None:
        return False
    pupil = replace(child, school_urn=school.code)
    if pupil in written.values():
        return False
    draft_letters_about(tx, parts, work, incident, rule, [pupil], (why,))
    return True


def school_named(directory: Directory, named: str) -> Agency | None:
    """The one school of this name; None when there is none, or more than one."""
    wanted = _plain(named)
    schools = (agency for agency in directory.agencies.values() if agency.kind is AgencyKind.SCHOOL)
    found = [school for school in schools if _plain(school.name) == wanted]
    return found[0] if wanted and len(found) == 1 else None


def _plain(name: str) -> str:
    """A name without what people leave out: capitals, points, apostrophes."""
    return " ".join(re.sub(r"[.'\u2019`,]", "", name.casefold()).split())


def pupils_written_about(
    tx: Tx, work: Work, partnership: PartnershipId, incident: IncidentId
) -> dict[MessageId, Pupil]:
    """The child and school of each letter of this incident, by its message; content is opened."""
    found: dict[MessageId, Pupil] = {}
    for row in messages.of_incident(tx, partnership, incident, "dsl-letter"):
        if row.sealed is not None and work.key is not None and row.data_key == work.key.id:
            body = json.loads(work.key.open(f"message:{row.id}", row.sealed))["body"]
            found[row.id] = Pupil(body["child_name"], body["school_urn"], body.get("child_date_of_birth"))
    return found

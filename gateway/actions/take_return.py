"""An agency's answer to a request for information that came by e-mail: on an officer's word it is the agency's return.

The officer has read it; what is recorded is that the agency answered, how fully in the officer's judgement, and the files as they
came, each scanned again and sealed. It meets the agency's duty as of its arrival, not of the officer's reading. Source: M12.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.actions.name_attachments import Named
from gateway.actions.release import Release, release
from gateway.actions.submit import Accepted, Submission, submit
from gateway.actions.take import Speaker, prepare
from gateway.core.duties import UNANSWERED
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, IncidentId, PartnershipId
from gateway.core.routing import Directory
from gateway.core.written_times import written
from gateway.parts import Parts, Work
from gateway.store import duties, mail
from gateway.store.duties import DutyRow
from gateway.store.mail import RawMail
from gateway.store.transaction import Tx
from schemas import read_message

RETURN = "information-return"
IN_FILES = "See the attached file, which came by e-mail."
RETURN_KINDS = ("full", "partial", "nil")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the officer says of the return. `words` stand for what the files say, or for the statement of a nil return."""

    kind: str
    words: str = ""
    records_checked: tuple[str, ...] = ()
    in_reply_to: str | None = None  # the request's message, where the agency owes several


@dataclass(frozen=True, slots=True)
class TakenReturn:
    hold: str
    officer: str
    submission: Submission


async def return_of(
    parts: Parts,
    raw: RawMail,
    agency: AgencyId,
    sender: str | None,
    judged: Judged,
    officer: str,
    files: Sequence[Named],
) -> Submission:
    """The return on the agency's behalf, arrived when its mail did; Refused when its incident or its request is not clear."""
    if raw.partnership is None or raw.incident is None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="This e-mail names no incident that its sender takes part in.",
        )
    directory = (await parts.partnerships.snapshot(raw.partnership)).directory
    request = judged.in_reply_to or await _request(parts, raw.partnership, raw.incident, agency)
    document = {
        "type": RETURN,
        "version": 1,
        "partnership": raw.partnership,
        "reference": f"mail-{raw.id}",
        "incident": raw.incident,
        "in_reply_to": request,
        "created_at": written(raw.arrived_at),
        "author": {"name": sender_named(directory, agency, sender), "post": "By e-mail"},
        "lawful_basis": "public-task",
        "marking": "OFFICIAL-SENSITIVE",
        "attachments": [{"id": file.id, "sha256": file.sha256} for file in files],
        "do_not_contact": [],
        "body": _body(judged),
    }
    content = json.dumps(document, ensure_ascii=False).encode()
    speaker = Speaker(agency, frozenset({raw.partnership}), recorded_by=officer)
    return await prepare(parts, content, read_message(content), speaker, raw.arrived_at)


def take_return(tx: Tx, parts: Parts, work: Work, asked: TakenReturn) -> Accepted:
    """Record the return of a held mail on an officer's word; Refused when somebody already dealt with it."""
    held = release(tx, parts, work, Release(asked.hold, asked.officer))
    if held.subject_kind != "mail":
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This hold is not a mail: release or refuse it.")
    outcome = submit(tx, parts, work, asked.submission)
    if not isinstance(outcome, Accepted):
        raise Refused(outcome.code)
    mail.change_raw(tx, held.subject, message=outcome.id, agency=asked.submission.message.agency)
    return outcome
    # A crash before the commit leaves the hold; the files that were kept for it are unnamed and destroyed within a day.


def returns_owed(
    tx: Tx, partnership: PartnershipId, incident: IncidentId, agency: AgencyId | None
) -> list[DutyRow]:
    """The returns of this incident that an agency owes, or all that are owed: what a mailed return may answer."""
    known = duties.of_incident(tx, partnership, incident)
    return [duty for duty in known if _is_owed(duty, agency)]


async def _request(
    parts: Parts, partnership: PartnershipId, incident: IncidentId, agency: AgencyId
) -> str | None:
    """The message that asked this agency, where it owes exactly one return; of several none is guessed."""
    asked = await parts.store.read(lambda tx: returns_owed(tx, partnership, incident, agency))
    if len({duty.message for duty in asked}) > 1:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="The agency owes several returns: say which request it answers.",
        )
    return asked[0].message if asked else None


def _is_owed(duty: DutyRow, agency: AgencyId | None) -> bool:
    if duty.expects != RETURN or agency not in (None, duty.agency):
        return False
    return duty.state in UNANSWERED or duty.met_by is None


def sender_named(directory: Directory, agency: AgencyId, sender: str | None) -> str:
    """Whose address it is by the directory; the agency's own name where nobody's is."""
    for seat, holders in directory.seats.items():
        for holder in holders if seat.agency == agency else ():
            if sender is not None and (holder.email or "").casefold() == sender.casefold():
                return holder.name
    return directory.agencies[agency].name


def _body(judged: Judged) -> Mapping[str, Any]:
    words = judged.words or IN_FILES
    if judged.kind == "nil":
        return {"kind": "nil", "no_involvement": words, "records_checked": list(judged.records_checked)}
    if judged.kind == "partial":
        return {"kind": "partial", "involvement": words, "records_checked": list(judged.records_checked)}
    sections = dict.fromkeys(("involvement", "actions", "learning"), words)
    return {"kind": "full", **sections, "records_checked": list(judged.records_checked)}

"""An officer takes an agency's return out of a held e-mail: its files kept one by one as by the API, then the action.

The files are scanned again here, with today's signatures, and sealed for the incident; an infected one refuses the whole. Until the
action has named them nobody can get them, and a crash before that leaves them to be destroyed within a day.
"""

from __future__ import annotations

from gateway.actions.mail_files import every_file_of, kept_file, opened_mail
from gateway.actions.submit import Accepted
from gateway.actions.take import attach_keys
from gateway.actions.take_return import Judged, TakenReturn, return_of, take_return
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId, MessageId
from gateway.parts import Parts
from gateway.store import mail
from gateway.store.holds import HoldRow


async def take_held_return(
    parts: Parts, held: HoldRow, agency: AgencyId | None, judged: Judged, officer: str
) -> Accepted:
    """The recorded return. Refused when it is no mail, nobody's, or not of an incident; Infected for such a file."""
    raw = await parts.store.read(lambda tx: mail.find_raw(tx, held.subject))
    if held.subject_kind != "mail" or raw is None or held.settled_at is not None:
        raise Refused(
            ErrorCode.NOT_ACCEPTABLE_STATE,
            detail="This is no e-mail that waits, or somebody has dealt with it.",
        )
    whose = agency or raw.agency
    if whose is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="Say which agency's return it is.")
    content, reading = await opened_mail(parts, raw)
    files = await every_file_of(parts, content, reading.get("files") or ())
    named = [await kept_file(parts, whose, file.content) for file in files]
    submission = await return_of(parts, raw, whose, reading.get("sender"), judged, officer, named)
    asked = TakenReturn(held.id, officer, submission)
    taken = await parts.perform(take_return, asked, held.partnership, submission.message.incident)
    await attach_keys(parts, held.partnership, MessageId(taken.id), taken.incident)
    return taken

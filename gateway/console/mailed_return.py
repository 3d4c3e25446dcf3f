"""An agency's return that came by e-mail, taken in the page: the officer who has read it says how fully it answers.

The action is that of `gateway held take-return`: its files are scanned again and kept with the incident, and the agency's duty is met
as of the e-mail's arrival. Source: M12.
"""

from __future__ import annotations

from starlette.responses import Response

from gateway.actions.take_held_return import take_held_return
from gateway.actions.take_return import RETURN_KINDS, Judged
from gateway.console.door import Console, Visit
from gateway.console.held import found, opened_words, owed_returns, shown_item
from gateway.console.pages import go
from gateway.console.reading import HeldRead
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import AgencyId

MOST_CHARACTERS = 2_000
FIELDS = {"no_involvement": "words", "involvement": "words", "records_checked": "records"}


async def post_return(console: Console, visit: Visit) -> Response:
    """Record it; on a slip the page comes back with what was typed."""
    read = await found(console, visit)
    if read.mail is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This is no e-mail: release it or stop it.")
    form, owed = visit.form, await console.parts.store.read(lambda tx: owed_returns(tx, read))
    if form.get("request", "") not in {"", *(duty.message for duty in owed)}:
        raise Refused(ErrorCode.MALFORMED_REQUEST)
    judged = Judged(
        form.get("kind", ""),
        form.get("words", "").strip(),
        tuple(line.strip() for line in form.get("records", "").splitlines() if line.strip()),
        form.get("request") or None,
    )
    agency = AgencyId(form["agency"]) if form.get("agency") else None
    slips = await _slips(console, read, judged, agency)
    if slips:
        return await _back(console, visit, read, slips)
    try:
        await take_held_return(console.parts, read.hold, agency, judged, visit.signed_in.name)
    except Refused as refused:
        names = [FIELDS.get(error.pointer.rpartition("/")[2]) for error in refused.errors]
        if not any(names):
            raise
        told = {name: "Check this: it is missing, or not as it must be" for name in names if name}
        return await _back(console, visit, read, told)
    return go("/held?done=returned")


async def _slips(console: Console, read: HeldRead, judged: Judged, agency: AgencyId | None) -> dict[str, str]:
    """What the officer must still say; whose return it is only where its address told none."""
    slips = {}
    if judged.kind not in RETURN_KINDS:
        slips["kind"] = "Say how fully it answers"
    if judged.kind == "nil" and not judged.words:
        slips["words"] = "Write the agency's statement that it was not involved"
    if judged.kind == "nil" and not judged.records_checked:
        slips["records"] = "Name each record that was searched"
    if len(judged.words) > MOST_CHARACTERS:
        slips["words"] = f"Write at most {MOST_CHARACTERS} characters"
    directory = (await console.parts.partnerships.snapshot(read.hold.partnership)).directory
    known = read.mail.agency if read.mail else None
    if agency is not None and (known not in (None, agency) or agency not in directory.agencies):
        raise Refused(ErrorCode.MALFORMED_REQUEST)
    if known is None and agency is None:
        slips["agency"] = "Say which agency's return it is"
    return slips


async def _back(console: Console, visit: Visit, read: HeldRead, slips: dict[str, str]) -> Response:
    said = await opened_words(console, visit, read)
    return await shown_item(console, visit, read, said, slips=slips)

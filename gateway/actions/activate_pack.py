"""Put a rule pack in force: its whole text is kept, so that duties made under it stay explainable for ever.

Before it takes the place of another it is replayed on the messages of the past year. What it would have done otherwise must
have been seen: the officers name the mark that the replay showed them, and the ledger says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.actions.change_calendar import in_force
from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.actions.replay import Replayed, Replaying, replay
from gateway.core.errors import ErrorCode, Misconfigured, Refused
from gateway.core.messages import PartnershipId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.partnerships import packs
from gateway.parts import Parts
from gateway.store import directory
from gateway.store import packs as pack_rows
from gateway.store.packs import PackRow
from gateway.store.transaction import Tx

LOOKS_BACK = timedelta(days=365)
NOTHING, ALIKE, SEEN = "nothing-to-replay", "no-difference", "differences-seen"


@dataclass(frozen=True, slots=True)
class Activation:
    """A partnership's pack as its files' texts, and the two who put it in force.

    `seen` is the mark of the differences that a replay showed them; not needed where there are none.
    """

    partnership: PartnershipId
    files: Mapping[str, str]
    officers: TwoOfficers
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class Activated:
    version: str
    digest: str
    receipt: Stated


def activate_pack(tx: Tx, parts: Parts, occasion: Occasion, asked: Activation) -> Activated:
    """Put this version in force; an earlier one may come back, but never under other text.

    Misconfigured when the pack has a problem; Refused when this version stood for other text or is in force already, or
    when it would have treated past messages otherwise and the officers have not seen in what.
    """
    tx.take_turns(f"pack:{asked.partnership}")  # else two versions at once would both be in force
    pack = packs.parse(asked.partnership, asked.files)
    digest = packs.digest(asked.files)
    known = pack_rows.version(tx, asked.partnership, pack.version)
    if known is not None and known.digest != digest:
        detail = "This version was in force with other text. Give the pack a new version."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    current = pack_rows.current(tx, asked.partnership)
    if current is not None and current.version == pack.version:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This version is in force already.")
    replayed = _seen(tx, occasion, asked)
    row = PackRow(asked.partnership, pack.version, asked.files, digest, occasion.at)
    pack_rows.activate(tx, row, asked.officers.first, asked.officers.second)
    subject = Subject(f"pack-{asked.partnership}", asked.partnership, None, None)
    said = [Said(Event.PACK_REPLAYED, reason=replayed), Said(Event.PACK_ACTIVATED)]
    receipt = prove(tx, parts, occasion, subject, said)[-1]
    return Activated(pack.version, digest, receipt)
    # A crash before the commit leaves the version before in force; the officers repeat the command.


def replay_here(
    tx: Tx, partnership: PartnershipId, files: Mapping[str, str], since_at: datetime
) -> Replayed | None:
    """A pack's texts tried on what came since; None where none is in force, or the one in force cannot be read any more."""
    current = pack_rows.current(tx, partnership)
    if current is None:
        return None
    listed = in_force(tx)
    try:
        now = packs.parse(partnership, current.files, listed)
    except Misconfigured:
        return None  # broken in the store: a good one may take its place
    then = packs.parse(partnership, files, listed)
    return replay(tx, Replaying(now, then, directory.load(tx, partnership), since_at))


def _seen(tx: Tx, occasion: Occasion, asked: Activation) -> str:
    """What the ledger says of the replay; Refused when there are differences that nobody has seen."""
    replayed = replay_here(tx, asked.partnership, asked.files, occasion.at - LOOKS_BACK)
    if replayed is None or not replayed.looked_at:
        return NOTHING
    if not replayed.differences:
        return ALIKE
    if asked.seen != replayed.mark:
        detail = "It would have treated past messages otherwise: look at the replay, and name its mark."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return SEEN

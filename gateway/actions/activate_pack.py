"""Put a rule pack in force: its whole text is kept, so that duties made under it stay explainable for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.actions.prove import Occasion, Said, Stated, Subject, prove
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId
from gateway.core.officers import TwoOfficers
from gateway.core.receipts import Event
from gateway.partnerships import packs
from gateway.parts import Parts
from gateway.store import packs as pack_rows
from gateway.store.packs import PackRow
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class Activation:
    """A partnership's pack as its files' texts, and the two who put it in force."""

    partnership: PartnershipId
    files: Mapping[str, str]
    officers: TwoOfficers


@dataclass(frozen=True, slots=True)
class Activated:
    version: str
    digest: str
    receipt: Stated


def activate_pack(tx: Tx, parts: Parts, occasion: Occasion, asked: Activation) -> Activated:
    """Put this version in force; an earlier one may come back, but never under other text.

    Misconfigured when the pack has a problem; Refused when this version stood for other text or is in force already.
    """
    pack = packs.parse(asked.partnership, asked.files)
    digest = packs.digest(asked.files)
    known = pack_rows.version(tx, asked.partnership, pack.version)
    if known is not None and known.digest != digest:
        detail = "This version was in force with other text. Give the pack a new version."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    current = pack_rows.current(tx, asked.partnership)
    if current is not None and current.version == pack.version:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="This version is in force already.")
    row = PackRow(asked.partnership, pack.version, asked.files, digest, occasion.at)
    pack_rows.activate(tx, row, asked.officers.first, asked.officers.second)
    subject = Subject(f"pack-{asked.partnership}", asked.partnership, None, None)
    receipt = prove(tx, parts, occasion, subject, [Said(Event.PACK_ACTIVATED)])[0]
    return Activated(pack.version, digest, receipt)
    # A crash before the commit leaves the version before in force; the officers repeat the command.

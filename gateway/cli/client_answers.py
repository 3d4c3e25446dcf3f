"""How the commands about clients act and answer: through the action, then in JSON or plain words, with every receipt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from gateway.actions.prove import Stated
from gateway.app import system_clock
from gateway.cli.certificates import certificate_rows
from gateway.cli.session import answer
from gateway.core.errors import ErrorCode, Refused
from gateway.parts import Parts
from gateway.store import clients
from gateway.store.clients import ClientRow


async def found(parts: Parts, client: str) -> ClientRow:
    row = await parts.store.read(lambda tx: clients.find(tx, client))
    if row is None:
        raise Refused(ErrorCode.NOT_FOUND, detail="There is no such client; see `gateway clients list`.")
    return row


def refuse(detail: str) -> NoReturn:
    raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)


def tell_changed(told: dict[str, Any], line: str, receipt: Stated, as_json: bool) -> None:
    answer(told | {"receipts": receipt_rows([receipt])}, [line, f"receipt: {receipt.id}"], as_json)


def tell_certified(
    client: str, certificates: Sequence[Mapping[str, Any]], stated: Iterable[Stated], as_json: bool
) -> None:
    given = list(stated)
    rows = certificate_rows(certificates, system_clock())
    lines = [f"{client} is known by a certificate: x5t#S256 {row['x5t#S256']}" for row in rows]
    told = {"client": client, "certificates": rows, "receipts": receipt_rows(given)}
    answer(told, [*lines, *(f"receipt: {one.id}" for one in given)], as_json)


def receipt_rows(receipts: Iterable[Stated]) -> list[dict[str, Any]]:
    """What was stated, with what opens its commitments: which key, asked for and agreed to by whom."""
    return [{"id": r.id, "jws": r.jws, "disclosures": list(r.disclosures)} for r in receipts]

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


def tell(told: Mapping[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Answer in JSON or in these lines, with one for each of the `receipts` that are told of."""
    answer(told, [*lines, *(f"receipt: {one['id']}" for one in told["receipts"])], as_json)


def tell_changed(told: dict[str, Any], line: str, receipts: Iterable[Stated], as_json: bool) -> None:
    tell(told | {"receipts": receipt_rows(receipts)}, [line], as_json)


def tell_certified(
    client: str, certificates: Sequence[Mapping[str, Any]], stated: Iterable[Stated], as_json: bool
) -> None:
    rows = certificate_rows(certificates, system_clock())
    lines = [f"{client} is known by a certificate: x5t#S256 {row['x5t#S256']}" for row in rows]
    tell({"client": client, "certificates": rows, "receipts": receipt_rows(stated)}, lines, as_json)


def receipt_rows(receipts: Iterable[Stated]) -> list[dict[str, Any]]:
    """What was stated, with what opens its commitments: which key, asked for and agreed to by whom."""
    return [{"id": r.id, "jws": r.jws, "disclosures": list(r.disclosures)} for r in receipts]

"""`gateway alerts`: does word of what needs an eye reach the unit's people?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.tell_managers import WEBHOOK, Alert, owe_alert, owe_to_webhook, the_unit
from gateway.cli.session import JsonFlag, answer, opened, run
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId
from gateway.parts import Parts, Work
from gateway.store import overview
from gateway.store.transaction import Tx

app = typer.Typer(help="Alerts to officers and managers.", no_args_is_help=True)


@app.command("test")
def send_test(
    partnership: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this partnership; else of each in force here.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Owe a test alert to every officer and manager who has an address, and to the unit's webhook. The serving gateway sends it.

    Example: gateway alerts test
    """
    told = run(_test(partnership))
    answer(told, [f"{told['owed']} test alerts are on their way."], as_json)


async def _test(partnership: str | None) -> dict[str, Any]:
    async with opened() as parts:
        if not {"mail", WEBHOOK} & parts.adapters.keys():
            detail = "Neither mail nor a webhook is set up here: set GATEWAY_SMTP_URL or GATEWAY_ALERT_WEBHOOK_URL."
            raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
        here = await parts.store.read(overview.partnerships)
        within = [PartnershipId(partnership)] if partnership else list(here)
        owed = sum([await parts.perform(_owe, "test", each, None) for each in within])
    if not owed:
        detail = "Nobody has an address: see `gateway officers add --email`."
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail=detail)
    return {"owed": owed}


def _owe(tx: Tx, parts: Parts, work: Work, kind: str) -> int:
    alert = Alert(kind, path="/")
    told = owe_alert(tx, parts, work, alert, the_unit(tx, work.pack.partnership))
    return told + owe_to_webhook(tx, parts, work, alert)

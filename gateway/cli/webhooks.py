"""`gateway webhooks`: the endpoints that agencies' own software registered, and officers' word on those that would redirect.

An agency registers, tries and removes its endpoint itself (`POST /v1/webhooks`). Officers see every one, agree to one that would take
the place of another way, and may end any. Exit status as in contract section 2.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.actions.end_webhook import OfficersRemoval, take_webhook_away
from gateway.actions.enrol_webhook import standing
from gateway.actions.settle_webhook import Agreement, Refusal, agree_webhook, refuse_webhook
from gateway.cli.session import PAGE, JsonFlag, Limit, Officer, SecondOfficer, answer, opened, run, settled
from gateway.core.officers import TwoOfficers
from gateway.store import webhooks
from gateway.store.transaction import Tx
from gateway.store.webhooks import WebhookRow

Webhook = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The endpoint's id, whk-….")]

app = typer.Typer(help="Endpoints that agencies are told at.", no_args_is_help=True)


@app.command("list")
def list_webhooks(
    ended: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    limit: Limit = PAGE,
    as_json: JsonFlag = False,
) -> None:
    """List endpoints, the newest first: whose they are, where they lead, and where they stand. No secret is shown.

    Example: gateway webhooks list
    """
    found = run(_listed(ended, limit))
    lines = [f"{one['id']}  {one['state']:<8} {one['role']}@{one['agency']}: {one['url']}" for one in found]
    answer(found, lines or ["No endpoints."], as_json)


@app.command()
def agree(
    webhook: Webhook, officer: Officer, second_officer: SecondOfficer, as_json: JsonFlag = False
) -> None:
    """Let an endpoint take the place of another way. Check by telephone first that the agency asked for it.

    It comes into force when the agency's software fetches its secret.

    Example: gateway webhooks agree whk-… --officer "W. Stave" --second-officer "D. Quill"
    """
    asked = Agreement(webhook, TwoOfficers(officer, second_officer))
    _tell(
        run(settled(agree_webhook, asked)),
        "is agreed to: it begins when the agency fetches its secret",
        as_json,
    )


@app.command()
def refuse(webhook: Webhook, officer: Officer, as_json: JsonFlag = False) -> None:
    """Refuse an endpoint that waits: what stands there stays.

    Example: gateway webhooks refuse whk-… --officer "W. Stave"
    """
    _tell(run(settled(refuse_webhook, Refusal(webhook, officer))), "is refused", as_json)


@app.command()
def remove(
    webhook: Webhook, officer: Officer, second_officer: SecondOfficer, as_json: JsonFlag = False
) -> None:
    """End an endpoint: its agency is told there no more, and finds everything in its inbox.

    Example: gateway webhooks remove whk-… --officer "W. Stave" --second-officer "D. Quill"
    """
    asked = OfficersRemoval(webhook, TwoOfficers(officer, second_officer))
    _tell(run(settled(take_webhook_away, asked)), "is removed", as_json)


def _tell(row: WebhookRow, words: str, as_json: bool) -> None:
    answer(_document(row), [f"{row.id} of {row.agency} {words}"], as_json)


async def _listed(ended: bool, most: int) -> list[dict[str, Any]]:
    def read(tx: Tx) -> list[WebhookRow]:
        return [standing(tx, row) for row in webhooks.every(tx, ended, most)]

    async with opened() as parts:
        return [_document(row) for row in await parts.store.read(read)]


def _document(row: WebhookRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "partnership": row.partnership,
        "agency": row.agency,
        "role": row.role,
        "url": row.address,
        "client": row.client,
        "state": row.state.value,
        "asked_at": row.asked_at.isoformat(),
        "ends_at": row.ends_at.isoformat() if row.ends_at else None,
        "settled_at": row.settled_at.isoformat() if row.settled_at else None,
        "settled_by": row.settled_by,
    }

"""The operator's listener: alive, ready, and figures without personal data. Never exposed to partners."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.actions.client_concerns import Concern, concerns
from gateway.api.readiness import Readiness
from gateway.core.client_certificates import last_end
from gateway.parts import Parts
from gateway.store import clients, deliveries, holds, log, webhooks
from gateway.store.transaction import Tx


def operator_app(parts: Parts) -> Starlette:
    """`/livez`, `/readyz`, `/metrics`."""

    async def livez(request: Request) -> Response:
        return PlainTextResponse("alive\n")

    readiness = Readiness(parts)

    async def readyz(request: Request) -> Response:
        """Whether a message can be taken, tried at this moment, and what else is wrong."""
        status, document = await readiness.told()
        return JSONResponse(document, status)

    async def metrics(request: Request) -> Response:
        at, troubles = parts.clock(), await readiness.troubles()
        return PlainTextResponse(
            await parts.store.read(lambda tx: _figures(tx, at, troubles)),
            media_type="text/plain; version=0.0.4",
        )

    routes = [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]
    return Starlette(routes=routes)


TROUBLES = (
    *(
        "sealing",
        "carrying",
        "unconfirmed",
        "mailbox",
        "mesh",
        "mail",
        "scanner",
        "keys-unreadable",
        "disk-low",
    ),
)  # each has its figure from the first scrape on: a rule sees it rise
COUNTED_TO = 100_000  # of each state: a scrape costs no more with a million delivered


def _figures(tx: Tx, at: datetime, troubles: Sequence[str] = ()) -> bytes:
    registry = CollectorRegistry()
    trouble = Gauge("gateway_trouble", "What /readyz names: 1 while it lasts", ["trouble"], registry=registry)
    for name in {*TROUBLES, *troubles}:
        trouble.labels(name).set(name in troubles)
    states = Gauge(
        "gateway_deliveries", f"Deliveries by state, {COUNTED_TO} at most", ["state"], registry=registry
    )
    for state, count in deliveries.counts_by_state(tx, COUNTED_TO).items():
        states.labels(state).set(count)
    since = deliveries.waits_since(tx, at)
    Gauge(
        "gateway_delivery_waits_seconds",
        "For how long a due delivery has been carried by nobody",
        registry=registry,
    ).set((at - since).total_seconds() if since else 0)
    Gauge("gateway_holds_open", "What waits for an officer", registry=registry).set(holds.count_open(tx))
    Gauge("gateway_receipts_unsealed", "Entries not yet under a checkpoint", registry=registry).set(
        log.count_unsealed(tx)
    )
    newest, confirmed, waits = log.latest_checkpoint(tx), log.newest_anchor(tx), log.oldest_unanchored(tx)
    Gauge("gateway_log_size", "Entries under the newest checkpoint", registry=registry).set(
        newest.size if newest else 0
    )
    Gauge("gateway_log_anchored_size", "Entries under the newest anchored one", registry=registry).set(
        confirmed[0] if confirmed else 0
    )
    Gauge(
        "gateway_log_pending_seconds", "For how long checkpoints wait to be anchored", registry=registry
    ).set((at - waits).total_seconds() if waits else 0)
    to_see_to = Gauge("gateway_clients_to_see_to", "Clients by concern", ["concern"], registry=registry)
    Gauge("gateway_webhooks_waiting", "Endpoints that wait for two officers", registry=registry).set(
        webhooks.count_waiting(tx)
    )
    rows = clients.listed(tx)
    counted = Counter(one.concern for row in rows for one in concerns(row, at))
    for concern in Concern:
        to_see_to.labels(concern.value).set(counted[concern])
    days = Gauge(
        "gateway_client_certificate_days_left",
        "Days until a client's last certificate ends",
        ["client"],
        registry=registry,
    )
    for row in rows:
        ends_at = last_end(row.certificates)
        if ends_at is not None:
            days.labels(row.id).set((ends_at - at) / timedelta(days=1))
    return generate_latest(registry)

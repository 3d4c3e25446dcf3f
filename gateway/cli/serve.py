"""`gateway serve` answers agencies, `gateway work` does the work beside it on more processes; both until SIGTERM or Ctrl-C.

With GATEWAY_BROKER_URL the serving processes only answer and hint, and Celery workers do the rest; without it every serving
process also carries, reads, watches clocks and seals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from gateway.app import system_clock
from gateway.cli.session import JsonFlag, answer, usable_settings
from gateway.core.errors import Misconfigured
from gateway.serving import serve as serve_until_stopped
from gateway.serving import work as work_until_stopped
from gateway.settings import Settings
from keys.development import certificates_in, make_certificates

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve(as_json: JsonFlag = False) -> None:
    """Serve agencies, carry deliveries, read mail, watch clocks and seal the log. SIGTERM and Ctrl-C end it in order.

    Says where as soon as it answers.

    Example: gateway serve
    """
    settings, authority = _with_tls(_settings())
    hint = _hint(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            serve_until_stopped(settings, ready=lambda: _say_where(settings, authority, as_json), hint=hint)
        )


@app.command()
def work(
    processes: Annotated[int, typer.Option(min=1, help="Worker processes, with a broker.")] = 2,
    as_json: JsonFlag = False,
) -> None:
    """Carry deliveries, read mail, watch clocks and seal, without answering agencies. Needs PostgreSQL; as many as you like.

    With GATEWAY_BROKER_URL these are Celery workers with their timetable; without it one process that looks by itself.

    Example: gateway work --processes 4
    """
    settings = _settings()
    if settings.broker_url is not None:
        from gateway.dispatch import celery_worker

        if as_json:
            answer({"broker": True, "processes": processes}, [], as_json)
        celery_worker.celery_app(settings).worker_main(celery_worker.arguments(processes))
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work_until_stopped(settings, ready=lambda: _say_working(as_json)))


def _say_working(as_json: bool) -> None:
    answer({"broker": False, "processes": 1}, ["Working: no broker, one process"], as_json)


def _hint(settings: Settings) -> Callable[[], None] | None:
    if settings.broker_url is None:
        return None
    from gateway.dispatch import celery_worker

    return celery_worker.hint_through(settings)


def _settings() -> Settings:
    """The settings in force, with databases and a folder that this release can use; Misconfigured otherwise."""
    settings = usable_settings()
    if not settings.var_dir.is_dir():
        raise Misconfigured("GATEWAY_VAR_DIR is not there: run `gateway init`")
    return settings


def _with_tls(settings: Settings) -> tuple[Settings, Path | None]:
    """With a certificate for this machine alone where development has none, and the authority to trust for it."""
    if not settings.wants_development_tls:
        return settings, None
    folder, now = settings.var_dir / "development-tls", system_clock()
    made = certificates_in(folder)
    if not made.are_good_at(now):
        folder.mkdir(mode=0o700, exist_ok=True)
        made = make_certificates(folder, now - timedelta(days=1), now + timedelta(days=365))
    files = {"tls_cert_file": made.certificate, "tls_key_file": made.key}
    return settings.model_copy(update=files), made.authority


def _say_where(settings: Settings, authority: Path | None, as_json: bool) -> None:
    where = {"public_url": settings.public_url, "listen": settings.listen}
    told = {**where, "operator_listen": settings.operator_listen, "authority": authority and str(authority)}
    lines = [
        f"Serving agencies at {settings.public_url} (listening on {settings.listen})",
        f"Health and metrics at http://{settings.operator_listen}/livez, /readyz, /metrics",
    ]
    if authority is not None:
        lines.append(f"Its certificate is for development: trust {authority}, on this machine alone")
    answer(told, lines, as_json)

"""`gateway serve`: the gateway in one process, agencies' listener and operator's listener, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio

import typer
import uvloop

from gateway.core.errors import Misconfigured
from gateway.serving import serve as serve_until_stopped
from gateway.settings import Settings, SettingsUnreadable
from gateway.store import migrations

app = typer.Typer(no_args_is_help=True)


@app.command()
def serve() -> None:
    """Serve agencies, carry deliveries, read mail, watch clocks and seal the log. SIGTERM and Ctrl-C end it in order.

    Example: gateway serve
    """
    settings = _settings()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_until_stopped(settings, ready=lambda: _say_where(settings)))


def _settings() -> Settings:
    """The settings in force, with databases that this release can use; Misconfigured otherwise."""
    try:
        settings = Settings.load()
    except SettingsUnreadable as fault:
        raise Misconfigured(str(fault)) from None
    databases: dict[migrations.Which, str] = {"book": settings.book_url, "custody": settings.keys_book_url}
    if not settings.var_dir.is_dir():
        raise Misconfigured("GATEWAY_VAR_DIR is not there: run `gateway init`, then `gateway migrate`")
    for which, url in databases.items():
        if not migrations.is_current(url, which):
            raise Misconfigured(f"the {which} database is not up to date: run `gateway migrate`")
    return settings


def _say_where(settings: Settings) -> None:
    typer.echo(f"Serving agencies at {settings.public_url} (listening on {settings.listen})")
    typer.echo(f"Health and metrics at http://{settings.operator_listen}/livez, /readyz, /metrics")

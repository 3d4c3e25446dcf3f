"""Which module holds which command, so that only the one that is named is imported and `rules explain` starts at once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

import typer

# `gateway <group> <command>`: gateway/cli/<group>.py
GROUPS = (  # noqa: SIM905
    "rules directory absence mail clients keys held incidents duties deliveries evidence register report console breach"
    " calendar forms guests log witness sandbox hold retention officers alerts tasks webhooks"
).split()
COMMANDS = {
    "init": "operator",
    "migrate": "operator",
    "doctor": "operator",
    "serve": "serve",
    "work": "serve",
    "demo": "demo",
    "submit": "submit",
    "conformance": "conformance",
    "backup": "backup",
    "restore": "backup",
    "subject-access": "subject_access",
    "reconcile": "reconcile",
    "erase": "reconcile",
    "close": "close",
    "reopen": "close",
    "recall": "recall",
    "transfer": "transfer",
}


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command line, holding what the first argument names, or everything for help and for slips of the pen."""
    app = typer.Typer(
        name="gateway",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="The safeguarding gateway. Every command has --help with an example, and --json.",
    )

    @app.callback()
    def gateway() -> None:
        pass

    named = arguments[0] if arguments else ""
    for group in GROUPS if named not in COMMANDS else ():
        if named == group or named not in GROUPS:
            _add_group(app, group)
    for module in dict.fromkeys(COMMANDS.values()) if named not in GROUPS else ():
        if COMMANDS.get(named, module) == module:
            _add_commands(app, module)
    return app


@contextmanager
def loading() -> Iterator[None]:
    """While this lasts modules load as for a command: sooner, and without what no command uses.

    What is loaded stays, so the collector need not look through it again and again. And structlog does not find what it
    would load to draw tracebacks on a screen and to tell green threads apart: 6 MiB and a tenth of a second of a serving process.
    """
    unused = [name for name in ("rich", "greenlet") if name not in sys.modules]
    sys.modules |= dict.fromkeys(unused)  # type: ignore[arg-type]
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_collecting:
            gc.enable()
        for name in unused:
            del sys.modules[name]


def _loaded(module: str) -> typer.Typer:
    """The commands of a module."""
    with loading():
        found: typer.Typer = import_module(f"gateway.cli.{module}").app
    return found


def _add_group(app: typer.Typer, group: str) -> None:
    found = _loaded(group)
    if found.registered_callback is None:
        found.callback()(lambda: None)  # a group of one command stays a group
    app.add_typer(found, name=group)


def _add_commands(app: typer.Typer, module: str) -> None:
    app.registered_commands.extend(_loaded(module).registered_commands)

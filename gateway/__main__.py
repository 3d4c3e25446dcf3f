"""The command `gateway`. Exit 0 done, 1 the answer is no, 2 wrong use: one line on standard error, never a traceback."""

from __future__ import annotations

import contextlib
import sys

import typer
from typer.exceptions import TyperException

from gateway.cli.groups import application
from gateway.core.errors import GatewayError, Refused, Unavailable


def main() -> None:
    """Run the command line."""
    leave_no_core()
    arguments = sys.argv[1:]
    try:
        command = typer.main.get_command(application(arguments))
        sys.exit(command.main(args=arguments or ["--help"], prog_name="gateway", standalone_mode=False))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except TyperException as wrong:
        format_message = getattr(wrong, "format_message", wrong.__str__)
        _leave(format_message() or "wrong use; see --help", 2)
    except Refused as refused:
        faults = ", ".join(f"{error.pointer} {error.code}" for error in refused.errors)
        _leave((refused.detail or refused.code.title) + (f": {faults}" if faults else ""), 1)
    except Unavailable as fault:
        _leave(f"the store cannot answer now: {fault.reason}", 2)
    except GatewayError as fault:
        _leave(str(fault), 2)


def leave_no_core() -> None:
    """A crash writes no image of this process, nor of those it starts, to a disk: keys and what children say stand in it."""
    with contextlib.suppress(
        ImportError, ValueError, OSError
    ):  # where there is no such limit the others stay
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _leave(words: str, status: int) -> None:
    typer.echo(f"gateway: {' '.join(words.split())}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()

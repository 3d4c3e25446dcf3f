"""The command `gateway`. Exit 0 done, 1 the answer is no, 2 wrong use: one line on standard error, never a traceback."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import typer
from typer.exceptions import TyperException

from gateway.cli.groups import application
from gateway.core.errors import GatewayError, Refused, Unavailable, place_of


def main() -> None:
    """Run the command line."""
    leave_no_core()
    arguments = sys.argv[1:]
    try:
        command = typer.main.get_command(application(arguments))
        sys.exit(command.main(args=arguments or ["--help"], prog_name="gateway", standalone_mode=False))
    except (typer.Abort, KeyboardInterrupt) as ended:
        if isinstance(ended.__context__, EOFError):
            _leave(
                "standard input ended before the question was answered: see --help for how to say it without being asked",
                2,
            )
        sys.exit(130)
    except TyperException as wrong:
        _leave(_wrong_use(wrong), 2)
    except Refused as refused:
        faults = ", ".join(f"{error.pointer} {error.code}" for error in refused.errors)
        _leave((refused.detail or refused.code.title) + (f": {faults}" if faults else ""), 1)
    except Unavailable as fault:
        _leave(f"the store cannot answer now: {fault.reason}", 2)
    except GatewayError as fault:
        _leave(str(fault), 2)
    except BrokenPipeError:
        _stop_writing()
        sys.exit(1)
    except OSError as fault:
        _stop_writing()
        _leave(f"{fault.filename or 'a file, or standard output'}: {fault.strerror or 'cannot be used'}", 2)
    except Exception as fault:
        _leave(_of_a_bug(fault), 2)


def _wrong_use(wrong: TyperException) -> str:
    """What is wrong and where help is; for a group without a command, which there are."""
    context = getattr(wrong, "ctx", None)
    where = context.command_path if context is not None else "gateway"
    format_message = getattr(wrong, "format_message", wrong.__str__)
    words = format_message() or "wrong use"
    if words.startswith("Usage:") and context is not None:
        words = f"say which command: {', '.join(context.command.commands)}"
    return f"{words.rstrip('.')}: see `{where} --help`"


def _of_a_bug(fault: BaseException) -> str:
    """Where to look, and no value of any variable: what was asked may be about a child."""
    first = fault
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return (
        f"stopped by a fault of its own ({type(first).__name__} in {place_of(first) or place_of(fault)}): nothing is half done; please report it with"
        " this line, and see `gateway doctor`"
    )


def _stop_writing() -> None:
    """What could not be written is not tried again when Python ends, which would add words of its own."""
    with suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def leave_no_core() -> None:
    """A crash writes no image of this process, nor of those it starts, to a disk: keys and what children say stand in it."""
    with suppress(ImportError, ValueError, OSError):  # where there is no such limit the others stay
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _leave(words: str, status: int) -> None:
    typer.echo(f"gateway: {' '.join(words.split())}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()

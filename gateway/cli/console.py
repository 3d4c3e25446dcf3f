"""`gateway console`: a one-time link that signs an officer in, for development."""

from __future__ import annotations

import typer

from gateway.cli.session import JsonFlag, Officer, answer, opened, run
from gateway.console.sign_in import create_sign_in_link

app = typer.Typer(help="The pages for officers.", no_args_is_help=True)


@app.command()
def link(officer: Officer, as_json: JsonFlag = False) -> None:
    """Make a link that signs an officer in once within 15 minutes. Development only: production refuses.

    Example: gateway console link --officer "Winifred Stave"
    """

    async def make() -> str:
        async with opened() as parts:
            return await create_sign_in_link(parts, officer)

    made = run(make())
    answer({"url": made}, [made], as_json)

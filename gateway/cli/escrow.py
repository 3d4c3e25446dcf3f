"""`gateway keys escrow` and `keys recover`: the master key in shares for people's safes, and back again.

Invariant: a share is written once, to a file for its owner alone, and shown nowhere; an existing `master.key` is never overwritten.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.introduce_key import Introduction, escrow_key
from gateway.actions.settle import settle
from gateway.app import home_of
from gateway.cli.session import JsonFlag, Officer, SecondOfficer, answer, opened, run, stop
from gateway.core.errors import Misconfigured
from gateway.core.officers import TwoOfficers
from gateway.settings import Settings, SettingsUnreadable
from keys.custody import MASTER, read_master, write_master
from keys.escrow import CannotRecover, Share, join, read, split, written
from keys.signing import write_secret

app = typer.Typer(no_args_is_help=True)


@app.command(
    epilog="Example: gateway keys escrow --shares 5 --needed 3 --out shares --officer 'Winifred Stave' "
    "--second-officer 'Desmond Quill'"
)
def escrow(
    shares: Annotated[
        int, typer.Option("--shares", metavar="N", help="How many shares are made, at most 20.")
    ],
    needed: Annotated[int, typer.Option("--needed", metavar="K", help="How many of them give the key back.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for the shares.")],
    officer: Officer,
    second_officer: SecondOfficer,
    as_json: JsonFlag = False,
) -> None:
    """Split the master key into shares, of which any K give it back and fewer say nothing.

    One text file a share: print each, hand it to its keeper, and destroy the folder. Make new ones after each `keys rotate master`.
    """
    if not 2 <= needed <= shares <= 20:
        stop("at least 2 shares are needed, and at most 20 are made: --shares 5 --needed 3", 2)
    asked = Introduction("master", TwoOfficers(officer, second_officer))
    told = run(_escrow(asked, shares, needed, out))
    lines = [
        *told["files"],
        f"any {needed} of these {shares} give {told['kid']} back: gateway keys recover FILE…",
    ]
    answer(told, [*lines, f"receipt: {told['receipt']['id']}"], as_json)


@app.command(epilog="Example: gateway keys recover share-1.txt share-3.txt share-4.txt")
def recover(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="As many shares as are needed.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only try: is it the key that is in use here? Writes nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put `master.key` back into the keys directory from shares; refused while one is there. With --check, a drill."""
    try:
        found = [read(_text(file)) for file in files]
        document = dict(json.loads(join(found)))
    except CannotRecover as fault:
        stop(str(fault), 1)
    settings = _settings()
    folder, home = settings.keys_dir, home_of(settings)
    is_here = (folder / MASTER).exists()
    if check:
        same = is_here and read_master(folder, home) == document
        _drill(document, same, as_json)
        return
    if is_here:
        stop("there is a master key already: this would overwrite it; try with --check instead", 1)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home is not None:
        home.make_key()
    write_master(folder, document, home)
    told = {"kid": document["id"], "written": True}
    answer(
        told, [f"{document['id']} is back in {folder}", "Next: gateway doctor, then gateway serve"], as_json
    )


def _drill(document: dict[str, Any], same: bool, as_json: bool) -> None:
    told = {"kid": document["id"], "written": False, "is_the_one_in_use": same}
    line = "the shares give back the master key that is in use here"
    answer(told, [line if same else "the shares give back another master key than is in use here"], as_json)
    if not same:
        raise typer.Exit(1)


async def _escrow(asked: Introduction, shares: int, needed: int, out: Path) -> dict[str, Any]:
    async with opened() as parts:
        document = read_master(parts.settings.keys_dir, parts.ring.home)
        made = split(json.dumps(document).encode(), document["id"], shares, needed)
        if any(json.loads(join(made[at : at + needed])) != document for at in range(shares - needed + 1)):
            raise Misconfigured("the shares do not give the key back: nothing is written; report it")
        receipt = await settle(parts, escrow_key, asked)
        files = _write(made, out)
    told = {"id": receipt.id, "jws": receipt.jws}
    common = {"kid": document["id"], "shares": shares, "needed": needed}
    return {**common, "files": files, "receipt": told}


def _write(made: list[Share], out: Path) -> list[str]:
    try:
        out.mkdir(mode=0o700)
        files = [out / f"share-{one.number}.txt" for one in made]
        for file, one in zip(files, made, strict=True):
            write_secret(file, written(one).encode())
    except OSError as fault:
        stop(f"{out} cannot be made: {fault.strerror}; name a folder that is not there yet", 2)
    return [str(file) for file in files]


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        stop(f"{file} cannot be read as a share", 2)


def _settings() -> Settings:
    """Without the deployment's parts, which need the master key."""
    try:
        return Settings.load()
    except SettingsUnreadable as fault:
        raise Misconfigured(str(fault)) from None

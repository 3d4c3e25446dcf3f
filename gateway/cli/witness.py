"""`gateway witness`: a partner agency's witness of a gateway's log, run alone: no gateway, no database of one, no network out.

Everything lies in one folder: `witness.json` (its name and the logs that it watches), `witness.pem` (its key) and
`witnessed.sqlite3` (what it signed last). Exit status as in contract section 2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from gateway.ledger.checkpoint import witness_key
from gateway.ledger.verify import LOG_KEY, VerifierKey, parse_vkey
from gateway.store.witnessed import Memory, MemoryUnusable
from gateway.witness.witnessing import Witnessing
from keys.signing import FileSigner

SETTINGS, KEY, MEMORY = "witness.json", "witness.pem", "witnessed.sqlite3"
JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
]
Folder = Annotated[
    Path, typer.Option("--dir", metavar="FOLDER", help="Where the witness keeps its key and memory.")
]
Logs = Annotated[
    list[str],
    typer.Option("--log", metavar="VKEY", help="A log to watch: `log` in the gateway's policy; repeatable."),
]

app = typer.Typer(help="A partner's witness of a gateway's log, run alone.", no_args_is_help=True)


@app.command(epilog="Example: gateway witness init --dir witness --name witness.police.example --log VKEY")
def init(
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The witness's name: a domain of your agency.")
    ],
    log: Logs,
    folder: Folder = Path("witness"),
    as_json: JsonFlag = False,
) -> None:
    """Make a witness: its folder, its key, the logs that it watches. A folder that is there keeps its key and memory, and
    watches these logs from now on."""
    if not re.fullmatch(r"[A-Za-z0-9./_-]{1,255}", name):
        _stop("the name is a domain or path of yours, without spaces or `+`")
    keys = [_log_key(one) for one in log]
    try:
        _write(folder, name, keys)
        found = told(folder)
    except (OSError, ValueError, KeyError, MemoryUnusable):
        _stop(f"{folder} cannot be made a witness's folder: is it yours, and was it made for the same name?")
    _answer(found, as_json)


@app.command(epilog="Example: gateway witness show --dir witness")
def show(folder: Folder = Path("witness"), as_json: JsonFlag = False) -> None:
    """Show the witness's key, as the gateway's operator needs it, and what it signed last of each log."""
    try:
        found = told(folder)
    except (OSError, ValueError, KeyError, MemoryUnusable):
        _stop(f"there is no witness in {folder}: make one with `gateway witness init`")
    _answer(found, as_json)


@app.command(epilog="Example: gateway witness serve --dir witness --listen 127.0.0.1:8460")
def serve(
    folder: Folder = Path("witness"),
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; give it to a proxy that ends TLS.")
    ] = "127.0.0.1:8460",
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate chain (PEM), to end TLS itself.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Answer the gateway until SIGTERM or Ctrl-C. It may be killed at any time: what it signed, it remembers."""
    from gateway.app import system_clock
    from gateway.witness.listening import listen_until_stopped

    try:
        witness = witnessing(folder, system_clock)
    except (OSError, ValueError, KeyError, MemoryUnusable):
        _stop(f"there is no witness in {folder}: make one with `gateway witness init`")
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or (tls_cert is None) != (tls_key is None):
        _stop("--listen is host:port; --tls-cert and --tls-key go together")
    told = {"name": witness.name, "logs": len(witness.logs), "listen": listen}
    typer.echo(
        json.dumps(told) if as_json else f"Witnessing {len(witness.logs)} logs as {witness.name} at {listen}"
    )
    listen_until_stopped(witness, host.strip("[]"), int(port), tls_cert, tls_key)


def witnessing(folder: Path, clock: Callable[[], datetime]) -> Witnessing:
    """The witness whose key and memory lie in the folder."""
    own = _load(folder)
    logs = {key.name: [one for one in own.logs if one.name == key.name] for key in own.logs}
    return Witnessing(own.name, own.signer, logs, Memory(folder / MEMORY), clock)


@dataclass(frozen=True, slots=True)
class _Own:
    name: str
    signer: FileSigner
    logs: list[VerifierKey]


def _write(folder: Path, name: str, logs: list[VerifierKey]) -> None:
    """ValueError when the folder is another witness's: a key signs under one name for ever."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / SETTINGS).exists() and _load(folder).name != name:
        raise ValueError("made for another name")
    if not (folder / KEY).exists():
        FileSigner.generate("witness", "Ed25519").save(folder / KEY)
    fresh = folder / f"{SETTINGS}.new"
    fresh.write_text(json.dumps({"name": name, "logs": [str(key) for key in logs]}, indent=2) + "\n", "utf-8")
    fresh.replace(folder / SETTINGS)
    Memory(folder / MEMORY)


def _load(folder: Path) -> _Own:
    written = json.loads((folder / SETTINGS).read_text("utf-8"))
    return _Own(
        written["name"], FileSigner.load(folder / KEY), [parse_vkey(line) for line in written["logs"]]
    )


def _log_key(text: str) -> VerifierKey:
    try:
        key = parse_vkey(text)
    except ValueError:
        _stop("--log is a log's key as the gateway's policy has it under `log`")
    if key.kind != LOG_KEY:
        _stop("--log is a log's key, not a witness's")
    return key


def told(folder: Path) -> dict[str, Any]:
    """The witness's name and key, and what it signed last of each log."""
    own, memory = _load(folder), Memory(folder / MEMORY)
    last = {key.name: memory.last(key.name) for key in own.logs}
    return {
        "name": own.name,
        "vkey": str(witness_key(own.name, own.signer)),
        "logs": [
            {"origin": origin, "size": one.size if one else None, "root": one.root.hex() if one else None}
            for origin, one in last.items()
        ],
    }


def _answer(found: dict[str, Any], as_json: bool) -> None:
    lines = [
        f"{found['name']}: give this key to the gateway's operator, and compare it by telephone:",
        found["vkey"],
    ]
    lines += [
        f"watches {log['origin']}: "
        + ("nothing signed yet" if log["size"] is None else f"signed {log['size']} entries")
        for log in found["logs"]
    ]
    typer.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines))


def _stop(words: str) -> NoReturn:
    typer.echo(f"gateway: {words}", err=True)
    raise typer.Exit(2)

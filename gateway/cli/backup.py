"""`gateway backup` and `gateway restore`: both databases as files, each in a folder of its own, and back into empty ones.

Invariant: the book is copied before the custody store, so that every data key that the copied book names is in the copy of the keys;
what was erased is erased again before a restore says that it is done. No private key is ever in a back-up.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.actions.reconcile import reconcile
from gateway.app import clock_of, open_keys, system_clock
from gateway.cli.session import JsonFlag, answer, opened, run, stop
from gateway.core.errors import Misconfigured
from gateway.dispatch.erasing import reapply_erasures
from gateway.settings import Settings, SettingsUnreadable
from gateway.store import backup as backups
from gateway.store import sessions
from gateway.store.serving_lock import alone_on_sqlite

app = typer.Typer(no_args_is_help=True)

NOT_INCLUDED = """What this back-up does not hold, and what you need besides to restore it:

- the keys directory: master.key (escrowed in shares: gateway keys escrow) and the signing keys. Never keep it with this.
- erasures.jsonl in the keys directory: without it, what was erased after this back-up was made would come back.
- the settings file, and the password files that it names;
- TLS certificates, the proxy's configuration, the virus scanner's signatures;
- what lies with others: e-mail in the mailbox, witnesses' and partners' copies of the log and of receipts.

The folder "custody" holds wrapped data keys. Move it to a place of its own, and destroy it by the day in its manifest:
as long as it lives, an erased incident could be brought back by whoever has the master key too.
"""


@app.command()
def backup(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for the back-up.")],
    as_json: JsonFlag = False,
) -> None:
    """Copy both databases while the gateway goes on: DIR/book, DIR/custody, and what is not included.

    Example: gateway backup --out backup-2026-11-02
    """
    settings = _settings()
    now = system_clock()
    destroy_by = (now + timedelta(days=settings.custody_backup_days)).date()
    try:
        out.mkdir(mode=0o700, parents=True)
        book = backups.back_up(settings.book_url, "book", out / "book", now, None)
        keys = backups.back_up(settings.keys_book_url, "custody", out / "custody", now, destroy_by)
        (out / "NOT-INCLUDED.txt").write_text(NOT_INCLUDED, "utf-8")
    except OSError as fault:
        stop(f"{out} cannot be written: {fault.strerror}; name a folder that is not there yet", 2)
    told = {"folder": str(out), "book": len(book.files), "custody": len(keys.files)}
    lines = [
        f"{out}/book: keep it as long as your records schedule says",
        f"{out}/custody: move it to a place of its own, and destroy it by {destroy_by.isoformat()}",
        f"{out}/NOT-INCLUDED.txt: what else a restore needs",
    ]
    answer({**told, "made_at": book.made_at, "destroy_custody_by": destroy_by.isoformat()}, lines, as_json)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `gateway backup` made.")],
    custody: Annotated[
        Path | None, typer.Option("--custody", metavar="DIR", help="The custody folder, where it lies apart.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Load a back-up into empty databases, erase again what was erased since, and say what is to be reconciled.

    Refused while a gateway serves, over rows that are there, or from a folder that is not whole.

    Example: gateway restore backup-2026-11-02
    """
    settings = _settings()
    settings.var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone_on_sqlite(settings):
        told = _restore(settings, folder / "book", custody or folder / "custody")
    lines = [
        f"restored as it was at {told['made_at']}",
        f"{told['erased_again']} incidents that were erased since are erased again",
        f"{told['unexplained']} unexplained: see `gateway reconcile`",
        "ask each agency for the receipts that it kept since then: gateway reconcile --receipts DIR",
        "mail that came since lies in the mailbox, marked as read: have it delivered anew",
        "everybody is signed out and invitations are void; what officers suspended, revoked, redirected or restricted since is as it was: do it again before you serve",
        "witnesses and partners hold newer checkpoints: tell them before you serve",
    ]
    answer(told, lines, as_json)


def _restore(settings: Settings, book: Path, custody: Path) -> dict[str, Any]:
    """Nothing is loaded unless both are whole and both targets are empty."""
    made = backups.read_manifest(book, "book")
    backups.read_manifest(custody, "custody")
    backups.must_be_empty(settings.book_url, "book")
    backups.must_be_empty(settings.keys_book_url, "custody")
    open_keys(
        settings, clock_of(settings)
    )  # before anything is loaded: a second try would find the databases full
    backups.restore(settings.keys_book_url, "custody", custody)  # first: the book's content needs its keys
    backups.restore(settings.book_url, "book", book)
    # A crash before this leaves keys without a book, and a second try says that the custody store is not empty.
    return {"made_at": made.made_at, **run(_after())}


async def _after() -> dict[str, Any]:
    """What was ended since must not go on because the book has forgotten it: sessions and invitations are over in any case."""
    async with opened() as parts:
        await parts.store.transact(sessions.end_everything)
        again = await reapply_erasures(parts)
        found = await reconcile(parts)
    return {"erased_again": again, "unexplained": sum(not one.waits for one in found.findings)}


def _settings() -> Settings:
    try:
        return Settings.load()
    except SettingsUnreadable as fault:
        raise Misconfigured(str(fault)) from None

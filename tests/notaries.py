"""Who confirms a log, for tests: a real `gateway witness` process that can be killed, and a real `openssl ts` authority."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from typer.testing import CliRunner

from gateway.app import system_clock
from gateway.cli.witness import app, told, witnessing
from gateway.witness.application import witness_app

POLICY = "1.3.6.1.4.1.99999.7"
START_SECONDS = 30
GATEWAY = [sys.executable, "-m", "gateway"]

_CONFIG = """
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = {policy}
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass
class WitnessProcess:
    """A witness in a process of its own, in `folder`."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def setting(self) -> str:
        """As the gateway's settings name it."""
        return f"{told(self.folder)['vkey']} {self.url}"

    def size(self, origin: str) -> int | None:
        """How many entries it signed last."""
        return next((log["size"] for log in told(self.folder)["logs"] if log["origin"] == origin), None)

    def start(self) -> None:
        command = [
            *GATEWAY,
            "witness",
            "serve",
            "--dir",
            str(self.folder),
            "--listen",
            f"127.0.0.1:{self.port}",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with httpx2.Client() as client:
            for _ in range(START_SECONDS * 20):
                try:
                    client.get(f"{self.url}/livez")
                    return
                except httpx2.TransportError:
                    threading.Event().wait(0.05)
        raise AssertionError("the witness did not start")

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@dataclass
class WitnessHere(WitnessProcess):
    """The same in this process, for tests in which it need not be killed: starts and stops in milliseconds."""

    _server: uvicorn.Server | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        config = uvicorn.Config(
            witness_app(witnessing(self.folder, system_clock)),
            port=self.port,
            lifespan="off",
            log_level="warning",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            threading.Event().wait(0.005)

    def kill(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = None


@dataclass
class LyingWitness:
    """A witness's address at which somebody lies: what is told to `POST` and to `GET`, each with its status."""

    posted: tuple[int, bytes] = (200, b"")
    shown: tuple[int, bytes] = (404, b"")
    url: str = ""
    heard: list[bytes] = field(default_factory=list)


@contextmanager
def lying_witness(port: int = 0) -> Iterator[LyingWitness]:
    liar = LyingWitness()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            liar.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(*liar.posted)

        def do_GET(self) -> None:
            self.answer(*liar.shown)

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler, port) as taken:
        liar.url = f"http://127.0.0.1:{taken}"
        yield liar


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[int]:
    """An HTTP listener on loopback in a thread of its own; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_witness(folder: Path, name: str, logs: Sequence[str], kind: type[WitnessProcess]) -> WitnessProcess:
    """Set up with the real command, not started yet."""
    words = [word for log in logs for word in ("--log", log)]
    made = CliRunner().invoke(app, ["init", "--dir", str(folder), "--name", name, *words])
    assert made.exit_code == 0, made.output
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return kind(folder, port)


@dataclass
class StampAuthority:
    """`openssl ts` behind an HTTP listener; `is_down` makes it answer 503."""

    folder: Path
    url: str = ""
    is_down: bool = False
    asked: list[bytes] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def reply(self, query: bytes) -> bytes:
        asked, answer = self.folder / "query.tsq", self.folder / "answer.tsr"
        asked.write_bytes(query)
        command = [
            "openssl",
            "ts",
            "-reply",
            "-config",
            self.folder / "tsa.cnf",
            "-queryfile",
            asked,
            "-out",
            answer,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=10)
        return answer.read_bytes()


@contextmanager
def stamp_authority(folder: Path) -> Iterator[StampAuthority]:
    """A root, a stamping certificate, a listener on loopback."""
    folder.mkdir()
    _make_certificates(folder)
    authority = StampAuthority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            authority.asked.append(query)
            self.send_response(503 if authority.is_down else 200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            if not authority.is_down:
                self.wfile.write(authority.reply(query))

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler) as port:
        authority.url = f"http://127.0.0.1:{port}/tsr"
        yield authority


def _make_certificates(folder: Path) -> None:
    (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder, policy=POLICY))
    (folder / "serial").write_text("01\n")
    (folder / "ext.cnf").write_text("extendedKeyUsage = critical,timeStamping\n")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        "req",
        "-x509",
        *curve,
        "-keyout",
        "root.key",
        "-out",
        "root.pem",
        "-subj",
        "/CN=Invented root",
        "-days",
        "2",
    )
    openssl("req", *curve, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Invented stamps")
    openssl("x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
            "-out", "tsa.pem", "-days", "1", "-extfile", "ext.cnf")  # fmt: skip

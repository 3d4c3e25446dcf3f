"""NHS's own MESH sandbox, one for the whole run, in its own environment; each test gets it empty and through a door of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import requests
from mesh_client import MeshClient

from adapters.mesh import Account

PYTHON = Path(__file__).resolve().parents[2] / ".venv-mesh" / "bin" / "python"
OURS, THEIRS, WORKFLOW = "X26ABC1", "X26ABC2", "TEST_WORKFLOW"
PASSWORD, SHARED_KEY = "password", "TestKey"
START_SECONDS = 40


@dataclass
class Sandbox:
    """The sandbox as one test sees it: `url` is the test's own door to it."""

    folder: Path
    url: str
    direct_url: str
    door: asyncio.Server

    def account(self, mailbox: str) -> Account:
        files = {"password": PASSWORD, "shared-key": SHARED_KEY}
        for name, secret in files.items():
            (self.folder / name).write_text(secret)
            (self.folder / name).chmod(0o600)
        return Account(
            self.url,
            mailbox,
            WORKFLOW,
            self.folder / "password",
            self.folder / "shared-key",
            timeout_seconds=20,
        )

    def client(self, mailbox: str) -> MeshClient:
        """Another health body's own client."""
        return MeshClient(self.direct_url, mailbox, PASSWORD, SHARED_KEY.encode(), max_retries=0)

    def sent_to(self, mailbox: str) -> list[bytes]:
        """What lies there under an id of ours, each with that id."""
        found = []
        with self.client(mailbox) as client:
            for id_ in client.list_messages():
                message = client.retrieve_message(id_)
                if (message.local_id or "").startswith(("dlv-", "answer-")):
                    found.append(message.local_id.encode() + b" " + message.read())
                message.close()
        return found

    def empty(self, mailbox: str) -> None:
        """Nothing lies there: the sandbox comes with messages of its own."""
        with self.client(mailbox) as client:
            for id_ in client.list_messages():
                client.acknowledge_message(id_)

    def report(self, mailbox: str, local_id: str) -> None:
        """MESH reports that a message was not collected."""
        said = {
            "mailbox_id": mailbox,
            "code": "14",
            "description": "Message not collected by recipient after 5 days",
            "status": "undeliverable",
            "workflow_id": WORKFLOW,
            "local_id": local_id,
            "subject": "",
            "file_name": "",
            "linked_message_id": "0",
        }
        requests.post(
            f"{self.direct_url}/messageexchange/admin/report", json=said, timeout=20
        ).raise_for_status()

    def shut(self) -> None:
        self.door.close()


@asynccontextmanager
async def mesh_sandbox() -> AsyncIterator[Sandbox]:
    port = await asyncio.to_thread(_running)
    direct = f"http://127.0.0.1:{port}"
    await asyncio.to_thread(
        lambda: requests.delete(f"{direct}/messageexchange/admin/reset", timeout=20).raise_for_status()
    )
    lines: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        lines.add(task)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    door = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{door.sockets[0].getsockname()[1]}"
        sandbox = Sandbox(Path(folder), url, direct, door)
        for mailbox in (OURS, THEIRS):
            await asyncio.to_thread(sandbox.empty, mailbox)
        yield sandbox
    door.close()
    if lines:
        await asyncio.wait(lines, timeout=10)  # each ends with the client that it served
    await door.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@cache
def _running() -> int:
    """The port of a sandbox that answers; it ends with this process."""
    assert PYTHON.exists(), "run `make mesh`"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = subprocess.Popen(
        [PYTHON, "-m", "uvicorn", "mesh_sandbox.api:app", "--port", str(port), "--log-level", "error"],
        env=os.environ | {"STORE_MODE": "memory", "AUTH_MODE": "full", "SHARED_KEY": SHARED_KEY},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(process.kill)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                return port
        time.sleep(0.1)
    raise AssertionError("the MESH sandbox did not start")

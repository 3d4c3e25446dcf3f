"""The floor: the least that any service must do which takes a signed message and answers with a durable, signed receipt.

The same server (uvicorn, uvloop, httptools), the same 4 KiB read by pydantic, one signature of the caller checked, one
receipt signed, two rows in one transaction whose commit is flushed before the answer and shared with whoever waits beside
it; written as FastAPI's own guide writes an endpoint. No token, no replay protection, no rules, no sealing, no ledger. What the gateway costs is told as a share of this.

    python -m tests.bench.floor FOLDER PORT [POSTGRESQL]

On PostgreSQL, named as its own library names it, several processes may serve one database.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import queue
import secrets
import sqlite3
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import psycopg
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ed25519
from fastapi import FastAPI, Header, Request
from pydantic import AwareDatetime, BaseModel

FLOOR_KEY = "floor.key"
BATCH = 128
TABLES = """
    CREATE TABLE message (id TEXT PRIMARY KEY, reference TEXT UNIQUE, body BLOB NOT NULL, receipt TEXT NOT NULL);
    CREATE TABLE delivery (id TEXT PRIMARY KEY, message TEXT NOT NULL, state TEXT NOT NULL, next_at TEXT NOT NULL);
"""


class Author(BaseModel):
    name: str
    post: str


class Return(BaseModel):
    """The example's body."""

    kind: str
    involvement: str | None
    actions: str | None
    learning: str | None
    records_checked: list[str]


class Document(BaseModel):
    """The example's envelope."""

    type: str
    version: int
    partnership: str
    reference: str
    incident: str | None
    in_reply_to: str | None
    created_at: AwareDatetime
    author: Author
    body: Return


class Answer(BaseModel):
    id: str
    reference: str
    receipt: str


class Writer:
    """One thread; whatever waits shares a commit."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._waiting: queue.SimpleQueue[tuple[tuple[Any, ...], asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    async def keep(self, row: tuple[Any, ...]) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.put((row, done))
        await done

    def _run(self) -> None:
        database = sqlite3.connect(self._file, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.executescript(TABLES)
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty() and len(batch) < BATCH:
                batch.append(self._waiting.get())
            database.execute("BEGIN IMMEDIATE")
            for (message, reference, body, receipt, delivery, at), _ in batch:
                database.execute(
                    "INSERT INTO message VALUES (?, ?, ?, ?)", (message, reference, body, receipt)
                )
                database.execute("INSERT INTO delivery VALUES (?, ?, 'pending', ?)", (delivery, message, at))
            database.execute("COMMIT")
            batch[0][1].get_loop().call_soon_threadsafe(_settle, [done for _, done in batch])


class PostgresWriter(Writer):
    """The same on PostgreSQL: both rows of all that wait in one pipeline, one commit."""

    def __init__(self, database: str) -> None:
        self._database = database
        super().__init__(Path())

    def _run(self) -> None:
        with psycopg.connect(self._database) as link:
            while True:
                batch = [self._waiting.get()]
                while not self._waiting.empty() and len(batch) < BATCH:
                    batch.append(self._waiting.get())
                rows = [row for row, _ in batch]
                with link.transaction(), link.cursor() as cursor:
                    cursor.executemany(
                        "INSERT INTO message VALUES (%s, %s, %s, %s)", [row[:4] for row in rows]
                    )
                    pending = [(row[4], row[0], row[5]) for row in rows]
                    cursor.executemany("INSERT INTO delivery VALUES (%s, %s, 'pending', %s)", pending)
                batch[0][1].get_loop().call_soon_threadsafe(_settle, [done for _, done in batch])


def _settle(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)


def floor(folder: Path, database: str | None = None) -> FastAPI:
    """The bare application."""
    writer = PostgresWriter(database) if database else Writer(folder / "floor.sqlite3")
    caller = ed25519.Ed25519PrivateKey.from_private_bytes((folder / FLOOR_KEY).read_bytes()).public_key()
    signer = ed25519.Ed25519PrivateKey.generate()
    header = _b64(json.dumps({"alg": "EdDSA", "typ": "receipt+jws"}).encode())
    app = FastAPI(openapi_url=None)

    @app.post("/v1/messages", status_code=201)
    async def accept(document: Document, request: Request, x_signature: Annotated[str, Header()]) -> Answer:
        raw = await request.body()
        caller.verify(base64.b64decode(x_signature), raw)
        message, at = f"msg-{secrets.token_hex(16)}", datetime.now(UTC).isoformat()
        statement = {"ref": message, "sha256": hashlib.sha256(raw).hexdigest(), "time": at}
        signed = f"{header}.{_b64(json.dumps(statement).encode())}"
        receipt = f"{signed}.{_b64(signer.sign(signed.encode()))}"
        await writer.keep((message, document.reference, raw, receipt, f"dlv-{secrets.token_hex(16)}", at))
        return Answer(id=message, reference=document.reference, receipt=receipt)

    return app


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


if __name__ == "__main__":
    uvicorn.run(
        floor(Path(sys.argv[1]), *sys.argv[3:]),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )

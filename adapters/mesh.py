"""NHS MESH: messages to and from the mailboxes of health bodies, by NHS's own client.

Invariants: the delivery's id is MESH's local id, and before a repeat MESH is asked whether it has it already, so that a lost answer
makes no second message; the client never retries by itself. What arrived stays in the mailbox until the gateway has it durably:
`acknowledge` is the caller's last step. A client belongs to one thread (its counter of nonces is not locked). MESH takes the message
whole; it is closed to all but the recipient's mailbox by mutual TLS and the mailbox's password. Source: NHS England's MESH API;
non-collection after five days comes back as a REPORT.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import requests
from mesh_client import MeshClient

from gateway.core.deliveries import (
    WAY_TEST,
    Delivered,
    Fault,
    Outcome,
    Parcel,
    Posted,
    TryLater,
    Undeliverable,
)

Answer = TypeVar("Answer")
CONTENT_TYPE = "application/json"
THREADS, MOST_AT_ONCE = 4, 50
_MAILBOX = re.compile(r"[A-Za-z0-9]{1,30}")
NOT_LET_IN, BUSY = frozenset({401, 403}), frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Account:
    """Our mailbox. Password and shared key are files, read anew by each client."""

    url: str
    mailbox: str
    workflow: str
    password_file: Path
    shared_key_file: Path
    certificate: tuple[str, str] | None = None
    ca_file: str | None = None
    timeout_seconds: float = 60.0


class MeshAdapter:
    """Sends and collects in threads of its own, each with a client of its own; opens anew after it was closed."""

    name = "mesh"

    def __init__(self, account: Account) -> None:
        self._account = account
        self._own = threading.local()
        self._clients: list[MeshClient] = []
        self._threads: ThreadPoolExecutor | None = None

    async def deliver(self, parcel: Parcel) -> Outcome:
        """One attempt; a repeat asks first whether MESH took the one before. A test only asks whether our mailbox is let in."""
        if parcel.message_type == WAY_TEST:
            return await self._outcome(_greet)
        if parcel.address is None or parcel.document is None:
            return Undeliverable("not-registered", Fault.SYSTEM)
        if not _MAILBOX.fullmatch(parcel.address):
            return Undeliverable("address-refused", Fault.PARTNER)
        address, document = parcel.address, parcel.document
        return await self._outcome(
            lambda client: self._send(
                client, address, document, parcel.delivery, is_repeat=parcel.attempt > 1
            )
        )

    async def answer(self, to: str, document: bytes, id_: str) -> bool:
        """Say to a sender what became of its message, once however often this is called; whether MESH has it."""
        outcome = await self._outcome(lambda client: self._send(client, to, document, id_, is_repeat=True))
        return not isinstance(outcome, TryLater)

    async def arrived(self) -> list[Posted]:
        """What lies in our mailbox, oldest first, at most fifty; OSError with a coarse reason when it cannot be read."""
        return await self._run(self._collect)

    async def acknowledge(self, id_: str) -> None:
        """MESH may forget it: the gateway has it durably. OSError as `arrived`."""
        await self._run(lambda client: client.acknowledge_message(id_))

    async def is_collected(self, delivery: str) -> bool:
        """Whether the recipient's system has taken a delivery out of its mailbox. OSError as `arrived`."""
        return await self._run(lambda client: self._tracked(client, delivery) == "Acknowledged")

    async def aclose(self) -> None:
        clients, self._clients = self._clients, []
        threads, self._threads, self._own = self._threads, None, threading.local()
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        for client in clients:
            client.close()  # type: ignore[no-untyped-call]

    def _send(
        self, client: MeshClient, to: str, document: bytes, local_id: str, *, is_repeat: bool
    ) -> Outcome:
        if is_repeat and self._tracked(client, local_id) is not None:
            return Delivered("ContentConsignment", {"found": "already-accepted"})
        answer = client.send_chunk(
            to.upper(),
            document,
            1,
            1,
            workflow_id=self._account.workflow,
            local_id=local_id,
            content_type=CONTENT_TYPE,
        )
        if answer.status_code in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            return Delivered("ContentConsignment", {"mesh_message": str(answer.json().get("message_id"))})
        if answer.status_code in NOT_LET_IN or answer.status_code in BUSY:
            answer.raise_for_status()
        return Undeliverable(_said(answer), Fault.PARTNER)

    def _tracked(self, client: MeshClient, local_id: str) -> str | None:
        """What MESH says of a message of ours by our own id; None when it has none. The client knows MESH's ids alone."""
        where = f"{client.mailbox_url}/outbox/tracking/{quote(local_id, safe='')}"
        answer = client._session.get(where, timeout=self._account.timeout_seconds)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code == HTTPStatus.MULTIPLE_CHOICES:
            return "several"  # it was sent twice before we could know: at least it was sent
        answer.raise_for_status()
        return str(answer.json().get("status"))

    def _collect(self, client: MeshClient) -> list[Posted]:
        found = []
        for id_ in client.list_messages(max_results=MOST_AT_ONCE):
            message = client.retrieve_message(id_)
            try:
                told = message.mex_header("statusdescription") or message.mex_header("statuscode") or ""
                found.append(
                    Posted(
                        id_,
                        str(message.sender or ""),
                        message.message_type == "REPORT",
                        message.local_id,
                        str(told),
                        message.read() or b"",
                    )
                )
            finally:
                message.close()  # type: ignore[no-untyped-call]
        return found

    async def _outcome(self, work: Callable[[MeshClient], Outcome]) -> Outcome:
        try:
            return await self._run(work)
        except MeshFailed as failed:
            if failed.reason == "not-let-in":
                return Undeliverable(failed.reason, Fault.SYSTEM)
            return TryLater(failed.reason)

    async def _run(self, work: Callable[[MeshClient], Answer]) -> Answer:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="mesh")

        def in_thread() -> Answer:
            try:
                return work(self._client())
            except (requests.RequestException, OSError) as fault:
                raise MeshFailed(_reason(fault)) from None

        return await asyncio.get_running_loop().run_in_executor(self._threads, in_thread)

    def _client(self) -> MeshClient:
        known: MeshClient | None = getattr(self._own, "client", None)
        if known is None:
            account = self._account
            known = self._own.client = MeshClient(
                account.url,
                account.mailbox,
                account.password_file.read_text("utf-8").strip(),
                account.shared_key_file.read_bytes().strip(),
                cert=account.certificate,
                verify=account.ca_file,
                max_retries=0,
                timeout=account.timeout_seconds,
                application_name="safeguarding-gateway",
            )
            self._clients.append(known)
        return known


def _greet(client: MeshClient) -> Outcome:
    client.handshake()  # type: ignore[no-untyped-call]
    return Delivered("ContentConsignment")


class MeshFailed(OSError):
    """No answer, or none of use. `reason` is a coarse code and never holds an address or what MESH said."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _said(answer: requests.Response) -> str:
    """MESH's own code of refusal: 12 is a mailbox that is not registered for this workflow."""
    try:
        told = answer.json()
    except ValueError:
        return "refused"
    faults = told.get("detail") if isinstance(told, dict) else None
    code = faults[0].get("code") if isinstance(faults, list) and faults else told.get("errorCode")
    return "no-such-mailbox" if str(code) == "12" else "refused"


def _reason(fault: Exception) -> str:
    if isinstance(fault, requests.HTTPError) and fault.response is not None:
        status = fault.response.status_code
        if status in NOT_LET_IN:
            return "not-let-in"
        return "busy" if status in BUSY else "server-error"
    if isinstance(fault, requests.exceptions.SSLError):
        return "tls"
    if isinstance(fault, requests.Timeout):
        return "time-out"
    return "refused-connection" if isinstance(fault, requests.ConnectionError) else "connection-lost"

"""One contract for every adapter: what dispatch may rely on, whoever is at the far end.

A new adapter joins by one entry in `WAYS`: a context manager that yields a `Way` (an adapter, a parcel for it, and what
its far end was sent).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP, Envelope, Session

from adapters.fetch import Fetcher
from adapters.inbox import InboxAdapter
from adapters.mail.connections import Relay
from adapters.mail.letter import Correspondence
from adapters.mail.sending import MailAdapter
from adapters.memory import Break, Deny, Fail, Lose, MemoryAdapter, Stall
from adapters.mesh import MeshAdapter
from adapters.webhook import WebhookAdapter
from gateway.core.deliveries import Adapter, Delivered, Outcome, Parcel, Relayed, TryLater, Undeliverable
from gateway.core.messages import DeliveryId
from tests.adapters.far_end import far_end, loopback, trusting
from tests.adapters.mesh_sandbox import OURS, THEIRS, mesh_sandbox
from tests.adapters.parcels import AT, CONTENT, SECRET, a_parcel


@dataclass
class Way:
    """One adapter and its far end. `sent` is every byte that left, one item for each attempt that arrived."""

    adapter: Adapter
    parcel: Parcel
    sent: Callable[[], list[bytes]]
    breaks: Callable[[], Awaitable[None]]  # from now on the far end cannot be reached
    is_thin: bool = True


@asynccontextmanager
async def by_inbox() -> AsyncIterator[Way]:
    async def nothing_to_break() -> None: ...

    yield Way(InboxAdapter(), a_parcel(None, secret=None), list, nothing_to_break)


@asynccontextmanager
async def by_memory() -> AsyncIterator[Way]:
    adapter = MemoryAdapter()

    async def breaks() -> None:
        adapter.tell(Fail(TryLater("refused-connection")), times=100)

    yield Way(
        adapter, a_parcel("memory"), lambda: [p.delivery.encode() for p in adapter.held.values()], breaks
    )


@asynccontextmanager
async def by_webhook() -> AsyncIterator[Way]:
    async with far_end() as end:
        fetcher = Fetcher(tls=trusting(), resolve=loopback, development_hosts=[end.host], total_seconds=10)
        adapter = WebhookAdapter(fetcher, lambda: AT, "https://gateway.example")

        async def breaks() -> None:
            await adapter.aclose()
            await end.goes_away()

        yield Way(
            adapter,
            a_parcel(end.url),
            lambda: [repr(sorted(r.headers.items())).encode() + r.body for r in end.received],
            breaks,
        )


@asynccontextmanager
async def by_mail() -> AsyncIterator[Way]:
    async with relay() as (port, taken, ca_file, goes_away):
        adapter = MailAdapter(
            Relay("localhost", port, ca_file=str(ca_file), timeout_seconds=10),
            Correspondence("council.example", "safeguarding@council.example", "A council"),
        )

        async def breaks() -> None:
            await adapter.aclose()
            goes_away()

        parcel = a_parcel("dsl@school.example", secret=None)
        yield Way(adapter, parcel, lambda: list(taken), breaks, is_thin=False)


class _Taking:
    """The relay's handler: keeps the bytes of every letter it takes."""

    def __init__(self) -> None:
        self.letters: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.letters.append(envelope.content)
        return "250 taken"


@asynccontextmanager
async def relay() -> AsyncIterator[tuple[int, list[bytes], Path, Callable[[], None]]]:
    """A mail relay on loopback that demands STARTTLS: its port, what it took, its authority, and how it goes away."""
    authority, handler = trustme.CA(), _Taking()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="relay.example", require_starttls=True, tls_context=tls),
        "127.0.0.1",
        0,
    )
    with authority.cert_pem.tempfile() as ca_file:
        yield server.sockets[0].getsockname()[1], handler.letters, Path(ca_file), server.close
    server.close()


@asynccontextmanager
async def by_mesh() -> AsyncIterator[Way]:
    """NHS's own sandbox, behind a door that can be shut."""
    async with mesh_sandbox() as sandbox:
        adapter = MeshAdapter(sandbox.account(OURS))

        async def breaks() -> None:
            await adapter.aclose()
            sandbox.shut()

        parcel = replace(a_parcel(THEIRS, secret=None), document=b'{"content": {}}')
        yield Way(adapter, parcel, lambda: sandbox.sent_to(THEIRS), breaks, is_thin=False)
        await adapter.aclose()


WAYS: dict[str, Callable[[], AbstractAsyncContextManager[Way]]] = {
    "inbox": by_inbox,
    "mail": by_mail,
    "memory": by_memory,
    "mesh": by_mesh,
    "webhook": by_webhook,
}


@pytest.fixture(params=WAYS)
async def way(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    async with WAYS[request.param]() as found:
        assert found.adapter.name == request.param, "rule packs know an adapter by this name"
        yield found
        await found.adapter.aclose()


async def test_a_parcel_that_arrives_is_delivered_or_relayed_under_an_event_name(way: Way) -> None:
    outcome = await way.adapter.deliver(way.parcel)
    assert isinstance(outcome, Delivered | Relayed)
    assert outcome.event.isidentifier(), "an event name of ETSI EN 319 522-3"


async def test_the_same_parcel_twice_is_safe_and_goes_by_one_id(way: Way) -> None:
    first = await way.adapter.deliver(way.parcel)
    second = await way.adapter.deliver(replace(way.parcel, attempt=2))
    assert type(first) is type(second)
    assert all(way.parcel.delivery.encode() in sent for sent in way.sent())
    assert way.sent() or way.adapter.name == "inbox", "only the inbox sends nothing"


async def test_a_far_end_that_cannot_be_reached_is_an_outcome_and_never_raises(way: Way) -> None:
    await way.breaks()
    outcome = await way.adapter.deliver(way.parcel)
    assert isinstance(outcome, Outcome)
    if way.adapter.name != "inbox":
        assert isinstance(outcome, TryLater), "a broken network passes: nothing is given up for it"


async def test_an_impossible_address_is_an_outcome_and_never_raises(way: Way) -> None:
    for address in (None, "", "\r\nX: y", "https://", "a@b@c", "\ud800", "x" * 100_000):
        assert isinstance(await way.adapter.deliver(replace(way.parcel, address=address)), Outcome)


async def test_many_parcels_at_once_each_get_their_answer(way: Way) -> None:
    parcels = [replace(way.parcel, delivery=DeliveryId(f"dlv-{number}")) for number in range(20)]
    outcomes = await asyncio.gather(*map(way.adapter.deliver, parcels))
    assert all(isinstance(outcome, Delivered | Relayed) for outcome in outcomes)


async def test_closing_twice_is_harmless_and_so_is_closing_unused(way: Way) -> None:
    await way.adapter.aclose()
    await way.adapter.deliver(way.parcel)
    await way.adapter.aclose()
    await way.adapter.aclose()


async def test_an_adapter_works_again_after_it_was_closed(way: Way) -> None:
    await way.adapter.deliver(way.parcel)
    await way.adapter.aclose()
    assert isinstance(await way.adapter.deliver(way.parcel), Delivered | Relayed)


async def test_no_personal_data_and_no_secret_leaves_through_a_thin_adapter(way: Way) -> None:
    outcome = await way.adapter.deliver(way.parcel)
    left = b"".join(way.sent()).decode() + repr(outcome)
    if way.is_thin:
        assert not [word for word in CONTENT if word in left]
    assert SECRET not in left


async def test_reasons_are_coarse_codes_without_the_address(way: Way) -> None:
    await way.breaks()
    outcome = await way.adapter.deliver(way.parcel)
    if isinstance(outcome, TryLater | Undeliverable):
        assert outcome.reason.replace("-", "").isalpha()
        assert outcome.reason.islower()
    assert "partner.example" not in repr(outcome)


async def test_the_memory_adapter_can_be_told_to_fail_lie_and_break() -> None:
    adapter, parcel = MemoryAdapter(), a_parcel("memory")
    later = TryLater("time-out")
    for order in (Fail(later), Lose(), Break(), Deny()):
        adapter.tell(order)
    assert (await adapter.deliver(parcel), dict(adapter.held)) == (later, {})
    assert isinstance(await adapter.deliver(parcel), Delivered)
    assert adapter.held == {}, "it lied: nothing is held"
    with pytest.raises(RuntimeError):
        await adapter.deliver(parcel)
    assert isinstance(await adapter.deliver(parcel), TryLater)
    assert list(adapter.held) == [parcel.delivery], "it lied: it is held"
    assert adapter.attempts[parcel.delivery] == 4


async def test_the_memory_adapter_can_be_told_to_stall() -> None:
    adapter, parcel, until = MemoryAdapter(), a_parcel("memory"), asyncio.Event()
    adapter.tell(Stall(until))
    carrying = asyncio.create_task(adapter.deliver(parcel))
    await asyncio.sleep(0)
    assert not carrying.done()
    assert adapter.held == {}
    until.set()
    assert isinstance(await carrying, Delivered)
    assert list(adapter.held) == [parcel.delivery]

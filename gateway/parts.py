"""What an action or an edge may use, and the one way to run an action.

`Parts.perform` makes everything that must be made before a transaction (the instant, randomness, the incident's data key),
runs the action as one transaction and returns when it is durable. An action may be run again by the store, so its random
values come from a seed made before: the same run gives the same ids.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from structlog.contextvars import get_contextvars

from gateway.core.attachments import Scan
from gateway.core.deliveries import Adapter, Letter
from gateway.core.errors import ErrorCode, Misconfigured, Refused, Unavailable
from gateway.core.identifiers import IdKind, make_id, make_incident_id
from gateway.core.messages import IncidentId, PartnershipId
from gateway.core.notaries import AskNotary
from gateway.core.published_keys import Fetched
from gateway.core.replies import MailExpected, MailReading, OpenedFile
from gateway.core.routing import Directory
from gateway.core.rules import Pack
from gateway.ledger.anchoring import Notaries
from gateway.partnerships import packs
from gateway.partnerships.calendars import BankHolidays, read_holidays, shipped_holidays
from gateway.settings import Settings
from gateway.store import custody, directory, holidays
from gateway.store import packs as pack_rows
from gateway.store.transaction import Store, Tx
from keys.custody import KeyRing, UnknownMaster
from keys.live import LiveRing
from keys.sealing import DataKey, WrappedKey

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Clock = Callable[[], datetime]

Compose = Callable[
    [Mapping[str, str], Mapping[str, Any], str | None], Letter
]  # templates, message, reply token
# What is wrong with calling an address that a partner gave: a coarse code, or None. It is not called.
CheckAddress = Callable[[str], Awaitable[str | None]]
FarEnd = Callable[[], Awaitable[bool]]  # whether it answers at this moment
FetchKeys = Callable[[str], Awaitable[Fetched]]  # of the address where a client publishes its keys
ReadMail = Callable[[bytes, MailExpected], MailReading]  # blocks for seconds: call it in a thread

ReadMailFiles = Callable[[bytes], tuple[OpenedFile, ...] | None]  # None: it cannot be opened; blocks likewise

_log = structlog.get_logger()

TRACE = "trace"  # the name under which the log's lines tell one request or mail from another, from the door to the worker

SNAPSHOT_LIFE = timedelta(seconds=2)  # how long a directory or pack changed elsewhere may go unseen


class Supply:
    """Random bytes for one run of an action, drawn from a seed: a re-run draws the same."""

    __slots__ = ("_drawn", "_seed")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._drawn = 0

    def take(self, count: int) -> bytes:
        """`count` fresh bytes (SHAKE-256 of the seed and a counter)."""
        self._drawn += 1
        return hashlib.shake_256(self._seed + self._drawn.to_bytes(4, "big")).digest(count)

    def id(self, kind: IdKind) -> str:
        return make_id(kind, self.take(16))


@dataclass(frozen=True, slots=True)
class Work:
    """What one run of an action is given besides its input. `key` is the incident's data key when it has one."""

    at: datetime
    supply: Supply
    pack: Pack
    directory: Directory
    key: DataKey | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A partnership as it stood when it was last read."""

    pack: Pack
    directory: Directory
    read_at: datetime


@dataclass(slots=True)
class Partnerships:
    """The partnerships in force here: activated packs and directories, re-read after two seconds."""

    store: Store
    clock: Clock
    _snapshots: dict[PartnershipId, Snapshot] = field(default_factory=dict)
    _being_read: dict[PartnershipId, asyncio.Future[Snapshot]] = field(default_factory=dict)
    _holidays: BankHolidays = field(default_factory=shipped_holidays)
    # the last pack that could be read, and its text's digest
    _sound: dict[PartnershipId, tuple[str, Pack]] = field(default_factory=dict)

    async def must_be_sound(self) -> None:
        """Misconfigured when a pack in force cannot be read, or is not the text that was put in force: nothing may start."""
        await self.store.read(self._read_every)

    async def snapshot(self, partnership: PartnershipId) -> Snapshot:
        """The partnership, or Refused(not-found) when no pack of that name is in force here."""
        known = self._snapshots.get(partnership)
        if known is not None and timedelta(0) <= self.clock() - known.read_at < SNAPSHOT_LIFE:
            return known
        reading = self._being_read.get(partnership)
        if reading is None:  # whoever comes meanwhile waits for the same answer
            being_read = self._being_read
            reading = asyncio.ensure_future(self._keep_in(self._snapshots, partnership))
            being_read[partnership] = reading
            reading.add_done_callback(lambda _: being_read.pop(partnership))
        return await asyncio.shield(reading)

    def forget(self) -> None:
        """Re-read everything at the next use: after a change made by this process. What is being read is forgotten with the rest."""
        self._snapshots, self._being_read = {}, {}

    def _read_every(self, tx: Tx) -> None:
        listed = self._holidays_in_force(tx)
        for row in pack_rows.in_force(tx):
            self._parsed(row, listed)

    async def _keep_in(
        self, snapshots: dict[PartnershipId, Snapshot], partnership: PartnershipId
    ) -> Snapshot:
        snapshots[partnership] = await self.store.read(lambda tx: self._read(tx, partnership))
        return snapshots[partnership]

    def _read(self, tx: Tx, partnership: PartnershipId) -> Snapshot:
        row = pack_rows.current(tx, partnership)
        if row is None:
            raise Refused(ErrorCode.NOT_PERMITTED, detail="This partnership is not in force here.")
        pack = self._pack(row, self._holidays_in_force(tx))
        return Snapshot(pack, directory.load(tx, partnership), self.clock())

    def _pack(self, row: pack_rows.PackRow, listed: BankHolidays) -> Pack:
        """The pack in force; a broken one never takes the place of the good one that this process has."""
        digest, known = self._sound.get(row.partnership, ("", None))
        if known is not None and (digest, known.calendar.version) == (row.digest, listed.version):
            return known
        try:
            return self._parsed(row, listed)
        except Misconfigured:
            if known is None:
                raise
            _log.error("pack.broken", partnership=row.partnership, kept=known.version)
            return known

    def _parsed(self, row: pack_rows.PackRow, listed: BankHolidays) -> Pack:
        pack = packs.parse_stored(row.partnership, row.files, row.digest, listed)
        self._sound[row.partnership] = (row.digest, pack)
        return pack

    def _holidays_in_force(self, tx: Tx) -> BankHolidays:
        """The list that officers put in force, else the shipped one; kept, since it is read at every snapshot (C-12)."""
        version = holidays.current_version(tx)
        if version is None:
            self._holidays = shipped_holidays()
        elif version != self._holidays.version:
            self._holidays = read_holidays(holidays.document(tx, version))
        return self._holidays


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a running gateway is made of. Built once, by `app`."""

    settings: Settings
    clock: Clock
    store: Store
    custody: Store
    ring: LiveRing
    partnerships: Partnerships
    adapters: Mapping[str, Adapter]
    compose: Compose
    read_mail: ReadMail
    read_mail_files: ReadMailFiles
    scan: Scan | None  # None: no scanner is set up
    fetch_keys: FetchKeys
    check_address: CheckAddress
    far_ends: Mapping[str, FarEnd]  # those that are set up and that work depends on, by name
    notaries: Notaries
    ask_notary: AskNotary

    @property
    def keys(self) -> KeyRing:
        """The keys in force now. Ask once where two uses must agree."""
        return self.ring.now()

    async def perform(
        self,
        action: Callable[[Tx, Parts, Work, Asked], Answer],
        asked: Asked,
        partnership: PartnershipId,
        incident: IncidentId | None,
        new_key_for: IncidentId | None = None,
    ) -> Answer:
        """Run one action as one durable transaction.

        `incident` names whose data key is opened for it; `new_key_for` makes a key for an incident yet to be opened. The key
        is durable before the content it seals: a crash between leaves an unused key, which the timetable sweeps.
        """
        snapshot = await self.partnerships.snapshot(partnership)
        seed = secrets.token_bytes(32)
        at, trace = self.clock(), get_contextvars().get(TRACE)
        made = await self.make_key(new_key_for, at) if new_key_for else None

        def run(tx: Tx) -> Answer:
            tx.trace = trace
            key = made or self.own_key(incident)
            return action(tx, self, Work(at, Supply(seed), snapshot.pack, snapshot.directory, key), asked)

        return await self.store.transact(run)

    async def key_of(self, incident: IncidentId | None) -> DataKey | None:
        """The incident's data key, unwrapped for one request; None when it has none or it was destroyed."""
        if incident is None:
            return None
        wrapped = await self.custody.read(lambda tx: custody.of_incident(tx, incident))
        return None if wrapped is None else self._unwrapped(wrapped)

    def own_key(self, incident: IncidentId | None) -> DataKey | None:
        """`key_of` in the thread of the transaction that needs it: for an action on a second incident."""
        wrapped = None if incident is None else custody.own_key(self.custody, incident)
        return None if wrapped is None else self._unwrapped(wrapped)

    def own_keys(self, incidents: Sequence[IncidentId]) -> dict[str, DataKey]:
        """`own_key` of several incidents: those that have one."""
        found = custody.own_keys(self.custody, incidents)
        return {incident: self._unwrapped(wrapped) for incident, wrapped in found.items()}

    def key_named(self, key_id: str) -> DataKey | None:
        """`key_by_id` in the thread of a transaction."""
        wrapped = custody.named_key(self.custody, key_id)
        return None if wrapped is None else self._unwrapped(wrapped)

    async def key_by_id(self, key_id: str | None) -> DataKey | None:
        if key_id is None:
            return None
        wrapped = await self.custody.read(lambda tx: custody.find(tx, key_id))
        return None if wrapped is None else self._unwrapped(wrapped)

    def _unwrapped(self, wrapped: WrappedKey) -> DataKey:
        """Unavailable in the moment in which a hardware module is asked for a master key that others use already."""
        try:
            return self.ring.unwrap(wrapped)
        except UnknownMaster:
            if self.ring.home is None:
                raise
            raise Unavailable("a new master key is being read: try again") from None

    async def make_key(self, incident: IncidentId | None, at: datetime) -> DataKey:
        """A fresh data key, durable in the custody store before it seals anything."""
        kind = custody.OWN if incident is not None else custody.PIECE
        key, wrapped = self.keys.new_data_key(f"{kind}{secrets.token_hex(16)}")
        await self.custody.transact(lambda tx: custody.keep(tx, wrapped, incident, at))
        return key

    def new_incident_id(self) -> IncidentId:
        return IncidentId(make_incident_id(secrets.token_bytes(5)))

    def adapter(self, name: str) -> Adapter:
        found = self.adapters.get(name)
        if found is None:
            raise Misconfigured(f"no adapter {name!r} is set up here; see `gateway doctor`")
        return found

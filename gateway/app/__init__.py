"""The composition root: settings become parts. The only room that names adapters.

Also the only place where the time is read: every other room is given the clock.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from gateway.app.correspondence import composer, mail_file_reader, mail_reader
from gateway.app.ways_out import (
    adapters_of,
    address_checker,
    far_ends_of,
    key_fetcher,
    notaries_of,
    notary_of,
    scanner_of,
)
from gateway.core.errors import Misconfigured, Unavailable
from gateway.moving_clock import MovingClock
from gateway.parts import Clock, Partnerships, Parts
from gateway.settings import Settings
from gateway.settings.checks import refusals
from gateway.store import tables
from gateway.store.transaction import Store, Tx
from keys import outside
from keys.custody import MASTER
from keys.hardware import HardwareHome, ModuleTrouble
from keys.live import LiveRing

M_ARENA_MAX = -8  # of glibc's mallopt(3)

_log = structlog.get_logger()


def system_clock() -> datetime:
    """The time now, aware UTC."""
    return datetime.now(UTC)


def clock_of(settings: Settings) -> Clock:
    """The system's clock, or in development one that can be moved."""
    if settings.clock == "development" and not settings.is_production:
        return MovingClock(settings.var_dir / "clock", system_clock)
    return system_clock


def local_today() -> date:
    return datetime.now(ZoneInfo("Europe/London")).date()


def build_parts(settings: Settings, clock: Clock | None = None) -> Parts:
    """Open keys, stores and adapters; Misconfigured with one line when something is unsafe or missing."""
    _log_to_standard_error()
    _share_one_heap()
    clock = clock or clock_of(settings)
    refused = refusals(settings)
    if refused:
        raise Misconfigured(f"{refused[0].check}: {refused[0].advice}")
    ring = open_keys(settings, clock)
    adapters = adapters_of(settings, clock)  # what refuses to be set up does so before anything is opened
    notaries = notaries_of(settings)
    book = Store.open(
        settings.book_url,
        tables.book,
        queue_limit=settings.store_queue_length,
        writers=settings.store_connections,
    )
    if ring.home is not None:
        book.signing = _sign_outside
    custody_store = Store.open(
        settings.keys_book_url, tables.custody, queue_limit=settings.store_queue_length, readers=1
    )
    return Parts(
        settings=settings,
        clock=clock,
        store=book,
        custody=custody_store,
        ring=ring,
        partnerships=Partnerships(book, clock),
        adapters=adapters,
        compose=composer(ring),
        read_mail=mail_reader(settings),
        read_mail_files=mail_file_reader(settings),
        scan=scanner_of(settings),
        fetch_keys=key_fetcher(settings),
        check_address=address_checker(settings),
        far_ends=far_ends_of(settings),
        notaries=notaries,
        ask_notary=notary_of(settings, notaries),
    )


async def _sign_outside(transact: Callable[..., Awaitable[Any]], fn: Callable[[Tx], Any]) -> Any:
    """What a hardware module signs is signed between two runs of the transaction; Unavailable while it does not answer."""
    try:
        return await outside.signing_outside(transact, fn)
    except ModuleTrouble as fault:
        _log.error("module.trouble", advice=str(fault))
        raise Unavailable("the hardware module does not sign") from None
    except outside.NeverTheSame:
        raise Unavailable("too much happens at once to sign it") from None


def home_of(settings: Settings) -> HardwareHome | None:
    """The hardware module that is the master key's home; None: `master.key` is a file like any other."""
    module, token, pin_file = settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin_file
    signs = frozenset(settings.pkcs11_signs)
    return HardwareHome(module, token, pin_file, signs) if module and token and pin_file else None


def open_keys(settings: Settings, clock: Clock) -> LiveRing:
    """The keys of this deployment; Misconfigured, with what to do, when they are not there or cannot be read."""
    try:
        return LiveRing(settings.keys_dir, clock, home_of(settings))
    except ModuleTrouble as fault:
        raise Misconfigured(str(fault)) from None
    except (OSError, ValueError, KeyError):
        must_have_master(settings)
        raise Misconfigured(
            f"no usable keys in {settings.keys_dir.absolute()}: run this in the gateway's own folder, or `gateway init` first"
        ) from None


def must_have_master(settings: Settings) -> None:
    """Misconfigured where signing keys lie without their master key: a new one in its place would open nothing."""
    others = any(settings.keys_dir.glob("receipts/*"))
    if others and not os.path.exists(settings.keys_dir / MASTER):
        raise Misconfigured(
            f"{MASTER} is not in {settings.keys_dir.absolute()}: put it back with `gateway keys recover` and the shares; "
            "a new one would open nothing that was sealed"
        )


def _log_to_standard_error() -> None:
    """One JSON line a fact on standard error: standard output belongs to what a command answers."""
    if structlog.is_configured():
        return
    # A line in one write: processes share it. Closed, it must not become standard output, where WriteLogger writes without a file.
    standard_error = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: structlog.WriteLogger(standard_error),
    )


def _share_one_heap() -> None:
    """By itself glibc gives each thread of the stores a heap of its own, and what one has freed no other thread can have. Call it
    before threads start; other C libraries have no such call and one heap."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def shout_of_development(parts: Parts) -> None:
    """Said by whatever serves or works with keys that were made for development; a command's standard error is its answer's."""
    if parts.ring.now().are_for_development:
        _log.warning(
            "keys.for_development",
            advice="anyone who can read them can forge receipts; never use them for real",
        )


async def close(parts: Parts) -> None:
    for adapter in parts.adapters.values():
        await adapter.aclose()
    await parts.store.aclose()
    await parts.custody.aclose()

"""What goes wrong, in which order: drawn from a seed, every kind about as often as every other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """One kind of trouble."""

    API = "SIGKILL of a serving process"
    WORKER = "SIGKILL of a worker with its children"
    SEQUENCER = "SIGKILL of whoever seals, between its first statement and its commit"
    BROKER = "SIGKILL of Valkey, which keeps nothing"
    DATABASE = "SIGKILL of PostgreSQL with all its backends"
    CLIENTS_CUT = "the network between agencies and gateway cut"
    DATABASE_CUT = "the network between gateway and PostgreSQL cut"
    DISK = "the disk under the tables full"
    CLOCK = "the clock of a process stepped forward or back"
    PAUSE = "a process stopped in mid work, and gone on with"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much happens, for how long."""

    seconds: float  # faults go on at least so long
    gap_seconds: float  # between the end of one fault and the next
    submitters: int
    pause_seconds: float  # of a submitter, after each answer
    apis: int
    workers: int
    clock_step_seconds: int
    disk_mib: int
    settle_seconds: float  # all that is owed must be done so long after the last fault
    rounds: int  # every kind of fault at least so often
    seed: int = 2026


def faults(seed: int, rounds: int) -> Iterator[Fault]:
    """For ever; the first `rounds` times the number of kinds hold every kind `rounds` times."""
    drawn = random.Random(seed)
    while True:
        some = [kind for kind in Fault for _ in range(rounds)]
        drawn.shuffle(some)
        yield from some

"""What it costs to read inbound mail: replies a second through the limited child processes, and the most memory one takes.

Each reply is read as the house reads it, in a fresh child process with its limits. Beside it stands the floor of that way: a child
that starts, imports the reader and reads nothing.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from adapters.mail.findings import Expected, Verdict
from adapters.mail.reading import read_mail
from tests.adapters.mail.mails import ENROLLED, SERVER, filled, letter_with, mail, quoted

REPLIES = 12
ROUNDS = 3
AT_ONCE = 4  # as four workers would; one worker reads in the order of arrival, one by one
NOTHING = "import adapters.mail.replies, adapters.mail.secured"


def measured() -> dict[str, float]:
    """Medians of the rounds; memory is the most that any child of this measuring held."""
    raws = [mail(filled()), mail(filled() + "\n" + quoted(letter_with()))]
    rates, alone, floor = [], [], []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(ROUNDS):
            began_at = time.perf_counter()
            list(pool.map(_read, [raws[n % len(raws)] for n in range(REPLIES)]))
            rates.append(REPLIES / (time.perf_counter() - began_at))
            began_at = time.perf_counter()
            _read(raws[0])
            alone.append(1000 * (time.perf_counter() - began_at))
            began_at = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-c", NOTHING], env={}, check=True)
            floor.append(1000 * (time.perf_counter() - began_at))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "replies_per_second": round(statistics.median(rates), 1),
        "ms_for_one": round(statistics.median(alone), 1),
        "ms_for_a_child_that_reads_nothing": round(statistics.median(floor), 1),
        "peak_child_mib": round(peak, 1),
    }


def _read(raw: bytes) -> None:
    if read_mail(raw, Expected((ENROLLED,), SERVER)).verdict is not Verdict.COMPLETE:
        raise SystemExit("a clear reply was not read, so nothing was measured")


if __name__ == "__main__":
    print(json.dumps(measured()))

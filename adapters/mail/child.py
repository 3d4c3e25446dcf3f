"""The limited child process that opens hostile mail: `python -I -m adapters.mail.child`.

Standard input: one line of JSON (what is expected), then the raw mail. Standard output: one line of JSON, the reading.
It limits its own memory and processor time before it reads a byte, and whatever goes wrong in here ends only this process.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys

MEMORY_BYTES = 400 * 1024 * 1024
PROCESSOR_SECONDS = 5


def main() -> int:
    """Exit status 0 with a reading on standard output; anything else means that the mail could not be read."""
    _limit()
    from adapters.mail.findings import Expected, to_json
    from adapters.mail.opened import open_mail
    from adapters.mail.replies import read_opened

    told = json.loads(sys.stdin.buffer.readline())
    expected = Expected(
        enrolled=tuple(told["enrolled"]),
        authserv_id=told["authserv_id"],
        stamped_below=told["stamped_below"],
        envelope_to=tuple(told["envelope_to"]),
        letters=tuple(told["letters"]),
        form=tuple(told["form"]) if told["form"] else None,
    )
    reading = read_opened(open_mail(sys.stdin.buffer.read()), expected)
    sys.stdout.write(to_json(reading))
    return 0


def _limit() -> None:
    for what, most in (
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a platform without this limit keeps the others
            resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    sys.exit(main())

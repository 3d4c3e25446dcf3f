"""The limited child process that opens hostile mail: `python -I -m adapters.mail.child`.

Standard input: one line of JSON (the task, and what is expected), then the raw mail. Standard output: the reading as one line of
JSON, or the recipients of an encrypted mail, or the attached files, with what stands in a message form among them.
It limits its own memory and processor time before it reads a byte, and whatever goes wrong in here ends only this process.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from dataclasses import asdict

MEMORY_BYTES = 400 * 1024 * 1024
PROCESSOR_SECONDS = 5


def main() -> int:
    """Exit status 0 with a reading on standard output; anything else means that the mail could not be read."""
    _limit()
    told = json.loads(sys.stdin.buffer.readline())
    raw = sys.stdin.buffer.read()
    if told["task"] == "recipients":
        return _say_recipients(raw)
    from adapters.mail.findings import expected_from, to_json, unreadable
    from adapters.mail.replies import read_opened
    from adapters.mail.secured import NotShown, open_secured

    expected = expected_from(told["expected"])
    try:
        opened = open_secured(raw, expected)
    except NotShown as fault:
        sys.stdout.write(to_json(unreadable(str(fault))))
        return 0
    if told["task"] in ("files", "files-alone"):
        _say_files([opened.content_of(place) for place in range(len(opened.files))], told["task"] == "files")
        return 0
    sys.stdout.write(to_json(read_opened(opened, expected)))
    return 0


def _say_recipients(raw: bytes) -> int:
    """For whom an encrypted mail is encrypted: one line of JSON, bytes as hex."""
    from adapters.mail.enveloped import recipients
    from adapters.mail.signed import der_of

    found = [
        {name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(one).items()}
        for one in recipients(der_of(raw))
    ]
    sys.stdout.write(json.dumps(found))
    return 0


def _say_files(contents: list[bytes], with_forms: bool) -> None:
    """One line of JSON with the size of each file and the message form in it, if there is one; then their bytes, in order."""
    forms: dict[int, object] = {}
    if with_forms:
        from adapters.mail.message_form import forms_in  # costs start-up time that most mail never needs

        forms = {place: asdict(form) for place, form in forms_in(contents)}
    head = [{"size": len(content), "form": forms.get(place)} for place, content in enumerate(contents)]
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n")
    for content in contents:
        sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


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

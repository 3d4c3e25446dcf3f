"""A name server on the loopback that knows a few records: a far end, answering over UDP as RFC 1035 says.

A record is TXT under its name alone, else it is known by type and name ("MX council.example"); several stand in lines.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@contextmanager
def name_server(records: Mapping[str, str], asked: list[str] | None = None) -> Iterator[str]:
    """Its address and port. What is asked for is noted in `asked`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        stop = threading.Event()
        server.settimeout(0.05)

        def answer() -> None:
            while not stop.is_set():
                try:
                    content, address = server.recvfrom(4096)
                except TimeoutError:
                    continue
                server.sendto(_answer(content, records, asked if asked is not None else []), address)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


def _answer(content: bytes, records: Mapping[str, str], asked: list[str]) -> bytes:
    query = dns.message.from_wire(content)
    name = query.question[0].name.to_text().rstrip(".").lower()
    asked.append(name)
    said = dns.message.make_response(query)
    said.flags |= dns.flags.RA
    kind = dns.rdatatype.to_text(query.question[0].rdtype)
    known = records.get(name, "") if kind == "TXT" else records.get(f"{kind} {name}", "")
    values = [_in_pieces(one) if kind == "TXT" else one for one in known.splitlines()]
    if values:
        said.answer.append(dns.rrset.from_text(name + ".", 60, "IN", kind, *values))
    else:
        said.set_rcode(dns.rcode.NXDOMAIN)
    return said.to_wire()


def _in_pieces(text: str) -> str:
    return " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))

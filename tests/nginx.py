"""Debian's nginx with the sample configuration as it stands, but for this machine's folders, port and certificates.

It runs inside an http block like Debian's own, so that whatever its configuration sets twice is found.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.agency.client import AgencyClient
from tests.structure.source import ROOT

API_NAME, MTLS_NAME = "gateway.council.test", "mtls.gateway.council.test"
PROXY_SECRET = "0f" * 32

# What stands in the http block of Debian's nginx.conf.
_DEBIAN = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\nssl_prefer_server_ciphers on;\ngzip on;\n"


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    port: int
    authority: trustme.CA  # of the proxy's own certificate

    @property
    def api_url(self) -> str:
        return f"https://{API_NAME}:{self.port}"

    @property
    def mtls_url(self) -> str:
        return f"https://{MTLS_NAME}:{self.port}"

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.cert_pem.bytes().decode())


class NamedClient(AgencyClient):
    """An agency's client on a machine where the proxy's names mean this one."""

    async def __aenter__(self) -> AgencyClient:
        connector = aiohttp.TCPConnector(ssl=self._tls or True, resolver=_Here())
        self._session = aiohttp.ClientSession(connector=connector)
        return self


class _Here(AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        await asyncio.sleep(0)
        here: ResolveResult = {
            "hostname": host,
            "host": "127.0.0.1",
            "port": port,
            "family": socket.AF_INET,
            "proto": 0,
            "flags": 0,
        }
        return [here]

    async def close(self) -> None:
        """Nothing is open."""


@contextmanager
def nginx(
    away: Path, port: int, changes: Mapping[str, str] | None = None, secret: str = PROXY_SECRET
) -> Iterator[Proxy]:
    """nginx before `away/gateway.sock` while the block lasts; `changes` are texts of the configuration to replace."""
    authority = trustme.CA()
    _write_certificate(away, authority)
    (away / "proxy-secret.conf").write_text(f'proxy_set_header X-Proxy-Secret "{secret}";\n')
    (away / "nginx.conf").write_text(_configuration(away, port, changes or {}))
    started = [_program(), "-p", str(away), "-c", str(away / "nginx.conf")]
    checked = subprocess.run([*started, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr
    process = subprocess.Popen(started, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Proxy(port, authority)
    finally:
        process.terminate()
        process.wait(10)


def _program() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert found
    return found


def _write_certificate(away: Path, authority: trustme.CA) -> None:
    certificate = authority.issue_cert(API_NAME, MTLS_NAME)
    (away / "tls").mkdir(exist_ok=True)
    (away / "tls" / "fullchain.pem").write_bytes(certificate.cert_chain_pems[0].bytes())
    (away / "tls" / "privkey.pem").write_bytes(certificate.private_key_pem.bytes())


def _configuration(away: Path, port: int, changes: Mapping[str, str]) -> str:
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    ours = {
        "/etc/gateway/": f"{away}/",
        "/var/log/nginx/": f"{away}/",
        "/run/gateway/": f"{away}/",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
    }
    for old, new in (ours | dict(changes)).items():
        assert old in text, f"the configuration has no {old!r} any more"
        text = text.replace(old, new)
    stores = "".join(
        f"{kind}_temp_path {away}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    frame = f"daemon off;\nmaster_process off;\npid {away}/pid;\nerror_log {away}/error.log;\nevents {{}}\n"
    return f"{frame}http {{\n{_DEBIAN}{stores}{text}}}\n"


def _wait_for(port: int) -> None:
    """Until something listens; the test's own time limit bounds it."""
    while True:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)

"""A witness's listener: plain HTTP for a proxy that ends TLS, or TLS of its own."""

from __future__ import annotations

from pathlib import Path

import uvicorn

from gateway.witness.application import witness_app
from gateway.witness.witnessing import Witnessing


def listen_until_stopped(
    witness: Witnessing, host: str, port: int, tls_cert: Path | None, tls_key: Path | None
) -> None:
    """Answer until SIGTERM or SIGINT."""
    uvicorn.run(
        witness_app(witness),
        host=host,
        port=port,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
    )

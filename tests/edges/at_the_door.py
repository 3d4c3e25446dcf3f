"""Requests as a hostile or careless client makes them: exact bytes and headers, with a genuine token and proof."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from gateway.agency.client import AgencyClient
from keys.signing import FileSigner
from tests.gateway_house import House

MARKER = "Zyxw-marker-9987"  # put into what is refused; nothing that is answered or logged may show it
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.document["code"])

    @property
    def error_codes(self) -> set[str]:
        return {error["code"] for error in self.document.get("errors", [])}


@dataclass
class Raw:
    """One client's hand on the wire; use it as `async with`."""

    house: House
    agency: str
    key: FileSigner | None = None  # of a client that is no agency's usual one
    client: AgencyClient = field(init=False)
    session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Raw:
        self.client = self.house.client(self.agency, key=self.key)
        await self.client.__aenter__()
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.house.trusting()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self.client.__aexit__(None, None, None)

    async def credentials(self, method: str, path: str) -> dict[str, str]:
        token = await self.client.token()
        return {"Authorization": f"DPoP {token}", "DPoP": self.client.proof_of_key(method, path, token)}

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Sequence[tuple[str, str]] = (("Content-Type", JSON),),
        *,
        query: str = "",
        credentials: Mapping[str, str] | None = None,
    ) -> Said:
        """One request. `path` is sent as it stands, already percent-encoded."""
        from yarl import URL

        with_proof = await self.credentials(method, path) if credentials is None else credentials
        sent = [*headers, *with_proof.items()]
        url = URL(f"{self.house.base_url}{path}{query}", encoded=True)
        async with self.session.request(
            method, url, data=body, headers=sent, allow_redirects=False, skip_auto_headers=("Content-Type",)
        ) as answer:
            return Said(answer.status, answer.headers.copy(), await answer.read())

    async def post(
        self, body: Any, headers: Sequence[tuple[str, str]] = (("Content-Type", JSON),), **more: Any
    ) -> Said:
        return await self.call("POST", "/v1/messages", body, headers, **more)

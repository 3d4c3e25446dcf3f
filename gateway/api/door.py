"""What every request of an agency passes: who is calling, how large is the body, is it what it says it is.

Authentication comes before the body is read. The body is read under a size cap and a deadline, whatever its Content-Length
claims.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from gateway.api.content_digest import ContentDigest
from gateway.core.errors import ErrorCode, Refused
from gateway.oauth.parts import OAuthParts
from gateway.oauth.resource import Principal, authenticate, need_scope, replayed
from gateway.parts import Parts
from schemas import strict_json
from schemas.reading import field_errors

Said = TypeVar("Said", bound=BaseModel)

WRITE, READ, LOG, REPORTS = "messages.write", "messages.read", "log.read", "reports.read"
SCOPES = (WRITE, READ, LOG, REPORTS)

MOST_WAITING = 10  # requests of one client that are held open at the same time, in one process

KEY_FORM = r'^(?:[!#-~]{1,255}|"[!#-~]{1,255}")$'  # of an Idempotency-Key, as it is published

_NAME = re.compile(r"[\x21-\x7e]{1,200}")
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255}?)"?')


@dataclass(frozen=True, slots=True)
class Door:
    """What the endpoints share."""

    parts: Parts
    oauth: OAuthParts
    waiting: Counter[str] = field(
        default_factory=Counter
    )  # by client: its requests that are held until something comes

    async def caller(self, request: Request, scope: str) -> Principal:
        """The authenticated caller, whose proof the endpoint still has to burn.

        Refused(not-found) for an address that cannot name anything here: no control character reaches a database.
        """
        raw_path = request.scope.get("raw_path") or request.scope["path"].encode()
        principal = await authenticate(
            request.scope["headers"], request.method, raw_path.decode("latin-1"), self.oauth, request.scope
        )
        await self.oauth.keep_pace(principal.client_id)
        need_scope(principal, scope, self.oauth)
        if not all(_NAME.fullmatch(value) for value in request.path_params.values()):
            raise Refused(ErrorCode.NOT_FOUND)
        return principal

    async def reader(self, request: Request, scope: str = READ) -> Principal:
        """The caller of a request that is no submission: its proof is burnt here."""
        principal = await self.caller(request, scope)
        if not await self.oauth.burn(principal.burns):
            raise replayed(self.oauth)
        return principal

    @contextmanager
    def held(self, client: str) -> Iterator[bool]:
        """Count a request that would wait; whether it may: one client's waiting takes nobody else's answers from the store."""
        self.waiting[client] += 1
        try:
            yield self.waiting[client] <= MOST_WAITING
        finally:
            self.waiting[client] -= 1
            if not self.waiting[client]:
                del self.waiting[client]


async def is_over(request: Request, deadline: float) -> bool:
    """Whether a request that waits should wait no longer: its time is up, its caller has gone, or the gateway stops."""
    is_late = asyncio.get_running_loop().time() >= deadline
    return is_late or request.app.state.closing.is_set() or await request.is_disconnected()


async def need_demanded(door: Door, request: Request, principal: Principal, among: Iterable[str]) -> None:
    """Refused when the client is registered to send one of these headers and did not."""
    client = await door.oauth.find_client(principal.client_id)
    for name in among:
        if client is not None and name in client.must_send and name not in request.headers:
            raise Refused(
                ErrorCode.MALFORMED_REQUEST, detail=f"This client is registered to send {name.title()}."
            )


async def read_body(request: Request, limit_bytes: int, deadline_seconds: float) -> bytes:
    """The body's bytes; Refused when it is not JSON by its type, too large or too slow."""
    content_types = request.headers.getlist("content-type")
    content_type = ",".join(content_types).partition(";")[0].strip().lower()  # twice is none of ours
    if content_type != "application/json" or is_encoded(request):
        raise Refused(ErrorCode.UNSUPPORTED_MEDIA_TYPE)
    if said_bytes(request) > limit_bytes:
        raise Refused(ErrorCode.TOO_LARGE)  # nothing of it is asked for (RFC 9110 section 10.1.1)
    pieces: list[bytes] = []
    size, digest = 0, ContentDigest(request)
    try:
        async with asyncio.timeout(deadline_seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > limit_bytes:
                    raise Refused(ErrorCode.TOO_LARGE)
                digest.update(piece)
                pieces.append(piece)
    except TimeoutError:
        raise Refused(
            ErrorCode.MALFORMED_REQUEST, detail="The body took too long to arrive: send it again."
        ) from None
    digest.check()
    return b"".join(pieces)


def is_encoded(request: Request) -> bool:
    """Whether the body is compressed or otherwise coded; `identity` says that it is not."""
    return any(coding.strip().lower() != "identity" for coding in request.headers.getlist("content-encoding"))


def said_bytes(request: Request) -> int:
    """Content-Length, which is not believed further than that it is too much; 0 when none is sent or it is no number."""
    said = request.headers.get("content-length", "")
    return int(said[:19]) if said.isascii() and said.isdecimal() else 0


async def read_said(model: type[Said], request: Request, limit_bytes: int, deadline_seconds: float) -> Said:
    """The small JSON document that a body is, as its model has it; Refused with a pointer to each member that is not right, as in a
    message."""
    raw = await read_body(request, limit_bytes, deadline_seconds)
    try:
        return model.model_validate(strict_json.parse(raw))
    except ValidationError as fault:
        found = fault.errors(include_url=False, include_input=True)
        raise Refused(ErrorCode.INVALID_MESSAGE, field_errors(found)) from None


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key, when one was sent; Refused when it is not one printable value of at most 255 characters."""
    sent = request.headers.getlist("idempotency-key")
    if not sent:
        return None
    match = _KEY.fullmatch(sent[0].strip())
    if len(sent) > 1 or match is None:
        raise Refused(ErrorCode.MALFORMED_REQUEST, detail="Idempotency-Key is not one printable value.")
    return match.group(1)

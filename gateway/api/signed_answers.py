"""A recipient's own signature under its answer: what the agency itself says it received, kept beside our statement of it.

The signed statement is `acknowledgement/1` of `gateway.ledger.verify`: which message and delivery, the SHA-256 of the content
that the recipient worked out itself, whether a person or a system answers, in which role, and when. With it the recipient
cannot deny its answer, nor the gateway invent one; without it the answer is the gateway's word. Invariant: a signature is
taken only by a key of the very client that calls, over exactly the answer that the request gives and the content that the
sender sent. After AS4's non-repudiation of receipt.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.actions.acknowledge import Signed
from gateway.api.door import Door
from gateway.core.client_keys import works
from gateway.core.errors import ErrorCode, Refused
from gateway.core.messages import PartnershipId
from gateway.ledger import verify
from gateway.oauth.key_policy import public_key
from gateway.oauth.resource import Principal
from gateway.store import clients, messages
from gateway.store.deliveries import DeliveryRow

SKEW = timedelta(minutes=1)


async def check_signed(
    door: Door, principal: Principal, row: DeliveryRow, jws: str, answer: Mapping[str, str | None]
) -> Signed:
    """The signature, when it holds; Refused(signature-not-taken) or Refused(other-content) otherwise.

    1. a strict compact JWS that its own key verifies  2. a key of this client that may sign now
    3. this delivery, this answer, signed since the delivery began and not in the future  4. the content as it was sent
    """
    try:
        signed = verify.open_acknowledgement(jws.encode())
    except verify.Invalid as fault:
        raise _not_taken(str(fault)) from None  # the verifier's fixed words, never the caller's
    if signed.thumbprint not in await _thumbprints(door, principal):
        raise _not_taken("the key is not one of this client that may sign now")
    said = {name: words for name, words in answer.items() if words is not None}
    if signed.said != said | {name: signed.said[name] for name in ("v", "content_sha256", "time")}:
        raise _not_taken("what is signed is not what the request says of this delivery")
    if not row.created_at - SKEW <= signed.time <= door.parts.clock() + SKEW:
        raise _not_taken("it was signed before the delivery began, or in the future")
    if not hmac.compare_digest(signed.said["content_sha256"], await _content_sha256(door, row)):
        raise Refused(ErrorCode.OTHER_CONTENT)
    return Signed(jws, signed.thumbprint)


async def _thumbprints(door: Door, principal: Principal) -> set[str]:
    client = await door.parts.store.read(lambda tx: clients.find(tx, principal.client_id))
    at: datetime = door.parts.clock()
    keys = [key for key in client.keys if works(key, at)] if client else []
    return {public_key(key).thumbprint for key in keys}


async def _content_sha256(door: Door, row: DeliveryRow) -> str:
    partnership: PartnershipId = row.partnership
    message = await door.parts.store.read(lambda tx: messages.find(tx, [partnership], row.message))
    key = await door.parts.key_by_id(message.data_key if message else None)
    if message is None or message.sealed is None or key is None:
        raise Refused(ErrorCode.NOT_ACCEPTABLE_STATE, detail="The content of this message has been erased.")
    return hashlib.sha256(key.open(f"message:{message.id}", message.sealed)).hexdigest()


def _not_taken(why: str) -> Refused:
    return Refused(ErrorCode.SIGNATURE_NOT_TAKEN, detail=f"{why[:1].upper()}{why[1:]}.")

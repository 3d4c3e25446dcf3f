"""A sender's own signature over its request (RFC 9421): checked when it comes, required of clients registered so, and kept.

With it the sender cannot deny what it sent, nor the gateway invent it: signature, signature base and public key are committed to
by the acceptance receipt and opened with it. The base names the Content-Digest, which is that of the bytes accepted.
"""

from __future__ import annotations

import base64
import json

from starlette.requests import Request

from gateway.api.door import Door
from gateway.core.demands import SIGNATURE
from gateway.core.errors import ErrorCode, Refused
from gateway.oauth.http_signatures import NotSigned, check_signature, signature_in
from gateway.oauth.jose import PublicKey
from gateway.oauth.resource import Principal

Evidence = dict[str, str]

_MEMBERS = ("crv", "kty", "x", "y", "e", "n")


async def sender_signature(door: Door, request: Request, principal: Principal) -> Evidence:
    """What the receipt keeps of the sender's signature, nothing without one; Refused(signature-not-taken) when it does not
    hold, or is missing and required. The body's digest was compared with Content-Digest before.
    """
    headers = request.headers
    client = await door.oauth.find_client(principal.client_id)
    try:
        signed = signature_in(headers.getlist("signature-input"), headers.getlist("signature"))
        if signed is None:
            if client is not None and SIGNATURE in client.must_send:
                raise NotSigned("this client is registered to sign its requests (RFC 9421)")
            return {}
        at = door.oauth.clock()
        keys = {key.kid: key.public for key in (client.keys if client else ()) if key.is_live(at)}
        if not any("sha-256=:" in one for one in headers.getlist("content-digest")):
            raise NotSigned("the header Content-Digest must give a sha-256: evidence is checked with it")
        base, key = check_signature(signed, _values(door, request, principal), keys, at.timestamp())
    except NotSigned as fault:
        why = str(fault)
        raise Refused(ErrorCode.SIGNATURE_NOT_TAKEN, detail=f"{why[:1].upper()}{why[1:]}.") from None
    return {
        "http_signature": base64.b64encode(signed.signature).decode(),
        "http_signature_base": base64.b64encode(base).decode(),
        "http_signature_jwk": _public(key),
    }


def _values(door: Door, request: Request, principal: Principal) -> dict[str, str]:
    """The request's components (sections 2.1 and 2.2). The address is the public one, whatever Host says."""
    oauth, scope = door.oauth, request.scope
    base = oauth.public_url if principal.proof is not None else oauth.mtls_url or oauth.public_url
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    derived = {
        "@method": request.method,
        "@target-uri": f"{base}{path}{'?' if query else ''}{query}",
        "@authority": base.partition("://")[2],
        "@path": path,
    }
    fields: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        fields.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1").strip())
    return {name: ", ".join(values) for name, values in fields.items()} | derived


def _public(key: PublicKey) -> str:
    jwk = key.key.as_dict(private=False)
    return json.dumps({name: jwk[name] for name in sorted(_MEMBERS) if name in jwk}, separators=(",", ":"))

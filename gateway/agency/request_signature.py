"""The agency's side of a signed request: RFC 9421, as `gateway.oauth.http_signatures` takes it."""

from __future__ import annotations

import base64

from keys.signing import Signer

TAG = "safeguarding-gateway"


def signature_headers(key: Signer, method: str, target_uri: str, digest: str, created: int) -> dict[str, str]:
    """`Signature-Input` and `Signature` over method, address and `Content-Digest`, by the client's registered key."""
    covered = {"@method": method, "@target-uri": target_uri, "content-digest": digest}
    names = " ".join(f'"{name}"' for name in covered)
    parameters = f'({names});created={created};keyid="{key.kid}";tag="{TAG}"'
    lines = [f'"{name}": {value}' for name, value in covered.items()]
    base = "\n".join([*lines, f'"@signature-params": {parameters}'])
    signature = base64.b64encode(key.sign(base.encode())).decode()
    return {"Signature-Input": f"sender={parameters}", "Signature": f"sender=:{signature}:"}

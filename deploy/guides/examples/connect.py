"""Connect to a safeguarding gateway from Python: get a token, send, check the receipt, collect, acknowledge.

    python connect.py https://gateway.council.example northshire-police-1 police.jwk send referral.json
    python connect.py https://gateway.council.example northshire-police-1 police.jwk attach notes.pdf
    python connect.py https://gateway.council.example northshire-police-1 police.jwk collect "A. Holt"

Needs `joserfc` (keys and signatures); the rest is Python's own. police.jwk is your private key, which never leaves you.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import sys
import time
import urllib.parse
from io import BufferedReader
from pathlib import Path
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, KeySet, import_key

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class NonceWanted(Exception):
    """The proof lacked the gateway's nonce, which the answer brought (RFC 9449 section 8): make another proof."""


class Gateway:
    """Your side of one gateway. `url` is its public address, which is its issuer too."""

    def __init__(self, url: str, client_id: str, key: Key) -> None:
        self.url = url
        self.client_id = client_id
        self.key = key
        self.proof_key = ECKey.generate_key("P-256")  # any fresh key: it binds the token to this process
        self.token = ""
        self.token_ends = 0.0
        self.nonce = ""  # some gateways want their own in each proof: the last answer brought it

    def get_token(self) -> str:
        """A token lasts five minutes: keep it, and ask again shortly before it ends."""
        if time.time() < self.token_ends - 30:
            return self.token
        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.url,  # the issuer, as one string: neither the token address nor a list
            "iat": now,
            "exp": now + 60,  # at most 300 seconds
            "jti": secrets.token_urlsafe(16),  # new each time: an assertion works once
        }
        header = {"alg": "ES256", "typ": "client-authentication+jwt", "kid": self.key.kid}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": jwt.encode(header, claims, self.key),
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "DPoP": self.proof("POST", "/oauth2/token"),
        }
        try:
            answer = self.request("POST", "/oauth2/token", headers, urllib.parse.urlencode(form).encode())
        except NonceWanted:
            return self.get_token()
        self.token, self.token_ends = answer["access_token"], now + answer["expires_in"]
        return self.token

    def proof(self, method: str, path: str, token: str | None = None) -> str:
        """A DPoP proof (RFC 9449) for exactly one request: new each time, without the query in `htu`."""
        jwk = self.proof_key.as_dict(private=False)
        claims: dict[str, Any] = {
            "htm": method,
            "htu": self.url + path,
            "iat": int(time.time()),
            "jti": secrets.token_urlsafe(16),
        }
        if self.nonce:
            claims["nonce"] = self.nonce
        if token is not None:
            claims["ath"] = b64url(hashlib.sha256(token.encode()).digest())
        public = {name: jwk[name] for name in ("kty", "crv", "x", "y")}
        return jwt.encode({"alg": "ES256", "typ": "dpop+jwt", "jwk": public}, claims, self.proof_key)

    def call(self, method: str, path: str, body: bytes | BufferedReader | None = None, **headers: str) -> Any:
        token = self.get_token()
        sent = headers | {"Authorization": f"DPoP {token}", "DPoP": self.proof(method, path, token)}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            return self.request(method, path, sent, body)
        except NonceWanted:
            if isinstance(body, BufferedReader):
                body.seek(0)
            return self.call(method, path, body, **headers)

    def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes | BufferedReader | None = None
    ) -> Any:
        connection = http.client.HTTPSConnection(self.url.removeprefix("https://"), timeout=150)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        before, self.nonce = self.nonce, answer.getheader("DPoP-Nonce") or self.nonce
        said = json.loads(content)
        if answer.status in (400, 401) and self.nonce != before:
            raise NonceWanted
        if answer.status >= 400:
            raise SystemExit(f"refused: {answer.status} {said.get('code') or said.get('error')}")
        return said

    def send(self, payload: bytes) -> dict[str, Any]:
        """Send one message. If no answer comes, send the same bytes again: a repeat is safe."""
        digest = base64.b64encode(hashlib.sha256(payload).digest()).decode()
        headers = {"Content-Digest": f"sha-256=:{digest}:"}
        answer: dict[str, Any] = self.call("POST", "/v1/messages", payload, **headers)
        self.check_receipt(answer, payload)
        return answer

    def attach(self, file: Path) -> dict[str, str]:
        """Send one file, streamed from disk; the answer goes into the `attachments` of a message within a day."""
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256")
            opened.seek(0)
            headers = {
                "Content-Type": "application/octet-stream",  # its content says what it is
                "Content-Length": str(file.stat().st_size),
                "Content-Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
            }
            answer = self.call("POST", "/v1/attachments", opened, **headers)
        if answer["sha256"] != digest.hexdigest():
            raise SystemExit("the gateway names another file")
        return {"id": answer["id"], "sha256": answer["sha256"]}

    def check_receipt(self, answer: dict[str, Any], payload: bytes) -> None:
        """The gateway signed that it took this message with exactly these bytes. Keep the receipt for good."""
        receipt = answer["receipt"]
        keys = KeySet.import_key_set(self.request("GET", "/v1/receipts/jwks", {}))
        statement = json.loads(
            jws.deserialize_compact(receipt["jws"], keys, algorithms=["ES256"]).payload or b""
        )
        opened = {}
        for disclosure in receipt["disclosures"]:  # as in SD-JWT: salt, name, value
            if b64url(hashlib.sha256(disclosure.encode()).digest()) not in statement["_sd"]:
                raise SystemExit("a disclosure does not belong to this receipt")
            _, name, value = json.loads(unb64url(disclosure))
            opened[name] = value
        if (
            statement["ref"] != answer["id"]
            or opened["payload_sha256"] != hashlib.sha256(payload).hexdigest()
        ):
            raise SystemExit("this receipt is about something else")

    def collect(self, name: str) -> None:
        """Fetch everything that waits, and acknowledge as the person who has read it."""
        for item in self.call("GET", "/v1/inbox", Prefer="wait=1")["deliveries"]:
            found = self.call("GET", f"/v1/inbox/{item['id']}")
            print(f"{found['type']} of {found['incident']} for {found['role']}")
            said = {"by": "person", "role": found["role"], "name": name}  # "system": a hand-over only
            self.call("POST", f"/v1/inbox/{item['id']}/acknowledgement", json.dumps(said).encode())
            print(f"acknowledged {item['id']}")


def b64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def main() -> None:
    url, client_id, key_file, command, argument = sys.argv[1:]
    gateway = Gateway(url, client_id, import_key(json.loads(Path(key_file).read_text())))
    if command == "send":
        answer = gateway.send(Path(argument).read_bytes())
        print(f"taken as {answer['id']}, incident {answer['incident']}; the receipt holds")
    elif command == "attach":
        print(json.dumps(gateway.attach(Path(argument))))
    elif command == "collect":
        gateway.collect(argument)


if __name__ == "__main__":
    main()

"""A caller that can do everything right, and anything wrong on purpose.

Tokens are put together by hand from bytes, so that a test may break exactly one thing; that right ones are
right is shown by other people's clients in test_oauth_third_parties.py.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64_number(number: int) -> str:
    return b64(number.to_bytes((number.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class Key:
    """A private key and how it signs."""

    alg: str
    private: PrivateKey
    kid: str

    @classmethod
    def make(cls, alg: str, kid: str = "key-1") -> Key:
        match alg:
            case "ES256":
                return cls(alg, ec.generate_private_key(ec.SECP256R1()), kid)
            case "PS256":
                return cls(alg, rsa.generate_private_key(65537, 2048), kid)
            case _:
                return cls(alg, ed25519.Ed25519PrivateKey.generate(), kid)

    def sign(self, data: bytes) -> bytes:
        match self.private:
            case ec.EllipticCurvePrivateKey() as point:
                r, s = decode_dss_signature(point.sign(data, ec.ECDSA(hashes.SHA256())))
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")
            case ed25519.Ed25519PrivateKey() as edwards:
                return edwards.sign(data)
            case rsa.RSAPrivateKey() as modulus:
                pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
                return modulus.sign(data, pss, hashes.SHA256())

    @property
    def jwk(self) -> dict[str, str]:
        """The bare public members."""
        match self.private.public_key():
            case ec.EllipticCurvePublicKey() as point:
                n = point.public_numbers()
                x, y = (b64(v.to_bytes(32, "big")) for v in (n.x, n.y))
                return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
            case ed25519.Ed25519PublicKey() as edwards:
                return {"kty": "OKP", "crv": "Ed25519", "x": b64(edwards.public_bytes_raw())}
            case rsa.RSAPublicKey() as modulus:
                m = modulus.public_numbers()
                return {"kty": "RSA", "n": b64_number(m.n), "e": b64_number(m.e)}

    @property
    def thumbprint(self) -> str:
        return b64(
            hashlib.sha256(json.dumps(self.jwk, separators=(",", ":"), sort_keys=True).encode()).digest()
        )


def segment(part: object) -> str:
    """A JSON value, raw bytes to encode, or a segment as it stands."""
    match part:
        case str():
            return part
        case bytes():
            return b64(part)
        case _:
            return b64(json.dumps(part).encode())


def compact(header: object, claims: object, key: Key) -> str:
    """A signed compact JWS."""
    signed = f"{segment(header)}.{segment(claims)}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with members replaced; a value of `...` takes the member away."""
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(
    base: str, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: bytes | None = None
) -> Answer:
    """One HTTP request on a connection of its own; headers may repeat."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=20)
    try:
        headers = list(headers)
        connection.putrequest(method, path, skip_host=any(name.lower() == "host" for name, _ in headers))
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None and not any(
            name.lower() in ("content-length", "transfer-encoding") for name, _ in headers
        ):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@dataclass
class Caller:
    """One enrolled client with its keys."""

    base: str
    client_id: str
    key: Key
    proof_key: Key = field(default_factory=lambda: Key.make("ES256"))

    def assertion(self, header: object = None, claims: object = None, key: Key | None = None) -> str:
        """A right assertion, with `header` and `claims` changed where they are mappings, replaced where not."""
        now = int(time.time())
        right_header = {"alg": self.key.alg, "kid": self.key.kid, "typ": "JWT"}
        right_claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.base,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return compact(_merged(right_header, header), _merged(right_claims, claims), key or self.key)

    def proof(
        self,
        method: str = "POST",
        path: str = "/oauth2/token",
        *,
        token: str | None = None,
        header: object = None,
        claims: object = None,
        key: Key | None = None,
    ) -> str:
        """A right DPoP proof, changed as in `assertion`."""
        key = key or self.proof_key
        right_header = {"typ": "dpop+jwt", "alg": key.alg, "jwk": key.jwk}
        right_claims: dict[str, Any] = {
            "htm": method,
            "htu": self.base + path,
            "iat": int(time.time()),
            "jti": secrets.token_urlsafe(16),
        }
        if token is not None:
            right_claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        return compact(_merged(right_header, header), _merged(right_claims, claims), key)

    def form(self, **changes: Any) -> dict[str, str]:
        right = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": changes.get("client_assertion") or self.assertion(),
        }
        return changed(right, changes)

    def post(
        self, path: str, form: Mapping[str, str] | bytes, headers: Iterable[tuple[str, str]] = ()
    ) -> Answer:
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        given = list(headers)
        if not any(name.lower() == "content-type" for name, _ in given):
            given.append(("Content-Type", "application/x-www-form-urlencoded"))
        return send(self.base, "POST", path, given, body)

    def ask_token(self, form: Mapping[str, str] | None = None, proofs: list[str] | None = None) -> Answer:
        headers = [("DPoP", proof) for proof in (proofs if proofs is not None else [self.proof()])]
        return self.post("/oauth2/token", form if form is not None else self.form(), headers)

    def token(self, **form: Any) -> str:
        answer = self.ask_token(self.form(**form))
        assert answer.status == 200, answer.body
        return str(answer.json["access_token"])

    def call(
        self,
        token: str,
        proof: str | None = None,
        *,
        method: str = "GET",
        path: str = "/v1/ping",
        scheme: str = "DPoP",
    ) -> Answer:
        proof = proof if proof is not None else self.proof(method, path, token=token)
        return send(self.base, method, path, [("Authorization", f"{scheme} {token}"), ("DPoP", proof)])


def _merged(right: dict[str, Any], change: object) -> object:
    if change is None:
        return right
    return changed(right, change) if isinstance(change, Mapping) else change

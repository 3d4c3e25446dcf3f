"""What the console asks of an OpenID Connect provider: its metadata, its keys, a code's tokens; and what it believes of an ID token.

Invariant: a person is who the token says only when it was signed by a key of the configured provider, for this client, in answer to
this very sign-in (nonce), not long ago, and by the methods that are required. Sources: OpenID Connect Core 1.0 sections 3.1.2 and
3.1.3.7, Discovery 1.0 section 4.3, RFC 7636 (PKCE, S256), RFC 9207 (issuer of the answer), RFC 9700 section 2.1. The provider's words
reach neither page nor log: what went wrong is one of our own coarse reasons.
"""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.util import to_bytes

from gateway.core.officers import tidy_name
from gateway.core.permissions import OfficerRole, known_roles
from gateway.oauth.jose import Malformed, read_strict
from gateway.parts import Clock
from gateway.settings import LOOPBACK, Settings

WELL_KNOWN = "/.well-known/openid-configuration"
METADATA_LIFE = timedelta(minutes=10)
KEYS_AGAIN_AFTER = timedelta(seconds=30)  # at least so long between two looks for a key that is not known
LEEWAY_SECONDS = 60
TIMEOUT_SECONDS = 10.0
MOST_BYTES = 262_144
ALGORITHMS = ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"]


class SignInFailed(Exception):
    """Nobody is signed in; `reason` is a coarse word of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Person:
    """Who the provider says it is. `roles` None: the provider is not asked for roles."""

    subject: str
    name: str
    roles: frozenset[OfficerRole] | None


@dataclass(slots=True)
class Provider:
    """The one provider that the settings name. What it published is kept for ten minutes."""

    settings: Settings
    clock: Clock
    _metadata: Mapping[str, Any] = field(default_factory=dict)
    _keys: KeySet | None = None
    _read_at: datetime | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def issuer(self) -> str:
        return self.settings.oidc_issuer or ""

    @property
    def redirect_uri(self) -> str:
        """The one address to which the provider sends the browser back."""
        return f"{self.settings.console_address}/console/sign-in/callback"

    async def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in (Core section 3.1.2.1)."""
        metadata = await self._published()
        asked = {
            "response_type": "code",
            "client_id": self.settings.oidc_client_id or "",
            "redirect_uri": self.redirect_uri,
            "scope": " ".join(self.settings.oidc_scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        if self.settings.oidc_required_acr:
            asked["acr_values"] = " ".join(self.settings.oidc_required_acr)
        endpoint = str(metadata["authorization_endpoint"])
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def leave_url(self) -> str | None:
        """Where one signs out of the provider itself (RP-Initiated Logout 1.0); None when it has no such page."""
        endpoint = (await self._published()).get("end_session_endpoint")
        if not isinstance(endpoint, str) or not self._may_be_asked(endpoint):
            return None
        back = f"{self.settings.console_address}/console/sign-in"
        query = {"client_id": self.settings.oidc_client_id or "", "post_logout_redirect_uri": back}
        return f"{endpoint}?{urlencode(query)}"

    async def check_issuer(self, given: str | None) -> None:
        """The answer comes from this provider and from no other that a mix-up put in its place (RFC 9207 section 2.4)."""
        metadata = await self._published()
        if given is None and metadata.get("authorization_response_iss_parameter_supported") is not True:
            return
        if given is None or not hmac.compare_digest(given.encode(), self.issuer.encode()):
            raise SignInFailed("wrong-issuer")

    async def person(self, code: str, nonce: str, verifier: str) -> Person:
        """Who signed in; SignInFailed when the code is not taken, or what it brings does not hold."""
        metadata = await self._published()
        tokens = await self._exchange(str(metadata["token_endpoint"]), code, verifier)
        token, access = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(token, str) or len(token) > MOST_BYTES:
            raise SignInFailed("no-id-token")
        claims = await self._opened(token)
        return person_of(self.settings, claims, nonce, str(access or ""), self.clock())

    async def _exchange(self, endpoint: str, code: str, verifier: str) -> Mapping[str, Any]:
        secret = _client_secret(self.settings)
        async with AsyncOAuth2Client(
            self.settings.oidc_client_id,
            secret,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            verify=_trust(self.settings),
            timeout=TIMEOUT_SECONDS,
        ) as client:
            try:
                tokens: Mapping[str, Any] = await client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    redirect_uri=self.redirect_uri,
                    code_verifier=verifier,
                )
            except OAuthError:
                raise SignInFailed("code-refused") from None
            except (httpx2.HTTPError, ValueError):
                raise SignInFailed("provider-unreachable") from None
        return tokens

    async def _opened(self, token: str) -> CodeIDToken:
        """The token's claims, once its signature holds; keys are fetched anew when it names one that is not known."""
        await self._published()
        try:
            return self._verified(token)
        except SignInFailed:
            if self._read_at is None or self.clock() - self._read_at < KEYS_AGAIN_AFTER:
                raise
        self._read_at = None
        await self._published()
        return self._verified(token)

    def _verified(self, token: str) -> CodeIDToken:
        if self._keys is None:
            raise SignInFailed("provider-unreachable")
        return verified(token, self._keys)

    async def _published(self) -> Mapping[str, Any]:
        """The provider's metadata, whose issuer is exactly the one that the settings name (Discovery section 4.3)."""
        async with self._asking:
            if self._read_at is not None and self.clock() - self._read_at < METADATA_LIFE:
                return self._metadata
            metadata = await self._fetch(self.issuer.rstrip("/") + WELL_KNOWN)
            if metadata.get("issuer") != self.issuer:
                raise SignInFailed("provider-misconfigured")
            needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            if not all(self._may_be_asked(metadata.get(name)) for name in needed):
                raise SignInFailed("provider-misconfigured")
            try:
                keys = KeySet.import_key_set(await self._fetch(str(metadata["jwks_uri"])))  # type: ignore[arg-type]
            except (JoseError, ValueError, TypeError, KeyError):
                raise SignInFailed("provider-misconfigured") from None
            self._metadata, self._keys, self._read_at = metadata, keys, self.clock()
            return metadata

    def _may_be_asked(self, url: object) -> bool:
        """Over TLS; without it on this machine alone, in development."""
        found = urlsplit(url) if isinstance(url, str) else None
        if found is None or not found.hostname:
            return False
        is_here = not self.settings.is_production and found.hostname in LOOPBACK
        return found.scheme == "https" or (found.scheme == "http" and is_here)

    async def _fetch(self, url: str) -> dict[str, Any]:
        """One small JSON object; redirects are not followed."""
        if not self._may_be_asked(url):
            raise SignInFailed("provider-misconfigured")
        try:
            async with (
                httpx2.AsyncClient(verify=_trust(self.settings), timeout=TIMEOUT_SECONDS) as client,
                client.stream("GET", url) as answer,
            ):
                if answer.status_code != 200:
                    raise SignInFailed("provider-unreachable")
                body = b""
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise SignInFailed("provider-misconfigured")
        except httpx2.HTTPError:
            raise SignInFailed("provider-unreachable") from None
        try:
            return read_strict(body)
        except Malformed:
            raise SignInFailed("provider-misconfigured") from None


def verified(token: str, keys: KeySet) -> CodeIDToken:
    """The claims of a token that one of these keys signed, by an algorithm that we take."""
    try:
        opened = jws.deserialize_compact(to_bytes(token), keys, algorithms=ALGORITHMS)
        return CodeIDToken(read_strict(opened.payload), dict(opened.protected))
    except (JoseError, Malformed, ValueError, TypeError, KeyError):
        raise SignInFailed("id-token-not-genuine") from None


def person_of(
    settings: Settings, claims: CodeIDToken, nonce: str, access_token: str, now: datetime
) -> Person:
    """Who it is: issuer, audience, times, nonce, access token, then the methods and roles that the settings ask for."""
    claims.options = {
        "iss": {"essential": True, "value": settings.oidc_issuer or ""},
        "aud": {"essential": True, "value": settings.oidc_client_id or ""},
    }
    claims.params = {"nonce": nonce, "client_id": settings.oidc_client_id, "access_token": access_token}
    try:
        claims.validate(now=now.timestamp(), leeway=LEEWAY_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError):
        raise SignInFailed("id-token-not-for-us") from None
    _check_methods(settings, claims)
    subject, name = claims.get(settings.oidc_officer_claim), claims.get(settings.oidc_name_claim)
    if not isinstance(subject, str) or not subject or len(subject) > 255:
        raise SignInFailed("no-account-name")
    told = tidy_name(name)[:200] if isinstance(name, str) else ""
    return Person(f"{settings.oidc_issuer} {subject}", told, _roles(settings, claims))


def _check_methods(settings: Settings, claims: Mapping[str, Any]) -> None:
    """One of the required context classes; every required method."""
    if settings.oidc_required_acr and claims.get("acr") not in settings.oidc_required_acr:
        raise SignInFailed("not-strong-enough")
    methods = claims.get("amr")
    given = {str(each) for each in methods} if isinstance(methods, list) else set()
    if not set(settings.oidc_required_amr) <= given:
        raise SignInFailed("not-strong-enough")


def _roles(settings: Settings, claims: Mapping[str, Any]) -> frozenset[OfficerRole] | None:
    """What the claim's values stand for here; a value that the settings do not name gives nothing."""
    if settings.oidc_roles_claim is None:
        return None
    found = claims.get(settings.oidc_roles_claim)
    values = {found} if isinstance(found, str) else set(map(str, found)) if isinstance(found, list) else set()
    named = dict(each.rsplit("=", 1) for each in settings.oidc_roles if "=" in each)
    return known_roles(role for value, role in named.items() if value in values)


def _client_secret(settings: Settings) -> str | None:
    file = settings.oidc_client_secret_file
    return file.read_text("utf-8").strip() if file is not None else None


def _trust(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.oidc_ca_file)

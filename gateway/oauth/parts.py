"""What the authorization server is given, and a client as it sees one.

Invariant: there is one public URL. It is issuer, resource identifier and the base of every `htu`; nothing is
ever taken from a Host or Forwarded header (RFC 9449 section 4.3, RFC 8414 section 3, RFC 9728 section 3).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from gateway.core.client_keys import PENDING
from gateway.core.errors import Misconfigured, TooFast
from gateway.oauth.access_tokens import AccessToken, Binding
from gateway.oauth.certificates import CertificatesSeen, ClientCertificates, Presented, presented
from gateway.oauth.jose import PublicKey
from gateway.oauth.key_policy import public_key
from gateway.oauth.nonces import Nonces
from gateway.oauth.recent import Recent
from gateway.oauth.revocation_lists import RevocationLists
from gateway.oauth.token_keys import InForce
from keys.signing import Signer

Burns = list[
    tuple[str, datetime]
]  # keys that may be used once, each with the instant until which it is remembered

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ClientStatus(Enum):
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One registered public key with the time in which it may be used; a None leaves that side open."""

    kid: str
    public: PublicKey
    not_before_at: datetime | None = None
    not_after_at: datetime | None = None
    is_revoked: bool = False

    def is_live(self, at: datetime) -> bool:
        starts = self.not_before_at is None or self.not_before_at <= at
        ends = self.not_after_at is None or at < self.not_after_at
        return starts and ends and not self.is_revoked


@dataclass(frozen=True, slots=True)
class Client:
    """Software that acts for one agency. Tokens issued before `tokens_not_before` are dead (emergency
    revocation).

    With `certificates` its tokens are bound to a certificate, else to a key by DPoP: there is no way from one to the other.
    With `keys` it authenticates by assertion, else by its certificate.
    """

    id: str
    agency: str
    keys: tuple[ClientKey, ...]
    scopes: frozenset[str]
    status: ClientStatus
    tokens_not_before: datetime | None = None
    partnerships: frozenset[str] = frozenset()
    message_types: frozenset[str] | None = None  # None: whatever the pack lets its agency send
    legacy_audience_until: datetime | None = None  # till then the token address will do as audience
    certificates: ClientCertificates = ()
    must_send: frozenset[str] = (
        frozenset()
    )  # of `gateway.core.demands`: without these its messages are not taken

    @property
    def binding(self) -> Binding:
        return Binding.CERTIFICATE if self.certificates else Binding.KEY


def client_keys(jwks: Mapping[str, Any]) -> tuple[ClientKey, ...]:
    """The approved keys of a stored key set; see `gateway.core.client_keys` for what stands beside their own members.

    A key that breaks the policy raises KeyRefused: the row was edited by hand, and its client gets no token.
    """
    return tuple(_client_key(entry) for entry in jwks["keys"] if entry.get("status") != PENDING)


def _client_key(entry: Mapping[str, Any]) -> ClientKey:
    kid = str(entry["kid"])
    return ClientKey(
        kid, public_key(entry), _instant(entry.get("nbf")), _instant(entry.get("exp")), "revoked" in entry
    )


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


async def no_wait(_: str) -> float:
    """No limit on how fast a client asks."""
    return 0.0


@dataclass(frozen=True, slots=True)
class OAuthParts:
    """Everything the room may use.

    - `keys_now()`: the keys for tokens in force at this instant; asked on every request
    - `find_client(id)`: the client or None; asked on every request, so the caller remembers answers for 30 to 60 s
    - `burn(keys)`: remember all keys at once; True only if none was known before; Unavailable when it cannot be told
    - `is_burnt(key)`: whether it is among them
    - `revoke(token_id, until)`, `is_revoked(token_id)`: the revoked tokens; asked when a token is first seen here and
      then every 60 s
    - `mtls_url`: where the proxy asks for certificates (RFC 8705 section 5); None: no certificate is believed
    - `client_wait(id)`: counts one request of an authenticated client; 0, or the seconds that it must wait
    - `revoked`: the revocation lists of registered authorities; None: none are kept
    - `nonces`: where every proof must carry one (RFC 9449 section 8); None: none is asked for
    - `scopes_supported`: what the metadata announces; empty announces nothing
    """

    public_url: str
    keys_now: Callable[[], InForce]
    clock: Callable[[], datetime]
    find_client: Callable[[str], Awaitable[Client | None]]
    burn: Callable[[Burns], Awaitable[bool]]
    is_burnt: Callable[[str], Awaitable[bool]]
    revoke: Callable[[str, datetime], Awaitable[None]]
    is_revoked: Callable[[str], Awaitable[bool]]
    client_wait: Callable[[str], Awaitable[float]] = no_wait
    scopes_supported: tuple[str, ...] = ()
    mtls_url: str | None = None
    nonces: Nonces | None = None
    revoked: RevocationLists | None = None
    tokens_seen: Recent[bytes, tuple[AccessToken, float]] = field(init=False, repr=False)
    proof_keys_seen: Recent[bytes, tuple[str, PublicKey]] = field(init=False, repr=False)
    certificates_seen: CertificatesSeen = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_public_url(self.public_url)
        object.__setattr__(self, "tokens_seen", Recent(4096))
        object.__setattr__(self, "proof_keys_seen", Recent(1024))
        object.__setattr__(self, "certificates_seen", Recent(256))

    async def keep_pace(self, client_id: str) -> None:
        """Count one request of an authenticated client; TooFast when there were too many."""
        wait_seconds = await self.client_wait(client_id)
        if wait_seconds:
            raise TooFast(wait_seconds)

    @property
    def signer(self) -> Signer:
        return self.keys_now().signer

    @property
    def token_keys(self) -> Mapping[str, PublicKey]:
        """By kid, what a token of ours may be signed with at this instant."""
        return self.keys_now().verifying

    @property
    def issuer(self) -> str:
        return self.public_url

    def presented(self, scope: Mapping[str, Any]) -> Presented | None:
        """The certificate that came with a request, by the ASGI scope; Rejected when it cannot be read."""
        return None if self.mtls_url is None else presented(scope, self.certificates_seen)

    @property
    def resource(self) -> str:
        """The audience of access tokens and the `resource` of RFC 9728: the whole origin, since its metadata
        lies at its root.
        """
        return self.public_url


def _check_public_url(url: str) -> None:
    parts = urlsplit(url)
    plain = f"{parts.scheme}://{parts.netloc}"
    if url != plain or url != url.lower() or not parts.hostname or "@" in parts.netloc:
        raise Misconfigured(
            "the public URL must be scheme://host[:port] in lower case, without path or slash"
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Misconfigured("the public URL must be https; http is for loopback in development")

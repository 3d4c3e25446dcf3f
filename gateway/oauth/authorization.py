# mypy: disable-error-code="no-untyped-call, misc, assignment, override"
# authlib has no annotations; its classes are met here and nowhere else.
"""The protocol's states by authlib: which grant, which client authentication, revocation, introspection.

Invariant: authlib decides what comes next, and this room decides what is true. Every signature and claim is
checked by `assertions`, `certificates`, `dpop` and `access_tokens`; every error leaves with a constant text (RFC 6749 section
5.2).

authlib is synchronous and does its own I/O nowhere here: an `Exchange` carries in what was read and looked up
beforehand, and carries out what must be burnt or revoked afterwards. What is overridden, and why:

- client authentication: its check takes HS256 and neither Ed25519 nor PS256, and names the fault to the caller
- error texts: they tell unknown clients from known ones, answer 400, and can raise on what the caller wrote
- the token answer: it logs tokens at debug level, and its generator knows neither `kid` nor `cnf`
- its test for https: whether http is allowed was decided by `OAuthParts`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from gateway.oauth.access_tokens import TOKEN_LIFETIME_SECONDS, AccessToken, Binding, mint, open_token
from gateway.oauth.assertions import Assertion, Authenticated, check_assertion
from gateway.oauth.certificates import Presented, check_certificate
from gateway.oauth.dpop import Proof
from gateway.oauth.parts import Burns, Client, ClientStatus, OAuthParts
from gateway.oauth.reasons import Reason, Rejected

BY_ASSERTION, BY_CERTIFICATE = "private_key_jwt", "tls_client_auth"
METHODS = [
    BY_ASSERTION,
    BY_CERTIFICATE,
]  # of which a client has one; the second also stands for self-signed certificates

_SECURE = "https://transport-was-checked.invalid/"
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}( [\x21\x23-\x5b\x5d-\x7e]{1,64}){0,31}\Z")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the OAuth endpoints; `reason` is set when it refuses."""

    status: int
    body: dict[str, Any]
    reason: Reason | None = None


@dataclass(slots=True)
class Exchange:
    """One request on its way: what was read and looked up, then what the endpoint found and what must still
    be done.
    """

    form: dict[str, str]
    assertion: Assertion | None  # None: the client is to be known by its certificate
    client: Client | None  # looked up by an unproved name
    proof: Proof | None  # already checked; the token endpoint alone asks for one
    at: datetime
    new_token_id: str
    certificate: Presented | None = None
    authenticated: Authenticated | None = None
    issued: AccessToken | None = None
    shown: AccessToken | None = None  # the caller's own token that it wants revoked or described

    @property
    def burns(self) -> Burns:
        """What may be used once; the assertion stands last (clients repeat it after a fault in the proof)."""
        burns = [(self.proof.replay_key, self.proof.expires_at)] if self.proof else []
        if self.authenticated and self.authenticated.burn:
            burns.append(self.authenticated.burn)
        return burns


def refusal(reason: Reason) -> Answer:
    """The constant answer of a reason's error word."""
    error = reason.error
    return Answer(error.status, {"error": error.word, "error_description": error.description}, reason)


class Server(AuthorizationServer):
    """authlib's state machine with our checks in it. `respond` is the only way in."""

    def __init__(self, parts: OAuthParts) -> None:
        super().__init__()
        self.parts = parts
        self.register_grant(ClientCredentials)
        self.register_endpoint(Revocation)
        self.register_endpoint(Introspection)
        self.register_client_auth_method(BY_ASSERTION, self._prove_by_assertion)
        self.register_client_auth_method(BY_CERTIFICATE, self._prove_by_certificate)

    def respond(self, endpoint: str, exchange: Exchange) -> Answer:
        """Answer at `token`, `revocation` or `introspection`; nothing has been burnt or revoked yet."""
        try:
            if endpoint == "token":
                answer = self.create_token_response(exchange)
            else:
                answer = self.create_endpoint_response(endpoint, exchange)
        except Rejected as rejected:
            return refusal(rejected.reason)
        assert isinstance(answer, Answer)
        return answer

    def query_client(self, client_id: str) -> None:
        """Never asked: the client was looked up before, and `_prove_by_…` are the only methods."""
        raise AssertionError("clients are looked up before authlib is entered")

    def create_oauth2_request(self, request: Exchange) -> _Request:
        return _Request(request)

    def get_token_grant(self, request: _Request) -> ClientCredentials:
        if not ClientCredentials.check_token_endpoint(request):
            raise Rejected(Reason.GRANT_TYPE)
        return ClientCredentials(request, self)

    def handle_response(self, status: int, body: dict[str, Any], headers: object) -> Answer:
        return Answer(status, body)

    def handle_error_response(self, request: object, error: OAuth2Error) -> Answer:
        """What authlib itself refuses: a malformed form, since every check of ours raises Rejected."""
        return refusal(Reason.TOKEN_MISSING if error.error == "invalid_request" else Reason.ASSERTION_MISSING)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def _prove_by_assertion(self, _: object, request: _Request) -> _RegisteredClient | None:
        exchange = request.exchange
        if exchange.assertion is None:
            return None
        proved = check_assertion(exchange.assertion, exchange.client, self.parts.issuer, exchange.at)
        exchange.authenticated = proved
        return _RegisteredClient(proved.client, BY_ASSERTION)

    def _prove_by_certificate(self, _: object, request: _Request) -> _RegisteredClient:
        """RFC 8705 section 2. A client that has keys signs with them: its certificate alone does not let it in."""
        exchange = request.exchange
        client = exchange.client
        if client is None:
            raise Rejected(Reason.CLIENT_UNKNOWN)
        if client.keys or not client.certificates:
            raise Rejected(Reason.METHOD_OTHER)
        _check_bound_certificate(exchange, client, self.parts)
        if client.status is not ClientStatus.ACTIVE:
            raise Rejected(Reason.CLIENT_SUSPENDED)
        exchange.authenticated = Authenticated(client)
        return _RegisteredClient(client, BY_CERTIFICATE)


class ClientCredentials(ClientCredentialsGrant):
    """RFC 6749 section 4.4, answering with a token bound to the proved key (RFC 9449 section 5) or certificate
    (RFC 8705 section 3).
    """

    request: _Request
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_requested_scope(self) -> None:
        """Exactly what is registered, or less; asking for anything else is refused rather than cut down."""
        _chosen_scopes(self.request.exchange)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        exchange, parts = self.request.exchange, self.server.parts
        issued = _new_token(exchange, parts)
        exchange.issued = issued
        body = {
            "access_token": mint(issued, parts.issuer, parts.resource, parts.signer),
            "token_type": issued.binding.token_type,
            "expires_in": TOKEN_LIFETIME_SECONDS,
            "scope": " ".join(sorted(issued.scopes)),
        }
        return 200, body, []


class Revocation(RevocationEndpoint):
    """RFC 7009. Another client's token, or none at all, gets the same 200 and nothing happens to it."""

    CLIENT_AUTH_METHODS = METHODS

    def check_params(self, request: _Request, client: object) -> None:
        _need_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> None:
        raise AssertionError("tokens are read by `authenticate_token`")

    def authenticate_token(self, request: _Request, client: _RegisteredClient) -> None:
        self.check_params(request, client)
        request.exchange.shown = _own_token(request.exchange, self.server.parts)


class Introspection(IntrospectionEndpoint):
    """RFC 7662, for a client's own tokens; every other token is simply not active."""

    CLIENT_AUTH_METHODS = METHODS

    def check_params(self, request: _Request, client: object) -> None:
        _need_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> None:
        raise AssertionError("tokens are read by `authenticate_token`")

    def authenticate_token(self, request: _Request, client: _RegisteredClient) -> AccessToken | None:
        self.check_params(request, client)
        request.exchange.shown = _own_token(request.exchange, self.server.parts)
        return request.exchange.shown

    def create_introspection_payload(self, token: AccessToken | None) -> dict[str, Any]:
        if token is None:
            return {"active": False}
        return {
            "active": True,
            "iss": self.server.parts.issuer,
            "aud": self.server.parts.resource,
            "sub": token.client_id,
            "client_id": token.client_id,
            "token_type": token.binding.token_type,
            "scope": " ".join(sorted(token.scopes)),
            "iat": token.issued_at,
            "exp": token.expires_at,
            "jti": token.id,
            "agency": token.agency,
            "cnf": token.confirmation,
        }


class _Request(OAuth2Request):
    def __init__(self, exchange: Exchange) -> None:
        super().__init__("POST", _SECURE)
        self.exchange = exchange
        self.payload = BasicOAuth2Payload(exchange.form)

    @property
    def form(self) -> dict[str, str]:
        return self.exchange.form


@dataclass(frozen=True, slots=True)
class _RegisteredClient(ClientMixin):
    client: Client
    method: str

    def get_client_id(self) -> str:
        return self.client.id

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.method

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == ClientCredentials.GRANT_TYPE


def _chosen_scopes(exchange: Exchange) -> frozenset[str]:
    assert exchange.authenticated
    registered = exchange.authenticated.client.scopes
    asked = exchange.form.get("scope")
    if asked is None:
        return registered
    chosen = frozenset(asked.split(" "))
    if not _SCOPE.match(asked) or not chosen <= registered:
        raise Rejected(Reason.SCOPE)
    return chosen


def _new_token(exchange: Exchange, parts: OAuthParts) -> AccessToken:
    assert exchange.authenticated
    client, at = exchange.authenticated.client, exchange.at
    return AccessToken(
        id=exchange.new_token_id,
        client_id=client.id,
        agency=client.agency,
        scopes=_chosen_scopes(exchange),
        issued_at=int(at.timestamp()),
        expires_at=int((at + timedelta(seconds=TOKEN_LIFETIME_SECONDS)).timestamp()),
        thumbprint=_proved_thumbprint(exchange, client, parts),
        binding=client.binding,
    )


def _proved_thumbprint(exchange: Exchange, client: Client, parts: OAuthParts) -> str:
    """Of what the client is registered to hold. A certificate is no way round DPoP, nor DPoP round a certificate."""
    if client.binding is Binding.KEY:
        if exchange.proof is None:
            raise Rejected(Reason.PROOF_MISSING)
        return exchange.proof.thumbprint
    if exchange.proof is not None:
        raise Rejected(Reason.PROOF_NOT_ASKED)
    return _check_bound_certificate(exchange, client, parts).thumbprint


def _check_bound_certificate(exchange: Exchange, client: Client, parts: OAuthParts) -> Presented:
    if exchange.certificate is None:
        raise Rejected(Reason.CERTIFICATE_MISSING)
    check_certificate(exchange.certificate, client.certificates, exchange.at, parts.revoked)
    return exchange.certificate


def _need_token(request: _Request) -> None:
    """A hint is no more than a hint (RFC 7009 section 2.1): any value is taken and ignored."""
    if not request.exchange.form.get("token"):
        raise Rejected(Reason.TOKEN_MISSING)


def _own_token(exchange: Exchange, parts: OAuthParts) -> AccessToken | None:
    """The token shown, if it is ours, unexpired and this very client's."""
    assert exchange.authenticated
    raw = exchange.form["token"].encode()
    try:
        token = open_token(raw, parts.token_keys, parts.issuer, parts.resource, exchange.at.timestamp())
    except Rejected:
        return None
    return token if token.client_id == exchange.authenticated.client.id else None

"""Why something was refused, and what of it the caller is told.

The caller learns one of a few OAuth error words with a constant sentence; the log learns the `Reason`.
Invariant: nothing that the caller sent, and nothing that tells an unknown client from a known one, leaves by
an error (RFC 6749 section 5.2, RFC 9449 sections 5 and 7.1).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from gateway.core.errors import GatewayError


class OAuthError(Enum):
    """An error word, its HTTP status at the OAuth endpoints and its constant description."""

    INVALID_REQUEST = ("invalid_request", 400, "The request is not well formed")
    INVALID_CLIENT = ("invalid_client", 401, "Client authentication failed")
    INVALID_SCOPE = ("invalid_scope", 400, "The scope is malformed or not registered for this client")
    UNSUPPORTED_GRANT_TYPE = ("unsupported_grant_type", 400, "Only client_credentials is supported")
    INVALID_DPOP_PROOF = ("invalid_dpop_proof", 400, "A valid DPoP proof is required")
    INVALID_TARGET = ("invalid_target", 400, "Tokens are for this gateway alone")  # RFC 8707 section 2
    USE_DPOP_NONCE = ("use_dpop_nonce", 400, "The proof must carry the nonce given in DPoP-Nonce")
    INVALID_TOKEN = ("invalid_token", 401, "A valid access token is required")
    TEMPORARILY_UNAVAILABLE = ("temporarily_unavailable", 503, "Cannot answer now; try again")

    def __init__(self, word: str, status: int, description: str) -> None:
        self.word = word
        self.status = status
        self.description = description


class _Fault(NamedTuple):
    code: str
    error: OAuthError


class Reason(Enum):
    """The true reason, for the log only; `error` is the word that the caller is told."""

    # the form (RFC 6749 sections 3.2 and 5.2)
    FORM_MEDIA_TYPE = _Fault("form-media-type", OAuthError.INVALID_REQUEST)
    FORM_TOO_LARGE = _Fault("form-too-large", OAuthError.INVALID_REQUEST)
    FORM_TOO_SLOW = _Fault("form-too-slow", OAuthError.INVALID_REQUEST)
    FORM_MALFORMED = _Fault("form-malformed", OAuthError.INVALID_REQUEST)
    FORM_REPEATED = _Fault("form-repeated-parameter", OAuthError.INVALID_REQUEST)
    FORM_IN_QUERY = _Fault("form-in-query-string", OAuthError.INVALID_REQUEST)
    TWO_METHODS = _Fault("two-client-authentication-methods", OAuthError.INVALID_REQUEST)
    TOKEN_MISSING = _Fault("token-parameter-missing", OAuthError.INVALID_REQUEST)
    GRANT_TYPE_MISSING = _Fault("grant-type-missing", OAuthError.INVALID_REQUEST)
    RESOURCE = _Fault("resource-not-ours", OAuthError.INVALID_TARGET)
    GRANT_TYPE = _Fault("grant-type-unsupported", OAuthError.UNSUPPORTED_GRANT_TYPE)
    SCOPE = _Fault("scope-not-allowed", OAuthError.INVALID_SCOPE)

    # the client and its assertion (RFC 7523 section 3, RFC 10070)
    ASSERTION_MISSING = _Fault("assertion-missing", OAuthError.INVALID_CLIENT)
    ASSERTION_MALFORMED = _Fault("assertion-malformed", OAuthError.INVALID_CLIENT)
    ASSERTION_ALGORITHM = _Fault("assertion-algorithm", OAuthError.INVALID_CLIENT)
    ASSERTION_TYPE = _Fault("assertion-type", OAuthError.INVALID_CLIENT)
    ASSERTION_ISSUER = _Fault("assertion-issuer-or-subject", OAuthError.INVALID_CLIENT)
    ASSERTION_AUDIENCE = _Fault("assertion-audience", OAuthError.INVALID_CLIENT)
    ASSERTION_TIME = _Fault("assertion-time", OAuthError.INVALID_CLIENT)
    ASSERTION_ID = _Fault("assertion-id", OAuthError.INVALID_CLIENT)
    ASSERTION_KEY = _Fault("assertion-key-unknown", OAuthError.INVALID_CLIENT)
    ASSERTION_SIGNATURE = _Fault("assertion-signature", OAuthError.INVALID_CLIENT)
    CLIENT_UNKNOWN = _Fault("client-unknown", OAuthError.INVALID_CLIENT)
    CLIENT_SUSPENDED = _Fault("client-suspended", OAuthError.INVALID_CLIENT)
    CLIENT_ID_DIFFERS = _Fault("client-id-differs", OAuthError.INVALID_CLIENT)
    SECRET_OFFERED = _Fault("secret-offered", OAuthError.INVALID_CLIENT)
    CERTIFICATE_MALFORMED = _Fault("certificate-malformed", OAuthError.INVALID_CLIENT)
    CERTIFICATE_MISSING = _Fault("certificate-missing", OAuthError.INVALID_CLIENT)
    CERTIFICATE_TIME = _Fault("certificate-not-in-date", OAuthError.INVALID_CLIENT)
    CERTIFICATE_OTHER = _Fault("certificate-not-registered", OAuthError.INVALID_CLIENT)
    CERTIFICATE_REVOKED = _Fault("certificate-revoked", OAuthError.INVALID_CLIENT)
    CERTIFICATE_STATUS_UNKNOWN = _Fault("certificate-status-unknown", OAuthError.INVALID_CLIENT)
    METHOD_OTHER = _Fault("client-authentication-method-not-registered", OAuthError.INVALID_CLIENT)
    ASSERTION_REPLAYED = _Fault("assertion-replayed", OAuthError.INVALID_CLIENT)

    # the proof of possession (RFC 9449 section 4.3)
    PROOF_MISSING = _Fault("proof-missing", OAuthError.INVALID_DPOP_PROOF)
    PROOF_REPEATED = _Fault("proof-repeated", OAuthError.INVALID_DPOP_PROOF)
    PROOF_MALFORMED = _Fault("proof-malformed", OAuthError.INVALID_DPOP_PROOF)
    PROOF_ALGORITHM = _Fault("proof-algorithm", OAuthError.INVALID_DPOP_PROOF)
    PROOF_TYPE = _Fault("proof-type", OAuthError.INVALID_DPOP_PROOF)
    PROOF_NOT_ASKED = _Fault("proof-beside-a-certificate", OAuthError.INVALID_DPOP_PROOF)
    PROOF_KEY = _Fault("proof-key", OAuthError.INVALID_DPOP_PROOF)
    PROOF_KEY_OTHER = _Fault("proof-of-another-key", OAuthError.INVALID_DPOP_PROOF)
    PROOF_METHOD = _Fault("proof-method", OAuthError.INVALID_DPOP_PROOF)
    PROOF_URL = _Fault("proof-url", OAuthError.INVALID_DPOP_PROOF)
    PROOF_TIME = _Fault("proof-time", OAuthError.INVALID_DPOP_PROOF)
    PROOF_ID = _Fault("proof-id", OAuthError.INVALID_DPOP_PROOF)
    PROOF_REPLAYED = _Fault("proof-replayed", OAuthError.INVALID_DPOP_PROOF)
    PROOF_TOKEN_HASH = _Fault("proof-token-hash", OAuthError.INVALID_DPOP_PROOF)
    PROOF_NONCE = _Fault("proof-nonce", OAuthError.USE_DPOP_NONCE)  # section 8
    PROOF_SIGNATURE = _Fault("proof-signature", OAuthError.INVALID_DPOP_PROOF)

    # the access token (RFC 9068 section 4)
    CREDENTIALS_MISSING = _Fault("credentials-missing", OAuthError.INVALID_TOKEN)
    CREDENTIALS_REPEATED = _Fault("credentials-repeated", OAuthError.INVALID_TOKEN)
    CREDENTIALS_SCHEME = _Fault("credentials-scheme", OAuthError.INVALID_TOKEN)
    TOKEN_MALFORMED = _Fault("token-malformed", OAuthError.INVALID_TOKEN)
    TOKEN_ALGORITHM = _Fault("token-algorithm", OAuthError.INVALID_TOKEN)
    TOKEN_TYPE = _Fault("token-type", OAuthError.INVALID_TOKEN)
    TOKEN_KEY = _Fault("token-key-unknown", OAuthError.INVALID_TOKEN)
    TOKEN_SIGNATURE = _Fault("token-signature", OAuthError.INVALID_TOKEN)
    TOKEN_CLAIMS = _Fault("token-claims", OAuthError.INVALID_TOKEN)
    TOKEN_TIME = _Fault("token-time", OAuthError.INVALID_TOKEN)
    TOKEN_UNBOUND = _Fault("token-unbound", OAuthError.INVALID_TOKEN)
    TOKEN_REVOKED = _Fault("token-revoked", OAuthError.INVALID_TOKEN)
    TOKEN_BINDING = _Fault("token-bound-otherwise-than-registered", OAuthError.INVALID_TOKEN)
    TOKEN_CERTIFICATE = _Fault("token-of-another-certificate", OAuthError.INVALID_TOKEN)
    TOKEN_CLIENT = _Fault("token-client-not-active", OAuthError.INVALID_TOKEN)

    @property
    def code(self) -> str:
        return self.value.code

    @property
    def error(self) -> OAuthError:
        return self.value.error


class Rejected(GatewayError):
    """A check failed. It stays in this room: the endpoints and `authenticate` turn it into an answer."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason

"""What we publish about ourselves: RFC 8414 (authorization server), RFC 9728 (protected resource), RFC 7517
(keys).
"""

from __future__ import annotations

from typing import Any

from gateway.oauth.jose import ALGORITHM_NAMES
from gateway.oauth.parts import OAuthParts

TOKEN_PATH = "/oauth2/token"
REVOKE_PATH = "/oauth2/revoke"
INTROSPECT_PATH = "/oauth2/introspect"
JWKS_PATH = "/oauth2/jwks"
SERVER_METADATA_PATH = "/.well-known/oauth-authorization-server"
RESOURCE_METADATA_PATH = "/.well-known/oauth-protected-resource"


def server_metadata(parts: OAuthParts) -> dict[str, Any]:
    """RFC 8414 section 2.

    `response_types_supported` is required there though there is no authorization endpoint; `none` is the
    registered value that promises nothing.
    """
    url, algorithms, methods = parts.public_url, list(ALGORITHM_NAMES), _methods(parts)
    document: dict[str, Any] = {
        "issuer": parts.issuer,
        "token_endpoint": url + TOKEN_PATH,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint": url + REVOKE_PATH,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint": url + INTROSPECT_PATH,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "jwks_uri": url + JWKS_PATH,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["none"],
        "dpop_signing_alg_values_supported": algorithms,
        "protected_resources": [parts.resource],
    }
    if parts.scopes_supported:
        document["scopes_supported"] = list(parts.scopes_supported)
    if parts.mtls_url is not None:
        document |= {
            "tls_client_certificate_bound_access_tokens": True,
            "mtls_endpoint_aliases": _aliases(parts.mtls_url),
        }
    return document


def resource_metadata(parts: OAuthParts) -> dict[str, Any]:
    """RFC 9728 section 2: which server to ask, and that no token is taken without a DPoP proof or, where the proxy asks for
    one, its certificate.
    """
    document: dict[str, Any] = {
        "resource": parts.resource,
        "authorization_servers": [parts.issuer],
        "dpop_bound_access_tokens_required": parts.mtls_url is None,
        "dpop_signing_alg_values_supported": list(ALGORITHM_NAMES),
    }
    if parts.scopes_supported:
        document["scopes_supported"] = list(parts.scopes_supported)
    if parts.mtls_url is not None:
        document["tls_client_certificate_bound_access_tokens"] = True
    return document


def _methods(parts: OAuthParts) -> list[str]:
    by_certificate = [] if parts.mtls_url is None else ["tls_client_auth", "self_signed_tls_client_auth"]
    return ["private_key_jwt", *by_certificate]


def _aliases(url: str) -> dict[str, str]:
    """RFC 8705 section 5: where clients with certificates find the same endpoints."""
    return {
        "token_endpoint": url + TOKEN_PATH,
        "revocation_endpoint": url + REVOKE_PATH,
        "introspection_endpoint": url + INTROSPECT_PATH,
    }


def key_set(parts: OAuthParts) -> dict[str, Any]:
    """The token keys: the one in use, the next one, and retired ones until their last token expired."""
    now = parts.keys_now()
    return {"keys": [now.signer.public_jwk(), *(dict(jwk) for jwk in now.others)]}

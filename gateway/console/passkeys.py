"""What the Web Authentication library does for us: what a browser is asked for, and whether its answer holds.

Invariant: the person was verified by their device, on this site's own address. Source: W3C Web Authentication Level 3, sections
7.1 and 7.2. The library takes half a second to load, so this module is loaded by whoever signs in with a passkey.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

SERVICE = "Safeguarding gateway"
_ALWAYS_VERIFIED = UserVerificationRequirement.REQUIRED
_IMPOSSIBLE = (WebAuthnException, ValueError, TypeError, KeyError)  # what the library says of bad answers


@dataclass(frozen=True, slots=True)
class Asked:
    """One try: the site's host (relying party), its origin, and the challenge that belongs to this browser alone."""

    site: str
    origin: str
    challenge: bytes


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """The public half of a passkey; `id` is base64url."""

    id: str
    public_key: bytes
    sign_count: int


def options_to_sign_in(asked: Asked) -> str:
    """What the browser is asked for, as JSON: any passkey of this site."""
    return str(
        options_to_json(
            generate_authentication_options(
                rp_id=asked.site, challenge=asked.challenge, user_verification=_ALWAYS_VERIFIED
            )
        )
    )


def options_to_make(asked: Asked, name: str, handle: bytes, have: Iterable[str]) -> str:
    """The same for a new passkey of an officer, who has those in `have` already. `handle` names nobody."""
    made = generate_registration_options(
        rp_id=asked.site,
        rp_name=SERVICE,
        user_name=name,
        user_id=handle,
        challenge=asked.challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_ALWAYS_VERIFIED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in have],
    )
    return str(options_to_json(made))


def made(asked: Asked, credential: str) -> NewPasskey | None:
    """What the browser made, once it holds."""
    try:
        found = verify_registration_response(
            credential=credential,
            expected_challenge=asked.challenge,
            expected_rp_id=asked.site,
            expected_origin=asked.origin,
            require_user_verification=True,
        )
    except _IMPOSSIBLE:
        return None
    return NewPasskey(bytes_to_base64url(found.credential_id), found.credential_public_key, found.sign_count)


def counted(asked: Asked, credential: str, public_key: bytes, sign_count: int) -> int | None:
    """The authenticator's counter, when the answer holds; a counter that went back means a copy, and does not."""
    try:
        found = verify_authentication_response(
            credential=credential,
            expected_challenge=asked.challenge,
            expected_rp_id=asked.site,
            expected_origin=asked.origin,
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except _IMPOSSIBLE:
        return None
    return int(found.new_sign_count)

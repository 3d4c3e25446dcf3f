"""An encrypted mail (S/MIME, RFC 8551): for whom it is encrypted, and its content once a content key is there.

Only for use inside the limited child process: the structure is a stranger's. No private key is ever here; `keys.opening` gives
the content key from outside. AES in CBC (no integrity) and in GCM; content keys wrapped by RSA (PKCS #1 v1.5, OAEP) or agreed
on a curve (RFC 5753). Anything else, or anything wrong, is one uniform `CannotOpen`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from asn1crypto import algos, cms, core
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from keys.opening import Wrapped

MOST_RECIPIENTS = 50
SHORTEST_TAG_BYTES = 12  # RFC 5084 section 3.2
_KEY_BYTES = {
    "aes128_cbc": 16,
    "aes192_cbc": 24,
    "aes256_cbc": 32,
    "aes128_gcm": 16,
    "aes192_gcm": 24,
    "aes256_gcm": 32,
}
_WRAP_BYTES = {"aes128_wrap": 16, "aes192_wrap": 24, "aes256_wrap": 32}
_AGREEMENTS = {  # dhSinglePass-stdDH-shaXkdf-scheme (RFC 5753 section 7.1.4; SEC 1)
    "1.3.133.16.840.63.0.2": "sha1",
    "1.3.132.1.11.1": "sha256",
    "1.3.132.1.11.2": "sha384",
    "1.3.132.1.11.3": "sha512",
}


class CannotOpen(Exception):
    """This mail does not open here; it is never said why."""


class _SharedInfo(core.Sequence):  # ECC-CMS-SharedInfo, RFC 5753 section 7.2
    _fields = [
        ("key_info", cms.KeyEncryptionAlgorithm),
        ("party_info", core.OctetString, {"explicit": 0, "optional": True}),
        ("supp_pub_info", core.OctetString, {"explicit": 2}),
    ]


@dataclass(frozen=True, slots=True)
class Content:
    """What was encrypted, and whether the encryption itself shows that nobody changed it (GCM does, CBC does not)."""

    content: bytes
    is_whole: bool


def recipients(der: bytes) -> list[Wrapped]:
    """The content key as each recipient was given it; those that we know no way to open are left out."""
    try:
        enveloped, key_bytes = _enveloped(der)
        found: list[Wrapped] = []
        for info in list(enveloped["recipient_infos"])[:MOST_RECIPIENTS]:
            found += _transported(info.chosen, key_bytes) if info.name == "ktri" else []
            found += _agreed(info.chosen, key_bytes) if info.name == "kari" else []
        return found
    except Exception:
        raise CannotOpen from None


def opened(der: bytes, content_key: bytes) -> Content:
    """The content under its key; CannotOpen for whatever is wrong."""
    try:
        enveloped, key_bytes = _enveloped(der)
        if len(content_key) != key_bytes:
            raise CannotOpen
        return _decrypted(enveloped, content_key)
    except Exception:
        raise CannotOpen from None


def _enveloped(der: bytes) -> tuple[Any, int]:
    info = cms.ContentInfo.load(der)
    if info["content_type"].native not in ("enveloped_data", "authenticated_enveloped_data"):
        raise CannotOpen
    enveloped = info["content"]
    return enveloped, _KEY_BYTES[
        _encrypted_info(enveloped)["content_encryption_algorithm"]["algorithm"].native
    ]


def _encrypted_info(enveloped: Any) -> Any:
    name = (
        "auth_encrypted_content_info"
        if isinstance(enveloped, cms.AuthEnvelopedData)
        else "encrypted_content_info"
    )
    return enveloped[name]


def _transported(info: Any, key_bytes: int) -> list[Wrapped]:
    algorithm = info["key_encryption_algorithm"]
    name, encrypted = algorithm["algorithm"].native, info["encrypted_key"].native
    if name == "rsaes_pkcs1v15":
        return [Wrapped(_named(info["rid"]), encrypted, key_bytes)]
    if name == "rsaes_oaep":
        parameters = algorithm["parameters"]
        digests = (
            parameters["hash_algorithm"]["algorithm"].native,
            parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native,
        )
        return [Wrapped(_named(info["rid"]), encrypted, key_bytes, digests)]
    return []


def _agreed(info: Any, key_bytes: int) -> list[Wrapped]:
    """Ephemeral-static ECDH: the sender's key of this mail, and one wrapped content key for each recipient."""
    scheme = info["key_encryption_algorithm"]["algorithm"].dotted
    digest, originator = _AGREEMENTS.get(scheme), info["originator"]
    if digest is None or originator.name != "originator_key":
        return []
    wrap = cms.KeyEncryptionAlgorithm.load(info["key_encryption_algorithm"]["parameters"].dump())
    wrap_bytes = _WRAP_BYTES[wrap["algorithm"].native]
    shared = {"key_info": wrap, "supp_pub_info": (wrap_bytes * 8).to_bytes(4, "big")}
    if info["ukm"].native is not None:
        shared["party_info"] = info["ukm"].native
    shared_info = _SharedInfo(shared).dump()
    ephemeral = bytes(
        originator.chosen["public_key"].contents[1:]
    )  # the point, without the bit string's first octet
    return [
        Wrapped(
            _named(one["rid"]),
            one["encrypted_key"].native,
            key_bytes,
            None,
            ephemeral,
            digest,
            shared_info,
            wrap_bytes,
        )
        for one in info["recipient_encrypted_keys"]
    ]


def _named(rid: Any) -> str:
    """As `keys.opening.names_of` names a certificate."""
    if rid.name == "issuer_and_serial_number":
        issuer = hashlib.sha256(rid.chosen["issuer"].dump()).hexdigest()
        return f"serial:{issuer}:{rid.chosen['serial_number'].native:x}"
    chosen = rid.chosen
    identifier = chosen["subject_key_identifier"].native if rid.name == "r_key_id" else chosen.native
    return f"key:{identifier.hex()}"


def _decrypted(enveloped: Any, key: bytes) -> Content:
    info = _encrypted_info(enveloped)
    algorithm = info["content_encryption_algorithm"]
    encrypted = info["encrypted_content"].native
    if isinstance(enveloped, cms.AuthEnvelopedData):
        return Content(
            _by_gcm(enveloped, algos.CcmParams.load(algorithm["parameters"].dump()), encrypted, key), True
        )
    cipher = Cipher(algorithms.AES(key), modes.CBC(algorithm.encryption_iv)).decryptor()
    padded = cipher.update(encrypted) + cipher.finalize()
    unpadder = PKCS7(128).unpadder()
    return Content(unpadder.update(padded) + unpadder.finalize(), False)


def _by_gcm(enveloped: Any, parameters: Any, encrypted: bytes, key: bytes) -> bytes:
    """RFC 5084: what is authenticated besides is the SET OF attributes, not the tagged field (RFC 5083 section 2.2)."""
    tag = enveloped["mac"].native
    if len(tag) != parameters["aes_icvlen"].native or len(tag) < SHORTEST_TAG_BYTES:
        raise CannotOpen
    mode = modes.GCM(parameters["aes_nonce"].native, tag, SHORTEST_TAG_BYTES)
    cipher = Cipher(algorithms.AES(key), mode).decryptor()
    if enveloped["auth_attrs"].native is not None:
        cipher.authenticate_additional_data(enveloped["auth_attrs"].untag().dump())
    return cipher.update(encrypted) + cipher.finalize()

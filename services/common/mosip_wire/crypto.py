"""The request's cryptography: a session key, AES-GCM with the IV behind, a sealed digest.

`requestHMAC` is no HMAC: it is the uppercase hex SHA-256 of the plain request, encrypted with the
session key. Integrity comes from the GCM tag and the JWS over the whole body.
Source: mosip/id-authentication, IdAuthFilter and KeyManager; mosip/keymanager, CryptoCore.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography import x509

from services.common.mosip_wire import base64url
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.sealed import (
    THUMBPRINT_BYTES,
    SealedError,
    decrypt_behind,
    encrypt_behind,
    new_session_key,
    thumbprint_of,
    wrap_session_key,
)


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """The four encrypted fields of a request body, in base64url."""

    request: str
    request_hmac: str
    request_session_key: str
    thumbprint: str


def seal_request(plaintext: bytes, certificate: x509.Certificate) -> SealedRequest:
    """Encrypt the inner request for the platform; the partner's side."""
    session_key = new_session_key()
    digest = hashlib.sha256(plaintext).hexdigest().upper().encode("ascii")
    return SealedRequest(
        request=base64url.encode(encrypt_behind(plaintext, session_key)),
        request_hmac=base64url.encode(encrypt_behind(digest, session_key)),
        request_session_key=base64url.encode(wrap_session_key(session_key, certificate)),
        thumbprint=base64url.encode(thumbprint_of(certificate)),
    )


def open_request(request: bytes, request_hmac: bytes, session_key: bytes) -> bytes:
    """Return the plain inner request, its digest checked in constant time.

    Args:
        request, request_hmac: as decoded from base64url.
        session_key: as Vault unwrapped it.

    Raises:
        WireError: IDA-MPA-003 when either does not decrypt, IDA-MPA-016 when the digest differs.
    """
    try:
        stated = decrypt_behind(request_hmac, session_key)
        plaintext = decrypt_behind(request, session_key)
    except SealedError:
        raise WireError(IdaError.INVALID_ENCRYPTION) from None
    actual = hashlib.sha256(plaintext).hexdigest().upper().encode("ascii")
    if not hmac.compare_digest(stated, actual):
        raise WireError(IdaError.HMAC_VALIDATION_FAILED)
    return plaintext


def parse_thumbprint(text: str) -> bytes:
    """Read a thumbprint: 64 hex digits of either case, or base64url with or without padding.

    Raises:
        ValueError: neither, or not 32 bytes.
    """
    if len(text) == 2 * THUMBPRINT_BYTES:
        return bytes.fromhex(text)
    value = base64url.decode(text)
    if len(value) != THUMBPRINT_BYTES:
        raise ValueError("a thumbprint has 32 bytes")
    return value

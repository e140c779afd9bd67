"""The request's cryptography: a session key, AES-GCM with the IV behind, a sealed digest.

`requestHMAC` is no HMAC: it is the uppercase hex SHA-256 of the plain request, encrypted with the
session key. Integrity comes from the GCM tag and the JWS over the whole body.
Source: mosip/id-authentication, IdAuthFilter and KeyManager; mosip/keymanager, CryptoCore.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.mosip_wire import base64url
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError

SESSION_KEY_BYTES = 32
IV_BYTES = 16
TAG_BYTES = 16
THUMBPRINT_BYTES = 32
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """The four encrypted fields of a request body, in base64url."""

    request: str
    request_hmac: str
    request_session_key: str
    thumbprint: str


def new_session_key() -> bytes:
    """Return a random AES-256 key."""
    return AESGCM.generate_key(bit_length=8 * SESSION_KEY_BYTES)


def encrypt_symmetric(plaintext: bytes, session_key: bytes) -> bytes:
    """Return ciphertext, 16-byte tag, then 16-byte random IV. No AAD."""
    iv = os.urandom(IV_BYTES)
    return AESGCM(session_key).encrypt(iv, plaintext, None) + iv


def decrypt_symmetric(data: bytes, session_key: bytes) -> bytes:
    """Undo encrypt_symmetric.

    Raises:
        ValueError: too short, altered, or another key's.
    """
    if len(data) < TAG_BYTES + IV_BYTES or len(session_key) != SESSION_KEY_BYTES:
        raise ValueError("decryption failed")
    try:
        return AESGCM(session_key).decrypt(data[-IV_BYTES:], data[:-IV_BYTES], None)
    except InvalidTag:
        raise ValueError("decryption failed") from None


def wrap_session_key(session_key: bytes, certificate: x509.Certificate) -> bytes:
    """Encrypt a session key for certificate's holder: RSA-OAEP, SHA-256, MGF1-SHA-256.

    Raises:
        ValueError: the certificate's key is not RSA.
    """
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("session keys are wrapped with RSA keys only")
    return key.encrypt(session_key, _OAEP)


def unwrap_session_key(wrapped: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """Undo wrap_session_key with a key in hand: a partner's own, or a test's.

    Raises:
        ValueError: it was wrapped for another key.
    """
    return key.decrypt(wrapped, _OAEP)


def seal_request(plaintext: bytes, certificate: x509.Certificate) -> SealedRequest:
    """Encrypt the inner request for the platform; the partner's side."""
    session_key = new_session_key()
    digest = hashlib.sha256(plaintext).hexdigest().upper().encode("ascii")
    return SealedRequest(
        request=base64url.encode(encrypt_symmetric(plaintext, session_key)),
        request_hmac=base64url.encode(encrypt_symmetric(digest, session_key)),
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
        stated = decrypt_symmetric(request_hmac, session_key)
        plaintext = decrypt_symmetric(request, session_key)
    except ValueError:
        raise WireError(IdaError.INVALID_ENCRYPTION) from None
    actual = hashlib.sha256(plaintext).hexdigest().upper().encode("ascii")
    if not hmac.compare_digest(stated, actual):
        raise WireError(IdaError.HMAC_VALIDATION_FAILED)
    return plaintext


def thumbprint_of(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 of the certificate's DER, 32 bytes."""
    return certificate.fingerprint(hashes.SHA256())


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

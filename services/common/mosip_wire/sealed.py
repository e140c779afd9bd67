"""MOSIP's hybrid encryption, in all three of its framings: what its key manager calls "encrypt".

    KEYPART "#KEY_SPLITTER#" DATAPART

                     KEYPART                                  DATAPART
    versioned        "VER_R2" thumbprint wrapped key          AAD (32)  ciphertext  tag (16)
    AAD given        thumbprint wrapped key                   ciphertext  tag (16)  IV (16)
    nonce given      thumbprint wrapped key                   ciphertext  tag (16)

The thumbprint is the SHA-256 of the DER of the receiver's certificate (32 bytes), the wrapped key
an AES-256 key under RSA-OAEP with SHA-256 and MGF1-SHA-256 (256 bytes, 384 under RSA-3072). Of
the versioned framing the AAD is random and its first 12 bytes are the nonce; of the others the
caller knows the AAD, and of the last the nonce too (packets carry both in front). On JSON
interfaces the whole is base64url.

The splitter is a text in binary data: it is searched from the start, as its bytes could occur in
the DATAPART, and what lies before it must have one of the lengths that a key part has.

Unwrapping the session key is left to the caller, for the private key never leaves Vault: parse,
have wrapped_key decrypted, open.
Source: mosip/keymanager, CryptomanagerServiceImpl and CryptoCore.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.mosip_wire import base64url

VERSION: Final = b"VER_R2"
KEY_SPLITTER: Final = b"#KEY_SPLITTER#"
WRAPPED_KEY_BYTES: Final = (256, 384)
SESSION_KEY_BYTES: Final = 32
THUMBPRINT_BYTES: Final = 32
AAD_BYTES: Final = 32
NONCE_BYTES: Final = 12
IV_BYTES: Final = 16
TAG_BYTES: Final = 16
MAX_SEALED_BYTES: Final = 128 * 1024 * 1024

_MAX_KEY_PART_BYTES = len(VERSION) + THUMBPRINT_BYTES + max(WRAPPED_KEY_BYTES)
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)


class SealedError(ValueError):
    """Sealed data is refused; nothing of it is in the message.

    Attributes:
        reason: TOO_LARGE, TRUNCATED, NOT_BASE64, SPLITTER_MISSING, KEY_PART_MALFORMED,
            VERSION_UNKNOWN, FRAMING_MISMATCH, SESSION_KEY_INVALID or DECRYPT_FAILED.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Sealed:
    """Sealed data, taken apart.

    Attributes:
        versioned: whether it has the version, and so is of that framing.
        thumbprint: SHA-256 of the certificate whose private key unwraps wrapped_key.
        wrapped_key: 256 or 384 bytes.
        data: the data part.
    """

    versioned: bool
    thumbprint: bytes
    wrapped_key: bytes
    data: bytes = field(repr=False)


def parse(data: bytes, max_bytes: int = MAX_SEALED_BYTES, *, offset: int = 0) -> Sealed:
    """Take sealed data apart; nothing is decrypted.

    Args:
        data: the sealed data.
        max_bytes: the most that data may have.
        offset: where it begins in data; what lies before is the caller's.

    Raises:
        SealedError: TOO_LARGE; TRUNCATED, it is too short for a key part or a data part;
            SPLITTER_MISSING, none where a key part can end; KEY_PART_MALFORMED, one after a key
            part of another length; VERSION_UNKNOWN, one of the right length with another version.
    """
    if len(data) > max_bytes:
        raise SealedError("TOO_LARGE")
    end = data.find(KEY_SPLITTER, offset, offset + _MAX_KEY_PART_BYTES + len(KEY_SPLITTER))
    if end < 0:
        shortest = THUMBPRINT_BYTES + min(WRAPPED_KEY_BYTES) + len(KEY_SPLITTER) + TAG_BYTES
        raise SealedError("TRUNCATED" if len(data) - offset < shortest else "SPLITTER_MISSING")
    versioned = end - offset - len(VERSION) - THUMBPRINT_BYTES in WRAPPED_KEY_BYTES
    if not versioned and end - offset - THUMBPRINT_BYTES not in WRAPPED_KEY_BYTES:
        raise SealedError("KEY_PART_MALFORMED")
    if versioned and not data.startswith(VERSION, offset):
        raise SealedError("VERSION_UNKNOWN")
    start = offset + (len(VERSION) if versioned else 0)
    rest = data[end + len(KEY_SPLITTER) :]
    if len(rest) < TAG_BYTES + (AAD_BYTES if versioned else 0):
        raise SealedError("TRUNCATED")
    middle = start + THUMBPRINT_BYTES
    return Sealed(versioned, data[start:middle], data[middle:end], rest)


def parse_text(
    text: str | bytes, max_bytes: int = MAX_SEALED_BYTES, *, allow_whitespace: bool = False
) -> Sealed:
    """Take apart what came in base64, of either alphabet; see parse.

    Raises:
        SealedError: NOT_BASE64, and those of parse.
    """
    # Before decoding: four characters for three bytes.
    if len(text) > max_bytes // 3 * 4 + 4:
        raise SealedError("TOO_LARGE")
    try:
        data = base64url.decode(text, allow_whitespace=allow_whitespace)
    except ValueError:
        raise SealedError("NOT_BASE64") from None
    return parse(data, max_bytes)


def to_text(sealed: bytes) -> str:
    """Return sealed data as the JSON interfaces carry it: base64url without padding."""
    return base64url.encode(sealed)


def open_versioned(sealed: Sealed, session_key: bytes) -> bytes:
    """Return the plaintext of the versioned framing.

    Raises:
        SealedError: FRAMING_MISMATCH, it has no version; SESSION_KEY_INVALID, not 32 bytes;
            DECRYPT_FAILED, altered or another's key.
    """
    if not sealed.versioned:
        raise SealedError("FRAMING_MISMATCH")
    aad, body = sealed.data[:AAD_BYTES], sealed.data[AAD_BYTES:]
    return decrypt(session_key, aad[:NONCE_BYTES], body, aad)


def open_with_aad(sealed: Sealed, session_key: bytes, aad: bytes) -> bytes:
    """Return the plaintext of the framing whose IV lies behind; see open_versioned."""
    if sealed.versioned:
        raise SealedError("FRAMING_MISMATCH")
    return decrypt_behind(sealed.data, session_key, aad)


def open_with_nonce(sealed: Sealed, session_key: bytes, nonce: bytes, aad: bytes) -> bytes:
    """Return the plaintext of the framing that carries neither; see open_versioned."""
    if sealed.versioned:
        raise SealedError("FRAMING_MISMATCH")
    return decrypt(session_key, nonce, sealed.data, aad)


def seal_versioned(plaintext: bytes, certificate: x509.Certificate) -> bytes:
    """Seal for certificate's holder, as MOSIP does where nothing is given.

    Raises:
        ValueError: the certificate's key is not RSA of 2048 or 3072 bits.
    """
    session_key, aad = new_session_key(), os.urandom(AAD_BYTES)
    body = AESGCM(session_key).encrypt(aad[:NONCE_BYTES], plaintext, aad)
    return b"".join((VERSION, _key_part(session_key, certificate), KEY_SPLITTER, aad, body))


def seal_with_aad(plaintext: bytes, certificate: x509.Certificate, aad: bytes) -> bytes:
    """Seal, bound to the AAD that whoever opens it knows; see seal_versioned."""
    session_key = new_session_key()
    body = encrypt_behind(plaintext, session_key, aad)
    return b"".join((_key_part(session_key, certificate), KEY_SPLITTER, body))


def seal_with_nonce(
    plaintext: bytes, certificate: x509.Certificate, nonce: bytes, aad: bytes
) -> bytes:
    """Seal with a nonce and an AAD that whoever opens it knows; see seal_versioned.

    Args:
        plaintext: what to seal.
        certificate: whose holder can open it.
        nonce: 12 bytes; the session key is new, so any will do.
        aad: of any length.
    """
    session_key = new_session_key()
    body = AESGCM(session_key).encrypt(nonce, plaintext, aad)
    return b"".join((_key_part(session_key, certificate), KEY_SPLITTER, body))


def encrypt_behind(plaintext: bytes, session_key: bytes, aad: bytes | None = None) -> bytes:
    """Return ciphertext, 16-byte tag, then 16-byte random IV."""
    iv = os.urandom(IV_BYTES)
    return AESGCM(session_key).encrypt(iv, plaintext, aad) + iv


def decrypt_behind(data: bytes, session_key: bytes, aad: bytes | None = None) -> bytes:
    """Undo encrypt_behind.

    Raises:
        SealedError: TRUNCATED, SESSION_KEY_INVALID, DECRYPT_FAILED.
    """
    if len(data) < TAG_BYTES + IV_BYTES:
        raise SealedError("TRUNCATED")
    return decrypt(session_key, data[-IV_BYTES:], data[:-IV_BYTES], aad)


def decrypt(session_key: bytes, nonce: bytes, body: bytes, aad: bytes | None) -> bytes:
    """Return the plaintext of ciphertext and tag.

    Raises:
        SealedError: TRUNCATED, SESSION_KEY_INVALID, DECRYPT_FAILED.
    """
    if len(session_key) != SESSION_KEY_BYTES:
        raise SealedError("SESSION_KEY_INVALID")
    if len(body) < TAG_BYTES:
        raise SealedError("TRUNCATED")
    try:
        return AESGCM(session_key).decrypt(nonce, body, aad)
    except InvalidTag:
        raise SealedError("DECRYPT_FAILED") from None


def new_session_key() -> bytes:
    """Return a random AES-256 key."""
    return AESGCM.generate_key(bit_length=8 * SESSION_KEY_BYTES)


def thumbprint_of(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 of the certificate's DER, 32 bytes."""
    return certificate.fingerprint(hashes.SHA256())


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


def _key_part(session_key: bytes, certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size // 8 not in WRAPPED_KEY_BYTES:
        raise ValueError("data is sealed with RSA keys of 2048 or 3072 bits")
    return thumbprint_of(certificate) + wrap_session_key(session_key, certificate)

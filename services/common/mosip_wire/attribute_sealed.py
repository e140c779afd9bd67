"""Two symmetric framings of MOSIP's key manager, both base64url: by a PIN, and by a pool of keys.

    by PIN     salt (32)   nonce (12)   ciphertext   tag (16)
    by pool    number of the pool's key u32   nonce (12)   AAD (32)   ciphertext   tag (16)

By PIN ("encryptWithPin"): the key is PBKDF2 with HMAC-SHA-512 of the PIN, and the salt is the AAD.
By pool ("zkEncrypt", no zero-knowledge proof): the key is a pool's key applied to the SHA-256 of
an identifier. Both are for reading and writing what MOSIP's parts exchange, not for new uses: a
PIN and an identifier can be found by trying them all.
Source: mosip/keymanager, CryptomanagerServiceImpl, CryptoCore, ZKCryptoManagerServiceImpl.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from services.common.mosip_wire import base64url
from services.common.mosip_wire.sealed import (
    AAD_BYTES,
    MAX_SEALED_BYTES,
    NONCE_BYTES,
    SESSION_KEY_BYTES,
    TAG_BYTES,
    SealedError,
    decrypt,
)

SALT_BYTES: Final = 32
# MOSIP's default; its sample configuration has 10, so it is given where theirs is known.
PIN_ITERATIONS: Final = 100_000

_NUMBER = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class PoolSealed:
    """An attribute that is sealed by a key of a pool, taken apart.

    Attributes:
        number: of the pool's key.
        nonce, aad: 12 and 32 bytes.
        ciphertext: with the tag in its last 16 bytes.
    """

    number: int
    nonce: bytes
    aad: bytes
    ciphertext: bytes = field(repr=False)


def seal_with_pin(plaintext: bytes, pin: str, *, iterations: int = PIN_ITERATIONS) -> str:
    """Seal by a PIN."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    body = AESGCM(_key_of_pin(pin, salt, iterations)).encrypt(nonce, plaintext, salt)
    return base64url.encode(salt + nonce + body)


def open_with_pin(text: str | bytes, pin: str, *, iterations: int = PIN_ITERATIONS) -> bytes:
    """Undo seal_with_pin.

    Raises:
        SealedError: TOO_LARGE, NOT_BASE64, TRUNCATED; DECRYPT_FAILED, altered or another PIN.
    """
    data = _decoded(text, SALT_BYTES + NONCE_BYTES + TAG_BYTES)
    salt, nonce = data[:SALT_BYTES], data[SALT_BYTES : SALT_BYTES + NONCE_BYTES]
    key = _key_of_pin(pin, salt, iterations)
    return decrypt(key, nonce, data[SALT_BYTES + NONCE_BYTES :], salt)


def parse_pool_sealed(text: str | bytes) -> PoolSealed:
    """Take an attribute apart; nothing is decrypted.

    Raises:
        SealedError: TOO_LARGE, NOT_BASE64, TRUNCATED.
    """
    start = _NUMBER.size + NONCE_BYTES
    data = _decoded(text, start + AAD_BYTES + TAG_BYTES)
    return PoolSealed(
        number=_NUMBER.unpack_from(data)[0],
        nonce=data[_NUMBER.size : start],
        aad=data[start : start + AAD_BYTES],
        ciphertext=data[start + AAD_BYTES :],
    )


def open_pool_sealed(sealed: PoolSealed, pool_key: bytes, identifier: str) -> bytes:
    """Decrypt an attribute.

    Args:
        sealed: the attribute.
        pool_key: the pool's key of its number, 32 bytes.
        identifier: whose attribute it is.

    Raises:
        SealedError: SESSION_KEY_INVALID; DECRYPT_FAILED, altered or another's.
    """
    key = _key_of_pool(pool_key, identifier)
    return decrypt(key, sealed.nonce, sealed.ciphertext, sealed.aad)


def seal_with_pool(plaintext: bytes, number: int, pool_key: bytes, identifier: str) -> str:
    """Seal an attribute; see open_pool_sealed."""
    nonce, aad = os.urandom(NONCE_BYTES), os.urandom(AAD_BYTES)
    body = AESGCM(_key_of_pool(pool_key, identifier)).encrypt(nonce, plaintext, aad)
    return base64url.encode(_NUMBER.pack(number) + nonce + aad + body)


def _decoded(text: str | bytes, least_bytes: int) -> bytes:
    if len(text) > MAX_SEALED_BYTES // 3 * 4 + 4:
        raise SealedError("TOO_LARGE")
    try:
        data = base64url.decode(text)
    except ValueError:
        raise SealedError("NOT_BASE64") from None
    if len(data) < least_bytes:
        raise SealedError("TRUNCATED")
    return data


def _key_of_pin(pin: str, salt: bytes, iterations: int) -> bytes:
    derivation = PBKDF2HMAC(hashes.SHA512(), SESSION_KEY_BYTES, salt, iterations)
    return derivation.derive(pin.encode())


def _key_of_pool(pool_key: bytes, identifier: str) -> bytes:
    if len(pool_key) != SESSION_KEY_BYTES:
        raise SealedError("SESSION_KEY_INVALID")
    # Two blocks of a digest, each encrypted once: a derivation, not a message in ECB.
    block = Cipher(algorithms.AES(pool_key), modes.ECB()).encryptor()  # noqa: S305
    return block.update(hashlib.sha256(identifier.encode()).digest()) + block.finalize()

"""The box's bytes."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.errors import InvalidArgument
from services.common.vault.types import DataKey

_HEAD = b"IDM\x01\x01"
_LENGTH = struct.Struct(">H")
_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_BYTES = 32


@dataclass(frozen=True)
class Aad:
    """What a box is bound to: moved to another table, record or version it does not open."""

    table: str
    record: bytes
    version: int

    def to_bytes(self) -> bytes:
        """Return an encoding in which different bindings never look the same."""
        table = self.table.encode()
        return b"".join(
            (
                struct.pack(">I", len(table)),
                table,
                struct.pack(">I", len(self.record)),
                self.record,
                struct.pack(">Q", self.version),
            )
        )


def seal(datakey: DataKey, plaintext: bytes, aad: Aad) -> bytes:
    """Return the box. A data key is good for at most 2^32 of them (random nonces)."""
    assert len(datakey.plaintext) == _KEY_BYTES, "a data key has 256 bits"
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(datakey.plaintext).encrypt(nonce, plaintext, _HEAD + aad.to_bytes())
    return _head(datakey.wrapped) + nonce + sealed


def open_(key: bytes | bytearray, sealed: bytes, aad: Aad) -> bytes:
    """Return the plaintext of a box.

    Args:
        key: the data key in clear; its wrapped form is wrapped_key(sealed).
        sealed: the box.
        aad: what it must be bound to.

    Raises:
        InvalidArgument: ENVELOPE_REFUSED, another key or binding, or changed bytes.
    """
    _, body = _split(sealed)
    nonce, ciphertext = body[:_NONCE_BYTES], body[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, _HEAD + aad.to_bytes())
    except InvalidTag as error:
        raise _refused() from error


def wrapped_key(sealed: bytes) -> str:
    """Return the wrapped data key of a box.

    Raises:
        InvalidArgument: ENVELOPE_REFUSED, this is no box of a known version.
    """
    return _split(sealed)[0]


def with_wrapped_key(sealed: bytes, wrapped: str) -> bytes:
    """Return the same box with its data key wrapped anew."""
    return _head(wrapped) + _split(sealed)[1]


def _head(wrapped: str) -> bytes:
    text = wrapped.encode("ascii")
    return _HEAD + _LENGTH.pack(len(text)) + text


def _split(sealed: bytes) -> tuple[str, bytes]:
    start = len(_HEAD) + _LENGTH.size
    if len(sealed) < start or not sealed.startswith(_HEAD):
        raise _refused()
    (length,) = _LENGTH.unpack_from(sealed, len(_HEAD))
    wrapped, body = sealed[start : start + length], sealed[start + length :]
    if len(body) < _NONCE_BYTES + _TAG_BYTES or not wrapped.isascii():
        raise _refused()
    return wrapped.decode("ascii"), body


def _refused() -> InvalidArgument:
    return InvalidArgument("ENVELOPE_REFUSED", "The sealed data does not open here.")

"""The box's bytes: version 2 is written, versions 1 and 2 are read."""

from __future__ import annotations

import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.envelope import errors, header
from services.common.envelope.binding import Aad, Binding
from services.common.envelope.header import KeyUse
from services.common.vault.types import DataKey

_HEAD_1 = header.MAGIC + b"\x01\x01"
_LENGTH_1 = struct.Struct(">H")
_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_BYTES = 32


def seal(datakey: DataKey, plaintext: bytes, aad: Binding) -> bytes:
    """Return the box. A data key is good for at most 2^32 of them (random nonces).

    Raises:
        ValueError: the data key was not wrapped by the key service, or is not named.
    """
    assert len(datakey.plaintext) == _KEY_BYTES, "a data key has 256 bits"
    head = header.make(header.BOX, aad, datakey.key, datakey.wrapped)
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(datakey.plaintext).encrypt(nonce, plaintext, head.covered + aad.to_bytes())
    return head.to_bytes() + nonce + sealed


def open_(key: bytes | bytearray, sealed: bytes, aad: Binding) -> bytes:
    """Return the plaintext of a box.

    Args:
        key: the data key in clear; its wrapped form is wrapped_key(sealed).
        sealed: the box.
        aad: what it must be bound to.

    Raises:
        InvalidArgument: ENVELOPE_REFUSED, another key or binding, or changed bytes;
            ENVELOPE_BOUND_OTHERWISE, another kind of binding; and see key_used.
    """
    if header.version_of(sealed) == 1:
        covered, start = _HEAD_1, _parse_1(sealed)[1]
        definition = Aad.definition
    else:
        head, start = _parse_2(sealed)
        covered, definition = head.covered, head.definition
    if aad.definition != definition:
        raise errors.bound_otherwise()
    nonce, ciphertext = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, covered + aad.to_bytes())
    except InvalidTag as error:
        raise errors.refused() from error


def key_used(sealed: bytes) -> KeyUse:
    """Return which of Vault's keys, and which version of it, a box's data key is wrapped under.

    Nothing is verified: the name is covered by the box's tag, the version by Vault, which
    unwraps the data key with that version only.

    Raises:
        InvalidArgument: ENVELOPE_NOT_SEALED, ENVELOPE_VERSION_UNKNOWN,
            ENVELOPE_ALGORITHM_UNKNOWN, ENVELOPE_BOUND_OTHERWISE, ENVELOPE_MALFORMED or
            ENVELOPE_TRUNCATED.
    """
    if header.version_of(sealed) != 1:
        return _parse_2(sealed)[0].key
    try:
        return KeyUse("", header.split_wrapped(_parse_1(sealed)[0])[0])
    except ValueError:
        raise errors.malformed() from None


def wrapped_key(sealed: bytes) -> str:
    """Return the wrapped data key of a box, as Vault takes it; see key_used."""
    if header.version_of(sealed) == 1:
        return _parse_1(sealed)[0]
    return _parse_2(sealed)[0].wrapped_key


def with_wrapped_key(sealed: bytes, wrapped: str) -> bytes:
    """Return the same box with its data key wrapped anew; its version stays; see key_used.

    Raises:
        ValueError: wrapped was not made by the key service.
    """
    if header.version_of(sealed) == 1:
        text = wrapped.encode("ascii")
        body = sealed[_parse_1(sealed)[1] :]
        return _HEAD_1 + _LENGTH_1.pack(len(text)) + text + body
    head, start = _parse_2(sealed)
    return head.wrapped_anew(wrapped).to_bytes() + sealed[start:]


def _parse_1(sealed: bytes) -> tuple[str, int]:
    """Return the wrapped key of a box of version 1, and where its nonce begins."""
    start = len(_HEAD_1) + _LENGTH_1.size
    if len(sealed) < start:
        raise errors.truncated()
    if not sealed.startswith(_HEAD_1):
        raise errors.unknown_algorithm()
    (length,) = _LENGTH_1.unpack_from(sealed, len(_HEAD_1))
    wrapped = sealed[start : start + length]
    if len(sealed) < start + length + _NONCE_BYTES + _TAG_BYTES:
        raise errors.truncated()
    if not wrapped.isascii():
        raise errors.malformed()
    return wrapped.decode("ascii"), start + length


def _parse_2(sealed: bytes) -> tuple[header.Header, int]:
    """Return the header of a box of version 2, and where its nonce begins."""
    head, start = header.parse(sealed)
    if head.algorithm != header.BOX:
        raise errors.unknown_algorithm()
    if len(sealed) < start + _NONCE_BYTES + _TAG_BYTES:
        raise errors.truncated()
    return head, start

"""Chunks that open in their order only: the STREAM construction on AES-256-GCM.

    number u32   last u1, length u31   ciphertext (length)   tag (16 bytes)

The key and the first 7 bytes of the nonces are derived from the data key, a salt and what the
stream is bound to. A nonce goes on with the chunk's number (4 bytes) and whether it is the last
(1 byte). The number and the length also stand before each chunk, so that a chunk that is
missing, moved, repeated or cut is told from one whose bytes were changed; who changes them as
well meets the tag.

Source: V. T. Hoang, R. Reyhanitabar, P. Rogaway, D. Vizar, "Online Authenticated-Encryption and
its Nonce-Reuse Misuse-Resistance", 2015, section 7; derived keys as in Tink, AES-GCM-HKDF.
"""

from __future__ import annotations

import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.common.envelope import errors

Buffer = bytes | bytearray | memoryview

HEAD_BYTES: Final = 8
TAG_BYTES: Final = 16
# Of plaintext: what this release makes, and the most that it takes into memory.
CHUNK_BYTES: Final = 1 << 20
MAX_CHUNK_BYTES: Final = 1 << 24

_HEAD = struct.Struct(">II")
_NONCE = struct.Struct(">7sIB")
_LAST = 1 << 31
_MAX_CHUNKS = 1 << 32
_KEY_BYTES, _PREFIX_BYTES = 32, 7
_PURPOSE = b"idmesh stream 2"


class _Chunks:
    """What both directions share: the derived key, and which chunk is due.

    Args:
        key: a data key, 32 bytes.
        salt: random, or used once with this data key.
        bound_to: what the stream is bound to; covered, not stored here.
    """

    def __init__(self, key: Buffer, salt: bytes, bound_to: bytes) -> None:
        assert len(key) == _KEY_BYTES, "a data key has 256 bits"
        derived = HKDF(
            hashes.SHA256(), _KEY_BYTES + _PREFIX_BYTES, salt=salt, info=_PURPOSE + bound_to
        ).derive(bytes(key))
        self._cipher = AESGCM(derived[:_KEY_BYTES])
        self._prefix = derived[_KEY_BYTES:]
        self._due = 0
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the last chunk was there."""
        return self._ended

    def _nonce(self, *, last: bool) -> bytes:
        return _NONCE.pack(self._prefix, self._due, last)

    def _passed(self, *, last: bool) -> None:
        self._due += 1
        self._ended = last


class ChunkSealer(_Chunks):
    """Seals the chunks of one stream, in their order."""

    def seal(self, plaintext: Buffer, *, last: bool) -> list[bytes]:
        """Return the pieces of the next chunk: its head, then ciphertext and tag.

        Args:
            plaintext: at most MAX_CHUNK_BYTES; empty only if last.
            last: nothing follows.
        """
        assert not self._ended, "the last chunk was sealed"
        assert len(plaintext) <= MAX_CHUNK_BYTES, "a chunk fits in memory"
        assert last or len(plaintext), "only the last chunk may be empty"
        assert self._due < _MAX_CHUNKS, "a chunk's number has 32 bits"
        head = _HEAD.pack(self._due, len(plaintext) | (_LAST if last else 0))
        body = self._cipher.encrypt(self._nonce(last=last), plaintext, head)
        self._passed(last=last)
        return [head, body]


class ChunkOpener(_Chunks):
    """Opens the chunks of one stream: check each head, then open what follows it."""

    def __init__(self, key: Buffer, salt: bytes, bound_to: bytes) -> None:
        super().__init__(key, salt, bound_to)
        self._head = b""

    def head(self, head: bytes) -> int:
        """Take the 8 bytes before a chunk; return its plaintext's length.

        Raises:
            InvalidArgument: ENVELOPE_EXTENDED, ENVELOPE_REPEATED, ENVELOPE_OUT_OF_ORDER or
                ENVELOPE_CHUNK_TOO_LARGE.
        """
        if self._ended:
            raise errors.extended()
        number, word = _HEAD.unpack(head)
        if number < self._due:
            raise errors.repeated()
        if number > self._due:
            raise errors.out_of_order()
        self._head = head
        length = word & ~_LAST
        if length > MAX_CHUNK_BYTES:
            raise errors.chunk_too_large()
        return int(length)

    def open(self, body: Buffer) -> bytes:
        """Return a chunk's plaintext.

        Args:
            body: ciphertext and tag, of the chunk whose head was taken.

        Raises:
            InvalidArgument: ENVELOPE_REFUSED.
        """
        last = self._last()
        try:
            plaintext = self._cipher.decrypt(self._nonce(last=last), body, self._head)
        except InvalidTag as error:
            raise errors.refused() from error
        self._passed(last=last)
        return plaintext

    def open_into(self, body: Buffer, into: Buffer) -> None:
        """Write a chunk's plaintext into room of its length; see open."""
        last = self._last()
        try:
            self._cipher.decrypt_into(self._nonce(last=last), body, self._head, into)
        except InvalidTag as error:
            raise errors.refused() from error
        self._passed(last=last)

    def end(self) -> None:
        """Check that the stream is complete.

        Raises:
            InvalidArgument: ENVELOPE_TRUNCATED, the last chunk was not there.
        """
        if not self._ended:
            raise errors.truncated()

    def _last(self) -> bool:
        return bool(_HEAD.unpack(self._head)[1] & _LAST)

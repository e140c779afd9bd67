"""Sealed streams: for what is too large to be held in memory.

    header of version 2, algorithm 2   salt (32 bytes)   chunks (see chunks.py)

The memory that sealing or opening takes is a few chunks, whatever the length. Whoever opens a
stream gets each chunk once it is verified, so must not act on the whole before the iterator has
ended: only then is it known that nothing was cut off.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator

from services.common.envelope import errors, header
from services.common.envelope.binding import Binding
from services.common.envelope.chunks import (
    CHUNK_BYTES,
    HEAD_BYTES,
    TAG_BYTES,
    Buffer,
    ChunkOpener,
    ChunkSealer,
)
from services.common.envelope.header import Header, KeyUse
from services.common.errors import InvalidArgument
from services.common.vault.types import DataKey

SALT_BYTES = 32


def seal_stream(
    datakey: DataKey, pieces: Iterable[Buffer], aad: Binding, *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """Yield the sealed stream of pieces of any length.

    Raises:
        ValueError: the data key was not wrapped by the key service, or is not named.
    """
    head, sealer = _begin(datakey, aad)
    yield head
    held = bytearray()
    for piece in pieces:
        held += piece
        for chunk in _whole(held, chunk_bytes):
            yield from sealer.seal(chunk, last=False)
    yield from sealer.seal(held, last=True)


async def seal_stream_async(
    datakey: DataKey,
    pieces: AsyncIterable[Buffer],
    aad: Binding,
    *,
    chunk_bytes: int = CHUNK_BYTES,
) -> AsyncIterator[bytes]:
    """Yield the sealed stream; encryption is done beside the event loop; see seal_stream."""
    head, sealer = _begin(datakey, aad)
    yield head
    held = bytearray()
    async for piece in pieces:
        held += piece
        for chunk in _whole(held, chunk_bytes):
            for part in await asyncio.to_thread(sealer.seal, chunk, last=False):
                yield part
    for part in await asyncio.to_thread(sealer.seal, held, last=True):
        yield part


def open_stream(
    pieces: Iterable[Buffer], aad: Binding, unwrap: Callable[[KeyUse, str], bytes]
) -> Iterator[bytes]:
    """Yield the plaintext of a sealed stream.

    Args:
        pieces: the stream, cut anywhere.
        aad: what it must be bound to.
        unwrap: returns the data key in clear for its wrapped form.

    Raises:
        InvalidArgument: ENVELOPE_TRUNCATED, _EXTENDED, _REPEATED, _OUT_OF_ORDER,
            _CHUNK_TOO_LARGE; ENVELOPE_REFUSED, another key or binding, or changed bytes; and see
            box.key_used.
    """
    reader = _Reader(aad)
    for piece in pieces:
        reader.feed(piece)
        if reader.wants_key():
            reader.take_key(unwrap(reader.key, reader.wrapped_key))
        while (plaintext := reader.next_chunk()) is not None:
            yield plaintext
    reader.end()


async def open_stream_async(
    pieces: AsyncIterable[Buffer],
    aad: Binding,
    unwrap: Callable[[KeyUse, str], Awaitable[bytes]],
) -> AsyncIterator[bytes]:
    """Yield the plaintext; decryption is done beside the event loop; see open_stream."""
    reader = _Reader(aad)
    async for piece in pieces:
        reader.feed(piece)
        if reader.wants_key():
            reader.take_key(await unwrap(reader.key, reader.wrapped_key))
        while (plaintext := await asyncio.to_thread(reader.next_chunk)) is not None:
            yield plaintext
    reader.end()


def stream_key_used(start: Buffer) -> KeyUse:
    """Return which of Vault's keys a stream needs, from its first 128 KiB; see box.key_used."""
    return _header_of(memoryview(start))[0].key


def with_wrapped_stream_key(start: Buffer, wrapped: str) -> tuple[bytes, int]:
    """Return a stream's header with its data key wrapped anew, and the length of the old one.

    What follows the old header follows the new one, unchanged.

    Raises:
        ValueError: wrapped was not made by the key service.
    """
    head, length = _header_of(memoryview(start))
    return head.wrapped_anew(wrapped).to_bytes(), length


class _Reader:
    """A stream that arrives in pieces: the header, then the chunks; does no I/O."""

    def __init__(self, aad: Binding) -> None:
        self._aad = aad
        self._held = bytearray()
        self._header: Header | None = None
        self._salt = b""
        self._opener: ChunkOpener | None = None
        # The plaintext's length of the chunk whose head was read.
        self._length: int | None = None

    @property
    def key(self) -> KeyUse:
        assert self._header is not None, "the header was read"
        return self._header.key

    @property
    def wrapped_key(self) -> str:
        assert self._header is not None, "the header was read"
        return self._header.wrapped_key

    def feed(self, piece: Buffer) -> None:
        if self._opener is not None and self._opener.ended and len(piece):
            raise errors.extended()
        self._held += piece

    def wants_key(self) -> bool:
        """Whether all before the chunks is here, and the data key is not yet."""
        if self._opener is not None:
            return False
        try:
            with memoryview(self._held) as start:
                head, length = _header_of(start)
        except InvalidArgument as error:
            # More may come. What is no header at all is refused now.
            if error.reason != errors.truncated().reason:
                raise
            return False
        if len(self._held) < length + SALT_BYTES:
            return False
        if head.definition != self._aad.definition:
            raise errors.bound_otherwise()
        self._header = head
        self._salt = bytes(self._held[length : length + SALT_BYTES])
        del self._held[: length + SALT_BYTES]
        return True

    def take_key(self, key: bytes) -> None:
        assert self._header is not None, "the header was read"
        self._opener = ChunkOpener(key, self._salt, _bound_to(self._header, self._aad))

    def next_chunk(self) -> bytes | None:
        """Return the next plaintext; None: more must come first, or there is no more."""
        if self._opener is None:
            return None
        if self._opener.ended:
            if self._held:
                raise errors.extended()
            return None
        if self._length is None:
            if len(self._held) < HEAD_BYTES:
                return None
            self._length = self._opener.head(bytes(self._held[:HEAD_BYTES]))
        end = HEAD_BYTES + self._length + TAG_BYTES
        if len(self._held) < end:
            return None
        with memoryview(self._held) as held:
            plaintext = self._opener.open(held[HEAD_BYTES:end])
        del self._held[:end]
        self._length = None
        return plaintext

    def end(self) -> None:
        if self._opener is None:
            raise errors.truncated()
        self._opener.end()


def _begin(datakey: DataKey, aad: Binding) -> tuple[bytes, ChunkSealer]:
    head = header.make(header.STREAM, aad, datakey.key, datakey.wrapped)
    salt = os.urandom(SALT_BYTES)
    sealer = ChunkSealer(datakey.plaintext, salt, _bound_to(head, aad))
    return head.to_bytes() + salt, sealer


def _bound_to(head: Header, aad: Binding) -> bytes:
    return head.covered + aad.to_bytes()


def _whole(held: bytearray, chunk_bytes: int) -> Iterator[bytes]:
    """Take chunks off the front, but for what may be the last."""
    while len(held) > chunk_bytes:
        chunk = bytes(memoryview(held)[:chunk_bytes])
        del held[:chunk_bytes]
        yield chunk


def _header_of(start: memoryview) -> tuple[Header, int]:
    head, length = header.parse(start)
    if head.algorithm != header.STREAM:
        raise errors.unknown_algorithm()
    return head, length

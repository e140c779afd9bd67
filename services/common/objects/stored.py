"""What a put returns, and how its bytes are counted on the way."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from services.common.errors import ResourceExhausted


@dataclass(frozen=True)
class Stored:
    """An object that is durable."""

    key: str
    size: int
    sha256: bytes


class Tally:
    """Counts and digests the bytes that pass."""

    def __init__(self, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes
        self._digest = hashlib.sha256()
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """Count a chunk.

        Raises:
            ResourceExhausted: OBJECT_TOO_LARGE.
        """
        self.size += len(chunk)
        if self._max_bytes is not None and self.size > self._max_bytes:
            raise ResourceExhausted(
                "OBJECT_TOO_LARGE",
                "The data is larger than allowed.",
                metadata={"max_bytes": str(self._max_bytes)},
            )
        self._digest.update(chunk)

    def stored(self, key: str) -> Stored:
        """Return the sum."""
        return Stored(key, self.size, self._digest.digest())


async def chunks_of(data: bytes | AsyncIterable[bytes], chunk_bytes: int) -> AsyncIterator[bytes]:
    """Yield chunks of at least chunk_bytes, but for the last: few, large writes."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        yield bytes(data)
        return
    waiting: list[bytes] = []
    size = 0
    async for chunk in data:
        waiting.append(chunk)
        size += len(chunk)
        if size >= chunk_bytes:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)

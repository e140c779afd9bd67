"""Ciphertext in the object store."""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.common.errors import NotFound
from services.common.objects import ObjectStore
from services.registration.ports import PacketObjects

# One message of the download.
CHUNK_BYTES = 256 * 1024


class StoredPackets(PacketObjects):
    """The port on an object store."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def put_once(self, key: str, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        """Store the chunks; durable when it returns. When chunks raises, nothing is stored."""
        await self._objects.put_once(key, chunks, max_bytes=max_bytes)

    async def exists(self, key: str) -> bool:
        """Tell whether something lies there."""
        try:
            await self._objects.stat(key)
        except NotFound:
            return False
        return True

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """Yield what lies there."""
        async for chunk in self._objects.stream(key, chunk_bytes=CHUNK_BYTES):
            yield chunk

    async def delete(self, key: str) -> None:
        """Remove what lies there; nothing there is fine."""
        await self._objects.delete(key)

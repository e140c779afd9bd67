"""An object store in memory, with errors on demand."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from services.common.errors import AlreadyExists, NotFound, PlatformError
from services.common.objects import Stored
from services.common.objects.keys import checked_key
from services.common.objects.stored import Tally, chunks_of


class FakeObjects:
    """The methods of ObjectStore."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._failure: PlatformError | None = None

    def fail_with(self, error: PlatformError | None) -> None:
        """Make every call raise, until told None."""
        self._failure = error

    async def put_once(
        self, key: str, data: bytes | AsyncIterable[bytes], *, max_bytes: int | None = None
    ) -> Stored:
        self._check(key)
        tally = Tally(max_bytes)
        chunks: list[bytes] = []
        async for chunk in chunks_of(data, 1 << 20):
            tally.add(chunk)
            chunks.append(chunk)
        content = b"".join(chunks)
        if self._objects.setdefault(key, content) != content:
            raise AlreadyExists("OBJECT_EXISTS", "Other content has this name.")
        return tally.stored(key)

    async def replace(self, key: str, data: bytes) -> None:
        self._check(key)
        self._objects[key] = data

    async def get(self, key: str) -> bytes:
        self._check(key)
        if key not in self._objects:
            raise NotFound("OBJECT_NOT_FOUND", "There is no such object.")
        return self._objects[key]

    async def stream(self, key: str, *, chunk_bytes: int = 1 << 20) -> AsyncIterator[bytes]:
        content = await self.get(key)
        for start in range(0, len(content), chunk_bytes):
            yield content[start : start + chunk_bytes]

    async def stat(self, key: str) -> int:
        return len(await self.get(key))

    async def delete(self, key: str) -> None:
        self._check(key)
        self._objects.pop(key, None)

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        for key in sorted(self._objects):
            if not prefix or key.startswith(prefix.rstrip("/") + "/"):
                yield key

    async def sweep(self, *, older_than_s: float = 3600.0) -> int:
        return 0

    def _check(self, key: str) -> None:
        checked_key(key)
        if self._failure is not None:
            raise self._failure

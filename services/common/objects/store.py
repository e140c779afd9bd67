"""The object store, by URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, MemoryStore, from_url

from services.common.errors import AlreadyExists, NotFound, Unavailable
from services.common.objects.folder import Folder
from services.common.objects.keys import checked_key
from services.common.objects.stored import Stored, Tally, chunks_of

CHUNK_BYTES = 1 << 20
# No put takes so long that its file is taken for a leftover.
LEFTOVER_S = 3600.0


class ObjectStore:
    """Write-once objects in a folder ("file:///..."), a bucket ("s3://...") or memory ("memory:").

    A key is a relative path of letters, digits and "_=.-". Use as a context manager.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._folder: Folder | None = None
        self._store: Any = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Make the folder if need be and remove what killed writers left in it."""
        parts = urlsplit(self._url)
        with _translated(""):
            if parts.scheme == "file":
                root = Path(unquote(parts.path))
                await asyncio.to_thread(root.mkdir, mode=0o700, parents=True, exist_ok=True)
                self._folder = Folder(root)
                self._store = LocalStore(root)
            elif parts.scheme == "memory":
                self._store = MemoryStore()
            else:
                self._store = from_url(self._url)
        await self.sweep()

    async def close(self) -> None:
        """Let go of the store."""
        self._store = None
        self._folder = None

    async def put_once(
        self, key: str, data: bytes | AsyncIterable[bytes], *, max_bytes: int | None = None
    ) -> Stored:
        """Store an object; it is durable when this returns. Repeating it is harmless.

        A bucket takes an object in one conditional request, so data is gathered in memory
        there: give max_bytes.

        Raises:
            AlreadyExists: OBJECT_EXISTS, the key has other content.
            ResourceExhausted: OBJECT_TOO_LARGE, more than max_bytes; nothing is kept.
            InvalidArgument: OBJECT_KEY_INVALID.
            Unavailable: OBJECTS_UNAVAILABLE.
        """
        checked_key(key)
        if self._folder is not None:
            return await self._folder.put_once(key, data, max_bytes)
        tally = Tally(max_bytes)
        chunks: list[bytes] = []
        async for chunk in chunks_of(data, CHUNK_BYTES):
            tally.add(chunk)
            chunks.append(chunk)
        stored = tally.stored(key)
        with _translated(key):
            try:
                await obstore.put_async(self._store, key, b"".join(chunks), mode="create")
            except AlreadyExistsError:
                await self._compare(stored)
        return stored

    async def replace(self, key: str, data: bytes) -> None:
        """Store an object in place of the one that has the key, if any; durable when this returns.

        For the few that are no write-once facts, such as which of them is the last. Readers see
        the old or the new bytes, never a part.

        Raises:
            InvalidArgument: OBJECT_KEY_INVALID.
            Unavailable: OBJECTS_UNAVAILABLE.
        """
        checked_key(key)
        if self._folder is not None:
            await self._folder.replace(key, data)
            return
        with _translated(key):
            await obstore.put_async(self._store, key, data, mode="overwrite")

    async def get(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            NotFound: OBJECT_NOT_FOUND.
        """
        checked_key(key)
        with _translated(key):
            result = await obstore.get_async(self._store, key)
            return bytes(await result.bytes_async())

    async def stream(self, key: str, *, chunk_bytes: int = CHUNK_BYTES) -> AsyncIterator[bytes]:
        """Yield an object's bytes in chunks of about chunk_bytes; see get."""
        checked_key(key)
        with _translated(key):
            result = await obstore.get_async(self._store, key)
            async for chunk in result.stream(min_chunk_size=chunk_bytes):
                yield bytes(chunk)

    async def stat(self, key: str) -> int:
        """Return an object's size in bytes; see get."""
        checked_key(key)
        with _translated(key):
            return int((await obstore.head_async(self._store, key))["size"])

    async def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""
        checked_key(key)
        with _translated(key):
            try:
                await obstore.delete_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                return

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """Yield the keys below a prefix, which ends at a "/" of them."""
        with _translated(prefix):
            async for batch in obstore.list(self._store, prefix or None):
                for meta in batch:
                    yield str(meta["path"])

    async def sweep(self, *, older_than_s: float = LEFTOVER_S) -> int:
        """Remove what killed writers left in a folder; return how many there were."""
        return await self._folder.sweep(older_than_s) if self._folder is not None else 0

    async def _compare(self, stored: Stored) -> None:
        present = Tally(None)
        async for chunk in self.stream(stored.key):
            present.add(chunk)
        if present.stored(stored.key) != stored:
            raise AlreadyExists(
                "OBJECT_EXISTS", "Other content has this name.", metadata={"key": stored.key}
            )


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise NotFound(
            "OBJECT_NOT_FOUND", "There is no such object.", metadata={"key": key}
        ) from error
    except (BaseError, OSError) as error:
        raise Unavailable(
            "OBJECTS_UNAVAILABLE",
            "The object store cannot answer now.",
            metadata={"cause": type(error).__name__},
            retry_after_s=5,
        ) from error

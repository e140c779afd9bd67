"""Durable write-once files in a folder.

obstore's local store is atomic but never calls fsync, so that a power loss can take back, or
tear, what was acknowledged. Here the bytes are on disk before the name is, and the name, with
each folder that was made for it, before the put returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterable, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from services.common.errors import AlreadyExists, Unavailable
from services.common.objects.stored import Stored, Tally, chunks_of

P = ParamSpec("P")
R = TypeVar("R")

CHUNK_BYTES = 1 << 20
_MODE = 0o600


class Folder:
    """Puts and sweeps; reading is obstore's."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # Folders whose own names, and those of all above them, are on disk.
        self._synced: set[Path] = set()

    async def put_once(
        self, key: str, data: bytes | AsyncIterable[bytes], max_bytes: int | None
    ) -> Stored:
        """Write an object under a name that nothing has yet, or that has the same content."""
        target = self._root / key
        # Digits after "#" are what obstore's listing leaves out.
        temporary = target.with_name(f"{target.name}#{secrets.randbits(63)}")
        tally = Tally(max_bytes)
        chunks = chunks_of(data, CHUNK_BYTES)
        first = await anext(chunks, b"")
        tally.add(first)
        if len(first) < CHUNK_BYTES:
            # All of it at once: to ask another thread costs more than to write so little.
            stored = tally.stored(key)
            await _on_disk(self._put_whole, temporary, target, first, stored)
            return stored
        # A list, for a call that is cancelled while the file is made returns nothing.
        opened: list[int] = []
        try:
            try:
                await _on_disk(lambda: opened.append(self._create(temporary)))
                [file] = opened
                await _on_disk(_write_all, file, first)
                async for chunk in chunks:
                    tally.add(chunk)
                    await _on_disk(_write_all, file, chunk)
                stored = tally.stored(key)
                await _on_disk(_publish, file, temporary, target, stored)
            finally:
                for file in opened:
                    os.close(file)
        finally:
            await _on_disk(_remove, temporary)
        return stored

    async def replace(self, key: str, data: bytes) -> None:
        """Write a file in place of the one that has the name: a reader sees one or the other."""
        target = self._root / key
        temporary = target.with_name(f"{target.name}#{secrets.randbits(63)}")
        await _on_disk(self._replace, temporary, target, data)

    def _replace(self, temporary: Path, target: Path, content: bytes) -> None:
        try:
            file = self._create(temporary)
            try:
                _write_all(file, content)
                os.fsync(file)
            finally:
                os.close(file)
            temporary.rename(target)
            _sync_folder(target.parent)
        finally:
            _remove(temporary)

    def _put_whole(self, temporary: Path, target: Path, content: bytes, stored: Stored) -> None:
        try:
            file = self._create(temporary)
            try:
                _write_all(file, content)
                _publish(file, temporary, target, stored)
            finally:
                os.close(file)
        finally:
            _remove(temporary)

    def _create(self, temporary: Path) -> int:
        """Make the file and the folders it needs; each folder's name is on disk at the end."""
        missing: list[Path] = []
        folder = temporary.parent
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        synced = set()
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(each.parent)
            synced.add(each.parent)
        if temporary.parent not in self._synced or missing:
            # Another writer may have made the others and not have synced them yet.
            for each in _between(self._root, temporary.parent):
                if each not in synced:
                    _sync_folder(each)
            self._synced.add(temporary.parent)
        return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)

    async def sweep(self, older_than_s: float) -> int:
        """Remove what killed writers left; a write that is under way is younger."""
        return await _on_disk(self._sweep, time.time() - older_than_s)

    def _sweep(self, before: float) -> int:
        swept = 0
        for path in self._root.rglob("*#*"):
            if path.is_file() and path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
                swept += 1
        return swept


async def _on_disk(call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a blocking call in a thread and wait for its end also when cancelled.

    Otherwise the file would be closed under the thread, which would go on writing into whatever
    file has that number next.
    """
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        raise
    except OSError as error:
        raise _away(error) from error


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _between(root: Path, folder: Path) -> list[Path]:
    """Return the folders whose entries lead from root to folder."""
    found: list[Path] = []
    while folder != root:
        folder = folder.parent
        found.append(folder)
    return found


def _write_all(file: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(file, view) :]


def _publish(file: int, temporary: Path, target: Path, stored: Stored) -> None:
    """Give the complete file its name; bytes first, then the name."""
    os.fsync(file)
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        if _digest_synced(target) != stored.sha256:
            raise AlreadyExists(
                "OBJECT_EXISTS", "Other content has this name.", metadata={"key": stored.key}
            ) from error
    _sync_folder(target.parent)


def _digest_synced(path: Path) -> bytes:
    """Return the digest of a file whose bytes are on disk now.

    Whoever made it may have been killed before its fsync.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").digest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _away(error: OSError) -> Unavailable:
    cause = errno.errorcode.get(error.errno or 0, "OSError")
    return Unavailable(
        "OBJECTS_UNAVAILABLE",
        "The object store cannot answer now.",
        metadata={"cause": cause},
        retry_after_s=5,
    )

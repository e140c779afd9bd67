"""Encrypted snapshots of the galleries in the object store."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.abis.domain.reference import Position
from services.abis.domain.snapshot import SavedSegment, Snapshot, SnapshotRefusedError
from services.abis.ports import Segment, SegmentSpace
from services.abis.store import snapshot_format as form
from services.common.envelope import DataKeys, Envelope, key_used
from services.common.errors import InvalidArgument, NotFound
from services.common.objects import Stored
from services.common.vault import PublicKeys, version_of


class Objects(Protocol):
    """The part of the object store that is needed here."""

    async def put_once(
        self, key: str, data: bytes | AsyncIterator[bytes], *, max_bytes: int | None = None
    ) -> Stored:
        """Store an object; durable when it returns."""
        ...

    async def get(self, key: str) -> bytes:
        """Return an object."""
        ...

    def stream(self, key: str, *, chunk_bytes: int = ...) -> AsyncIterator[bytes]:
        """Yield an object."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[str]:
        """Yield the names below a prefix."""
        ...


class SnapshotVault(DataKeys, Protocol):
    """The part of the vault client that is needed here."""

    async def public_keys(self, key: str, *, fresh: bool = False) -> PublicKeys:
        """Return a key's versions."""
        ...

    async def rewrap(self, key: str, ciphertexts: Sequence[str]) -> list[str]:
        """Return wrapped data keys under the latest version."""
        ...


class ObjectSnapshots:
    """See ports.Snapshots.

    Args:
        vault: makes and unwraps the data keys of segments.
        key: Vault's key that wraps them.
        envelope: seals the lists.
    """

    def __init__(
        self, objects: Objects, vault: SnapshotVault, key: str, envelope: Envelope
    ) -> None:
        self._objects = objects
        self._vault = vault
        self._key = key
        self._envelope = envelope

    async def newest(self, gallery_id: UUID) -> Sequence[str]:
        """Return the names of a database's snapshots, the newest first."""
        names = [key.rpartition("/")[2] async for key in self._below(gallery_id, "snapshot")]
        # The name begins with the place in the log, in as many digits always.
        return sorted(names, reverse=True)

    async def read(self, gallery_id: UUID, name: str) -> Snapshot:
        """Return a snapshot, its segments not read yet."""
        key = form.list_key(gallery_id, name)
        try:
            sealed = await self._objects.get(key)
            plain = await self._envelope.open(sealed, form.list_aad(gallery_id, name))
            snapshot = form.list_from_bytes(plain)
        except InvalidArgument as error:
            raise SnapshotRefusedError(key, "DOES_NOT_OPEN") from error
        except NotFound as error:
            raise SnapshotRefusedError(key, "MISSING") from error
        except ValueError as error:
            raise SnapshotRefusedError(key, "VERSION_UNKNOWN") from error
        if snapshot.gallery_id != gallery_id:
            raise SnapshotRefusedError(key, "OF_ANOTHER_GALLERY")
        return snapshot

    async def fill(self, snapshot: Snapshot, number: int, space: SegmentSpace) -> None:
        """Decrypt the planes of a snapshot's segment, counted from 0, into room for it."""
        segment = snapshot.segments[number]
        name = form.segment_key(snapshot.gallery_id, segment.segment_id)
        try:
            key = await self._vault.unwrap_datakey(self._key, segment.wrapped_key)
            pieces = _Pieces(self._objects.stream(name, chunk_bytes=form.CHUNK_BYTES))
            cipher = AESGCM(key)
            for plane, (plane_name, shape) in enumerate(segment.shape.planes.items()):
                into = space.planes[plane_name]
                for chunk, start, end in form.chunks(shape.size):
                    sealed = await pieces.take(end - start + form.TAG_BYTES)
                    aad = form.chunk_aad(snapshot.gallery_id, segment, plane, shape, chunk)
                    await asyncio.to_thread(
                        cipher.decrypt_into, form.nonce(plane, chunk), sealed, aad, into[start:end]
                    )
            await pieces.end()
        except InvalidTag as error:
            raise SnapshotRefusedError(name, "DAMAGED") from error
        except EOFError as error:
            raise SnapshotRefusedError(name, "OF_ANOTHER_LENGTH") from error
        except NotFound as error:
            raise SnapshotRefusedError(name, "MISSING") from error
        except InvalidArgument as error:
            raise SnapshotRefusedError(name, "KEY_REFUSED") from error

    async def write(
        self,
        gallery_id: UUID,
        position: Position,
        layout: int,
        segments: Sequence[Segment],
        *,
        before: Snapshot | None,
    ) -> Snapshot:
        """Write a snapshot; durable when this returns, absent before."""
        known = {} if before is None else {_same(each): each for each in before.segments}
        saved: list[SavedSegment] = []
        for segment in segments:
            there = known.get((segment.shape.gallery, segment.shape.number))
            if there is not None and there.shape == segment.shape:
                wrapped = await self._newly_wrapped(there.wrapped_key)
                saved.append(SavedSegment(there.segment_id, wrapped, there.shape, segment.dead))
            else:
                saved.append(await self._write_segment(gallery_id, segment))
        snapshot = Snapshot(gallery_id, position, layout, saved)
        # Last: what it lists is durable.
        name = f"{position.epoch:010d}-{position.sequence:020d}-{time.time_ns():016x}"
        sealed = await self._envelope.seal(
            form.list_to_bytes(snapshot), form.list_aad(gallery_id, name)
        )
        await self._objects.put_once(form.list_key(gallery_id, name), sealed)
        return snapshot

    async def key_versions(self, gallery_id: UUID) -> Counter[int]:
        """Count the wrapped keys of all snapshots by the version that wraps them."""
        found: Counter[int] = Counter()
        for name in await self.newest(gallery_id):
            found[key_used(await self._objects.get(form.list_key(gallery_id, name))).version] += 1
            snapshot = await self.read(gallery_id, name)
            found.update(version_of(each.wrapped_key) for each in snapshot.segments)
        return found

    async def _newly_wrapped(self, wrapped: str) -> str:
        newest = (await self._vault.public_keys(self._key)).latest
        if version_of(wrapped) >= newest:
            return wrapped
        [anew] = await self._vault.rewrap(self._key, [wrapped])
        return anew

    async def sweep(self, gallery_id: UUID, *, keep: int) -> int:
        """Remove older snapshots, and segments that none needs; return how many objects."""
        names = await self.newest(gallery_id)
        needed: set[str] = set()
        for name in names[:keep]:
            try:
                snapshot = await self.read(gallery_id, name)
            except SnapshotRefusedError:
                continue
            needed.update(
                form.segment_key(gallery_id, each.segment_id) for each in snapshot.segments
            )
        gone = [form.list_key(gallery_id, name) for name in names[keep:]]
        gone += [key async for key in self._below(gallery_id, "segment") if key not in needed]
        # Lists first: no list names a segment that is missing.
        for key in gone:
            await self._objects.delete(key)
        return len(gone)

    async def _write_segment(self, gallery_id: UUID, segment: Segment) -> SavedSegment:
        datakey = await self._vault.datakey(self._key)
        saved = SavedSegment(uuid4(), datakey.wrapped, segment.shape, segment.dead)
        cipher = AESGCM(datakey.plaintext)

        async def sealed() -> AsyncIterator[bytes]:
            for plane, (name, shape) in enumerate(segment.shape.planes.items()):
                view = segment.planes[name]
                for chunk, start, end in form.chunks(shape.size):
                    aad = form.chunk_aad(gallery_id, saved, plane, shape, chunk)
                    yield await asyncio.to_thread(
                        cipher.encrypt, form.nonce(plane, chunk), view[start:end], aad
                    )

        await self._objects.put_once(form.segment_key(gallery_id, saved.segment_id), sealed())
        return saved

    def _below(self, gallery_id: UUID, what: str) -> AsyncIterator[str]:
        return self._objects.list(f"{gallery_id}/{what}/")


def _same(segment: SavedSegment) -> tuple[str, int]:
    return segment.shape.gallery, segment.shape.number


class _Pieces:
    """A stream, taken in pieces of the lengths that are asked for."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._held = bytearray()

    async def take(self, length: int) -> bytes:
        """Return the next bytes.

        Raises:
            EOFError: there are not so many.
        """
        while len(self._held) < length:
            more: bytes = await anext(self._stream, b"")
            if not more:
                raise EOFError
            self._held += more
        taken = bytes(memoryview(self._held)[:length])
        del self._held[:length]
        return taken

    async def end(self) -> None:
        """Check that there is nothing more.

        Raises:
            EOFError: there is.
        """
        if self._held:
            raise EOFError
        more: bytes = await anext(self._stream, b"")
        if more:
            raise EOFError

"""The galleries are saved, and filled again when the service starts."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from services.abis.domain.reference import Position
from services.abis.domain.snapshot import Snapshot, SnapshotRefusedError
from services.abis.ports import (
    Galleries,
    GalleryFullError,
    SegmentRefusedError,
    Snapshots,
    Store,
)
from services.abis.usecases.follow_log import FollowLog
from services.common.telemetry import get_logger

# The newest may turn out damaged when it is needed.
KEEP: Final = 2

_LOG = get_logger(__name__)


class RestoreGalleries:
    """Fills empty galleries from the newest snapshot that is whole and of this database."""

    def __init__(self, store: Store, galleries: Galleries[Any], snapshots: Snapshots) -> None:
        self._store = store
        self._galleries = galleries
        self._snapshots = snapshots
        # What is in the galleries, for the next snapshot to be made from.
        self.restored: Snapshot | None = None

    async def __call__(self, head: Position) -> Position | None:
        """Return the place that the galleries hold now; None, and they are empty, without one."""
        gallery_id = await self._store.gallery_id()
        for name in await self._snapshots.newest(gallery_id):
            try:
                snapshot = await self._snapshots.read(gallery_id, name)
                _check_place(name, snapshot, head, self._galleries.layout)
                for number in range(len(snapshot.segments)):
                    await self._load(snapshot, name, number)
            except SnapshotRefusedError as error:
                _LOG.error("snapshot_refused", object=error.name, why=error.why)
                await asyncio.to_thread(self._galleries.clear)
                continue
            except BaseException:
                await asyncio.to_thread(self._galleries.clear)
                raise
            self.restored = snapshot
            references = self._galleries.references()
            _LOG.info("snapshot_loaded", snapshot=name, references=references)
            return snapshot.position
        return None

    async def _load(self, snapshot: Snapshot, name: str, number: int) -> None:
        segment = snapshot.segments[number]
        try:
            space = await asyncio.to_thread(self._galleries.begin_segment, segment.shape)
            await self._snapshots.fill(snapshot, number, space)
            await asyncio.to_thread(space.finish, segment.dead)
        except SegmentRefusedError as error:
            raise SnapshotRefusedError(name, "SEGMENT_MALFORMED") from error
        except GalleryFullError as error:
            raise SnapshotRefusedError(name, "GALLERY_FULL") from error


class SaveGalleries:
    """Writes snapshots.

    Args:
        restored: gives the snapshot that the galleries were filled from, if any.
    """

    def __init__(
        self,
        store: Store,
        galleries: Galleries[Any],
        log: FollowLog[Any],
        snapshots: Snapshots,
        restored: RestoreGalleries,
    ) -> None:
        self._store = store
        self._galleries = galleries
        self._log = log
        self._snapshots = snapshots
        self._restored = restored
        self._last: Snapshot | None = None

    @property
    def last(self) -> Snapshot | None:
        """The snapshot that the galleries have moved on from."""
        return self._last or self._restored.restored

    @property
    def behind(self) -> int:
        """How many changes the newest snapshot lacks; 0 while the galleries are loaded."""
        if self._log.applied is None:
            return 0
        return self._log.applied - (self.last.position.sequence if self.last else 0)

    async def __call__(self, *, keep: int = KEEP) -> Snapshot | None:
        """Write a snapshot of the present; None while the galleries are loaded.

        keep: how many snapshots stay, this one included.
        """
        gallery_id = await self._store.gallery_id()
        async with self._log.standing_still() as position:
            if position is None:
                return None
            segments = await asyncio.to_thread(self._galleries.segments)
        # They change no more but for their dead, of which these are copies: searches and
        # inserts go on.
        self._last = await self._snapshots.write(
            gallery_id, position, self._galleries.layout, segments, before=self.last
        )
        await self._snapshots.sweep(gallery_id, keep=keep)
        return self._last


def _check_place(name: str, snapshot: Snapshot, head: Position, layout: int) -> None:
    if snapshot.position.epoch != head.epoch or snapshot.position.sequence > head.sequence:
        raise SnapshotRefusedError(name, "OF_ANOTHER_HISTORY")
    if snapshot.layout != layout:
        raise SnapshotRefusedError(name, "LAYOUT_UNKNOWN")

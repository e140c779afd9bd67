"""What abis keeps under keys of Vault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.abis.domain.snapshot import SnapshotRefusedError
from services.abis.store.snapshots import ObjectSnapshots
from services.common.postgres import Database
from services.common.rotation import Column, Form, Remedy, VersionUse
from services.common.rotation.holdings import Lot, Progress

BIO_REFERENCE = "core/transit/bio-reference"

COLUMNS = (
    Column(
        BIO_REFERENCE, "reference", "sealed", {"reference_id": "uuid"}, Form.BOX, Remedy.REWRAPPED
    ),
    # Answers of searches; the others are no boxes.
    Column(
        BIO_REFERENCE, "request", "answer", {"request_id": "uuid"}, Form.BOX, Remedy.REWRAPPED,
        made_column="made_at",
    ),
)  # fmt: skip
NOT_NEEDED: dict[str, str] = {}


@dataclass(frozen=True)
class SavedGalleries:
    """Snapshots: a list of segments each, and the segments' data keys; see rotation.Holding.

    Args:
        save: writes a new snapshot, its keys newly wrapped, and removes the others; False while
            that is not possible.
    """

    database: Database
    snapshots: ObjectSnapshots
    gallery_id: Callable[[], Awaitable[UUID]]
    save: Callable[[], Awaitable[bool]]
    key: str = BIO_REFERENCE
    name: str = "snapshot"
    remedy: Remedy = Remedy.REWRAPPED

    async def versions(self) -> list[VersionUse]:
        """Return the versions that wrap any key of a snapshot."""
        try:
            found = await self.snapshots.key_versions(await self.gallery_id())
        except SnapshotRefusedError:
            # It is of no use to anybody; the next one takes its place.
            return []
        return [VersionUse(version, items) for version, items in sorted(found.items())]

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Write a snapshot in place of the others."""
        items = sum(use.items for use in await self.versions() if use.version < target)
        if not items or not await self.save():
            return Lot()
        async with self.database.transaction() as connection:
            await progress(connection, items)
        return Lot(items)


@dataclass(frozen=True)
class ShareKeys:
    """What MOSIP's data share seals for, as it is configured; see rotation.Holding."""

    key: str
    configured: Sequence[int]
    name: str = "configuration of the data share"
    remedy: Remedy = Remedy.OUTSIDE

    async def versions(self) -> list[VersionUse]:
        """Return the versions that are configured."""
        return [
            VersionUse(version, self.configured.count(version))
            for version in sorted(set(self.configured))
        ]

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Nothing: the certificate is handed to the data share by its operator."""
        return Lot()

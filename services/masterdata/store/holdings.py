"""What masterdata keeps under keys of Vault: certificates over packet keys, which are public."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from services.common.postgres import Database, load_queries
from services.common.rotation import Column, Remedy, VersionUse
from services.common.rotation.holdings import Lot, Progress

QUERIES = load_queries(__package__, "queries.sql")

COLUMNS: tuple[Column, ...] = ()
NOT_NEEDED: dict[str, str] = {}


@dataclass(frozen=True)
class PacketCertificates:
    """What machines seal packets for, offline, perhaps for weeks; see rotation.Holding.

    Args:
        overlap: a machine may go on sealing for a certificate so long after it was replaced.
        renew_rotated: replaces the certificates over older versions.
    """

    database: Database
    overlap: timedelta
    renew_rotated: Callable[[], Awaitable[int]]
    key: str = "core/transit/pkt-*"
    name: str = "packet_key.certificate"
    remedy: Remedy = Remedy.OUTSIDE

    async def versions(self) -> list[VersionUse]:
        """Return the versions whose certificates a machine may seal for."""
        return [
            VersionUse(
                row["key_version"],
                row["items"],
                oldest_at=row["oldest_at"],
                needed_until=row["until"],
                key=row["key_name"],
            )
            for row in await self.database.fetch(QUERIES["packet_key_use"], self.overlap)
        ]

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Hand out certificates over the newest versions: machines fetch them when they sync."""
        await self.renew_rotated()
        return Lot()

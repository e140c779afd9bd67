"""What registration keeps under keys of Vault: packets, sealed by machines."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from services.common.postgres import Database, load_queries
from services.common.rotation import Column, Remedy, VersionUse
from services.common.rotation.holdings import Lot, Progress

QUERIES = load_queries(__package__, "queries.sql")

COLUMNS: tuple[Column, ...] = ()
NOT_NEEDED: dict[str, str] = {}


@dataclass(frozen=True)
class AnnouncedPackets:
    """Packets that machines have announced and not brought yet; see rotation.Holding.

    Which version one is sealed for is known once it is opened: so all count for the first.

    Args:
        patience: what is not brought for so long is not waited for.
    """

    database: Database
    patience: timedelta
    key: str = "core/transit/pkt-*"
    name: str = "packet announced"
    remedy: Remedy = Remedy.OUTSIDE

    async def versions(self) -> list[VersionUse]:
        """Return the packets that are waited for, by their centre's key."""
        return [
            VersionUse(
                1,
                row["items"],
                oldest_at=row["oldest_at"],
                needed_until=row["until"],
                key=f"core/transit/pkt-{row['centre_id']}",
            )
            for row in await self.database.fetch(QUERIES["announced"], self.patience)
        ]

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Nothing: machines bring them."""
        return Lot()

"""What authentication was told under keys of its domain: kept up with their newest versions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from idmesh.identity.v1 import identity_events_pb2

from services.common.envelope import with_wrapped_key
from services.common.errors import InvalidArgument
from services.common.feed.outbox import publish_at_end
from services.common.postgres import Connection, Database, Query, load_queries
from services.common.rotation import Changed, Remedy, VersionUse
from services.common.rotation.columns import COUNTED
from services.common.rotation.holdings import Lot, Progress, RotatingKeys
from services.identity import convert
from services.identity.domain.identity import LookupKey
from services.identity.domain.keys import PUBLISHED_LOOKUP, PUBLISHED_RECORD, UIN

QUERIES = load_queries(__package__, "queries.sql")


async def vids_changed(connection: Connection, changed: Sequence[Changed]) -> None:
    """Tell authentication what VIDs are found by from now on, and keep what they were."""
    await connection.execute(
        QUERIES["keep_previous_published"],
        [row.row[0] for row in changed],
        [row.old for row in changed],
    )
    for row in changed:
        old, new = LookupKey(row.old_version, row.old), LookupKey(row.new_version, row.new)
        publish_at_end(connection, convert.vid_key_replaced(old, new))


@dataclass(frozen=True)
class PublishedUins:
    """What authentication finds individuals by who give their UIN; see rotation.Holding."""

    database: Database
    vault: RotatingKeys
    key: str = PUBLISHED_LOOKUP
    name: str = "identity.published_lookup_version"
    remedy: Remedy = Remedy.RECOMPUTED

    async def versions(self) -> list[VersionUse]:
        """Return what is needed, by version."""
        return await _versions(self.database, QUERIES["published_uin_versions"])

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Tell authentication the newest hashes of some UINs."""
        found = await self.database.fetch(
            QUERIES["uins_published_below"], target, limit + len(without)
        )
        rows = [row for row in found if row["identity_id"] not in without][:limit]
        if not rows:
            return Lot()
        plains = await self.vault.decrypt(UIN, [row["sealed"] for row in rows])
        macs = await self.vault.hmac(PUBLISHED_LOOKUP, plains)
        told = {
            row["identity_id"]: LookupKey(mac.version, mac.digest)
            for row, mac in zip(rows, macs, strict=True)
        }
        async with self.database.transaction() as connection:
            moved = await connection.fetch(QUERIES["uins_published"], list(told), macs[0].version)
            for row in moved:
                event = convert.uin_key_replaced(row["identity_id"], told[row["identity_id"]])
                publish_at_end(connection, event)
            await progress(connection, len(moved))
        return Lot(len(moved), len(rows) - len(moved))


@dataclass(frozen=True)
class PublishedRecords:
    """Records in the feed, sealed for authentication; see rotation.Holding.

    Only how their data keys are wrapped changes: what an event says stays what it was.
    """

    database: Database
    vault: RotatingKeys
    key: str = PUBLISHED_RECORD
    name: str = "feed.IdentityPublished"
    remedy: Remedy = Remedy.REWRAPPED

    async def versions(self) -> list[VersionUse]:
        """Return what is needed, by version."""
        return await _versions(self.database, QUERIES["published_record_versions"])

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Wrap the data keys of some events anew."""
        found = await self.database.fetch(
            QUERIES["records_published_below"], target, limit + len(without)
        )
        rows = [row for row in found if row["seq"] not in without][:limit]
        if not rows:
            return Lot()
        events = [identity_events_pb2.IdentityPublished.FromString(row["payload"]) for row in rows]
        try:
            anew = await self.vault.rewrap(
                PUBLISHED_RECORD, [event.record.wrapped_key for event in events]
            )
        except InvalidArgument:
            if limit > 1:
                return await self.renew(target, limit=1, without=without, progress=progress)
            return Lot(refused=[rows[0]["seq"]])
        for event, wrapped in zip(events, anew, strict=True):
            event.record.sealed = with_wrapped_key(event.record.sealed, wrapped)
            event.record.wrapped_key = wrapped
        async with self.database.transaction() as connection:
            done = await connection.fetch(
                QUERIES["rewrap_published_records"],
                [row["seq"] for row in rows],
                [row["payload"] for row in rows],
                [event.SerializeToString() for event in events],
            )
            await progress(connection, len(done))
        return Lot(len(done), len(rows) - len(done))


async def _versions(database: Database, query: Query | Any) -> list[VersionUse]:
    rows = await database.fetch(query, COUNTED + 1)
    return [
        VersionUse(row["version"], row["items"], row["items"] > COUNTED)
        for row in rows
        if row["items"]
    ]

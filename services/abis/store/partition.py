"""One partition's share: of the stored references, of their log, and of the galleries."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from services.abis.domain.partition import Share
from services.abis.domain.reference import Change, StoredReference
from services.abis.store.galleries import MatcherGalleries
from services.abis.store.references import PostgresStore, change_of, reference_of
from services.abis.store.templates import ParsedTemplates
from services.common.postgres import Database, load_queries

QUERIES = load_queries(__package__, "partition.sql")


class PartitionStore(PostgresStore):
    """See ports.Store: what is read to fill the galleries is the share's alone.

    Of the log every entry is read, for positions are those of the whole; others' inserts come
    without their templates.
    """

    def __init__(self, database: Database, share: Share) -> None:
        super().__init__(database)
        self._partition_database = database
        self._share = share

    async def gallery_id(self) -> UUID:
        """Return the name of the share: its snapshots are its own."""
        share = f"partition {self._share.number} of {self._share.count}"
        return uuid5(await super().gallery_id(), share)

    async def references_after(self, sequence: int, *, limit: int) -> list[StoredReference]:
        """Return references of the share in the order in which they were inserted."""
        return [reference_of(row) for row in await self._fetch("references", sequence, limit)]

    async def changes_after(self, sequence: int, *, limit: int) -> list[Change]:
        """Return entries of the log in order."""
        return [change_of(row) for row in await self._fetch("changes", sequence, limit)]

    async def _fetch(self, what: str, sequence: int, limit: int) -> list[Any]:
        return await self._partition_database.fetch(
            QUERIES[f"{what}_of_share"], sequence, limit, self._share.count, self._share.number
        )


class PartitionGalleries(MatcherGalleries):
    """See ports.Galleries: what is inserted here and belongs elsewhere is not taken."""

    def __init__(self, share: Share, **settings: Any) -> None:
        super().__init__(**settings)
        self._share = share

    def add(self, reference_id: UUID, parsed: ParsedTemplates) -> None:
        """Add a reference of the share."""
        if self._share.holds(reference_id):
            super().add(reference_id, parsed)

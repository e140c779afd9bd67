"""The log: appended to in order, read newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from services.audit.domain.record import LogRecord, RecordedAct, SearchFilter
from services.audit.domain.tree import StoredEntry
from services.common.postgres import Connection, Database, load_queries
from services.common.tlog import leaf_hash

QUERIES = load_queries(__package__, "queries.sql")


class Log:
    """Appends inside the follower's transaction and reads outside any."""

    def __init__(self, database: Database, read: Callable[[bytes], RecordedAct]) -> None:
        self._database = database
        self._read = read

    async def append(self, connection: Connection, acts: Sequence[RecordedAct]) -> int:
        """Append acts in their order and return how many were new.

        An act whose id is in the log already is left out, so that a feed that is
        followed again from its beginning adds nothing twice.
        """
        if not acts:
            return 0
        size: int = await connection.fetchval(QUERIES["lock_size"])
        given = list({act.audit_id: act for act in acts}.values())
        grown: int = await connection.fetchval(
            QUERIES["append_records"],
            size,
            [act.audit_id for act in given],
            [act.acted_at for act in given],
            [act.service for act in given],
            [act.action for act in given],
            [act.outcome.value for act in given],
            [act.actor_kind for act in given],
            [act.actor_id for act in given],
            [act.subject_kind for act in given],
            [act.subject_key for act in given],
            [act.correlation_id for act in given],
            [act.canonical for act in given],
            [leaf_hash(act.canonical) for act in given],
            [act.sealed_personal or None for act in given],
        )
        return grown - size

    async def search(
        self, wanted: SearchFilter, *, below_index: int | None, limit: int
    ) -> list[LogRecord]:
        """Return at most `limit` records, newest first, with an index below `below_index`."""
        rows = await self._database.fetch(
            QUERIES["search"],
            below_index,
            wanted.service,
            wanted.action,
            wanted.actor_id,
            wanted.acted_from,
            wanted.acted_before,
            limit,
            wanted.actor_kind,
            wanted.subject_kind,
            wanted.subject_key,
            wanted.correlation_id,
            wanted.outcome.value if wanted.outcome else 0,
        )
        return [
            LogRecord(
                row["index"], row["leaf_hash"], self._read(row["canonical"]), row["appended_at"]
            )
            for row in rows
        ]

    async def size(self) -> int:
        """Return how many records there are."""
        size: int = await self._database.fetchval(QUERIES["size"])
        return size

    async def entries(self, start: int, end: int) -> list[StoredEntry]:
        """Return the records [start, end) in their order."""
        rows = await self._database.fetch(QUERIES["entries"], start, end)
        return [StoredEntry(row["index"], row["canonical"], row["leaf_hash"]) for row in rows]

    async def index_of(self, audit_id: UUID) -> int | None:
        """Return a record's place."""
        index: int | None = await self._database.fetchval(QUERIES["index_of"], audit_id)
        return index

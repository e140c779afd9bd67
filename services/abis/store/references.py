"""References and their log in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from services.abis.domain.reference import Change, ChangeKind, Position, StoredReference
from services.common import audit
from services.common.postgres import Connection, Database, Record, load_queries

QUERIES = load_queries(__package__, "queries.sql")


class PostgresTransaction:
    """See ports.Transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def reference(self, reference_id: UUID) -> StoredReference | None:
        """Return a reference."""
        row = await self._connection.fetchrow(QUERIES["reference"], reference_id)
        return None if row is None else reference_of(row)

    async def lock_log(self) -> None:
        """Wait until no other change of the log is under way; hold until the end."""
        await self._connection.execute(QUERIES["lock_log"])

    async def insert(self, reference_id: UUID, sealed: bytes, *, templates: int) -> Position | None:
        """Add a reference and its entry in the log; None, and nothing, where there is one."""
        row = await self._connection.fetchrow(QUERIES["insert"], reference_id, templates, sealed)
        return None if row is None else Position(row["epoch"], row["seq"])

    async def delete(self, reference_id: UUID) -> int | None:
        """Remove a reference and add the log's entry; None when there is no such reference."""
        sequence = await self._connection.fetchval(QUERIES["delete"], reference_id)
        return None if sequence is None else int(sequence)

    async def audit(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        *,
        outcome: str = "SUCCEEDED",
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Record the act; outcome is SUCCEEDED, REFUSED or FAILED."""
        await audit.record(
            self._connection,
            action,
            subject_kind,
            subject_key,
            audit.Outcome[outcome],
            details=details,
        )


class PostgresStore:
    """See ports.Store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Begin; commit at the end of the block, roll back when it raises."""
        async with self._database.transaction() as connection:
            yield PostgresTransaction(connection)

    async def head(self) -> Position:
        """Return the place of the newest entry of the log, sequence 0 when there is none."""
        row = await self._database.fetchrow(QUERIES["head"])
        assert row is not None, "a head is one row"
        return Position(row["epoch"], row["seq"])

    async def references_after(self, sequence: int, *, limit: int) -> list[StoredReference]:
        """Return references in the order in which they were inserted."""
        rows = await self._database.fetch(QUERIES["references_after"], sequence, limit)
        return [reference_of(row) for row in rows]

    async def changes_after(self, sequence: int, *, limit: int) -> list[Change]:
        """Return entries of the log in order."""
        rows = await self._database.fetch(QUERIES["changes_after"], sequence, limit)
        return [change_of(row) for row in rows]

    async def count(self) -> int:
        """Count the references."""
        return int(await self._database.fetchval(QUERIES["count"]))

    async def count_changes_after(self, sequence: int) -> int:
        """Count entries of the log."""
        return int(await self._database.fetchval(QUERIES["count_changes_after"], sequence))


def change_of(row: Record) -> Change:
    """Return an entry of the log."""
    return Change(
        sequence=row["seq"],
        kind=ChangeKind(row["kind"]),
        reference_id=_uuid(row["reference_id"]),
        reference=None if row["sealed"] is None else reference_of(row),
    )


def reference_of(row: Record) -> StoredReference:
    """Return a reference."""
    return StoredReference(_uuid(row["reference_id"]), row["seq"], row["sealed"])


def _uuid(value: UUID) -> UUID:
    # asyncpg's own subclass compares equal but shows differently.
    return UUID(bytes=value.bytes)

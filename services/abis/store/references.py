"""References and their log in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from services.abis.domain.reference import Change, ChangeKind, Position, StoredReference
from services.abis.domain.request import StoredRequest
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

    async def insert_many(self, references: Sequence[tuple[UUID, bytes, int]]) -> dict[UUID, int]:
        """Add references (id, sealed, templates), each id once, in this order; see insert."""
        rows = await self._connection.fetch(
            QUERIES["insert_many"],
            [reference_id for reference_id, _, _ in references],
            [templates for _, _, templates in references],
            [sealed for _, sealed, _ in references],
        )
        return {_uuid(row["reference_id"]): row["seq"] for row in rows}

    async def delete(self, reference_id: UUID) -> Position | None:
        """Remove a reference and add the log's entry; None when there is no such reference."""
        row = await self._connection.fetchrow(QUERIES["delete"], reference_id)
        return None if row is None else Position(row["epoch"], row["seq"])

    async def request(self, request_id: UUID) -> StoredRequest | None:
        """Return an answered request."""
        row = await self._connection.fetchrow(QUERIES["request"], request_id)
        if row is None:
            return None
        return StoredRequest(request_id, row["kind"], row["digest"], row["answer"])

    async def keep_request(self, request: StoredRequest) -> bool:
        """Keep an answer; False, and nothing, where the request has one."""
        kept = await self._connection.fetchval(
            QUERIES["keep_request"],
            request.request_id,
            request.kind,
            request.digest,
            request.answer,
        )
        return kept is not None

    async def load_progress(self, load_id: UUID) -> int:
        """Lock a bulk load; return up to which number it is durable, 0 for a new one."""
        return int(await self._connection.fetchval(QUERIES["load_progress"], load_id))

    async def keep_load(
        self, load_id: UUID, durable_up_to: int, refused: Mapping[int, str]
    ) -> None:
        """Keep how far a bulk load is, and what was refused, by number."""
        await self._connection.execute(QUERIES["keep_load"], load_id, durable_up_to)
        if refused:
            await self._connection.execute(
                QUERIES["keep_load_refusals"], load_id, list(refused), list(refused.values())
            )

    async def load_refusals(self, load_id: UUID) -> dict[int, str]:
        """Return what was refused of a bulk load so far."""
        rows = await self._connection.fetch(QUERIES["load_refusals"], load_id)
        return {row["number"]: row["reason"] for row in rows}

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

    async def gallery_id(self) -> UUID:
        """Return the name that this database alone has; a restored one keeps it."""
        return _uuid(await self._database.fetchval(QUERIES["gallery_id"]))

    async def forget_requests(self, *, older_than_s: float) -> int:
        """Forget answers; return how many."""
        done = await self._database.execute(QUERIES["forget_requests"], older_than_s)
        return int(done.split()[-1])

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

"""Signed checkpoints, one after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from services.audit.domain.tree import SignedCheckpoint
from services.audit.store.log import QUERIES
from services.common.postgres import Database
from services.common.tlog import Checkpoint


class PostgresCheckpoints:
    """See ports.Checkpoints."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self) -> SignedCheckpoint | None:
        """Return the last one; None before the first."""
        row = await self._database.fetchrow(QUERIES["last_checkpoint"])
        return None if row is None else SignedCheckpoint(**row)

    async def note_at(self, size: int) -> bytes:
        """Return the note of a size; empty when none was signed."""
        return await self._database.fetchval(QUERIES["checkpoint_at"], size) or b""

    async def add(self, checkpoint: Checkpoint, note: bytes, *, after: int | None) -> bool:
        """Keep a checkpoint; False when another one was added after that of size `after`."""
        async with self._database.transaction() as connection:
            await connection.fetchval(QUERIES["lock_publishing"])
            added = await connection.fetchval(
                QUERIES["add_checkpoint"], checkpoint.size, checkpoint.root, note, after
            )
        return added is True

    async def publish_last(self, publish: Callable[[bytes], Awaitable[None]]) -> None:
        """Call publish with the last note, one at a time."""
        async with self._database.transaction() as connection:
            await connection.fetchval(QUERIES["lock_publishing"])
            row = await connection.fetchrow(QUERIES["last_checkpoint"])
            if row is not None:
                await publish(row["note"])

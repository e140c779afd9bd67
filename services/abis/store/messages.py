"""Which of MOSIP's messages have been served, in PostgreSQL."""

from __future__ import annotations

from uuid import UUID

from services.abis.ports import Begun, MessageState
from services.common.postgres import Database, load_queries

QUERIES = load_queries(__package__, "messages.sql")


class PostgresMessages:
    """See ports.Messages.

    Args:
        keep_s: how long a message is remembered; longer than MOSIP sends one again.
    """

    def __init__(self, database: Database, *, keep_s: float) -> None:
        self._database = database
        self._keep_s = keep_s

    async def begin(
        self, request_id: str, digest: bytes, reference_id: UUID, *, existing: bool
    ) -> Begun:
        """Note a request; see ports.Messages."""
        row = await self._database.fetchrow(
            QUERIES["begin_message"], request_id, digest, reference_id, existing, self._keep_s
        )
        assert row is not None, "stands is one row"
        state = MessageState.NEW
        if row["digest"] is not None:
            same = row["digest"] == digest
            known = MessageState.DONE if row["done"] else MessageState.BEGUN
            state = known if same else MessageState.OTHER
        return Begun(state, row["reference_exists"])

    async def finish(self, request_id: str) -> None:
        """Note that it was served."""
        await self._database.execute(QUERIES["finish_message"], request_id)

    async def forget(self, request_id: str) -> None:
        """Note that it was refused; sent again, it is a new one."""
        await self._database.execute(QUERIES["forget_message"], request_id)

"""The message queue."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.common import audit, feed
from services.common.postgres import Database, load_queries
from services.notification.domain.message import Channel, Queued, State

QUERIES = load_queries(__package__, "queries.sql")

ACTIONS = {
    State.SENT: ("MESSAGE_SENT", audit.Outcome.SUCCEEDED),
    State.FAILED: ("MESSAGE_SENT", audit.Outcome.FAILED),
    State.EXPIRED: ("MESSAGE_SENT", audit.Outcome.REFUSED),
}


class StoredMessages:
    """Messages in their table; each end is audited in its own commit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, idempotency_key: str, message: Queued) -> UUID:
        """Queue a message and return its id, or the id of the one with this key."""
        act = audit.act_of(
            self._database.service,
            "MESSAGE_ACCEPTED",
            "message",
            message.message_id.bytes,
            audit.Outcome.SUCCEEDED,
            details={"channel": message.channel.name},
        )
        types, events = feed.rows_of([act])
        added = await self._database.fetchval(
            QUERIES["add"],
            message.message_id,
            idempotency_key,
            message.channel.value,
            message.sealed,
            message.accepted_at,
            message.expires_at,
            types,
            events,
        )
        if added is None:
            found: UUID = await self._database.fetchval(QUERIES["find"], idempotency_key)
            return found
        feed.published(self._database)
        return message.message_id

    async def claim(self, now: datetime, lease_until: datetime) -> Queued | None:
        """Take the message that is due longest, hidden from others until `lease_until`."""
        row = await self._database.fetchrow(QUERIES["claim"], now, lease_until)
        if row is None:
            return None
        return Queued(
            message_id=row["message_id"],
            channel=Channel(row["channel"]),
            sealed=row["sealed"],
            accepted_at=row["accepted_at"],
            expires_at=row["expires_at"],
            attempts=row["attempts"],
        )

    async def finish(self, message_id: UUID, state: State, reason: str) -> None:
        """Record what became of a message and erase its text."""
        action, outcome = ACTIONS[state]
        async with self._database.transaction() as connection:
            channel = await connection.fetchval(QUERIES["finish"], message_id, state.value, reason)
            if channel is None:
                return
            details = {"channel": Channel(channel).name, "reason": reason}
            await audit.record(
                connection, action, "message", message_id.bytes, outcome, details=details
            )

    async def postpone(self, message_id: UUID, next_attempt_at: datetime) -> None:
        """Try a message again later."""
        await self._database.execute(QUERIES["postpone"], message_id, next_attempt_at)

    async def counts(self) -> dict[State, int]:
        """Return how many messages are in each state."""
        rows = await self._database.fetch(QUERIES["counts"])
        found = {State(row["state"]): row["messages"] for row in rows}
        return {state: found.get(state, 0) for state in State}

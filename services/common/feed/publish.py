"""Writing to a service's own feed."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from services.common.feed.position import Position
from services.common.feed.wake import wake_of
from services.common.postgres import Connection, Database, load_queries

QUERIES = load_queries(__package__)


async def publish(connection: Connection, message: Message, *, partition: int = 0) -> Position:
    """Write an event in the caller's transaction; return where it will lie.

    It becomes visible when the transaction commits, and to followers once every older
    transaction of the database cluster has ended.
    """
    name = message.DESCRIPTOR.full_name
    payload = message.SerializeToString(deterministic=True)
    row = await connection.fetchrow(QUERIES["feed_publish"], partition, name, payload)
    assert row is not None
    connection.on_commit(wake_of(connection.database).published)
    return Position(row["epoch"], int(row["txid"]), row["seq"])


async def publish_all(
    connection: Connection, messages: Sequence[Message], *, partition: int = 0
) -> None:
    """Write events in their order, as publish does, with one statement for all."""
    if not messages:
        return
    types, payloads = rows_of(messages)
    await connection.execute(QUERIES["feed_publish_all"], partition, types, payloads)
    connection.on_commit(wake_of(connection.database).published)


def rows_of(messages: Sequence[Message]) -> tuple[list[str], list[bytes]]:
    """Return the types and payloads of events, for the SQL function feed_publish_all.

    For a statement that does something and tells of it at once; call published after its commit.
    """
    types = [message.DESCRIPTOR.full_name for message in messages]
    return types, [message.SerializeToString(deterministic=True) for message in messages]


def published(database: Database) -> None:
    """Wake the readers of the feed for what a statement of one's own published."""
    wake_of(database).published()


async def current_position(reader: Connection | Database) -> Position:
    """Return a position that covers every event committed before the call.

    A follower reaches it once all transactions that are open now have ended.
    """
    row = await reader.fetchrow(QUERIES["feed_present"])
    assert row is not None
    return Position(row["epoch"], int(row["xmax"]), 0)

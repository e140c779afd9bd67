"""Writing to a service's own feed."""

from __future__ import annotations

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


async def current_position(reader: Connection | Database) -> Position:
    """Return a position that covers every event committed before the call.

    A follower reaches it once all transactions that are open now have ended.
    """
    row = await reader.fetchrow(QUERIES["feed_present"])
    assert row is not None
    return Position(row["epoch"], int(row["xmax"]), 0)

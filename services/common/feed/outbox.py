"""Events of one transaction, written together at its end."""

from __future__ import annotations

from google.protobuf.message import Message

from services.common.feed.publish import publish_all
from services.common.postgres import Connection


def publish_at_end(connection: Connection, message: Message) -> None:
    """Write an event in the caller's transaction, just before its commit.

    All that are given so take one statement, in the order in which they were given. What fails
    there undoes the transaction.
    """
    connection.at_end(publish_all, message)

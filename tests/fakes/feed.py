"""Feeds without a network: another service's servicer, called directly, or events made up."""

from __future__ import annotations

from collections.abc import AsyncIterator

from idmesh.feed.v1 import feed_service_pb2

from services.common.errors import PlatformError
from services.common.feed import FeedServicer, Position
from services.common.feed.servicer import checked_types
from services.common.postgres import Database


class LocalFeed:
    """A FeedSource that reads a database in this process, as a given caller.

    `fail_with` makes the next subscription fail; `break_after` ends each after so many responses.
    """

    def __init__(self, database: Database, *, caller: str, poll_s: float = 0.05) -> None:
        self.servicer = FeedServicer(database, poll_s=poll_s)
        self._caller = caller
        self.fail_with: PlatformError | None = None
        self.break_after: int | None = None
        self.subscriptions = 0

    async def listen(self) -> None:
        """Hear of what other processes write; for ever."""
        await self.servicer.run()

    async def Subscribe(
        self, request: feed_service_pb2.SubscribeRequest
    ) -> AsyncIterator[feed_service_pb2.SubscribeResponse]:
        self.subscriptions += 1
        failure, self.fail_with = self.fail_with, None
        if failure is not None:
            raise failure
        types = checked_types(request.event_types, self._caller)
        after = Position.from_proto(request.after) if request.HasField("after") else None
        sent = 0
        stream = self.servicer.stream(after, request.partition, types, self._caller)
        async for response in stream:
            yield response
            sent += 1
            if self.break_after is not None and sent >= self.break_after:
                return

"""Following a feed with the effect in memory: everything is read again after each start."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from services.common import telemetry
from services.common.errors import PlatformError
from services.common.feed.position import Event, Position
from services.common.feed.subscription import (
    Backoff,
    FeedSource,
    MessageTypes,
    deliveries,
    is_epoch_change,
    types_by_name,
)

MemoryHandler = Callable[[Event], Awaitable[None] | None]

_LOG = telemetry.get_logger(__name__)


class MemoryFollower:
    """Applies each event in order to state in memory.

    Args:
        feed: where to subscribe; see source().
        name: of the followed service, for logs.
        handler: applies one event; called again for the same event if it raised.
        on_restart: clears the state, before all events come again, after the source was restored.
    """

    def __init__(
        self,
        feed: FeedSource,
        *,
        name: str,
        event_types: MessageTypes,
        handler: MemoryHandler,
        on_restart: Callable[[], None],
        partition: int = 0,
    ) -> None:
        self._feed = feed
        self._name = name
        self._types = types_by_name(event_types)
        self._handler = handler
        self._on_restart = on_restart
        self._partition = partition
        self._moved = asyncio.Condition()
        self.position: Position | None = None
        # Set for good once everything there was at the start is applied.
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Follow for ever; only cancellation ends it."""
        backoff = Backoff()
        while True:
            try:
                await self._follow(backoff)
            except PlatformError as error:
                _LOG.info("feed_interrupted", reason=error.reason, source=self._name)
                if is_epoch_change(error):
                    self._on_restart()
                    self.position = None
            except Exception as error:
                _LOG.error("feed_stuck", source=self._name, **telemetry.describe(error))
            await backoff.pause()

    async def wait_for(self, position: Position) -> None:
        """Return when everything up to a position of the followed feed is applied."""
        async with self._moved:
            await self._moved.wait_for(
                lambda: self.position is not None and self.position.covers(position)
            )

    async def _follow(self, backoff: Backoff) -> None:
        stream = deliveries(self._feed, self.position, partition=self._partition, types=self._types)
        async with aclosing(stream):
            async for delivery in stream:
                for event in delivery.events:
                    outcome = self._handler(event)
                    if inspect.isawaitable(outcome):
                        await outcome
                    await self._advance_to(event.position)
                await self._advance_to(delivery.up_to)
                backoff.reset()
                if delivery.caught_up:
                    self.ready.set()

    async def _advance_to(self, position: Position) -> None:
        async with self._moved:
            self.position = position
            self._moved.notify_all()

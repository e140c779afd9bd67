"""FeedService: a service's feed for others to follow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, timestamp_pb2
from idmesh.feed.v1 import feed_pb2, feed_service_pb2, feed_service_pb2_grpc
from idmesh.options.v1 import options_pb2

from services.common import rpc
from services.common.errors import PermissionDenied
from services.common.feed.position import Position
from services.common.feed.reader import Batch, StoredEvent, read
from services.common.feed.wake import wake_of
from services.common.postgres import Database

HEARTBEAT_S = 5.0
# A position that moved without events is told sooner: someone may wait for it.
MOVED_S = 0.5
# A busy feed is read at most this often for each reader: one reading for many commits.
GATHER_S = 0.05
_HELD_FIRST_S = 0.005
_HELD_LAST_S = 0.1


class FeedServicer(feed_service_pb2_grpc.FeedServiceServicer):
    """Streams batches, and heartbeats that carry the position forward while nothing happens."""

    def __init__(
        self, database: Database, *, poll_s: float = 1.0, gather_s: float = GATHER_S
    ) -> None:
        self._database = database
        self._poll_s = poll_s
        self._gather_s = gather_s
        self._wake = wake_of(database)

    async def run(self) -> None:
        """Listen for what other processes of the service write; for ever, in the background."""
        await self._wake.listen()

    async def Subscribe(
        self, request: feed_service_pb2.SubscribeRequest, context: Any
    ) -> AsyncIterator[feed_service_pb2.SubscribeResponse]:
        """Stream the events after a position, then wait for more."""
        caller = rpc.current_call().caller
        types = checked_types(request.event_types, caller)
        after = Position.from_proto(request.after) if request.HasField("after") else None
        gather_s = request.gather_ms / 1000 or None
        async for response in self.stream(after, request.partition, types, caller, gather_s):
            yield response

    async def stream(
        self,
        after: Position | None,
        partition: int,
        types: Sequence[str] | None,
        caller: str,
        gather_s: float | None = None,
    ) -> AsyncIterator[feed_service_pb2.SubscribeResponse]:
        """Yield responses for ever.

        Args:
            types: None means all that the caller may read.
            gather_s: between two readings while there is something to read; the first event
                after a pause is read at once. None: the servicer's own.
        """
        gather_s = self._gather_s if gather_s is None else gather_s
        told, told_at = None, 0.0
        was_caught_up = False
        held_pause_s = _HELD_FIRST_S
        while True:
            ticket, read_at = self._wake.ticket(), time.monotonic()
            batch = await read(self._database, after, partition=partition, event_types=types)
            events = [each for each in batch.events if may_read(each.type_name, caller)]
            after = batch.up_to
            turned = batch.caught_up and not was_caught_up
            was_caught_up = batch.caught_up
            patience_s = HEARTBEAT_S if after == told else MOVED_S
            if events or turned or time.monotonic() - told_at >= patience_s:
                yield _response(events, batch)
                told, told_at = after, time.monotonic()
            if not batch.caught_up:
                continue
            held_pause_s = min(held_pause_s * 2, _HELD_LAST_S) if batch.held else _HELD_FIRST_S
            await _woken(ticket, held_pause_s if batch.held else self._poll_s)
            await asyncio.sleep(max(0.0, read_at + gather_s - time.monotonic()))


def may_read(type_name: str, caller: str) -> bool:
    """Tell whether the event's option `readers` names the caller; an unknown type has none."""
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(type_name)
    except KeyError:
        return False
    readers = descriptor.GetOptions().Extensions[options_pb2.readers]
    return caller in readers or ("*" in readers and caller != "envoy")


def checked_types(types: Sequence[str], caller: str) -> list[str] | None:
    """Return the types to read, None for all that the caller may read.

    Raises:
        PermissionDenied: EVENT_NOT_READABLE.
    """
    for type_name in types:
        if not may_read(type_name, caller):
            raise PermissionDenied(
                "EVENT_NOT_READABLE",
                "The caller may not read an event type that it asked for.",
                metadata={"event_type": type_name},
            )
    return list(types) or None


def _response(events: Sequence[StoredEvent], batch: Batch) -> feed_service_pb2.SubscribeResponse:
    return feed_service_pb2.SubscribeResponse(
        events=map(_event_to_proto, events),
        up_to=batch.up_to.to_proto(),
        caught_up=batch.caught_up,
    )


def _event_to_proto(event: StoredEvent) -> feed_pb2.Event:
    recorded_at = timestamp_pb2.Timestamp()
    recorded_at.FromDatetime(event.recorded_at)
    return feed_pb2.Event(
        position=event.position.to_proto(),
        payload=any_pb2.Any(type_url=f"type.googleapis.com/{event.type_name}", value=event.payload),
        recorded_at=recorded_at,
    )


async def _woken(ticket: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await ticket.wait()
    except TimeoutError:
        return

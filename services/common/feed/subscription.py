"""The client side of FeedService, shared by the followers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Protocol

from google.protobuf.message import Message
from idmesh.feed.v1 import feed_pb2, feed_service_pb2, feed_service_pb2_grpc

from services.common.errors import FailedPrecondition, PlatformError, Unavailable
from services.common.feed.position import Event, Position

# Four heartbeats: a source that is silent for longer is taken for dead.
SILENCE_S = 20.0
_BACKOFF_FIRST_S = 0.1
_BACKOFF_LAST_S = 10.0

MessageTypes = Sequence[type[Message]]


class FeedSource(Protocol):
    """Where a feed is subscribed to: a FeedService stub, or a fake."""

    def Subscribe(self, request: feed_service_pb2.SubscribeRequest) -> Any:
        """Return an async iterable of SubscribeResponse, with cancel() if it is a call."""
        ...


def source(channel: Any) -> FeedSource:
    """Return the feed behind a channel from rpc.Channels."""
    stub: FeedSource = feed_service_pb2_grpc.FeedServiceStub(channel)
    return stub


@dataclass(frozen=True)
class Delivery:
    """One response, decoded."""

    events: Sequence[Event]
    up_to: Position
    caught_up: bool


class Backoff:
    """Doubling pauses with jitter."""

    def __init__(self, first_s: float = _BACKOFF_FIRST_S, last_s: float = _BACKOFF_LAST_S) -> None:
        self._first_s, self._last_s = first_s, last_s
        self._next_s = first_s

    def reset(self) -> None:
        """Start from the shortest pause again."""
        self._next_s = self._first_s

    async def pause(self) -> None:
        """Wait, longer each time."""
        pause_s = self._next_s * random.uniform(0.7, 1.3)  # noqa: S311
        self._next_s = min(self._next_s * 2, self._last_s)
        await asyncio.sleep(pause_s)


def types_by_name(event_types: MessageTypes) -> Mapping[str, type[Message]]:
    """Return the message classes by full name."""
    return {each.DESCRIPTOR.full_name: each for each in event_types}


async def deliveries(
    feed: FeedSource,
    after: Position | None,
    *,
    partition: int,
    types: Mapping[str, type[Message]],
    gather_s: float = 0.0,
) -> AsyncGenerator[Delivery, None]:
    """Yield what a feed sends, until it ends the stream.

    Raises:
        Unavailable: FEED_SILENT, no heartbeat came; or as the call raises.
        FailedPrecondition: FEED_EPOCH_CHANGED, see is_epoch_change.
    """
    request = feed_service_pb2.SubscribeRequest(
        partition=partition,
        after=after.to_proto() if after is not None else None,
        event_types=sorted(types),
        gather_ms=round(gather_s * 1000),
    )
    call = feed.Subscribe(request)
    responses = aiter(call)
    try:
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    response = await anext(responses)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise Unavailable("FEED_SILENT", "The feed sent no heartbeat.") from error
            yield Delivery(
                [_event(each, types) for each in response.events],
                Position.from_proto(response.up_to),
                response.caught_up,
            )
    finally:
        await _end(call)


def is_epoch_change(error: PlatformError) -> bool:
    """Tell whether the position is of another history of the feed."""
    return isinstance(error, FailedPrecondition) and error.reason == "FEED_EPOCH_CHANGED"


def _event(event: feed_pb2.Event, types: Mapping[str, type[Message]]) -> Event:
    name = event.payload.type_url.rpartition("/")[2]
    message = types[name].FromString(event.payload.value)
    recorded_at = event.recorded_at.ToDatetime(tzinfo=UTC)
    return Event(Position.from_proto(event.position), message, recorded_at)


async def _end(call: Any) -> None:
    """Cancel a call, or close a generator, that may not have ended."""
    if hasattr(call, "cancel"):
        call.cancel()
    elif hasattr(call, "aclose"):
        await call.aclose()

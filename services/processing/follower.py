"""Registration's feed: each stored packet becomes a registration in flight."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from idmesh.registration.v1 import registration_events_pb2

from services.common import feed
from services.common.postgres import Connection
from services.processing import convert
from services.processing.domain.registration import Received

EVENTS = (registration_events_pb2.PacketReceived,)


def receiver(
    receive: Callable[[Connection, Received], Awaitable[None]], wake: Callable[[], None]
) -> Callable[[Connection, feed.Event], Awaitable[None]]:
    """Return the handler that takes a packet in, in the commit that moves the position."""

    async def handle(connection: Connection, event: feed.Event) -> None:
        packet = event.message
        assert isinstance(packet, registration_events_pb2.PacketReceived), "only it is followed"
        await receive(connection, convert.received_from_event(packet))
        connection.on_commit(wake)

    return handle

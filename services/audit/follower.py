"""Other services' feeds: acts are appended in the commit that moves the position."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from idmesh.audit.v1 import audit_events_pb2

from services.audit import convert
from services.audit.domain.record import RecordedAct
from services.common import feed
from services.common.postgres import Connection


def appender(
    append: Callable[[Connection, Sequence[RecordedAct]], Awaitable[int]],
) -> Callable[[Connection, Sequence[feed.Event]], Awaitable[None]]:
    """Return the batch handler of a follower that appends through `append`."""

    async def handle(connection: Connection, events: Sequence[feed.Event]) -> None:
        acts = [
            convert.act_from_event(event.message)
            for event in events
            if isinstance(event.message, audit_events_pb2.AuditRecorded)
        ]
        await append(connection, acts)

    return handle

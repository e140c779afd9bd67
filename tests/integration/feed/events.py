"""Events and effects of the feed tests, shared with the process that is killed."""

from __future__ import annotations

from collections.abc import Sequence

from idmesh.audit.v1.audit_events_pb2 import AuditRecorded

from services.common import feed
from services.common.feed import Event, Position
from services.common.postgres import Connection


async def publish(
    connection: Connection, transaction: str, numbers: Sequence[int], *, partition: int = 0
) -> list[Position]:
    """Publish numbered events that say which transaction they are of."""
    return [
        await feed.publish(
            connection,
            AuditRecorded(action=transaction, details={"number": str(number)}),
            partition=partition,
        )
        for number in numbers
    ]


def content(event: Event) -> tuple[str, int]:
    """Return transaction and number of an event."""
    message = event.message
    assert isinstance(message, AuditRecorded)
    return message.action, int(message.details["number"])


async def apply(connection: Connection, event: Event) -> None:
    """Write the effect; done twice it would be seen twice."""
    await connection.execute(
        "insert into effect (transaction, number) values ($1, $2)", *content(event)
    )

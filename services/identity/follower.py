"""Authentication's feed: each successful use of a VID is counted once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from idmesh.authentication.v1 import authentication_events_pb2

from services.common import feed
from services.common.postgres import Connection
from services.identity.domain.identity import LookupKey

EVENTS = (authentication_events_pb2.VidUsed,)


def counter(
    note_use: Callable[[Connection, LookupKey], Awaitable[None]],
) -> Callable[[Connection, feed.Event], Awaitable[None]]:
    """Return the handler that counts a use in the commit that moves the position."""

    async def handle(connection: Connection, event: feed.Event) -> None:
        used = event.message
        assert isinstance(used, authentication_events_pb2.VidUsed), "only this type is followed"
        await note_use(connection, LookupKey(used.lookup_key_version, used.vid_lookup_key))

    return handle

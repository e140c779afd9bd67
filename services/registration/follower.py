"""Follows processing, so that a machine can be told where its registrations stand."""

from __future__ import annotations

from collections.abc import Callable

from idmesh.processing.v1 import processing_events_pb2

from services.common import feed, instants, telemetry
from services.common.postgres import Connection, Database
from services.registration import convert
from services.registration.domain.progress import external_status
from services.registration.ports import Store

_LOG = telemetry.get_logger(__name__)
# Machines ask seldom; longer lots cost less.
_GATHER_S = 0.25


class Progress:
    """Writes where registrations stand; position and effect in one commit."""

    def __init__(self, store_of: Callable[[Connection], Store]) -> None:
        self._store_of = store_of

    def follower(self, source: feed.FeedSource, database: Database) -> feed.Follower:
        """Return the loop to run."""
        return feed.Follower(
            source,
            database,
            name="processing",
            handler=self.apply,
            event_types=[processing_events_pb2.RegistrationAdvanced],
            gather_s=_GATHER_S,
        )

    async def apply(self, connection: Connection, event: feed.Event) -> None:
        """Apply one event."""
        advanced = event.message
        assert isinstance(advanced, processing_events_pb2.RegistrationAdvanced)
        state = convert.state_from_proto(advanced.state)
        known = await self._store_of(connection).set_status(
            advanced.packet_id,
            external_status(state, advanced.reason),
            advanced.mosip_code or advanced.reason,
            instants.from_proto(advanced.changed_at),
        )
        if not known:
            _LOG.warning("status_of_unknown_packet", packet_id=advanced.packet_id)

"""Sending what waits in a station's outbox: one packet that is refused keeps no other back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    PlatformError,
    ResourceExhausted,
)
from services.registration_client.station import Station
from services.registration_client.station_client import StationClient

# Announced together; a sealed packet has megabytes, and so many are in memory then.
_AT_ONCE = 20
# These are about the packet. Whatever else the server says holds for the next one as well.
_OF_ONE_PACKET = (AlreadyExists, FailedPrecondition, InvalidArgument, ResourceExhausted)


@dataclass
class Outbox:
    """What waits at a station, and what the server refused of it, by packet id.

    What is refused stays in the outbox: whether to build it anew is for a person to say.
    """

    station: Station
    client: StationClient
    refused: dict[str, PlatformError] = field(default_factory=dict)

    async def announce(self, packet_ids: Sequence[str]) -> list[str]:
        """Announce packets; return those that the server will take."""
        for start in range(0, len(packet_ids), _AT_ONCE):
            together = [self.station.find(each) for each in packet_ids[start : start + _AT_ONCE]]
            self.refused |= await self.client.announce(together)
        return [each for each in packet_ids if each not in self.refused]

    async def upload(
        self, packet_ids: Sequence[str], progress: Callable[[str, int], None]
    ) -> list[str]:
        """Upload announced packets; return those that the server has. progress as in upload."""
        sent = []
        for packet_id in packet_ids:
            packet = self.station.find(packet_id)

            def show(done: int, packet_id: str = packet_id) -> None:
                progress(packet_id, done)

            try:
                await self.client.upload(packet, progress=show)
            except _OF_ONE_PACKET as error:
                self.refused[packet_id] = error
                continue
            self.station.mark_sent(packet)
            sent.append(packet_id)
        return sent

"""One packet that the server does not want keeps no other back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

from services.common.errors import AlreadyExists, PlatformError, Unavailable
from services.registration_client import SealedPacket, Station, StationClient, SyncRefused
from services.registration_client.outbox import Outbox
from tests.unit.registration_client.test_station import CONNECTION, a_sealed_packet


class Server:
    """Takes what it is sent, but for what `refuses` holds; `away` ends everything."""

    def __init__(self) -> None:
        self.refuses: dict[str, PlatformError] = {}
        self.announced: list[int] = []
        self.uploaded: list[str] = []
        self.away = False

    async def announce(self, packets: Sequence[SealedPacket]) -> dict[str, SyncRefused]:
        self.announced.append(len(packets))
        refused = {each.packet_id: self.refuses.get(each.packet_id) for each in packets}
        return {one: why for one, why in refused.items() if isinstance(why, SyncRefused)}

    async def upload(self, packet: SealedPacket, *, progress: Callable[[int], None]) -> None:
        if self.away:
            raise Unavailable("UPSTREAM_UNAVAILABLE", "Away.")
        if packet.packet_id in self.refuses:
            raise self.refuses[packet.packet_id]
        progress(packet.size)
        self.uploaded.append(packet.packet_id)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    station = Station.make(tmp_path / "station", CONNECTION)
    for sequence in range(1, 46):
        station.keep(a_sealed_packet(sequence=sequence))
    return station


def outbox_of(station: Station, server: Server) -> Outbox:
    return Outbox(station, cast(StationClient, server))


async def test_what_is_refused_stays_and_the_others_are_sent(station: Station) -> None:
    server, told = Server(), list[tuple[str, int]]()
    waiting = station.waiting_ids()
    server.refuses = {
        waiting[0]: SyncRefused("SYNC_CONFLICT", "Announced otherwise."),
        waiting[7]: AlreadyExists("PACKET_DUPLICATE", "Another has been taken."),
    }
    outbox = outbox_of(station, server)
    taken = await outbox.announce(waiting)
    sent = await outbox.upload(taken, lambda *progress: told.append(progress))
    assert server.announced == [20, 20, 5]
    assert sent == server.uploaded == [each for each in waiting if each not in server.refuses]
    assert station.waiting_ids() == [waiting[0], waiting[7]]
    assert {one: why.reason for one, why in outbox.refused.items()} == {
        waiting[0]: "SYNC_CONFLICT",
        waiting[7]: "PACKET_DUPLICATE",
    }
    assert told == [(each, len(b"sealed")) for each in sent]


async def test_a_server_that_is_away_ends_it_and_nothing_is_lost(station: Station) -> None:
    server = Server()
    server.away = True
    with pytest.raises(Unavailable):
        await outbox_of(station, server).upload(station.waiting_ids(), lambda *_: None)
    assert len(station.waiting_ids()) == 45

"""What machines and processing ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from services.common.clock import Clock
from services.common.errors import NotFound
from services.registration.domain.machine import Machine
from services.registration.domain.packet import Packet
from services.registration.domain.settings import StationSettings
from services.registration.ports import Masterdata, PacketObjects, Transactions


@dataclass(frozen=True)
class Lookups:
    """Settings, statuses and stored packets."""

    transactions: Transactions
    objects: PacketObjects
    masterdata: Masterdata
    clock: Clock
    max_packet_bytes: int

    async def settings(self, machine: Machine) -> StationSettings:
        """Return what the machine needs before it goes offline.

        Raises:
            NotFound: PACKET_KEY_NOT_FOUND, SCHEMA_NOT_FOUND.
        """
        key, schema = await asyncio.gather(
            self.masterdata.packet_key(machine.machine_id), self.masterdata.id_schema()
        )
        return StationSettings(key, schema, self.max_packet_bytes, self.clock.now())

    async def statuses(self, machine: Machine, registration_ids: Sequence[str]) -> list[Packet]:
        """Return, of each registration of the machine's own, the packet that counts.

        That is the one received last, or announced last where none was. Unknown ones are left
        out.
        """
        async with self.transactions() as store:
            packets = await store.of_registrations(machine.machine_id, registration_ids)
        best: dict[str, Packet] = {}
        for packet in packets:
            rid = packet.item.registration_id
            if rid not in best or _weight(packet) > _weight(best[rid]):
                best[rid] = packet
        return [best[rid] for rid in dict.fromkeys(registration_ids) if rid in best]

    async def download(self, packet_id: str) -> AsyncIterator[bytes]:
        """Yield a stored packet, still sealed.

        Raises:
            NotFound: PACKET_NOT_FOUND.
        """
        async with self.transactions() as store:
            packet = await store.get(packet_id)
        if packet is None or packet.received_at is None:
            raise _no_packet()
        try:
            async for chunk in self.objects.stream(packet.object_key):
                yield chunk
        except NotFound as error:
            raise _no_packet() from error


def _weight(packet: Packet) -> tuple[bool, float]:
    at = packet.received_at or packet.synced_at
    return packet.received_at is not None, at.timestamp()


def _no_packet() -> NotFound:
    return NotFound("PACKET_NOT_FOUND", "There is no such packet.")

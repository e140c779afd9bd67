"""Registration's ports in memory."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.common.errors import AlreadyExists, NotFound, PlatformError
from services.registration.domain.machine import Machine
from services.registration.domain.packet import ExternalStatus, Packet
from services.registration.domain.settings import IdSchema, PacketKey
from services.registration.ports import Masterdata, PacketObjects, Store, Transactions


@dataclass
class Tables:
    packets: dict[str, Packet] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    records: list[tuple[str, str, str]] = field(default_factory=list)


class FakePacketStore(Store):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, packet: Packet) -> bool:
        if packet.item.packet_id in self._tables.packets:
            return False
        packet = replace(packet, status_changed_at=packet.synced_at)
        self._tables.packets[packet.item.packet_id] = packet
        return True

    async def get(self, packet_id: str) -> Packet | None:
        return self._tables.packets.get(packet_id)

    async def lock_registration(self, registration_id: str) -> Sequence[Packet]:
        return self._sorted(lambda packet: packet.item.registration_id == registration_id)

    async def mark_received(self, packet_id: str, now: datetime) -> Packet:
        packet = self._tables.packets[packet_id]
        assert packet.received_at is None
        packet = replace(
            packet,
            received_at=now,
            status=ExternalStatus.RECEIVED,
            status_reason="",
            status_changed_at=now,
        )
        self._tables.packets[packet_id] = packet
        return packet

    async def set_status(
        self, packet_id: str, status: ExternalStatus, reason: str, changed_at: datetime
    ) -> bool:
        packet = self._tables.packets.get(packet_id)
        if packet is None:
            return False
        self._tables.packets[packet_id] = replace(
            packet, status=status, status_reason=reason, status_changed_at=changed_at
        )
        return True

    async def of_registrations(
        self, machine_id: str, registration_ids: Sequence[str]
    ) -> Sequence[Packet]:
        return self._sorted(
            lambda packet: (
                packet.machine_id == machine_id and packet.item.registration_id in registration_ids
            )
        )

    async def not_received(
        self, synced_before: datetime, after: str, limit: int
    ) -> Sequence[Packet]:
        found = self._sorted(
            lambda packet: (
                packet.received_at is None
                and packet.synced_at < synced_before
                and packet.item.packet_id > after
            )
        )
        return found[:limit]

    async def publish_received(self, packet: Packet) -> None:
        self._tables.published.append(packet.item.packet_id)

    async def record(
        self, action: str, machine_id: str, subject: tuple[str, str], details: Mapping[str, str]
    ) -> None:
        self._tables.records.append((action, machine_id, subject[1]))

    def _sorted(self, wanted: object) -> list[Packet]:
        assert callable(wanted)
        packets = [packet for packet in self._tables.packets.values() if wanted(packet)]
        return sorted(packets, key=lambda packet: packet.item.packet_id)


class FakeTransactions(Transactions):
    """One at a time, undone when they raise. `fail_commits`: so many commits fail."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.fail_commits: list[PlatformError] = []
        self._one = asyncio.Lock()

    def __call__(self) -> AbstractAsyncContextManager[Store]:
        return self._begun()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Store]:
        async with self._one:
            before = copy.deepcopy(self.tables)
            try:
                yield FakePacketStore(self.tables)
                if self.fail_commits and self.tables != before:
                    raise self.fail_commits.pop(0)
            except BaseException:
                self.tables = before
                raise


class FakePacketObjects(PacketObjects):
    """Objects in memory; `before_return` is called when something was just stored."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.started = 0

    async def put_once(self, key: str, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        self.started += 1
        content = b"".join([chunk async for chunk in chunks])
        if self.objects.setdefault(key, content) != content:
            raise AlreadyExists("OBJECT_EXISTS", "Other content has this name.")

    async def exists(self, key: str) -> bool:
        return key in self.objects

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        if key not in self.objects:
            raise NotFound("OBJECT_NOT_FOUND", "There is no such object.")
        content = self.objects[key]
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    async def delete(self, key: str) -> None:
        self.objects.pop(key, None)


class FakeMasterdata(Masterdata):
    """Machines, now and earlier; `fail_with` makes every call raise it."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self.earlier: dict[str, Machine] = {}
        self.keys: dict[str, PacketKey] = {}
        self.schema: IdSchema | None = None
        self.asked = 0
        self.fail_with: PlatformError | None = None

    async def machine(self, machine_id: str, as_of: datetime | None = None) -> Machine | None:
        self.asked += 1
        if self.fail_with is not None:
            raise self.fail_with
        if as_of is not None:
            return self.earlier.get(machine_id, self.machines.get(machine_id))
        return self.machines.get(machine_id)

    async def packet_key(self, machine_id: str) -> PacketKey:
        if machine_id not in self.keys:
            raise NotFound("PACKET_KEY_NOT_FOUND", "There is no such packet key.")
        return self.keys[machine_id]

    async def id_schema(self) -> IdSchema:
        if self.schema is None:
            raise NotFound("SCHEMA_NOT_FOUND", "There is no such identity schema.")
        return self.schema

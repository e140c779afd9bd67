"""The store port on asyncpg."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from services.common import audit
from services.common.feed.outbox import publish_at_end
from services.common.postgres import Connection, Database, Record, load_queries
from services.registration import convert
from services.registration.domain.packet import ExternalStatus, Packet, SyncItem
from services.registration.ports import Store, Transactions

QUERIES = load_queries(__package__)


class PostgresTransactions(Transactions):
    """Begins transactions in the service's schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __call__(self) -> AbstractAsyncContextManager[Store]:
        """Commit when the block ends, undo when it raises."""
        return self._begun()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Store]:
        async with self._database.transaction() as connection:
            yield PostgresStore(connection)


class PostgresStore(Store):
    """Packets, inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, packet: Packet) -> bool:
        """Store an announced packet; return False, and change nothing, where its id is known."""
        item = packet.item
        added = await self._connection.fetchval(
            QUERIES["add_packet"],
            item.packet_id,
            item.registration_id,
            item.process,
            packet.centre_id,
            packet.machine_id,
            item.sha256,
            item.size,
            item.supervisor_approved,
            item.language,
            packet.synced_at,
            packet.status.value,
        )
        return added is not None

    async def get(self, packet_id: str) -> Packet | None:
        """Return a packet."""
        row = await self._connection.fetchrow(QUERIES["get_packet"], packet_id)
        return None if row is None else _packet(row)

    async def lock_registration(self, registration_id: str) -> Sequence[Packet]:
        """Return a registration's packets; nobody else changes them before this ends."""
        rows = await self._connection.fetch(QUERIES["lock_registration"], registration_id)
        return [_packet(row) for row in rows]

    async def mark_received(self, packet_id: str, now: datetime) -> Packet:
        """Set received_at and the status RECEIVED of a packet that was not received."""
        row = await self._connection.fetchrow(
            QUERIES["mark_received"], packet_id, now, ExternalStatus.RECEIVED.value
        )
        assert row is not None, "the caller holds the lock and saw that it was not received"
        return _packet(row)

    async def set_status(
        self, packet_id: str, status: ExternalStatus, reason: str, changed_at: datetime
    ) -> bool:
        """Set where a packet's registration stands; return False where it is unknown."""
        changed = await self._connection.fetchval(
            QUERIES["set_status"], packet_id, status.value, reason, changed_at
        )
        return changed is not None

    async def of_registrations(
        self, machine_id: str, registration_ids: Sequence[str]
    ) -> Sequence[Packet]:
        """Return the packets of those registrations that are the machine's own."""
        rows = await self._connection.fetch(
            QUERIES["of_registrations"], machine_id, list(registration_ids)
        )
        return [_packet(row) for row in rows]

    async def not_received(
        self, synced_before: datetime, after: str, limit: int
    ) -> Sequence[Packet]:
        """Return packets announced before an instant and not received, by id, above `after`."""
        rows = await self._connection.fetch(QUERIES["not_received"], synced_before, after, limit)
        return [_packet(row) for row in rows]

    async def publish_received(self, packet: Packet) -> None:
        """Tell those who follow that the packet is stored."""
        publish_at_end(self._connection, convert.packet_received_to_proto(packet))

    async def record(
        self, action: str, machine_id: str, subject: tuple[str, str], details: Mapping[str, str]
    ) -> None:
        """Write the audit record of what a machine does here; subject is its kind and id."""
        kind, subject_id = subject
        await audit.record(
            self._connection,
            action,
            kind,
            subject_id.encode(),
            audit.Outcome.SUCCEEDED,
            audit.Actor("machine", machine_id),
            details,
        )


def _packet(row: Record) -> Packet:
    item = SyncItem(
        registration_id=row["registration_id"],
        packet_id=row["packet_id"],
        process=row["process"],
        sha256=row["sha256"],
        size=row["size"],
        supervisor_approved=row["supervisor_approved"],
        language=row["language"],
    )
    return Packet(
        item=item,
        centre_id=row["centre_id"],
        machine_id=row["machine_id"],
        synced_at=row["synced_at"],
        received_at=row["received_at"],
        status=ExternalStatus(row["status"]),
        status_reason=row["status_reason"],
        status_changed_at=row["status_changed_at"],
    )

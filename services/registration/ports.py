"""What the use cases need from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.registration.domain.machine import Machine
from services.registration.domain.packet import ExternalStatus, Packet
from services.registration.domain.settings import IdSchema, PacketKey


class Store(Protocol):
    """Packets, inside one transaction."""

    async def add(self, packet: Packet) -> bool:
        """Store an announced packet; return False, and change nothing, where its id is known."""
        ...

    async def get(self, packet_id: str) -> Packet | None:
        """Return a packet."""
        ...

    async def lock_registration(self, registration_id: str) -> Sequence[Packet]:
        """Return a registration's packets; nobody else changes them before this ends."""
        ...

    async def mark_received(self, packet_id: str, now: datetime) -> Packet:
        """Set received_at and the status RECEIVED of a packet that was not received."""
        ...

    async def set_status(
        self, packet_id: str, status: ExternalStatus, reason: str, changed_at: datetime
    ) -> bool:
        """Set where a packet's registration stands; return False where it is unknown."""
        ...

    async def of_registrations(
        self, machine_id: str, registration_ids: Sequence[str]
    ) -> Sequence[Packet]:
        """Return the packets of those registrations that are the machine's own."""
        ...

    async def not_received(
        self, synced_before: datetime, after: str, limit: int
    ) -> Sequence[Packet]:
        """Return packets announced before an instant and not received, by id, above `after`."""
        ...

    async def publish_received(self, packet: Packet) -> None:
        """Tell those who follow that the packet is stored."""
        ...

    async def record(
        self, action: str, machine_id: str, subject: tuple[str, str], details: Mapping[str, str]
    ) -> None:
        """Write the audit record of what a machine does here; subject is its kind and id."""
        ...


class Transactions(Protocol):
    """Begins transactions."""

    def __call__(self) -> AbstractAsyncContextManager[Store]:
        """Commit when the block ends, undo when it raises."""
        ...


class PacketObjects(Protocol):
    """Where ciphertext is kept."""

    async def put_once(self, key: str, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        """Store the chunks; durable when it returns. When chunks raises, nothing is stored.

        Raises:
            AlreadyExists: OBJECT_EXISTS, something else lies there. The same content is fine.
        """
        ...

    async def exists(self, key: str) -> bool:
        """Tell whether something lies there."""
        ...

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """Yield what lies there.

        Raises:
            NotFound: OBJECT_NOT_FOUND.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove what lies there; nothing there is fine."""
        ...


class Masterdata(Protocol):
    """The mesh's knowledge of its field."""

    async def machine(self, machine_id: str, as_of: datetime | None = None) -> Machine | None:
        """Return a machine as it was at an instant (None: as it is), or None."""
        ...

    async def packet_key(self, machine_id: str) -> PacketKey:
        """Return the packet key of a machine.

        Raises:
            NotFound: PACKET_KEY_NOT_FOUND.
        """
        ...

    async def id_schema(self) -> IdSchema:
        """Return the newest schema in effect.

        Raises:
            NotFound: SCHEMA_NOT_FOUND.
        """
        ...

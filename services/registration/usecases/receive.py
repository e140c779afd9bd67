"""Taking packets: checked while they stream in, durable before the answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from services.common.clock import Clock
from services.common.errors import (
    AlreadyExists,
    DeadlineExceeded,
    ResourceExhausted,
    Unavailable,
)
from services.registration.domain.machine import Machine
from services.registration.domain.packet import (
    Packet,
    Processes,
    SyncItem,
    check_duplicate,
    hash_mismatch,
    not_synced,
    size_mismatch,
    too_large,
)
from services.registration.ports import PacketObjects, Store, Transactions

_BUSY_RETRY_S = 2.0
_LOST_RETRY_S = 0.5


@dataclass(frozen=True)
class UploadLimits:
    """max_packet_bytes; uploads at once, in all and of one machine; idle_s in seconds."""

    max_packet_bytes: int
    max_concurrent: int
    max_concurrent_per_machine: int
    idle_s: float


class UploadSlots:
    """How many uploads are taken at once."""

    def __init__(self, limits: UploadLimits) -> None:
        self._limits = limits
        self._by_machine: Counter[str] = Counter()
        self._taken = 0

    @contextmanager
    def taken(self, machine_id: str) -> Iterator[None]:
        """Hold a slot.

        Raises:
            ResourceExhausted: UPLOADS_BUSY, come again after the delay.
        """
        full = self._taken >= self._limits.max_concurrent
        if full or self._by_machine[machine_id] >= self._limits.max_concurrent_per_machine:
            raise ResourceExhausted(
                "UPLOADS_BUSY", "Too many uploads at once.", retry_after_s=_BUSY_RETRY_S
            )
        self._taken += 1
        self._by_machine[machine_id] += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._by_machine[machine_id] -= 1
            if not self._by_machine[machine_id]:
                del self._by_machine[machine_id]


class ReceivePacket:
    """Takes one packet.

    The object is written before the row. A crash in between leaves an object without a row: the
    machine got no answer and sends again, and finds it there; if it never does, the sweep takes
    it away. Both remove an object only under the registration's lock, and an upload looks under
    that lock whether its object is still there.
    """

    def __init__(
        self,
        transactions: Transactions,
        objects: PacketObjects,
        clock: Clock,
        processes: Processes,
        limits: UploadLimits,
    ) -> None:
        self._transactions = transactions
        self._objects = objects
        self._clock = clock
        self._main = sorted(processes.main)
        self._limits = limits
        self._slots = UploadSlots(limits)

    async def __call__(
        self, machine: Machine, packet_id: str, chunks: AsyncIterator[bytes]
    ) -> datetime:
        """Return when the packet was received; the same packet again is answered the same.

        Raises:
            FailedPrecondition: PACKET_NOT_SYNCED.
            InvalidArgument: PACKET_HASH_MISMATCH, PACKET_SIZE_MISMATCH.
            ResourceExhausted: PACKET_TOO_LARGE; UPLOADS_BUSY with a delay.
            AlreadyExists: PACKET_DUPLICATE.
            DeadlineExceeded: UPLOAD_STALLED.
            Unavailable: nothing is lost, send it again.
        """
        with self._slots.taken(machine.machine_id):
            packet = await self._find(machine, packet_id)
            content = self._checked(packet.item, chunks)
            if packet.received_at is not None:
                # Nothing is to be stored; but only the same bytes are the same packet.
                async for _ in content:
                    continue
                return packet.received_at
            await self._put(packet, content)
            try:
                return await self._commit(packet)
            except AlreadyExists:
                await discard(self._transactions, self._objects, packet)
                raise

    async def _find(self, machine: Machine, packet_id: str) -> Packet:
        async with self._transactions() as store:
            packet = await store.get(packet_id)
            if packet is None or packet.machine_id != machine.machine_id:
                raise not_synced()
            if packet.item.size > self._limits.max_packet_bytes:
                raise too_large(self._limits.max_packet_bytes)
            if packet.received_at is None:
                of_registration = await store.of_registrations(
                    machine.machine_id, [packet.item.registration_id]
                )
                check_duplicate(packet, of_registration, self._main)
        return packet

    async def _checked(self, item: SyncItem, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass chunks on; raise, before the end is seen, unless they are what was announced."""
        digest = hashlib.sha256()
        size = 0
        while (chunk := await self._next(chunks)) is not None:
            size += len(chunk)
            if size > self._limits.max_packet_bytes:
                raise too_large(self._limits.max_packet_bytes)
            if size > item.size:
                raise size_mismatch()
            digest.update(chunk)
            yield chunk
        if digest.digest() != item.sha256:
            raise hash_mismatch()
        if size != item.size:
            raise size_mismatch()

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        try:
            async with asyncio.timeout(self._limits.idle_s):
                return await anext(chunks)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            raise DeadlineExceeded(
                "UPLOAD_STALLED", "The upload brought nothing for too long."
            ) from None

    async def _put(self, packet: Packet, content: AsyncIterator[bytes]) -> None:
        try:
            await self._objects.put_once(packet.object_key, content, self._limits.max_packet_bytes)
        except AlreadyExists as error:
            # Not what was announced, and never received: damaged by a crash of the store.
            await discard(self._transactions, self._objects, packet)
            raise _send_again() from error

    async def _commit(self, packet: Packet) -> datetime:
        async with self._transactions() as store:
            own, of_registration = await _locked(store, packet)
            if own.received_at is not None:
                return own.received_at
            check_duplicate(own, of_registration, self._main)
            if not await self._objects.exists(packet.object_key):
                raise _send_again()
            received = await store.mark_received(packet.item.packet_id, self._clock.now())
            await store.publish_received(received)
            details = {"process": packet.item.process, "size": str(packet.item.size)}
            subject = ("registration", packet.item.registration_id)
            await store.record("PACKET_RECEIVED", packet.machine_id, subject, details)
        assert received.received_at is not None, "it was just received"
        return received.received_at


async def discard(transactions: Transactions, objects: PacketObjects, packet: Packet) -> bool:
    """Remove the object of a packet that was not received; return whether there was one."""
    async with transactions() as store:
        own, _ = await _locked(store, packet)
        if own.received_at is not None or not await objects.exists(packet.object_key):
            return False
        await objects.delete(packet.object_key)
    return True


async def _locked(store: Store, packet: Packet) -> tuple[Packet, list[Packet]]:
    packets = list(await store.lock_registration(packet.item.registration_id))
    own = next(each for each in packets if each.item.packet_id == packet.item.packet_id)
    return own, packets


def _send_again() -> Unavailable:
    return Unavailable(
        "PACKET_NOT_STORED", "The packet is not stored: send it again.", retry_after_s=_LOST_RETRY_S
    )

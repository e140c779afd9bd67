"""Taking announcements of packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.clock import Clock
from services.common.ids import Rid
from services.registration.domain.machine import Machine
from services.registration.domain.packet import (
    Packet,
    Processes,
    SyncItem,
    SyncRefusal,
    is_same,
    parse_sync,
)
from services.registration.ports import Masterdata, Store, Transactions


@dataclass(frozen=True)
class SyncRegistrations:
    """Idempotent by packet id; each announcement is answered by itself."""

    transactions: Transactions
    masterdata: Masterdata
    clock: Clock
    processes: Processes

    async def __call__(
        self, machine: Machine, items: Sequence[SyncItem]
    ) -> Sequence[SyncRefusal | None]:
        """Return, in the order of the items, why one is refused; None: it is accepted."""
        answers = [await self._check(machine, item) for item in items]
        # In one order for all, so that two calls with the same packets do not wait for each other.
        accepted = [place for place, refusal in enumerate(answers) if refusal is None]
        accepted.sort(key=lambda place: items[place].packet_id)
        async with self.transactions() as store:
            for place in accepted:
                answers[place] = await self._store(store, machine, items[place])
        return answers

    async def _check(self, machine: Machine, item: SyncItem) -> SyncRefusal | None:
        refusal, rid = parse_sync(item, machine.machine_id, self.processes)
        if refusal is not None or rid is None:
            return refusal
        if rid.centre_id != machine.centre_id and not await self._was_at(machine, rid):
            return SyncRefusal("CENTRE_MISMATCH")
        return None

    async def _was_at(self, machine: Machine, rid: Rid) -> bool:
        """Tell whether the machine was at the RID's centre then: packets outlive a move."""
        then = await self.masterdata.machine(machine.machine_id, rid.created_at)
        return then is not None and then.centre_id == rid.centre_id

    async def _store(self, store: Store, machine: Machine, item: SyncItem) -> SyncRefusal | None:
        packet = Packet(
            item=item,
            centre_id=item.registration_id[:5],
            machine_id=machine.machine_id,
            synced_at=self.clock.now(),
        )
        if await store.add(packet):
            details = {"process": item.process, "packet_id": item.packet_id}
            subject = ("registration", item.registration_id)
            await store.record("PACKET_SYNCED", machine.machine_id, subject, details)
            return None
        known = await store.get(item.packet_id)
        assert known is not None, "a packet row is never deleted"
        return None if is_same(known.item, item) else SyncRefusal("SYNC_CONFLICT")

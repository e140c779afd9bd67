"""Removing what crashed uploads left in the object store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.common.clock import Clock
from services.registration.ports import PacketObjects, Transactions
from services.registration.usecases.receive import discard

# No upload takes this long; a machine that got no answer has sent again by then.
GRACE = timedelta(hours=1)
_PAGE = 200


@dataclass(frozen=True)
class SweepOrphans:
    """Looks through packets that were announced and never received."""

    transactions: Transactions
    objects: PacketObjects
    clock: Clock

    async def __call__(self) -> int:
        """Return how many objects without a received packet were removed."""
        before = self.clock.now() - GRACE
        removed, after = 0, ""
        while True:
            async with self.transactions() as store:
                packets = await store.not_received(before, after, _PAGE)
            for packet in packets:
                if await self.objects.exists(packet.object_key):
                    removed += await discard(self.transactions, self.objects, packet)
            if len(packets) < _PAGE:
                return removed
            after = packets[-1].item.packet_id

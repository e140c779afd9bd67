"""Putting and listing centres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.clock import Clock
from services.masterdata.domain.field import Centre
from services.masterdata.domain.packet_key import key_name_of
from services.masterdata.ports import PacketKeys, Transactions


@dataclass(frozen=True)
class Centres:
    """Centres and the packet keys that they get."""

    transactions: Transactions
    keys: PacketKeys
    clock: Clock
    packet_key_type: str

    async def put(self, centre: Centre) -> Centre:
        """Add or change a centre. Its key is made first: no centre is without one."""
        await self.keys.create(key_name_of(centre.centre_id), self.packet_key_type)
        async with self.transactions() as store:
            before = await store.get_centre(centre.centre_id)
            stored = await store.put_centre(centre, self.clock.now())
            if before != stored:
                action = "CENTRE_ADDED" if before is None else "CENTRE_CHANGED"
                details = {"active": str(stored.active).lower()}
                await store.record(action, "centre", stored.centre_id, details)
        return stored

    async def list(self, after: str, limit: int) -> Sequence[Centre]:
        """Return centres with an id above `after`, at most limit of them."""
        async with self.transactions() as store:
            return await store.list_centres(after, limit)

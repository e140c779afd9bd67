"""A reference is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from services.abis.ports import Store


class Delete:
    """Deletes references; the galleries forget them in the order of the log."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake

    async def __call__(self, reference_id: UUID) -> bool:
        """Return whether there was such a reference."""
        async with self._store.transaction() as tx:
            await tx.lock_log()
            deleted = await tx.delete(reference_id) is not None
            if deleted:
                await tx.audit("REFERENCE_DELETED", "reference", reference_id.bytes)
        if deleted:
            self._wake()
        return deleted

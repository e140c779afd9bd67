"""A reference is forgotten."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from services.abis.domain.reference import Position
from services.abis.domain.request import (
    answered,
    content_of,
    position_from_bytes,
    position_to_bytes,
)
from services.abis.ports import Store

_KIND = "DELETE"


class Delete:
    """Deletes references.

    Args:
        withdraw: told of each delete behind its commit; no search finds the reference then.
    """

    def __init__(self, store: Store, withdraw: Callable[[UUID, Position], Awaitable[None]]) -> None:
        self._store = store
        self._withdraw = withdraw

    async def __call__(
        self, reference_id: UUID, *, request_id: UUID | None = None
    ) -> Position | None:
        """Return the place in the log; None where there was no such reference.

        Raises:
            AlreadyExists: REQUEST_ID_REUSED.
        """
        content = content_of(reference_id)
        async with self._store.transaction() as tx:
            await tx.lock_log()
            known = None if request_id is None else await tx.request(request_id)
            if known is not None:
                return position_from_bytes(known.checked(_KIND, content))
            position = await tx.delete(reference_id)
            if position is not None:
                await tx.audit("REFERENCE_DELETED", "reference", reference_id.bytes)
            if request_id is not None:
                answer = position_to_bytes(position)
                await tx.keep_request(answered(request_id, _KIND, content, answer))
        if position is not None:
            await self._withdraw(reference_id, position)
        return position

"""A person's templates are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic
from uuid import UUID

from services.abis.domain.reference import Position, StoredReference, Template
from services.abis.ports import Galleries, Keys, Parsed, Store, TemplateRefusedError
from services.common.errors import AlreadyExists, InvalidArgument


class Insert(Generic[Parsed]):
    """Inserts references; the row and its place in the log are one commit.

    Args:
        offer: told of each insert behind its commit, with the templates as they are compared.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        galleries: Galleries[Parsed],
        offer: Callable[[UUID, Position, Parsed], Awaitable[None]],
    ) -> None:
        self._store = store
        self._keys = keys
        self._galleries = galleries
        self._offer = offer

    async def __call__(self, reference_id: UUID, templates: Sequence[Template]) -> Position:
        """Return the place in the log; the first one for a repeated call.

        Raises:
            InvalidArgument: TEMPLATE_MALFORMED, nothing is kept then.
            AlreadyExists: REFERENCE_EXISTS, with other templates.
        """
        parsed = await self._parse(templates)
        sealed = await self._keys.seal(reference_id, templates)
        async with self._store.transaction() as tx:
            await tx.lock_log()
            position = await tx.insert(reference_id, sealed, templates=len(templates))
            existing = await tx.reference(reference_id) if position is None else None
            if position is not None:
                await tx.audit(
                    "REFERENCE_INSERTED",
                    "reference",
                    reference_id.bytes,
                    details={"templates": str(len(templates))},
                )
        if position is not None:
            await self._offer(reference_id, position, parsed)
            return position
        assert existing is not None, "the log was locked: what was in the way is there"
        await self._check_same(existing, templates)
        return Position((await self._store.head()).epoch, existing.sequence)

    async def _parse(self, templates: Sequence[Template]) -> Parsed:
        try:
            return await asyncio.to_thread(self._galleries.parse, templates)
        except TemplateRefusedError as error:
            raise InvalidArgument(
                "TEMPLATE_MALFORMED",
                "A template does not parse.",
                field=f"templates[{error.index}].{error.part}",
                metadata={"why": error.why},
            ) from error

    async def _check_same(self, existing: StoredReference, templates: Sequence[Template]) -> None:
        kept = await self._keys.open(existing.reference_id, existing.sealed)
        if kept != list(templates):
            raise AlreadyExists(
                "REFERENCE_EXISTS",
                "The reference id has other templates.",
                field="reference_id",
                metadata={"mosip_code": "10"},
            )

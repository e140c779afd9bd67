"""A person's templates are kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic
from uuid import UUID

from services.abis.domain.failure import mosip_code
from services.abis.domain.reference import Position, StoredReference, Template
from services.abis.domain.request import (
    answered,
    content_of,
    position_from_bytes,
    position_to_bytes,
)
from services.abis.ports import Galleries, Keys, Parsed, Store, Transaction
from services.abis.usecases.follow_log import gallery_full
from services.abis.usecases.parse import parse_templates
from services.common.errors import AlreadyExists

_KIND = "INSERT"


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

    async def __call__(
        self,
        reference_id: UUID,
        templates: Sequence[Template],
        *,
        request_id: UUID | None = None,
        must_be_new: bool = False,
    ) -> Position:
        """Return the place in the log; the first one for a repeated call.

        Args:
            request_id: the same again is answered as the first time.
            must_be_new: only the same request id may insert the same again.

        Raises:
            InvalidArgument: TEMPLATE_MALFORMED, TEMPLATE_UNUSABLE, nothing is kept then.
            AlreadyExists: REFERENCE_EXISTS, with other templates; REQUEST_ID_REUSED.
            ResourceExhausted: GALLERY_FULL.
        """
        parsed = await parse_templates(self._galleries, templates)
        self._check_room()
        content = content_of(reference_id, templates)
        sealed = await self._keys.seal(reference_id, templates)
        async with self._store.transaction() as tx:
            await tx.lock_log()
            known = None if request_id is None else await tx.request(request_id)
            if known is not None:
                first = position_from_bytes(known.checked(_KIND, content))
                assert first is not None, "only inserts that came about are kept"
                return first
            position = await tx.insert(reference_id, sealed, templates=len(templates))
            existing = await tx.reference(reference_id) if position is None else None
            if position is not None:
                await _record(tx, reference_id, len(templates))
                if request_id is not None:
                    answer = position_to_bytes(position)
                    await tx.keep_request(answered(request_id, _KIND, content, answer))
        if position is not None:
            await self._offer(reference_id, position, parsed)
            return position
        assert existing is not None, "the log was locked: what was in the way is there"
        if must_be_new or not await self._is_same(existing, templates):
            raise reference_exists()
        return Position((await self._store.head()).epoch, existing.sequence)

    def _check_room(self) -> None:
        if not self._galleries.has_room():
            raise gallery_full()

    async def _is_same(self, existing: StoredReference, templates: Sequence[Template]) -> bool:
        [kept] = await self._keys.open_all([existing])
        return kept == list(templates)


async def _record(tx: Transaction, reference_id: UUID, templates: int) -> None:
    await tx.audit(
        "REFERENCE_INSERTED",
        "reference",
        reference_id.bytes,
        details={"templates": str(templates)},
    )


def reference_exists() -> AlreadyExists:
    """Return the error."""
    return AlreadyExists(
        "REFERENCE_EXISTS",
        "The reference id has other templates, or was inserted before.",
        field="reference_id",
        metadata=mosip_code("REFERENCE_EXISTS"),
    )

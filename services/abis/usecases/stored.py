"""What is kept of a reference."""

from __future__ import annotations

from uuid import UUID

from services.abis.domain.failure import mosip_code
from services.abis.domain.reference import Template
from services.abis.ports import Keys, Store
from services.common.errors import NotFound


async def stored_templates(store: Store, keys: Keys, reference_id: UUID) -> list[Template]:
    """Return the templates of a reference, opened.

    Raises:
        NotFound: REFERENCE_NOT_FOUND.
    """
    async with store.transaction() as tx:
        reference = await tx.reference(reference_id)
    if reference is None:
        raise NotFound(
            "REFERENCE_NOT_FOUND",
            "There is no such reference.",
            field="reference_id",
            metadata=mosip_code("REFERENCE_NOT_FOUND"),
        )
    [templates] = await keys.open_all([reference])
    return templates

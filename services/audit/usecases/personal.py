"""What records say about people: opened for a purpose, erased for good; both are recorded."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from services.audit.ports import OwnActs, PersonalBoxes, PersonalOpener
from services.common.errors import NotFound


class OpenPersonal:
    """Opens what lies beside a record."""

    def __init__(self, boxes: PersonalBoxes, opener: PersonalOpener, acts: OwnActs) -> None:
        self._boxes = boxes
        self._opener = opener
        self._acts = acts

    async def __call__(self, audit_id: UUID, purpose: str) -> tuple[bytes, Mapping[str, str]]:
        """Return the salt, which with the fields makes up the record's commitment, and the fields.

        Raises:
            NotFound: PERSONAL_NOT_FOUND, PERSONAL_ERASED.
        """
        sealed, erased = await self._boxes.find(audit_id)
        # Before it is opened: a look that cannot be recorded is not taken.
        await self._acts.record(
            "PERSONAL_OPENED",
            "audit_record",
            audit_id.bytes,
            {"purpose": purpose},
            refused=sealed is None,
        )
        if sealed is None:
            if erased:
                raise NotFound("PERSONAL_ERASED", "What the record said was erased.")
            raise NotFound("PERSONAL_NOT_FOUND", "The record says nothing about people.")
        return await self._opener.open(audit_id, sealed)


class ErasePersonal:
    """Erases what lies beside all records of a subject."""

    def __init__(self, boxes: PersonalBoxes) -> None:
        self._boxes = boxes

    async def __call__(self, subject_kind: str, subject_key: bytes) -> int:
        """Return how many records had something to erase."""
        return await self._boxes.erase(subject_kind, subject_key)

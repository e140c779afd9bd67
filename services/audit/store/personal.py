"""What lies sealed beside the log."""

from __future__ import annotations

from uuid import UUID

from services.audit.store.log import QUERIES
from services.audit.store.own_acts import PostgresOwnActs
from services.common import audit
from services.common.postgres import Database


class PostgresPersonal:
    """See ports.PersonalBoxes."""

    def __init__(self, database: Database, acts: PostgresOwnActs) -> None:
        self._database = database
        self._acts = acts

    async def find(self, audit_id: UUID) -> tuple[bytes | None, bool]:
        """Return the box of a record, if it has one, and whether it had one that was erased."""
        row = await self._database.fetchrow(QUERIES["get_personal"], audit_id)
        if row is None:
            return None, False
        return row["sealed"], row["erased_at"] is not None

    async def erase(self, subject_kind: str, subject_key: bytes) -> int:
        """Take the boxes of all records of a subject away; return how many."""
        async with self._database.transaction() as connection:
            tag = await connection.execute(QUERIES["erase_personal"], subject_kind, subject_key)
            erased = int(tag.rpartition(" ")[2])
            await self._acts.append(
                connection,
                audit.act_of(
                    self._database.service,
                    "PERSONAL_ERASED",
                    subject_kind,
                    subject_key,
                    audit.Outcome.SUCCEEDED,
                    details={"erased": str(erased)},
                ),
            )
        return erased

"""What processing keeps under keys of Vault."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from services.common.postgres import Database, load_queries
from services.common.rotation import Column, Form, Remedy, VersionUse
from services.common.rotation.holdings import Lot, Progress

QUERIES = load_queries(__package__, "queries.sql")

CASE, DEMOGRAPHIC_LOOKUP = "core/transit/case", "core/transit/demographic-lookup"
_CASE = {"case_id": "uuid"}
_DEMOGRAPHIC = {"registration_id": "text", "language": "text"}

COLUMNS = (
    Column(
        CASE, "adjudication_case", "sealed_applicant", _CASE, Form.BOX, Remedy.REWRAPPED,
        made_column="opened_at",
    ),
    Column(
        CASE, "adjudication_case", "sealed_reason", _CASE, Form.BOX, Remedy.REWRAPPED,
        made_column="decided_at",
    ),
    Column(
        CASE, "demographic_key", "sealed_input", _DEMOGRAPHIC, Form.CIPHERTEXT, Remedy.REWRAPPED,
    ),
    Column(
        DEMOGRAPHIC_LOOKUP, "demographic_key", "key", _DEMOGRAPHIC, Form.MAC, Remedy.RECOMPUTED,
        version_column="key_version", plain_column="sealed_input", plain_key=CASE,
        where="sealed_input is not null",
    ),
    Column(
        DEMOGRAPHIC_LOOKUP, "demographic_key", "key", _DEMOGRAPHIC, Form.MAC, Remedy.NONE,
        version_column="key_version", where="sealed_input is null",
    ),
)  # fmt: skip
NOT_NEEDED = {
    "demographic_key_older.key": "for those who compare by an older version, while there are any",
}


@dataclass(frozen=True)
class PacketsInFlight:
    """Packets that may have to be opened yet; see rotation.Holding.

    Which version one is sealed for is known once it is opened: so all count for the first.
    """

    database: Database
    key: str = "core/transit/pkt-*"
    name: str = "registration in flight"
    remedy: Remedy = Remedy.EXPIRES

    async def versions(self) -> list[VersionUse]:
        """Return the registrations that are not final, by their centre's key."""
        return [
            VersionUse(
                1, row["items"], oldest_at=row["oldest_at"],
                key=f"core/transit/pkt-{row['centre_id']}",
            )
            for row in await self.database.fetch(QUERIES["packets_in_flight"])
        ]  # fmt: skip

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Nothing: they come to their end by themselves."""
        return Lot()

"""What authentication keeps under keys of Vault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from services.common.postgres import Database, load_queries
from services.common.rotation import Column, Form, Remedy, VersionUse
from services.common.rotation.holdings import Lot, Progress

QUERIES = load_queries(__package__, "queries.sql")

LOOKUP, RECORD = "ida/transit/id-lookup", "ida/transit/record"
PSUT, OTP = "ida/transit/psut", "ida/transit/otp"
_ALIVE = "not used and expires_at > clock_timestamp()"

COLUMNS = (
    Column(
        RECORD, "identity", "sealed", {"identity_id": "uuid"}, Form.BOX, Remedy.REWRAPPED,
        also="wrapped_key", made_column="applied_at",
    ),
    Column(
        PSUT, "psut", "sealed", {"identity_id": "uuid", "scope": "text"}, Form.CIPHERTEXT,
        Remedy.REWRAPPED, made_column="made_at",
    ),
    # Identity computes these anew and tells them by its feed: nothing here knows a number.
    Column(
        LOOKUP, "identity", "uin_lookup_key", {"identity_id": "uuid"}, Form.MAC, Remedy.FOLLOWED,
        version_column="lookup_key_version",
    ),
    Column(
        LOOKUP, "vid", "vid_lookup_key", {"identity_id": "uuid"}, Form.MAC, Remedy.FOLLOWED,
        version_column="lookup_key_version",
    ),
    Column(
        LOOKUP, "otp", "individual_lookup_key", {"identity_id": "uuid"}, Form.MAC, Remedy.EXPIRES,
        version_column="lookup_key_version", until_column="expires_at", where=_ALIVE,
    ),
    Column(
        OTP, "otp", "mac", {"identity_id": "uuid"}, Form.MAC, Remedy.EXPIRES,
        version_column="mac_version", until_column="expires_at", where=_ALIVE,
    ),
)  # fmt: skip
NOT_NEEDED = {
    "vid_key_replaced.old_key": "only says what a late event means",
    "vid_key_replaced.new_key": "only says what a late event means",
    "identity.wrapped_key": "repeats the data key of identity.sealed, and is kept up with it",
}


@dataclass(frozen=True)
class EnvelopeKey:
    """A key that partners or devices seal for; see rotation.Holding.

    Args:
        reference_id: PARTNER or IDA-FIR.
        overlap: a certificate goes on being accepted for so long after its successor was made.
        ensure: makes the certificates that are missing.
    """

    database: Database
    key: str
    reference_id: str
    overlap: timedelta
    ensure: Callable[[], Awaitable[None]]
    remedy: Remedy = Remedy.OUTSIDE

    @property
    def name(self) -> str:
        """The table, and whom the certificate is for."""
        return f"envelope_certificate.{self.reference_id}"

    async def versions(self) -> list[VersionUse]:
        """Return the versions whose certificates are still accepted."""
        rows = await self.database.fetch(
            QUERIES["envelope_versions"], self.reference_id, self.overlap
        )
        return [
            VersionUse(
                row["key_version"],
                row["items"],
                oldest_at=row["oldest_at"],
                needed_until=row["needed_until"],
            )
            for row in rows
        ]

    async def renew(
        self, target: int, *, limit: int, without: Collection[object], progress: Progress
    ) -> Lot:
        """Hand out a certificate over the newest version."""
        await self.ensure()
        return Lot()

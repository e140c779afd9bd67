"""One-time passwords and their limits, read outside a transaction."""

from collections.abc import Sequence
from uuid import UUID

from services.authentication.domain.individual import LookupKey
from services.authentication.domain.otp import OtpGuard, StoredOtp
from services.authentication.ports import Otps
from services.common.postgres import Database, Record, load_queries

QUERIES = load_queries(__package__, "queries.sql")


class PostgresOtps(Otps):
    """Reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, keys: Sequence[LookupKey]) -> StoredOtp | None:
        """Return the last OTP of an identifier, by any of its hashes."""
        row = await self._database.fetchrow(QUERIES["find_otp"], [key.digest for key in keys])
        if row is None:
            return None
        return StoredOtp(
            individual_key=LookupKey(row["individual_lookup_key"], row["lookup_key_version"]),
            identity_id=row["identity_id"],
            partner_id=row["partner_id"],
            transaction_id=row["transaction_id"],
            mac=row["mac"],
            mac_version=row["mac_version"],
            generated_at=row["generated_at"],
            expires_at=row["expires_at"],
            used=row["used"],
        )

    async def guard(self, identity_id: UUID) -> OtpGuard | None:
        """Return a person's limits."""
        row = await self._database.fetchrow(QUERIES["find_otp_guard"], identity_id)
        return None if row is None else guard_from_row(row)


def guard_from_row(row: Record) -> OtpGuard:
    """Return the limits that a row holds."""
    return OtpGuard(
        window_started_at=row["window_started_at"],
        failures=row["failures"],
        frozen_until=row["frozen_until"],
        requests=row["requests"],
    )

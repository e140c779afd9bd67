"""The commit of a decision: its row, what it uses up, its audit record, its events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from services.authentication import convert
from services.authentication.domain.decision import DecidedTransaction, ReplayKey
from services.authentication.domain.individual import LookupKey, VidState
from services.authentication.domain.otp import OtpGuard, StoredOtp
from services.authentication.ports import Pruning, Transaction, UnitOfWork
from services.authentication.store.otps import guard_from_row
from services.common import audit, feed
from services.common.postgres import Connection, Database, load_queries

QUERIES = load_queries(__package__, "queries.sql")


class PostgresUnitOfWork(UnitOfWork):
    """Begins transactions on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Commit when the block ends, roll back when it raises."""
        async with self._database.transaction() as connection:
            yield PostgresTransaction(connection)


class PostgresTransaction(Transaction):
    """One commit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add_decided(self, decided: DecidedTransaction, replay: ReplayKey | None) -> bool:
        """Write the row and, where replay is given, that the request is used up."""
        partner = decided.partner
        values: tuple[object, ...] = (
            decided.auth_transaction_id,
            partner.partner_id,
            partner.misp_id,
            partner.policy_id,
            partner.api_key_id,
            decided.transaction_id,
            convert.endpoint_number(decided.endpoint),
            list(decided.factors),
            decided.succeeded,
            list(decided.error_codes),
            decided.identity_id,
            decided.requested_at,
            decided.responded_at,
            decided.body_hash,
            decided.request_signature,
            decided.response_signature,
        )
        if replay is None:
            await self._connection.execute(QUERIES["add_refused_transaction"], *values)
            return True
        fresh = await self._connection.fetchval(
            QUERIES["add_transaction"],
            *values,
            replay.partner_id,
            replay.transaction_id,
            replay.body_hash,
            replay.expires_at,
        )
        return fresh is True

    async def use_vid(self, key: LookupKey, now: datetime) -> bool:
        """Take one use of a VID; False when it has none left or is not active."""
        row = await self._connection.fetchrow(
            QUERIES["use_vid"], key.digest, VidState.ACTIVE.value, now
        )
        return row is not None

    async def publish_vid_used(
        self, key: LookupKey, auth_transaction_id: UUID, used_at: datetime
    ) -> None:
        """Tell identity."""
        await feed.publish(
            self._connection, convert.vid_used_to_event(key, auth_transaction_id, used_at)
        )

    async def use_otp(self, otp: StoredOtp) -> bool:
        """Burn an OTP; False when it was used or replaced meanwhile."""
        used = await self._connection.fetchval(QUERIES["use_otp"], otp.individual_key, otp.mac)
        return used is True

    async def put_otp(self, otp: StoredOtp) -> None:
        """Keep an OTP in place of the last one."""
        await self._connection.execute(
            QUERIES["put_otp"],
            otp.individual_key,
            otp.identity_id,
            otp.partner_id,
            otp.transaction_id,
            otp.mac,
            otp.mac_version,
            otp.generated_at,
            otp.expires_at,
        )

    async def lock_guard(self, identity_id: UUID, now: datetime) -> OtpGuard:
        """Return a person's limits, which nobody else can change until the commit."""
        row = await self._connection.fetchrow(QUERIES["lock_otp_guard"], identity_id, now)
        assert row is not None
        return guard_from_row(row)

    async def put_guard(self, identity_id: UUID, guard: OtpGuard) -> None:
        """Write back what lock_guard returned."""
        await self._connection.execute(
            QUERIES["put_otp_guard"],
            identity_id,
            guard.failures,
            guard.frozen_until,
            guard.window_started_at,
            guard.requests,
        )

    async def record_audit(self, decided: DecidedTransaction) -> None:
        """Write the audit record; the subject is the random identity id, or the transaction's."""
        known = decided.identity_id is not None
        subject = decided.identity_id or decided.auth_transaction_id
        await audit.record(
            self._connection,
            _ACTIONS[decided.endpoint.name],
            "identity" if known else "auth_transaction",
            subject.bytes,
            audit.Outcome.SUCCEEDED if decided.succeeded else audit.Outcome.REFUSED,
            audit.Actor("partner", decided.partner.partner_id),
            {
                "factors": ",".join(decided.factors),
                "errors": ",".join(decided.error_codes),
                "auth_transaction_id": str(decided.auth_transaction_id),
            },
        )


_ACTIONS = {
    "AUTH": "INDIVIDUAL_AUTHENTICATED",
    "KYC": "INDIVIDUAL_KYC_RETURNED",
    "OTP": "OTP_REQUESTED",
}


class PostgresPruning(Pruning):
    """Deletes in small lots, so that no write transaction lasts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prune(self, before: datetime, limit: int) -> int:
        """Delete at most limit rows of each kind that expired before; return how many."""
        deleted = 0
        for query in ("prune_replay", "prune_otp"):
            tag = await self._database.execute(QUERIES[query], before, limit)
            deleted += int(tag.rpartition(" ")[2])
        return deleted

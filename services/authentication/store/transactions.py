"""The commit of a decision: its row, what it uses up, its audit record, its events."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg

from services.authentication import convert
from services.authentication.domain.decision import DecidedTransaction, ReplayKey
from services.authentication.domain.individual import LookupKey, VidState
from services.authentication.domain.otp import OtpGuard, StoredOtp
from services.authentication.ports import Pruning, Transaction, UnitOfWork
from services.authentication.store.otps import guard_from_row
from services.common import audit, feed
from services.common.batching import Batcher
from services.common.postgres import Connection, Database, load_queries

QUERIES = load_queries(__package__, "queries.sql")
_MOST_AT_ONCE = 64
_ENOUGH = 16


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A decision to be written; the audit record is made in its own call."""

    decided: DecidedTransaction
    replay: ReplayKey | None
    act: audit.Act


class PostgresUnitOfWork(UnitOfWork):
    """Begins transactions on a database; decisions that use nothing up share commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher = Batcher()

    async def write_decided(self, decided: DecidedTransaction, replay: ReplayKey | None) -> bool:
        """Write a decision and its audit record together with those of other requests."""
        waiting = _Waiting(decided, replay, _act_of(self._database.service, decided))
        [fresh] = await self._batcher.call(
            "decided",
            [waiting],
            self._write_lot,
            max_items=_MOST_AT_ONCE,
            enough_items=_ENOUGH,
        )
        return fresh

    async def _write_lot(self, lot: Sequence[_Waiting]) -> Sequence[bool | Exception]:
        try:
            return await self._commit(lot)
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            if len(lot) == 1:
                raise
        # One of them cannot be written: it must not take the others with it.
        return [await self._alone(waiting) for waiting in lot]

    async def _alone(self, waiting: _Waiting) -> bool | Exception:
        try:
            [fresh] = await self._commit([waiting])
        except Exception as error:
            return error
        return fresh

    async def _commit(self, lot: Sequence[_Waiting]) -> list[bool]:
        firsts: dict[object, _Waiting] = {}
        for waiting in lot:
            firsts.setdefault(_once(waiting), waiting)
        written = await _write(self._database, list(firsts.values()))
        feed.published(self._database)
        return [one.decided.auth_transaction_id in written for one in lot]

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
        """Write row and audit record and, where replay is given, that the request is used up."""
        connection = self._connection
        waiting = _Waiting(decided, replay, _act_of(connection.service, decided))
        connection.on_commit(partial(feed.published, connection.database))
        return bool(await _write(connection, [waiting]))

    async def use_vid(self, key: LookupKey, now: datetime) -> bool:
        """Take one use of a VID; False when it has none left or is not active."""
        for _ in range(2):
            row = await self._connection.fetchrow(
                QUERIES["use_vid"], key.digest, VidState.ACTIVE.value, now
            )
            if row is not None:
                return True
            # Its hash may have been replaced while this waited for the row.
        return False

    async def publish_vid_used(
        self, key: LookupKey, auth_transaction_id: UUID, used_at: datetime
    ) -> None:
        """Tell identity."""
        await feed.publish(
            self._connection, convert.vid_used_to_event(key, auth_transaction_id, used_at)
        )

    async def use_otp(self, otp: StoredOtp) -> bool:
        """Burn an OTP; False when it was used or replaced meanwhile."""
        used = await self._connection.fetchval(
            QUERIES["use_otp"], otp.individual_key.digest, otp.mac
        )
        return used is True

    async def put_otp(self, otp: StoredOtp) -> None:
        """Keep an OTP in place of the last one."""
        await self._connection.execute(
            QUERIES["put_otp"],
            otp.individual_key.digest,
            otp.identity_id,
            otp.partner_id,
            otp.transaction_id,
            otp.mac,
            otp.mac_version,
            otp.generated_at,
            otp.expires_at,
            otp.individual_key.version,
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


async def _write(runner: Connection | Database, lot: Sequence[_Waiting]) -> set[UUID]:
    """Write decisions, each with a replay key of its own; return those that are no replays."""
    types, events = feed.rows_of([waiting.act for waiting in lot])
    columns = map(list, zip(*(_row(each.decided, each.replay) for each in lot), strict=True))
    row = await runner.fetchrow(QUERIES["add_transactions"], *columns, types, events)
    assert row is not None
    return set(row["written"] or ())


def _row(decided: DecidedTransaction, replay: ReplayKey | None) -> tuple[object, ...]:
    """Return the columns; lists as text, for an array of arrays has to be rectangular."""
    partner = decided.partner
    once: tuple[object, ...] = (None, None, None, None)
    if replay is not None:
        once = (replay.partner_id, replay.transaction_id, replay.body_hash, replay.expires_at)
    return (
        decided.auth_transaction_id,
        partner.partner_id,
        partner.misp_id,
        partner.policy_id,
        partner.api_key_id,
        decided.transaction_id,
        convert.endpoint_number(decided.endpoint),
        ",".join(decided.factors),
        decided.succeeded,
        ",".join(decided.error_codes),
        decided.identity_id,
        decided.requested_at,
        decided.responded_at,
        decided.body_hash,
        decided.request_signature,
        decided.response_signature,
        *once,
    )


def _once(waiting: _Waiting) -> object:
    """Return what only one decision of a lot may have."""
    replay = waiting.replay
    if replay is None:
        return waiting.decided.auth_transaction_id
    return replay.partner_id, replay.transaction_id, replay.body_hash


def _act_of(service: str, decided: DecidedTransaction) -> audit.Act:
    """Return the audit record; the subject is the random identity id, or the transaction's."""
    known = decided.identity_id is not None
    subject = decided.identity_id or decided.auth_transaction_id
    return audit.act_of(
        service,
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
        for query in ("prune_replay", "prune_otp", "prune_replaced_keys"):
            tag = await self._database.execute(QUERIES[query], before, limit)
            deleted += int(tag.rpartition(" ")[2])
        return deleted

"""What people log in with, and how often they were wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.access.domain.attempts import ANYWHERE, Attempts, BackOff, locked_until
from services.access.domain.operator import Credentials, Secret
from services.access.store import records
from services.access.store.operators import credentials_from
from services.access.store.records import QUERIES
from services.common.postgres import Connection, Database, Record


class StoredLogins:
    """Passwords, second factors and recovery codes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, operator_id: str) -> Credentials | None:
        """Return a person's credentials."""
        row = await self._database.fetchrow(QUERIES["credentials"], operator_id)
        return credentials_from(row) if row is not None else None

    async def set_password(
        self,
        operator_id: str,
        password: str,
        *,
        change_by: datetime | None,
        action: str,
        tokens_end_at: datetime,
    ) -> None:
        """Keep another password (PHC) and revoke all tokens."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["set_password"], operator_id, password, change_by)
            generation = await connection.fetchval(QUERIES["raise_generation"], operator_id)
            await records.revoke_all(connection, operator_id, generation, tokens_end_at)
            await records.done(connection, action, operator_id)

    async def rehashed(self, operator_id: str, was: str, password: str) -> None:
        """Keep the same password under present parameters, unless it was changed meanwhile."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["rehashed"], operator_id, was, password)

    async def begin_totp(self, operator_id: str, sealed: str) -> None:
        """Keep a second factor that does not count yet."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["begin_totp"], operator_id, sealed)
            await records.done(connection, "SECOND_FACTOR_BEGUN", operator_id)

    async def confirm_totp(self, operator_id: str, step: int, codes: Sequence[Secret]) -> None:
        """Make the second factor count, from after a step on; keep recovery codes."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["confirm_totp"], operator_id, step)
            await connection.execute(QUERIES["forget_recovery_codes"], operator_id)
            rows = [(operator_id, code.digest, code.version) for code in codes]
            await connection.executemany(QUERIES["add_recovery_code"], rows)
            await records.done(connection, "SECOND_FACTOR_ENROLLED", operator_id)

    async def forget_totp(self, operator_id: str) -> None:
        """Take the second factor and its recovery codes away."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["forget_totp"], operator_id)
            await connection.execute(QUERIES["forget_recovery_codes"], operator_id)
            await records.done(connection, "SECOND_FACTOR_REMOVED", operator_id)

    async def use_step(self, operator_id: str, step: int) -> bool:
        """Take a code's time step; false if that or a later one was taken before."""
        async with self._database.transaction() as connection:
            return bool(await connection.fetchval(QUERIES["use_step"], operator_id, step))

    async def recovery_versions(self, operator_id: str) -> Sequence[int]:
        """Return the key versions that recovery codes are kept under."""
        rows = await self._database.fetch(QUERIES["recovery_versions"], operator_id)
        return [row["version"] for row in rows]

    async def use_recovery_code(self, operator_id: str, codes: Sequence[Secret]) -> bool:
        """Take a recovery code, given under each version; false if there is none such."""
        digests, versions = [c.digest for c in codes], [c.version for c in codes]
        async with self._database.transaction() as connection:
            used = await connection.fetchval(
                QUERIES["use_recovery_code"], operator_id, digests, versions
            )
            if used:
                await records.done(connection, "RECOVERY_CODE_USED", operator_id)
            return bool(used)


class StoredAttempts:
    """Wrong attempts per name and source, and per name."""

    def __init__(self, database: Database, rules: BackOff) -> None:
        self._database = database
        self._rules = rules

    async def of(self, operator_id: str, source: str) -> tuple[Attempts, Attempts]:
        """Return what is remembered of a name at a source, and anywhere."""
        return _both(
            await self._database.fetch(QUERIES["attempts_of"], operator_id, source), source
        )

    async def reserve(self, operator_id: str, source: str, now: datetime) -> datetime | None:
        """Count an attempt as wrong before it is looked at; return the lock that forbids it."""
        async with self._database.transaction() as connection:
            here, anywhere = await self._locked(connection, operator_id, source)
            locked = locked_until(here, anywhere, now, self._rules)
            if locked is None:
                await self._count(connection, operator_id, source, (here, anywhere), now)
            return locked

    async def failed(
        self, operator_id: str, source: str, now: datetime, *, action: str, reason: str
    ) -> None:
        """Count a wrong attempt that was not reserved, and record the refusal."""
        async with self._database.transaction() as connection:
            if operator_id:
                both = await self._locked(connection, operator_id, source)
                await self._count(connection, operator_id, source, both, now)
            await records.refused(connection, action, operator_id, reason)

    async def refused(self, operator_id: str, *, action: str, reason: str) -> None:
        """Record a refusal."""
        async with self._database.transaction() as connection:
            await records.refused(connection, action, operator_id, reason)

    async def succeeded(self, operator_id: str, source: str, now: datetime) -> None:
        """Forget the wrong attempts of a name at a source; it is trusted for a while."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["attempts_less"], operator_id)
            await connection.execute(QUERIES["attempts_succeeded"], operator_id, source, now)

    async def locked(self, now: datetime) -> frozenset[str]:
        """Return the names that are locked somewhere at present."""
        rows = await self._database.fetch(QUERIES["attempts_locked"], now)
        return frozenset(row["operator_id"] for row in rows)

    async def unlock(self, operator_id: str) -> None:
        """Forget the wrong attempts of a name from everywhere."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["attempts_forget"], operator_id)
            await records.done(connection, "OPERATOR_UNLOCKED", operator_id)

    async def _locked(
        self, connection: Connection, operator_id: str, source: str
    ) -> tuple[Attempts, Attempts]:
        await connection.execute(QUERIES["attempts_start"], operator_id, source)
        rows = await connection.fetch(QUERIES["attempts_lock"], operator_id, source)
        return _both(rows, source)

    async def _count(
        self,
        connection: Connection,
        operator_id: str,
        source: str,
        both: tuple[Attempts, Attempts],
        now: datetime,
    ) -> None:
        for place, attempts in zip((source, ANYWHERE), both, strict=True):
            wrong = attempts.wrong + 1
            wait_s = self._rules.wait_s(wrong, anywhere=place == ANYWHERE)
            until = now + timedelta(seconds=wait_s) if wait_s else attempts.locked_until
            await connection.execute(QUERIES["attempts_set"], operator_id, place, wrong, until, now)


def _both(rows: Sequence[Record], source: str) -> tuple[Attempts, Attempts]:
    found = {
        row["source"]: Attempts(row["wrong"], row["locked_until"], row["succeeded_at"])
        for row in rows
    }
    return found.get(source, Attempts()), found.get(ANYWHERE, Attempts())

"""Operators; every change is audited in its own commit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from services.access.domain.operator import Credentials, Operator, Secret
from services.access.store import records
from services.access.store.records import QUERIES
from services.common.errors import AlreadyExists, NotFound
from services.common.postgres import Connection, Database, Record


class StoredOperators:
    """Operators in their table.

    Args:
        tokens_live: for how long a token may be taken after it was issued.
    """

    def __init__(self, database: Database, tokens_live: timedelta) -> None:
        self._database = database
        self._tokens_live = tokens_live

    async def put_client(self, operator: Operator) -> None:
        """Add a client, or give the one with its id another secret, roles and generation."""
        assert operator.secret is not None, "a client has a secret"
        async with self._database.transaction() as connection:
            generation = await connection.fetchval(
                QUERIES["put_client"],
                operator.operator_id,
                list(operator.roles),
                operator.active,
                operator.secret.digest,
                operator.secret.version,
            )
            if generation is None:
                raise AlreadyExists("OPERATOR_IS_PERSON", "This is the name of a person.")
            if generation:
                end = await _after(connection, self._tokens_live)
                await records.revoke_all(connection, operator.operator_id, generation, end)
            await records.done(connection, "OPERATOR_PUT", operator.operator_id, _told(operator))

    async def create_person(self, operator: Operator, credentials: Credentials) -> None:
        """Add a person."""
        try:
            async with self._database.transaction() as connection:
                await connection.execute(
                    QUERIES["create_person"],
                    operator.operator_id,
                    list(operator.roles),
                    operator.active,
                )
                await connection.execute(
                    QUERIES["add_credentials"],
                    operator.operator_id,
                    credentials.password,
                    credentials.change_by,
                )
                told = _told(operator)
                await records.done(connection, "OPERATOR_CREATED", operator.operator_id, told)
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists("OPERATOR_EXISTS", "Somebody has this name.") from error

    async def get(self, operator_id: str) -> Operator | None:
        """Return an operator."""
        row = await self._database.fetchrow(QUERIES["get"], operator_id)
        if row is None:
            return None
        keys: dict[str, str] = {}
        if not row["person"]:
            found = await self._database.fetch(QUERIES["client_keys"], operator_id)
            keys = {each["key_id"]: each["jwk"] for each in found}
        return _operator(row, keys)

    async def listed(self) -> Sequence[tuple[Operator, Credentials | None]]:
        """Return all operators by id; of a person the credentials too."""
        rows = await self._database.fetch(QUERIES["listed"])
        return [
            (_operator(row, {}), credentials_from(row) if row["person"] else None) for row in rows
        ]

    async def change(
        self,
        operator_id: str,
        *,
        active: bool | None,
        roles: tuple[str, ...] | None,
        tokens_end_at: datetime,
    ) -> None:
        """Change an operator and revoke its tokens."""
        async with self._database.transaction() as connection:
            given = list(roles) if roles is not None else None
            generation = await connection.fetchval(QUERIES["change"], operator_id, active, given)
            if generation is None:
                raise NotFound("OPERATOR_UNKNOWN", "Nobody has this name.")
            await records.revoke_all(connection, operator_id, generation, tokens_end_at)
            details = {"roles": ",".join(roles)} if roles is not None else {}
            if active is not None:
                details["active"] = str(active).lower()
            await records.done(connection, "OPERATOR_CHANGED", operator_id, details)

    async def end_sessions(self, operator_id: str, reason: str, *, tokens_end_at: datetime) -> None:
        """Revoke all tokens of an operator, refresh tokens too."""
        async with self._database.transaction() as connection:
            generation = await connection.fetchval(QUERIES["raise_generation"], operator_id)
            if generation is not None:
                await records.revoke_all(connection, operator_id, generation, tokens_end_at)
                details = {"reason": reason}
                await records.done(connection, "OPERATOR_TOKENS_REVOKED", operator_id, details)

    async def add_key(self, client_id: str, key_id: str, jwk: str) -> None:
        """Give a client a public key."""
        async with self._database.transaction() as connection:
            if await connection.fetchval(QUERIES["add_key"], client_id, key_id, jwk) is None:
                raise NotFound("OPERATOR_UNKNOWN", "There is no such client.")
            await records.done(connection, "CLIENT_KEY_ADDED", client_id, {"key_id": key_id})

    async def keep_secret(self, operator_id: str, was: Secret, secret: Secret) -> None:
        """Keep the same secret's hash under another version of the key."""
        async with self._database.transaction() as connection:
            await connection.execute(
                QUERIES["keep_secret"], operator_id, was.digest, secret.digest, secret.version
            )


def credentials_from(row: Record) -> Credentials:
    """Return a person's credentials of a row that has them."""
    return Credentials(
        row["password"], row["change_by"], row["totp"], row["totp_confirmed"], row["last_step"]
    )


async def _after(connection: Connection, life: timedelta) -> datetime:
    now: datetime = await connection.fetchval("select now()")
    return now + life


def _operator(row: Record, keys: dict[str, str]) -> Operator:
    digest = row["secret_digest"]
    return Operator(
        operator_id=row["operator_id"],
        roles=tuple(row["roles"]),
        active=row["active"],
        secret=Secret(row["secret_version"], digest) if digest is not None else None,
        person=row["person"],
        generation=row["generation"],
        keys=keys,
    )


def _told(operator: Operator) -> dict[str, str]:
    return {"roles": ",".join(operator.roles), "active": str(operator.active).lower()}

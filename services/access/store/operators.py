"""Operators; every change and every token is audited in its own commit."""

from __future__ import annotations

from datetime import datetime

from services.access.domain.operator import Operator, Secret
from services.common import audit
from services.common.postgres import Connection, Database, load_queries

QUERIES = load_queries(__package__, "queries.sql")


class StoredOperators:
    """Operators in their table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, operator: Operator) -> None:
        """Add an operator, or replace the one with its id."""
        async with self._database.transaction() as connection:
            await connection.execute(
                QUERIES["put"],
                operator.operator_id,
                list(operator.roles),
                operator.active,
                operator.secret.digest,
                operator.secret.version,
            )
            details = {"roles": ",".join(operator.roles), "active": str(operator.active).lower()}
            await self._audit(connection, "OPERATOR_PUT", operator.operator_id, details=details)

    async def get(self, operator_id: str) -> Operator | None:
        """Return an operator."""
        row = await self._database.fetchrow(QUERIES["get"], operator_id)
        if row is None:
            return None
        return Operator(
            operator_id=row["operator_id"],
            roles=tuple(row["roles"]),
            active=row["active"],
            secret=Secret(row["secret_version"], row["secret_digest"]),
            wrong_secrets=row["wrong_secrets"],
            locked_until=row["locked_until"],
        )

    async def count_wrong_secret(
        self, operator_id: str, *, allowed: int, locked_until: datetime
    ) -> None:
        """Count a wrong secret; lock the operator when there are more than allowed."""
        async with self._database.transaction() as connection:
            locked = await connection.fetchval(
                QUERIES["count_wrong_secret"], operator_id, allowed, locked_until
            )
            reason = "OPERATOR_LOCKED" if locked else "SECRET_WRONG"
            await self._refusal(connection, operator_id, reason)

    async def renew_secret(self, operator_id: str, old: Secret, new: Secret) -> None:
        """Keep the same secret's hash under a newer key, unless the secret was changed."""
        await self._database.execute(
            QUERIES["renew_secret"], operator_id, old.digest, new.digest, new.version
        )

    async def token_issued(self, operator_id: str, token_id: str) -> None:
        """Forget the wrong secrets and record that a token is issued."""
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["forget_wrong_secrets"], operator_id)
            details = {"token_id": token_id}
            await self._audit(connection, "TOKEN_ISSUED", operator_id, details=details)

    async def token_refused(self, operator_id: str, reason: str) -> None:
        """Record that a token was refused."""
        async with self._database.transaction() as connection:
            await self._refusal(connection, operator_id, reason)

    async def _refusal(self, connection: Connection, operator_id: str, reason: str) -> None:
        await self._audit(
            connection,
            "TOKEN_ISSUED",
            operator_id,
            outcome=audit.Outcome.REFUSED,
            details={"reason": reason},
        )

    async def _audit(
        self,
        connection: Connection,
        action: str,
        operator_id: str,
        *,
        outcome: audit.Outcome = audit.Outcome.SUCCEEDED,
        details: dict[str, str],
    ) -> None:
        await audit.record(
            connection, action, "operator", operator_id.encode(), outcome, details=details
        )

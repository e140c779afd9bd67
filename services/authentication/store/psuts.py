"""Partner-specific tokens, sealed."""

from uuid import UUID

from services.authentication.ports import Psuts
from services.common.postgres import Database, load_queries

QUERIES = load_queries(__package__, "queries.sql")


class PostgresPsuts(Psuts):
    """The first one that is added stays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, identity_id: UUID, scope: str) -> str | None:
        """Return a token's ciphertext."""
        sealed: str | None = await self._database.fetchval(QUERIES["get_psut"], identity_id, scope)
        return sealed

    async def add(self, identity_id: UUID, scope: str, sealed: str) -> None:
        """Keep a token unless there is one already."""
        await self._database.execute(QUERIES["add_psut"], identity_id, scope, sealed)

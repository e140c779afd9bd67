from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from services.common.postgres import Database
from tests.fakes import databases
from tests.fakes.servers import PostgresServer

EFFECTS = """
set role idmesh_owner;
create table beta.effect (
    n bigint generated always as identity primary key,
    transaction text not null, number int not null
);
"""


@dataclass(frozen=True)
class Pair:
    """Two services in two databases: alpha writes, audit (beta) follows."""

    writer: Database
    follower: Database
    server: PostgresServer

    async def admin(self, database: Database) -> asyncpg.Connection[asyncpg.Record]:
        name = await database.fetchval("select current_database()")
        return await asyncpg.connect(self.server.dsn(name))

    async def effects(self) -> list[tuple[str, int]]:
        rows = await self.follower.fetch("select transaction, number from effect order by n")
        return [(row["transaction"], row["number"]) for row in rows]


@pytest.fixture
async def pair(postgres_server: PostgresServer) -> AsyncIterator[Pair]:
    async with (
        databases.database(postgres_server, "alpha", pool_max=20) as writer,
        databases.database(postgres_server, "beta") as follower,
    ):
        made = Pair(writer, follower, postgres_server)
        admin = await made.admin(follower)
        await admin.execute(EFFECTS)
        await admin.close()
        yield made
